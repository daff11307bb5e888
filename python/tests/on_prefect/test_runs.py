"""`audited_run` on flows and tasks of a real Prefect server."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("prefect.flows", reason="Prefect has a virtual environment of its own")

from prefect import flow, get_client, task
from prefect.task_runners import ThreadPoolTaskRunner

import counterfoil
from counterfoil.prefect import audited_run


def states(trail: counterfoil.Trail) -> list[tuple[str, str, Any, Any]]:
    """Type, state, outcome and try of all that Prefect's states made, in order."""
    return [
        (entry["event_type"], entry["new_value"], entry.get("outcome"), entry["context"]["prefect"].get("try"))
        for entry in trail
        if entry["event_type"].startswith(("pipeline_", "task_"))
    ]


def test_a_run_and_its_tasks_are_one_history(trail: counterfoil.Trail, prefect_server: dict[str, str]) -> None:
    @audited_run
    @task(task_run_name="score-{invoice}")
    def score(invoice: str) -> float:
        trail.record("payment_scored", invoice, actor="risk-model", new_value=0.1, context={"model_version": "r-2"})
        return 0.1

    @audited_run
    @flow(name="invoices", flow_run_name="invoice INV-1", version="7")
    def invoices() -> float:
        return score("INV-1")

    counterfoil.set_default_trail(trail)
    assert invoices() == 0.1
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(list(trail)[1]["entity_id"])
    history = trail.history(run.id)
    assert [(entry["event_type"], entry["new_value"]) for entry in history] == [
        ("pipeline_started", "Running"),
        ("task_started", "Running"),
        ("task_finished", "Completed"),
        ("pipeline_finished", "Completed"),
    ]
    for entry in history:
        assert (entry["actor"], entry["actor_type"], entry["entity_type"]) == ("invoices", "service", "flow_run")
        assert entry["trace_id"] == str(run.id)
        assert entry["context"]["prefect"]["try"] == 1
    assert [entry.get("outcome") for entry in history] == [None, None, "success", "success"]
    about = history[1]["context"]["prefect"]
    task_run_id = UUID(about["task_run_id"])
    ui = prefect_server["PREFECT_API_URL"].removesuffix("/api")
    assert about == {
        "flow": "invoices",
        "flow_version": "7",
        "flow_run_id": str(run.id),
        "flow_run": "invoice INV-1",
        "task": "score",
        "task_run_id": str(task_run_id),
        "task_run": "score-INV-1",
        "try": 1,
        "url": f"{ui}/runs/task-run/{task_run_id}",
    }
    assert run.name == "invoice INV-1"
    assert history[0]["context"]["prefect"]["url"] == f"{ui}/runs/flow-run/{run.id}"
    # What is recorded inside knows its run, and keeps its own actor.
    (scored,) = trail.history("INV-1")
    assert scored["trace_id"] == str(run.id)
    assert scored["context"] == {
        "prefect": {name: about[name] for name in about if name != "url"},
        "model_version": "r-2",
    }
    assert scored["actor"] == "risk-model"


@pytest.mark.parametrize("delay", [0, 0.01])
def test_each_try_of_a_task_is_recorded(trail: counterfoil.Trail, delay: float) -> None:
    tries = []

    @audited_run(trail=trail)
    @task(retry_delay_seconds=delay)
    def extract() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(f"no answer to try {len(tries)}")

    @flow
    def invoices() -> None:
        extract.with_options(retries=2)()

    invoices()
    assert states(trail) == [
        ("task_started", "Running", None, 1),
        ("task_finished", "Failed", "failure", 1),
        ("task_started", "Retrying", None, 2),
        ("task_finished", "Failed", "failure", 2),
        ("task_started", "Retrying", None, 3),
        ("task_finished", "Completed", "success", 3),
    ]
    failed = list(trail)[2]
    assert "no answer to try 1" in failed["reason"]
    assert failed["context"]["prefect"]["retried"] is True


def test_the_retry_condition_of_the_task_still_decides(trail: counterfoil.Trail) -> None:
    async def never(task: Any, task_run: Any, state: Any) -> bool:
        return False

    @audited_run(trail=trail)
    @task(retries=2, retry_condition_fn=never)
    def extract() -> None:
        raise OSError

    @flow
    def invoices() -> None:
        extract()

    with pytest.raises(OSError):  # noqa: PT011
        invoices()
    assert [state[:3] for state in states(trail)] == [
        ("task_started", "Running", None),
        ("task_finished", "Failed", "failure"),
    ]
    assert "retried" not in list(trail)[2]["context"]["prefect"]


