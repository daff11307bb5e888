"""The second verifier against vectors of others, the format pages' examples, and the first verifier."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil import Busy, Invalid, _core, check_bundle
from counterfoil.verify_pure import (
    Malformed,
    VerifierKey,
    canonical,
    ed25519,
    entry,
    index,
    journal,
    tree,
    verify_bundle,
)
from counterfoil.verify_pure.history import Ranges
from counterfoil.verify_pure.note import Note
from counterfoil.verify_pure.proof import InclusionProof

PROJECT = Path(__file__).parents[2]
TESTDATA = PROJECT / "testdata"
FORMATS = PROJECT / "docs" / "formats"
SHARED = PROJECT.parent / "shared" / "vectors"


def value_of(raw: bytes) -> bytes | None:
    try:
        return canonical.write(canonical.parse(raw))
    except Malformed:
        return None


class Native:
    """What the first implementation makes of a JSON value that stands in an entry."""

    def __init__(self, folder: Path) -> None:
        self.ledger = _core.Ledger.create(folder, "vectors.example/x")

    def value_of(self, raw: bytes) -> bytes | None:
        if b"\n" in raw or b"\r" in raw:
            raw = re.sub(rb"[\n\r]", b" ", raw)
        head = b'{"actor":"a","entity_id":"e","event_type":"t","new_value":'
        try:
            (receipt,) = self.ledger.append_lines(head + raw + b"}\n")
        except Invalid:
            return None
        assert receipt.index is not None
        written = self.ledger.entries(receipt.index, receipt.index + 1)[0]
        return re.fullmatch(rb'.*,"new_value":(.*),"recorded_at":.*', written, re.DOTALL)[1]  # type: ignore[index]


@pytest.fixture
def native(tmp_path: Path) -> Iterator[Native]:
    one = Native(tmp_path / "ledger")
    yield one
    one.ledger.close()


def same(native: Native, raw: bytes) -> bytes | None:
    """The canonical form on which both agree. Line ends stand in no text here but as white space."""
    mine = value_of(raw)
    if mine is not None and len(mine) > 60_000:
        return mine
    if mine is not None and mine.count(b"[") + mine.count(b"{") >= canonical.MOST_CONTAINERS:
        mine = value_of(b'{"x":' + raw + b"}") and mine
    theirs = native.value_of(raw)
    assert mine == theirs, raw[:300]
    return mine


def test_json_test_suite(native: Native) -> None:
    files = sorted((TESTDATA / "entry" / "jsontestsuite").rglob("*.json"))
    assert len(files) > 300
    for file in files:
        raw = file.read_bytes()
        if len(raw) > 60_000 or b"$sealed" in raw or raw.strip(b"\n\r \t") == b"":
            assert value_of(raw) is None, file
            continue
        if b"\n" in raw.strip(b"\n\r \t") and value_of(raw) is None:
            continue
        found = same(native, raw)
        if file.name.startswith("n_"):
            assert found is None, file


def test_jcs_of_others(native: Native) -> None:
    folder = TESTDATA / "entry" / "jcs-cyberphone"
    for file in sorted((folder / "input").glob("*.json")):
        assert same(native, file.read_bytes()) is not None
        if file.name != "values.json":
            assert value_of(file.read_bytes()) == (folder / "output" / file.name).read_bytes().rstrip(b"\n"), file


def test_numbers(native: Native) -> None:
    listed = next(p for p in (SHARED, TESTDATA / "entry") if (p / "jcs-cyberphone/es6-numbers-10000.txt").is_file())
    lines = (listed / "jcs-cyberphone" / "es6-numbers-10000.txt").read_text().split()
    for number, line in enumerate(lines):
        bits, text = line.split(",")
        (double,) = struct.unpack(">d", int(bits, 16).to_bytes(8, "big"))
        whole = re.fullmatch("-?[0-9]+", text)
        assert value_of(text.encode()) == text.encode()
        if not whole:
            assert value_of(repr(double).encode()) == text.encode(), line
        if number % 20 == 0:
            assert same(native, repr(double).encode()) is not None
    literals = """
        -0 -0.0 0e99999999999999999999 1.0 1e2 1e23 333333333.33333329 1e400 1e-400 0.1e1 12345678901234567.89
        9007199254740993.0 9007199254740993e0 9007199254740992.0 1e21 1E+2 0.000001 1e-7 5e-324 2e-324
        123456789012345678901234567890 1.7976931348623157e308 1.7976931348623159e308 100000000000000000000.5 4.35
        0.30000000000000004 01 +1 .5 1. 1e NaN Infinity -Infinity 1e99999999999999999999 1e-99999999999999999999
        0.0000001 123456789012345680000.0 1.0e+22 10000000000000000000000.0 1.2345678901234567e3
        0.10000000000000000555
    """
    long = ["1" * 64, "1" * 65, "0." + "1" * 62, "0." + "1" * 63]
    for literal in literals.split() + long:
        same(native, literal.encode())


def test_texts(native: Native) -> None:
    for raw in (
        rb'"\u0000"',
        rb'"\ud800"',
        rb'"\udc00\ud800"',
        rb'"\ud83d\ude02"',
        rb'"\u007f\u0080\u2028"',
        rb'"\/"',
        rb'"\u001F"',
        b'"\x7f"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\t"',
        rb'"\x"',
        rb'"\u12"',
        rb'{"a":1,"\u0061":2}',
        rb'{"\ud800":1}',
        '{"😂":1,"\ufb33":2}'.encode(),
        b"\xef\xbb\xbf1",
        b"[" * 62 + b"]" * 62,
        b"[" * 63 + b"]" * 63,
        b"[" * 64 + b"]" * 64,
        b"",
        b"\x0c1",
        b"1 2",
        b"tru",
        b"[1,]",
        b"'a'",
    ):
        same(native, raw)


def test_entries(native: Native) -> None:
    """Members of every wrong and right kind: both take or refuse them, with the same bytes."""
    base = {"event_type": "t", "actor": "a", "entity_id": "e", "timestamp": "2026-01-02T03:04:05Z"}
    sealed = {"$sealed": {"ciphertext": "YQ==", "key_id": "k", "nonce": "YQ=="}}
    values: list[Any] = ["", "a\tb", "a\x7f", "a\u0085", "user", "denied", None, 1, True, {}, [], "é" * 128, sealed]
    values += ["x" * length for length in (64, 65, 128, 129, 256, 257)]
    values += [{"x": [sealed]}, {**sealed, "y": 1}, json.dumps(sealed, separators=(",", ":"))]
    members = {*entry.TEXTS, *entry.CHOICES, "reason", "context", "old_value", "timestamp", "sequence", "what"} - {
        "recorder"
    }
    changes: list[dict[str, Any]] = [{name: value} for name in sorted(members) for value in values]
    timestamps = """
        2026-01-02t03:04:05z 2026-01-02T03:04:05-00:00 2026-01-02T03:04:05.1234567890Z 2026-01-02T03:04:60Z
        2026-01-02T03:04:05.100Z 1677-12-31T23:59:59Z 1678-01-01T00:00:00Z 2261-12-31T23:59:59.999999999Z
        2262-01-01T00:00:00Z 2262-01-01T00:30:00+01:00 1678-01-01T00:30:00+01:00 2026-02-29T00:00:00Z
        2024-02-29T24:00:00Z 2024-02-29T23:59:59+23:59 2024-02-29T23:59:59+24:00 2024-02-29T23:59:59.Z
        2024-02-29T23:59:59 0000-01-01T00:00:00Z 9999-12-31T23:59:59-01:00 ２026-01-02T03:04:05Z
    """
    changes += [{"timestamp": text} for text in timestamps.split()] + [{"timestamp": "2026-01-02 03:04:05Z"}]
    changes += [{"source": "s", "sequence": n} for n in (0, 1, 2**63 - 1, 2**63, -1, 1.5, "1")]
    changes += [{"source": "s"}, {"sequence": 1}, {"event_type": "ledger.x"}]
    taken = 0
    for change in changes:
        sent = json.dumps({**base, **change}, ensure_ascii=False).encode()
        whole = {"recorded_at": "2026-01-02T03:04:05Z", **base, **change}
        try:
            mine = bool(entry.parse(canonical.write(canonical.parse(json.dumps(whole).encode()))))
        except Malformed:
            mine = False
        if change.get("event_type") == "ledger.x":
            continue
        try:
            native.ledger.append_lines(sent + b"\n")
            theirs = True
        except Busy:  # a sequence too far ahead: valid all the same
            theirs = True
        except Invalid:
            theirs = False
        assert mine == theirs, change
        taken += mine
    assert taken > 60


def test_merkle_proofs_of_others() -> None:
    def b64(text: str | None) -> bytes:
        return base64.b64decode(text or "")

    checked = 0
    for kind in ("inclusion", "consistency"):
        for file in sorted((TESTDATA / "tlog" / "merkle-transparency-dev" / kind).rglob("*.json")):
            told = json.loads(file.read_text())
            proof = [b64(one) for one in told["proof"] or []]
            if kind == "inclusion":
                if not told["root"]:  # no root of another length than 32 gets this far
                    continue
                holds = tree.included(
                    b64(told["leafHash"]), told["leafIdx"], told["treeSize"], proof, b64(told["root"])
                )
            else:
                roots = b64(told["root1"]), b64(told["root2"])
                if told["size1"] == 0:
                    continue
                holds = tree.consistent(told["size1"], roots[0], told["size2"], roots[1], proof)
            assert holds != told["wantErr"], file
            checked += 1
    assert checked > 150


def test_notes_of_others() -> None:
    for case in json.loads((TESTDATA / "tlog" / "signed-note" / "notes.json").read_text())["cases"]:
        raw = base64.b64decode(case["note_b64"])
        try:
            holds = Note.parse(raw).signed_by([VerifierKey.parse(text) for text in case["vkeys"]])
        except Malformed:
            holds = False
        assert holds == (case["expect"] == "ok"), case["id"]


def test_proof_texts_of_others() -> None:
    cases = json.loads((TESTDATA / "tlog" / "tlog-proof" / "format.json").read_text())
    for case in cases["parse_ok"]:
        proof = InclusionProof.parse(case["text"].encode())
        assert (proof.index, len(proof.hashes)) == (case["index"], case["hashes"])
    for case in cases["parse_reject"]:
        with pytest.raises(Malformed):
            InclusionProof.parse(case["text"].encode())


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared")
def test_ed25519_is_strict() -> None:
    for group in json.loads((SHARED / "wycheproof" / "ed25519_test.json").read_text())["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            holds = ed25519.verify(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            assert holds == (case["result"] == "valid"), case
    cases = json.loads((SHARED / "ed25519-cctv" / "ed25519vectors.json").read_text())
    refused = {"low_order", "low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"}
    for case in cases:
        flags = set(case["flags"] or [])
        holds = ed25519.verify(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode())
        if flags & refused:
            assert not holds, case
    assert any(
        ed25519.verify(bytes.fromhex(case["key"]), bytes.fromhex(case["sig"]), case["msg"].encode()) for case in cases
    )


def examples(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (FORMATS / page).read_text(), re.DOTALL)


def test_the_examples_of_the_pages() -> None:
    _, signed, whole = (one.replace("\n", "").encode() for one in examples("entry.md", "json")[1:])
    members, is_canonical = entry.parse(whole)
    assert is_canonical
    assert entry.signed_bytes(members, "ledger.example.com/payments").endswith(signed)
    assert tree.leaf_hash(whole).hex() == examples("entry.md", "text")[-1].strip()

    raw = bytes.fromhex(examples("journal.md", "hex journal")[0].replace("\n", ""))
    read = journal.read(raw)
    assert read.rest is None
    assert read.frames[0].whole
    vkey = VerifierKey.parse(examples("checkpoint.md", "text key")[0].strip())
    frame = read.frames[0]
    assert ed25519.verify(vkey.key, frame.header.signature, b"counterfoil-frame/v1\nexample.com/page\n" + frame.signed)
    assert frame.leaves[0] == tree.leaf_hash(frame.entries[0]) == frame.header.root

    lines = examples("segment.md", "jsonl")[0].split("\n")
    builder = index.Builder(0)
    sources: index.Sources = {}
    for line in lines[:2]:
        builder.add(entry.parse(line.encode())[0])
    for source, numbers in (((None, "erp"), [1]), (("svc", "erp"), [0, 2])):
        ranges = sources.setdefault(source, Ranges())
        assert [ranges.add(number) for number in numbers] == [True] * len(numbers)
    dump = re.findall(r"^[0-9a-f]{4}  (.*)$", examples("index.md", "hex")[0], re.MULTILINE)
    assert builder.finish(sources) == bytes.fromhex(" ".join(dump))

    bundle = examples("bundle.md", "json")[0].encode()
    key = examples("bundle.md", "text")[0].strip()
    assert verify_bundle(bundle, [VerifierKey.parse(key)]).findings == []
    assert check_bundle(bundle, key=key).verified


def test_xxh64() -> None:
    """Known answers of xxHash, seed 0."""
    assert index.xxh64(b"") == 0xEF46DB3751D8E999
    assert index.xxh64(b"a") == 0xD24EC4F1A98C6E5B
    assert index.xxh64(b"abc") == 0x44BC2CF5AD770999
    assert index.xxh64(b"Nobody inspects the spammish repetition") == 0xFBCEA83C8A378BF1


def test_crc32c() -> None:
    assert journal.crc32c(b"123456789") == 0xE3069283
