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


# Everything is there twice: once under gunicorn, once under uvicorn.
assert said("login_failed", "accountant") == [("anonymous", "failure")] * 2
assert said("login", "accountant") == [("accountant", "success")] * 2
print("a wrong password is a failed login, although Django answers 200")

assert said("journal_entry_posted", "J-1") == [("anonymous", "denied"), ("accountant", "success")] * 2
print("whoever was sent to the login page was denied, although Django answers 302")

assert said("journal_entry_reversed", "J-1") == [("accountant", "denied"), ("lead", "success")] * 2
denied = next(e for e in trail if e["event_type"] == "journal_entry_reversed" and e["outcome"] == "denied")
assert denied["context"]["exception"]["message"] == "only a lead accountant may"
print("who reversed an entry, and who was refused and why")

run = next(e for e in trail if e["event_type"] == "reconciliation_run")
posted = next(e for e in trail if e["event_type"] == "journal_entry_posted" and e["outcome"] == "success")
assert run["actor"] == "accountant"
assert run["trace_id"] == posted["trace_id"]
assert posted["context"]["fields"] == {"memo": "accrual"}
assert posted["context"]["route"] == "/journal/<str:number>/post/"
print("what is recorded inside a request carries its person and its trace")

assert said("manual_adjustment", "J-2") == [("lead", "success"), ("lead", "failure")] * 2
assert {e["actor"] for e in trail if e["event_type"] == "journal_entry_proposed"} == {"lead"}
broken = next(e for e in trail if e["event_type"] == "manual_adjustment" and e["outcome"] == "failure")
assert broken["context"]["exception"]["type"] == "ZeroDivisionError"
print("asynchronous views have their person too, and what went wrong is named")

assert said("user_action", "/logout/") == [("lead", "success")] * 2
assert "a guess" not in " ".join(str(dict(e)) for e in trail)
print(f"{len(trail)} entries of {len({e['source'] for e in trail})} processes, and no password among them")
