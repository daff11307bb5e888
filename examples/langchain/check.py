"""What the trail must say after run.sh: `check.py LEDGER`."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import counterfoil
from counterfoil.redaction import digest

HERE = Path(__file__).parent
kept = Path(sys.argv[1]).parent / "transcripts"
transcripts = Path(kept.read_text()) if kept.exists() else HERE / "transcripts" / "excerpt.json"
raw = transcripts.read_bytes()
runs = json.loads(gzip.decompress(raw) if transcripts.suffix == ".gz" else raw)

with counterfoil.open(sys.argv[1], create=False) as ledger:
    trail = [{"context": {}, **entry} for entry in ledger if not entry["event_type"].startswith("ledger.")]


def said(entity_id: str) -> list[str]:
    """What happened to an entity, intents left out."""
    return [e["event_type"] for e in trail if e["entity_id"] == entity_id and e["context"].get("phase") != "started"]


asked = "model_inference"
read = [asked, "invoice_extracted", asked]
assert said("INV-3001") == [*read, "invoice_matched", asked, "invoice_approved", asked]
assert said("INV-3002") == [*read, "invoice_matched", asked, "invoice_exception_raised", asked, "manual_override"]
assert said("INV-3003") == [*read, "invoice_matched", asked, "invoice_exception_raised", asked]
assert said("INV-3004") == [*read, "invoice_exception_raised", asked]
print("each invoice's story is told in order: extracted, matched, approved or put before a person")

of_invoices = [e for e in trail if e["entity_id"].startswith("INV-")]
for event_type, intent in (("invoice_approved", 1), ("invoice_exception_raised", 3), ("invoice_extracted", 4)):
    found = [e for e in of_invoices if e["event_type"] == event_type]
    assert [e["context"]["phase"] for e in found] == ["started", "finished"] * intent
    assert all(e["context"]["model_version"] == "clerk-rules-1" for e in found if e["context"]["phase"] == "finished")
print("every decision was recorded before and after, with the model that led to it")

reasons = {e["entity_id"]: e["reason"] for e in of_invoices if e["event_type"] == "invoice_exception_raised"}
assert reasons == {
    "INV-3002": "over the limit of 10000",
    "INV-3003": "the total differs by 7.00 from PO-90",
    "INV-3004": "the invoice cannot be read",
}
(unread,) = (e for e in of_invoices if e["event_type"] == "invoice_extracted" and e.get("outcome") == "failure")
assert unread["reason"] == "the document holds no text"
print("the agent said why it asked a person; the tool that failed says why")

for entry in of_invoices:
    if entry["event_type"] != "manual_override":
        assert (entry["actor"], entry["actor_type"], entry["on_behalf_of"]) == ("invoice-agent", "ai_agent", "ap-team")
(override,) = (e for e in of_invoices if e["event_type"] == "manual_override")
assert (override["actor"], len(override["context"]["shown"]["sha256"])) == ("j.doe", 64)
print("the agent acted for the team; the override names the person and the digest of what was shown")

instructions = {
    json.dumps(e["context"]["attributes"]["gen_ai.system_instructions"], sort_keys=True)
    for e in of_invoices
    if e["event_type"] == asked
}
assert len(instructions) == 1
print("one digest of the instructions: one version of them was in use")


def tokens(entries: list[Any]) -> int:
    return sum(e["context"]["gen_ai"]["input_tokens"] + e["context"]["gen_ai"]["output_tokens"] for e in entries)


print(f"{tokens([e for e in of_invoices if e['event_type'] == asked])} tokens were spent on invoices")

for run in runs:
    thread = f"airline-{run['task_id']}-{run['trial']}"
    entries = [e for e in trail if e["context"].get("gen_ai", {}).get("conversation_id") == thread]
    answers = [one for one in run["traj"] if one["role"] == "assistant"]
    results = [one for one in run["traj"] if one["role"] == "tool"]
    inferences = [e for e in entries if e["event_type"] == asked]
    tools = [e for e in entries if "tool_name" in e["context"] and e["context"].get("phase") != "started"]
    assert len(inferences) == len(answers), thread
    assert all(e["context"]["model_version"] == "gpt-4o" for e in inferences)
    assert [e["context"]["tool_name"] for e in tools] == [one["name"] for one in results], thread
    for entry, one in zip(tools, results, strict=True):
        assert (entry["outcome"] == "failure") == one["content"].startswith("Error"), thread
        wanted = one["content"] if "phase" in entry["context"] else digest(one["content"])
        assert entry["new_value"] == wanted, thread
    assert {e["on_behalf_of"] for e in entries} == {run["info"]["task"]["user_id"]}
    (rated,) = (e for e in trail if e["event_type"] == "conversation_rated" and e["entity_id"] == thread)
    assert (rated["outcome"] == "success") == bool(run["reward"])
print(
    f"{len(runs)} conversations: every answer and every tool call once, in order, with the digest of what was returned"
)

asks_people = sum(one.get("name") == "transfer_to_human_agents" for run in runs for one in run["traj"])
requests = [
    e for e in trail if e["event_type"] == "human_intervention_requested" and e["context"]["phase"] == "finished"
]
assert len(requests) == asks_people
print(f"{asks_people} times the agent asked for a person")

everything = " ".join(json.dumps(dict(e)) for e in trail)
for text in ("DE02", "Airline Agent Policy", "You settle invoices"):
    assert text not in everything, text
print("no account number and no prompt is in it")
