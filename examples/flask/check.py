"""What the trail must say after run.sh: `check.py LEDGER`."""

from __future__ import annotations

import sys

import counterfoil

with counterfoil.open(sys.argv[1], create=False) as ledger:
    recorded = [entry for entry in ledger if "trace_id" in entry]
# Worker processes ship on their own: time tells what came before what.
trail = sorted(recorded, key=lambda entry: entry["timestamp"])


def said(event_type: str, entity_id: str) -> list[tuple[str, str]]:
    return [(e["actor"], e["outcome"]) for e in trail if (e["event_type"], e["entity_id"]) == (event_type, entity_id)]


assert said("login_failed", "p.payer") == [("anonymous", "denied")]
assert said("login", "p.payer") == [("p.payer", "success")]
print("a wrong password and the login after it are there")

assert said("payment_initiated", "PAY-1") == [("anonymous", "denied"), ("p.payer", "success"), ("p.payer", "failure")]
assert said("payment_rejected", "PAY-1") == [("p.payer", "denied")]
assert said("payment_released", "PAY-1") == [("r.releaser", "success")]
print("two people released the payment, and one alone could not")

checked = next(e for e in trail if e["event_type"] == "payment_limit_checked")
initiated = next(e for e in trail if e["event_type"] == "payment_initiated" and e["outcome"] == "success")
assert checked["actor"] == "p.payer"
assert checked["trace_id"] == initiated["trace_id"]
assert initiated["context"]["fields"] == {"amount": 900, "beneficiary": "ACME"}
print("what is recorded inside a request carries its person and its trace")

assert said("user_action", "/logout") == [("p.payer", "success")]
assert "a guess" not in " ".join(str(dict(e)) for e in trail)
print(f"{len(trail)} entries of {len({e['source'] for e in trail})} worker processes, and no password among them")
