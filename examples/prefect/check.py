"""Asserts what the trail of the two runs must say: check.py LEDGER."""

import sys

import counterfoil

STATES = {
    "INV-1": [
        "pipeline_started Running",
        "task_started Running extract-INV-1 1",
        "task_finished Failed extract-INV-1 1",
        "task_started Retrying extract-INV-1 2",
        "task_finished Completed extract-INV-1 2",
        "task_started Running score-INV-1 1",
        "task_finished Completed score-INV-1 1",
        "task_started Running book-INV-1 1",
        "task_finished Completed book-INV-1 1",
        "pipeline_finished Completed",
    ],
    "INV-2": [
        "pipeline_started Running",
        "task_started Running extract-INV-2 1",
        "task_finished Failed extract-INV-2 1",
        "task_started Retrying extract-INV-2 2",
        "task_finished Failed extract-INV-2 2",
        "task_started Retrying extract-INV-2 3",
        "task_finished Failed extract-INV-2 3",
        "pipeline_finished Failed",
    ],
}


def told(entry):
    about = entry["context"]["prefect"]
    task = [about["task_run"], str(about["try"])] if "task" in about else []
    return " ".join([entry["event_type"], entry["new_value"], *task])


with counterfoil.open(sys.argv[1], create=False) as ledger:
    assert ledger.verify(), "the ledger does not verify"
    entries = [entry for entry in ledger if "prefect" in entry.get("context", {})]
    runs = {}
    for entry in entries:
        invoice = entry["context"]["prefect"]["flow_run"].removeprefix("approval of ")
        runs.setdefault(invoice, []).append(entry)
    assert sorted(runs) == sorted(STATES), sorted(runs)
    for invoice, run in runs.items():
        (trace,) = {entry["trace_id"] for entry in run}
        states = ledger.history(trace)
        assert [told(entry) for entry in states] == STATES[invoice], [told(entry) for entry in states]
        assert len({entry["id"] for entry in states}) == len(states), "each once"
        print(f"{invoice}: {len(states)} states of the run and its tasks in order, {len(run)} entries share its trace")

first = {entry["event_type"]: entry for entry in runs["INV-1"]}
assert first["invoice_extracted"]["actor"] == "extractor"
assert first["invoice_extracted"]["context"]["model_version"] == "extractor-3.2"
assert first["invoice_extracted"]["context"]["prefect"]["try"] == 2
assert first["payment_scored"]["actor_type"] == "ai_agent"
print("INV-1: who read and scored it, by which model version, in which try")

decided = first["oversight_decided"]
assert (decided["actor"], decided["actor_type"], decided["outcome"]) == ("m.huber", "user", "success")
assert decided["context"]["shown_digest"] == first["oversight_shown"]["context"]["shown_digest"]
assert first["invoice_approved"]["on_behalf_of"] == "m.huber"
print(f"INV-1: approved by {decided['actor']} ({decided['reason']}), on what was shown")

failed = [entry for entry in runs["INV-2"] if entry["event_type"] == "task_finished"]
assert [entry["outcome"] for entry in failed] == ["failure"] * 3
assert [entry["context"]["prefect"].get("retried", False) for entry in failed] == [True, True, False]
assert "the scan is blank" in failed[-1]["reason"]
assert not any(entry["event_type"].startswith("invoice_") for entry in runs["INV-2"])
print("INV-2: three tries, why each failed, and nothing approved")
