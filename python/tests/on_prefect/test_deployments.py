"""Flows that a runner starts in processes of their own, ended by hand and by force; the block; other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from running import Running, wait_for

pytest.importorskip("prefect.flows", reason="Prefect has a virtual environment of its own")

from prefect import flow, get_client, task
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling
from prefect.task_runners import ProcessPoolTaskRunner
from pydantic import SecretStr

from counterfoil.prefect import CounterfoilConnection, audited_run

FLOWS = """
import os, signal, sys, time
from prefect import flow
from counterfoil.prefect import audited_run

@audited_run(trail="audit")
@flow(name="month-end")
def month_end(end: str) -> None:
    if end == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(120 if end == "cancelled" else 0)

if __name__ == "__main__":
    month_end.serve(name="nightly", print_starting_message=False)
"""


@pytest.fixture
def block(service: Running) -> CounterfoilConnection:
    from counterfoil.prefect import _trail_of_block

    _trail_of_block.cache_clear()
    made = CounterfoilConnection(
        url=service.url,
        token=SecretStr(service.writer),
        read_token=SecretStr(service.reader),
        spool=str(service.folder / "spool"),
    )
    made.save("audit", overwrite=True, _sync=True)  # type: ignore[call-arg]
    return made


@pytest.fixture
def deployment(block: CounterfoilConnection, service: Running, prefect_server: dict[str, str]) -> Iterator[UUID]:
    script = service.folder / "flows.py"
    script.write_text(FLOWS)
    environment = {**os.environ, **prefect_server, "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    with open(service.folder / "runner.log", "wb") as log:
        runner = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=service.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    with get_client(sync_client=True) as client:
        try:
            yield wait_for("deployment", lambda: _deployment(client), 60)
        finally:
            runner.terminate()
            runner.wait(30)


def _deployment(client: Any) -> UUID | None:
    found = client.read_deployments()
    return found[0].id if found else None


def states(service: Running, run: str) -> list[dict[str, Any]]:
    return [entry for entry in service.recorded() if entry["entity_id"] == run]


def run_to(deployment: UUID, end: str, last: StateType, service: Running) -> str:
    """Starts a run that ends as `end` says, waits until it is in the state `last`; its id."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run_from_deployment(deployment, parameters={"end": end})

        def state() -> StateType | None:
            found = client.read_flow_run(run.id).state
            return found.type if found else None

        if end == "cancelled":
            wait_for("running flow", lambda: states(service, str(run.id)), 60)
            client.set_flow_run_state(run.id, Cancelling(message="stopped by j.doe"))
        wait_for(f"flow run in state {last}", lambda: state() is last, 90)
        return str(run.id)


def test_how_runs_of_a_deployment_end(deployment: UUID, service: Running) -> None:
    ends = {"well": StateType.COMPLETED, "killed": StateType.CRASHED, "cancelled": StateType.CANCELLED}
    runs = {end: run_to(deployment, end, last, service) for end, last in ends.items()}
    expected = {
        "well": ("Completed", "success"),
        "killed": ("Crashed", "failure"),
        "cancelled": ("Cancelling", "failure"),
    }

    def told() -> bool:
        # The runner tells of crashes and cancellations after the fact, from its own process.
        return all(len(states(service, run)) >= 2 for run in runs.values())

    wait_for("ends of all runs", told)
    for end, run in runs.items():
        started, finished = states(service, run)
        assert (started["event_type"], finished["event_type"]) == ("pipeline_started", "pipeline_finished")
        assert started["context"]["prefect"]["try"] == 1
        assert (finished["new_value"], finished["outcome"]) == expected[end]
        assert finished["context"]["prefect"]["deployment_id"] == str(deployment)


def test_the_block_keeps_its_token_secret(block: CounterfoilConnection, service: Running) -> None:
    assert service.writer not in repr(block)
    with get_client(sync_client=True) as client:
        found = client.read_block_document_by_name("audit", "counterfoil-connection", include_secrets=False)
    assert service.writer not in str(found.data)
    loaded = CounterfoilConnection.load("audit", _sync=True)  # type: ignore[call-arg]
    assert isinstance(loaded, CounterfoilConnection)
    with loaded.connect() as trail:
        trail.record("kyc_check", "CUST-7", actor="kyc-bot")
        trail.flush(30)
        assert trail.history("CUST-7")


@audited_run(trail="audit")
@task
def score(invoice: str) -> str:
    return f"{invoice} in {os.getpid()}"


@audited_run(trail="audit")
@flow(task_runner=ProcessPoolTaskRunner(max_workers=2))  # type: ignore[arg-type]
def in_processes() -> list[str]:
    return score.map(["INV-1", "INV-2"]).result()


def test_tasks_in_other_processes(block: CounterfoilConnection, service: Running) -> None:
    assert all(str(os.getpid()) not in answer for answer in in_processes())
    with block.connect() as trail:
        # Whoever lives ships what processes left that ended.
        wait_for("six entries", lambda: len(service.recorded()) == 6)
        trail.flush(30)
    entries = service.recorded()
    assert {entry["trace_id"] for entry in entries} == {entries[0]["entity_id"]}
    assert sorted(entry["event_type"] for entry in entries) == sorted(
        ["pipeline_started", "pipeline_finished", *(["task_started", "task_finished"] * 2)]
    )
