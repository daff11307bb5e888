"""What the trail must say after run.sh: `check.py LEDGER`."""

from __future__ import annotations

import collections
import sys

import counterfoil

with counterfoil.open(sys.argv[1], create=False) as ledger:
    recorded = [entry for entry in ledger if "trace_id" in entry]
# Worker processes ship on their own: time tells what came before what.
trail = sorted(recorded, key=lambda entry: entry["timestamp"])


def said(event_type: str, entity_id: str) -> list[tuple[str, str]]:
    return [(e["actor"], e["outcome"]) for e in trail if (e["event_type"], e["entity_id"]) == (event_type, entity_id)]


assert said("login_failed", "a.clerk") == [("anonymous", "denied")]
assert said("login", "a.clerk") == [("a.clerk", "success")]
print("a wrong password and the login after it are there")

assert said("invoice_approved", "INV-1") == [("a.clerk", "success"), ("anonymous", "denied")]
assert said("invoice_approved", "INV-2") == [("a.clerk", "denied"), ("c.controller", "success")]
print("who approved, and who was refused, with a forged token too")

approval = next(e for e in trail if e["event_type"] == "invoice_approved" and e["entity_id"] == "INV-2")
assert approval["reason"] == "over the limit of 10000"
assert approval["actor_type"] == "user"
assert "new_value" not in approval
print("the refusal says why")

(override,) = (e for e in trail if e["event_type"] == "manual_override")
(request,) = (e for e in trail if e["event_type"] == "override_approved" and e["outcome"] == "success")
assert override["actor"] == request["actor"] == "c.controller"
assert override["trace_id"] == request["trace_id"]
assert len(override["context"]["shown"]["sha256"]) == 64
assert said("override_approved", "INV-3")[0] == ("a.clerk", "denied")
print("the override names the controller, the reason and the digest of what was shown")

linked = [e for e in trail if e.get("trace_id") == "4bf92f3577b34da6a3ce929d0e0e4736"]
assert [e["event_type"] for e in linked] == ["model_inference", "invoice_approved"]
assert linked[0]["actor_type"] == "ai_agent"
assert linked[0]["on_behalf_of"] == "a.clerk"
print("the model's score and the approval share the caller's trace")

assert sum(e["event_type"] == "invoice_received" for e in trail) == 33
sources = collections.Counter(e["source"] for e in trail)
print(f"{len(trail)} entries of {len(sources)} worker processes")
for source in sources:
    numbers = [e["sequence"] for e in recorded if e["source"] == source]
    assert numbers == list(range(len(numbers)))
print("each worker's entries are in order and without a gap")

everything = " ".join(str(dict(e)) for e in trail)
assert "DE02" not in everything
assert "a guess" not in everything
print("no account number and no password is in it")
