"""Asserts what the trail of the two runs must say: check.py LEDGER."""

import datetime
import json
import os
import pathlib
import sys

import counterfoil

TASKS = {
    "LOAN-1": {
        "extract": ["queued → running", "running → success"],
        "score": ["queued → running", "running → success"],
        "approve": ["queued → running", "running → awaiting_input", "queued → running", "running → success"],
        "tell": ["None → skipped"],
    },
    "LOAN-2": {
        "extract": ["queued → running", "running → success"],
        "score": ["queued → running", "running → up_for_retry", "queued → running", "running → failed"],
        "approve": ["None → upstream_failed"],
        "tell": ["queued → running", "running → success"],
    },
}


def main(folder):
    with counterfoil.open(folder, create=False) as ledger:
        assert ledger.verify(), "the ledger does not verify"
        trail = list(ledger)
    entries = sorted((entry for entry in trail if not entry["event_type"].startswith("ledger.")), key=when)
    loans = [entry for entry in entries if entry["event_type"] == "credit_application_received"]
    runs = {loan["entity_id"]: loan["context"]["run_id"] for loan in loans}
    assert sorted(runs) == sorted(TASKS), runs
    for loan, run_id in runs.items():
        run = [entry for entry in entries if entry.get("context", {}).get("run_id") == run_id]
        check_run(loan, run)
        print(f"{loan}: every change of state of {run_id}, in order, with actor, try and links; {len(run)} entries")
    check_decision(entries, runs["LOAN-1"])
    check_mails(trail, check_failure(entries, runs["LOAN-2"]))


def when(entry):
    """Processes ship on their own: between them the ledger's order is that of shipping."""
    return datetime.datetime.fromisoformat(entry["timestamp"])


def check_run(loan, run):
    assert len({entry["trace_id"] for entry in run}) == 1, "one trace a run"
    once = {entry.get("id") or (entry["source"], entry["sequence"]) for entry in run}
    assert len(once) == len(run), "each once"
    for entry in run:
        assert entry["actor"], entry
        assert entry["actor_type"] == "user" or entry["on_behalf_of"] in ("dag_test", "t.berg"), entry
    changes = {task: [] for task in TASKS[loan]}
    for entry in run:
        if entry["event_type"].startswith("task_"):
            told = entry["context"]
            never_ran = entry["new_value"] in ("skipped", "upstream_failed")
            assert told["try_number"] == (0 if never_ran else tries(told["task_id"], changes)), entry
            assert f"/tasks/{told['task_id']}" in told["links"]["task"], told
            changes[told["task_id"]].append(f"{entry['old_value']} → {entry['new_value']}")
    assert changes == TASKS[loan], changes
    of_run = [entry for entry in run if entry["event_type"].startswith("pipeline_")]
    by_scheduler = of_run[0]["context"]["triggered_by"] != "test"  # `dags test` makes its runs in the state `running`
    end = "success" if loan == "LOAN-1" else "failed"
    assert [entry["new_value"] for entry in of_run] == (["running", end] if by_scheduler else [end]), of_run
    for entry in of_run:
        assert entry["actor"] == "airflow-scheduler"
        assert entry["on_behalf_of"] == ("t.berg" if by_scheduler else "dag_test")
        assert "/runs/" in entry["context"]["links"]["run"]


def tries(task, changes):
    """The try that the next change belongs to."""
    return 1 + sum(change.endswith("up_for_retry") for change in changes[task])


def check_decision(entries, run_id):
    run = [entry for entry in entries if entry.get("context", {}).get("run_id") == run_id]
    shown = next(entry for entry in run if entry["event_type"] == "oversight_shown")
    decided = next(entry for entry in run if entry["event_type"] == "oversight_decided")
    assert (decided["actor"], decided["actor_type"]) == ("m.huber", "user"), decided
    assert decided["outcome"] == "success"
    assert decided["reason"] == "salary letter seen"
    assert shown["context"]["shown_digest"] == decided["context"]["shown_digest"], "decided on what was shown"
    scored = next(entry for entry in run if entry["event_type"] == "credit_scored")
    assert scored["actor_type"] == "ai_agent"
    assert scored["context"]["task_id"] == "score"
    assert scored["context"]["try_number"] == 1
    print(f"LOAN-1: scored {scored['new_value']['score']} by {scored['actor']}, approved by {decided['actor']}")


def check_failure(entries, run_id):
    run = [entry for entry in entries if entry.get("context", {}).get("run_id") == run_id]
    failed = [one for one in run if one["event_type"] == "task_finished" and one["new_value"] == "failed"]
    assert failed[0]["context"]["exception"] == {"type": "KeyError", "message": "'credit-9.9'"}, failed
    assert failed[0]["context"]["try_number"] == 2
    told = [entry for entry in run if entry["event_type"] == "workflow_failed"]
    assert len(told) == 1, "the callback was recorded once"
    print(f"LOAN-2: {failed[0]['context']['exception']['type']} in try 2, told by the callback: {told[0]['reason']}")
    return told[0]


def check_mails(trail, failure):
    """The rule saw the entry, its alert is in the ledger, and a person has it by mail; so has one from the workflow."""
    raised = [one for one in trail if one["event_type"] == "ledger.alert_raised"]
    alerts = [one["context"] for one in raised if one["context"]["title"] == "Workflow failed"]
    assert [alert["indices"] for alert in alerts] == [[trail.index(failure)]], alerts
    with open(pathlib.Path(os.environ["WORK"]) / "mails.json") as file:
        mails = json.load(file)
    assert {to for mail in mails for to in mail["to"]} == {"controlling@bank.example"}, mails
    of_rule = [mail for mail in mails if mail["from"] == "ledger@bank.example" and "Workflow failed" in mail["subject"]]
    assert len(of_rule) == 1, [mail["subject"] for mail in mails]
    assert failure["entity_id"] in of_rule[0]["text"], of_rule[0]["text"]
    of_workflow = [mail for mail in mails if mail["from"] == "airflow@bank.example"]
    assert [mail["subject"] for mail in of_workflow] == ["loan_approval failed for LOAN-2"], of_workflow
    print(f"LOAN-2: mail of the rule: {of_rule[0]['subject']}; of the workflow: {of_workflow[0]['subject']}")


main(sys.argv[1])
