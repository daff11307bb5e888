#!/usr/bin/env python3
"""Verify a Counterfoil evidence bundle: python3 verify_bundle.py BUNDLE VKEY (docs/formats/bundle.md)."""
import base64, hashlib, json, sys

def b64(text): return base64.b64decode(text, validate=True)
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()

def root_of(leaf, index, size, proof):                      # RFC 9162, 2.1.3.2
    node, last, top = index, size - 1, leaf
    for sibling in proof:
        assert last > 0, "the proof has too many hashes"
        if node & 1 or node == last:
            top = sha(b"\x01", sibling, top)
            while node & 1 == 0 and node: node, last = node >> 1, last >> 1
        else:
            top = sha(b"\x01", top, sibling)
        node, last = node >> 1, last >> 1
    assert last == 0, "the proof has too few hashes"
    return top

bundle, vkey = json.load(open(sys.argv[1], encoding="utf-8")), sys.argv[2]
assert bundle["format"] == "counterfoil-bundle/v1", "not a bundle of this version"
text, signatures = bundle["checkpoint"].rsplit("\n\n", 1)   # C2SP signed-note and tlog-checkpoint
text += "\n"
origin, size, root = text.split("\n")[:3]
name, key_id, key = vkey.split("+", 2)
assert sha(name.encode(), b"\n", b64(key))[:4].hex() == key_id and b64(key)[0] == 1, "not an Ed25519 verifier key"
assert origin == bundle["origin"] == name, "the origins differ"
lines = [line.split(" ") for line in signatures.splitlines()]
ours = [b64(blob) for dash, who, blob in lines if who == name and b64(blob)[:4].hex() == key_id]
assert ours, "the checkpoint has no signature by this key"
try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    for blob in ours: Ed25519PublicKey.from_public_bytes(b64(key)[1:]).verify(blob[4:], text.encode())
except ImportError:
    print("skipped: the checkpoint's signature (install `cryptography`)")
for part in (bundle["entries"], bundle["keys"]):
    assert all(a["index"] < b["index"] for a, b in zip(part, part[1:])), "entries twice or out of order"
    for entry in part:
        assert entry["index"] < int(size), f"entry {entry['index']} is outside the checkpoint"
        leaf = sha(b"\x00", entry["canonical"].encode())
        found = root_of(leaf, entry["index"], int(size), [b64(h) for h in entry["proof"]])
        assert found == b64(root), f"entry {entry['index']} is not in the ledger"
print("skipped: the signatures on entries (`counterfoil verify --bundle` checks them)")
print(f"verified {len(bundle['entries'])} entries of {origin} under a checkpoint of {size}; scope, by the maker's word: {bundle['scope']}")
