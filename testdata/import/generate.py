"""Makes the logs in logs/ with real Python, one folder a kind. Run in this folder: python3 generate.py"""
import hashlib
import json
import pathlib

ENTRIES = [
    {"timestamp": "2026-03-02T08:00:00.123456+01:00", "event_type": "invoice_received", "actor": "mailbox",
     "entity_id": "INV-1", "new_value": {"amount": 1250.0, "currency": "EUR"}},
    {"timestamp": "2026-03-02T08:00:01Z", "event_type": "invoice_approved", "actor": "bot-7", "actor_type": "ai_agent",
     "entity_id": "INV-1", "old_value": None, "new_value": "approved",
     "context": {"confidence": 0.1 + 0.2, "tiny": 1e-07, "huge": 1e16, "minor_units": 12345678901234567890123}},
    {"timestamp": "2026-03-02T08:00:02Z", "event_type": "note_added", "actor": "Zoë Łukasz", "entity_id": "INV-1",
     "reason": "naïve façade 😀 \u007f \u2028 \"quoted\" \\ / \b\f\n\r\t\u0001"},
    {"timestamp": "2026-03-02T08:00:03Z", "event_type": "manual_override", "actor": "reviewer-3", "entity_id": "INV-1",
     "context": {"\uffff": 1, "😀": 2, "a": [], "B": {}, "z": [True, False, None, -0.0, 100000.0, 1.5e300, 5e-324]}},
    {"timestamp": "2026-03-02T08:00:04Z", "event_type": "payment_released", "actor": "bot-7", "entity_id": "PAY-9",
     "context": {"depth": [[[[{"x": [1, [2.50]]}]]]], "small": 0.0001, "smaller": 0.00001, "whole": 123456789012345.0}},
]


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hash_only(entry, _):
    return {**entry, "hash": digest(entry)}


def chained(entry, prev):
    entry = {**entry, "prev_hash": prev}
    return {**entry, "hash": digest(entry)}


def chained_after_hashing(entry, prev):
    entry = {**entry, "hash": digest(entry)}
    entry["prev_hash"] = prev
    entry["hash"] = digest(entry)
    return entry


def link_outside_hash(entry, prev):
    return {**entry, "hash": digest(entry), "prev_hash": prev}


for make, start in [(hash_only, None), (chained, "0" * 64), (chained_after_hashing, None), (link_outside_hash, "GENESIS")]:
    folder = pathlib.Path("logs") / make.__name__.replace("_", "-")
    folder.mkdir(parents=True, exist_ok=True)
    prev, lines = start, []
    for entry in ENTRIES:
        line = make(entry, prev)
        prev = line["hash"]
        lines.append(json.dumps(line, ensure_ascii=len(lines) % 2 == 0) + "\n")
    # Two files, as rotation leaves them; odd lines keep their characters unescaped, as some programs write them.
    (folder / "audit.jsonl.1").write_text("".join(lines[:3]), encoding="utf-8")
    (folder / "audit.jsonl").write_text("".join(lines[3:]), encoding="utf-8")
