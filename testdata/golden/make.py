"""Makes the golden ledger of a format version with the released binary, once. It is never edited afterwards.

  make.py COUNTERFOIL FOLDER      (needs the package `cryptography`)
"""
import hashlib
import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

ORIGIN = "golden.example/v1"


def canonical(value: dict) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(key, key_id: str, entry: dict) -> dict:
    entry = {**entry, "signature": {"algorithm": "ed25519", "key_id": key_id}}
    value = key.sign(b"counterfoil-entry/v1\n" + ORIGIN.encode() + b"\n" + canonical(entry))
    entry["signature"]["value"] = b64encode(value).decode()
    return entry


def lines(key, key_id: str) -> list[str]:
    made = []
    for n in range(700):
        entry = {
            "timestamp": f"2026-11-{1 + n % 28:02}T{n % 24:02}:{n % 60:02}:07{'.' + str(n) if n % 3 else ''}Z",
            "event_type": ["invoice_received", "invoice_approved", "manual_override", "kyc_check"][n % 4],
            "actor": ["mail-gateway", "invoice-bot", "maría", "kyc-model"][n % 4],
            "actor_type": ["service", "ai_agent", "user", "ai_agent"][n % 4],
            "entity_id": f"INV-{n // 4:04}",
        }
        if n % 2:
            entry |= {"entity_type": "invoice", "context": {"model_version": "m-2.11", "confidence": n / 1000, "deep": [{"ü": None}, [], {}]}}
        if n % 5 == 0:
            entry |= {"old_value": [None, "draft", 9007199254740993, {"a": 1}, [1, 2]][n // 5 % 5], "new_value": True}
        if n % 7 == 0:
            entry |= {"outcome": ["success", "failure", "denied"][n % 3], "reason": "line\nbreak \"quoted\" \\ 😀", "trace_id": f"trace-{n // 7}"}
        if n % 11 == 0:
            entry |= {"id": f"id-{n}", "on_behalf_of": "treasury"}
        if n % 13 == 0 and n != 26:
            entry |= {"source": "etl", "sequence": n // 13 + 1}
        if n % 100 == 1:
            entry |= {"source": "invoice-bot", "sequence": n // 100 + 1}
            entry = signed(key, key_id, entry)
        made.append(canonical(entry).decode())
    return made


def main() -> None:
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir()
    ledger = folder / "ledger"

    def run(*words, stdin: str | None = None) -> str:
        return subprocess.run([program, *map(str, words)], input=stdin, check=True, stdout=subprocess.PIPE, text=True).stdout

    run("init", ledger, "--origin", ORIGIN, "--segment-span", 256)
    made = json.loads(run("key", "new", ledger, "--actor", "invoice-bot", "-o", folder / "invoice-bot.pem", "--json"))
    key = load_pem_private_key((folder / "invoice-bot.pem").read_bytes(), None)
    attachment = b"the invoice as it was scanned\n"
    digest = hashlib.sha256(attachment).hexdigest()
    (ledger / "attachments").mkdir(exist_ok=True)
    (ledger / "attachments" / digest).write_bytes(attachment)
    every = lines(key, made["key_id"])
    every[3] = json.dumps({**json.loads(every[3]), "context": {"attachments": [
        {"media_type": "text/plain", "name": "scan.txt", "sha256": digest, "size": len(attachment)}]}})
    run("append", ledger, stdin="\n".join(every[:400]) + "\n")
    (folder / "checkpoint").write_text(run("checkpoint", ledger))
    run("append", ledger, stdin="\n".join(every[400:]) + "\n")
    run("key", "revoke", ledger, made["key_id"])
    (folder / "vkey").write_text(run("key", ledger))
    (folder / "proof").write_text(run("prove", ledger, 300))
    (folder / "entry.json").write_text(run("entry", ledger, 300, "--canonical"))
    (folder / "consistency").write_text(run("prove", ledger, "--from", 300))
    run("bundle", ledger, "--entity", "INV-0100", "-o", folder / "bundle")
    size = json.loads(run("status", ledger, "--json"))["size"]
    with (folder / "entries.jsonl").open("w") as out:
        for index in range(size):
            out.write(run("entry", ledger, index, "--canonical") + "\n")
    (folder / "invoice-bot.pem").unlink()


if __name__ == "__main__":
    main()