def test_each_try_of_a_flow_is_recorded(trail: counterfoil.Trail) -> None:
    @audited_run(trail=trail, actor="ap-bot", actor_type="ai_agent", on_behalf_of="ap-team")
    @flow(retries=1)
    async def invoices() -> None:
        raise ValueError("no funds")

    with pytest.raises(ValueError, match="no funds"):
        asyncio.run(invoices())
    assert states(trail) == [
        ("pipeline_started", "Running", None, 1),
        ("pipeline_finished", "Failed", "failure", 1),
        ("pipeline_started", "Running", None, 2),
        ("pipeline_finished", "Failed", "failure", 2),
    ]
    entries = list(trail)[1:]
    assert ["no funds" in entry.get("reason", "") for entry in entries] == [False, True, False, True]
    assert [entry["context"]["prefect"].get("retried") for entry in entries] == [None, True, None, None]
    assert {(entry["actor"], entry["actor_type"], entry["on_behalf_of"]) for entry in entries} == {
        ("ap-bot", "ai_agent", "ap-team")
    }


def test_a_state_that_is_told_twice_is_recorded_once(trail: counterfoil.Trail) -> None:
    @flow
    def invoices() -> None:
        pass

    # Twice over: each state is told by two recorders.
    audited_run(trail=trail)(audited_run(trail=trail)(invoices))()
    assert len(states(trail)) == 2


def test_tasks_in_threads_and_subflows_share_the_trace(trail: counterfoil.Trail) -> None:
    counterfoil.set_default_trail(trail)

    @audited_run
    @task
    def score(invoice: str) -> None:
        trail.record("payment_scored", invoice, actor="risk-model")

    @audited_run
    @flow(name="one", task_runner=ThreadPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]
    def one(invoices: list[str]) -> None:
        score.map(invoices).wait()

    @audited_run
    @flow(name="all", flow_run_name="the month")
    def all_of_them() -> None:
        one(["INV-1", "INV-2"])

    all_of_them()
    entries = list(trail)[1:]
    outer = entries[0]["entity_id"]
    assert {entry["trace_id"] for entry in entries} == {outer}
    inner = entries[1]
    assert inner["event_type"] == "pipeline_started"
    assert inner["entity_id"] != outer
    assert inner["context"]["prefect"]["parent_task_run_id"]
    runs = {
        trail.history(f"INV-{number}")[0]["context"]["prefect"][name]
        for number in (1, 2)
        for name in ("task_run_id", "flow_run_id")
    }
    assert len(runs) == 3
    assert inner["entity_id"] in runs


def test_a_task_that_is_torn_down_is_recorded(trail: counterfoil.Trail) -> None:
    @audited_run(trail=trail)
    @task
    def score() -> None:
        raise SystemExit(3)

    @audited_run(trail=trail)
    @flow
    def invoices() -> None:
        score()

    with pytest.raises(SystemExit):
        invoices()
    assert [state[:3] for state in states(trail)] == [
        ("pipeline_started", "Running", None),
        ("task_started", "Running", None),
        ("task_interrupted", "Crashed", "failure"),
        ("pipeline_finished", "Crashed", "failure"),
    ]


def test_a_ledger_that_fails_never_fails_the_flow(trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture) -> None:
    @audited_run(trail=trail)
    @task(retries=1)
    def flaky(tries: list[int]) -> int:
        tries.append(1)
        if len(tries) < 2:
            raise OSError
        return len(tries)

    @audited_run(trail="no-such-block")
    @flow
    def invoices() -> int:
        return flaky([])

    trail.close()
    assert invoices() == 2
    lost = [record.getMessage() for record in caplog.records if record.name == "counterfoil"]
    assert len([message for message in lost if "task_" in message and "was closed" in message]) == 4
    assert len([message for message in lost if "pipeline_" in message and "no-such-block" in message]) == 2


def test_functions_copies_and_order(trail: counterfoil.Trail) -> None:
    shared: list[Any] = [lambda task, task_run, state: None]

    @task(on_completion=shared)
    def score(invoice: str) -> str:
        return invoice

    audited = audited_run(trail=trail)(score.with_options(name="audited", on_completion=shared))
    assert audited.fn("INV-1") == "INV-1"
    assert states(trail) == []

    @flow
    def invoices() -> None:
        score("INV-1")
        audited("INV-1")

    invoices()
    assert [entry["context"]["prefect"]["task"] for entry in list(trail)[1:]] == ["audited", "audited"]
    with pytest.raises(counterfoil.Invalid, match="above @flow or @task"):
        audited_run(lambda: None)  # type: ignore[call-overload]
