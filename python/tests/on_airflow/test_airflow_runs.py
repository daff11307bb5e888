"""What `airflow dags test` leaves in the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_running import Airflow, settings_of
from running import Running, wait_for


@pytest.fixture(scope="module")
def entries(airflow_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What one run of all situations leaves in the ledger."""
    service = Running(tmp_path_factory.mktemp("situations"))
    airflow = Airflow(airflow_home, settings_of(service))
    airflow.environment["SEEN"] = str(service.folder / "seen")
    airflow.run("dags", "test", "situations", code=1)
    yield service.recorded()
    service.end()


def changes(entries: list[dict[str, Any]], task: str) -> list[tuple[Any, ...]]:
    """Try, old and new state of a task's entries."""
    return [
        (entry["context"]["try_number"], entry["old_value"], entry["new_value"])
        for entry in entries
        if entry.get("entity_type") == "task_instance" and re.fullmatch(rf".*/{task}", entry["entity_id"])
    ]


def test_every_change_of_state(entries: list[dict[str, Any]]) -> None:
    started, ended = (1, "queued", "running"), (1, "running", "success")
    assert changes(entries, "works") == [started, ended]
    assert changes(entries, r"mapped\[0\]") == changes(entries, r"mapped\[1\]") == [started, ended]
    assert changes(entries, "fails_once") == [
        started,
        (1, "running", "up_for_retry"),
        (2, "queued", "running"),
        (2, "running", "success"),
    ]
    assert changes(entries, "skips") == [started, (1, "running", "skipped")]
    assert changes(entries, "looks_twice") == [started, (1, "running", "up_for_reschedule"), started, ended]
    assert changes(entries, "defers") == [started, (1, "running", "deferred"), started, ended]
    assert changes(entries, "fails") == [started, (1, "running", "failed")]
    assert [change[1:] for change in changes(entries, "never_runs")] == [(None, "upstream_failed")]
    *_, run = [entry for entry in entries if entry.get("entity_type") == "workflow_run"]
    assert (run["event_type"], run["old_value"], run["new_value"]) == ("pipeline_finished", "running", "failed")
    assert run["outcome"] == "failure"


def test_who_where_and_why(entries: list[dict[str, Any]]) -> None:
    (failed,) = [entry for entry in entries if entry["entity_id"].endswith("/fails") and "outcome" in entry]
    assert failed["actor"] == "airflow/situations"
    assert failed["actor_type"] == "service"
    assert failed["on_behalf_of"] == "dag_test"
    assert failed["reason"] == "RuntimeError: no balance"
    assert failed["context"]["exception"] == {"type": "RuntimeError", "message": "no balance"}
    place = failed["context"]
    assert place["dag_id"] == "situations"
    assert failed["entity_id"] == f"situations/{place['run_id']}/fails"
    link = place["links"]["task"]
    assert re.fullmatch(r"https://airflow\.example/dags/situations/runs/[^/]+/tasks/fails\?try_number=1", link)
    (mapped,) = [entry for entry in entries if entry["entity_id"].endswith("mapped[1]") and "outcome" in entry]
    assert mapped["context"]["map_index"] == 1
    (retried,) = [entry for entry in entries if entry.get("new_value") == "up_for_retry"]
    assert retried["reason"] == "ValueError: not yet"
    assert len({entry["trace_id"] for entry in entries}) == 1


def test_what_a_task_records_carries_its_place(entries: list[dict[str, Any]]) -> None:
    for event_type, entity in (("data_validated", "BATCH-1"), ("inner", "INNER-1")):
        (entry,) = [one for one in entries if one["event_type"] == event_type]
        assert entry["entity_id"] == entity
        assert entry["actor"] == "airflow/situations"
        assert entry["context"]["task_id"] == "works"
        assert entry["context"]["try_number"] == 1
        assert entry["trace_id"] == entries[-1]["trace_id"]
    assert [one["context"].get("model_version") for one in entries if one["event_type"] == "inner"] == ["m-1"]
    assert not any("model_version" in one["context"] for one in entries if one["event_type"] != "inner")


def test_the_notifier_records_the_failure(entries: list[dict[str, Any]]) -> None:
    (told,) = [entry for entry in entries if entry["event_type"] == "workflow_failed"]
    assert told["reason"] == "situations is broken"
    assert told["entity_type"] == "workflow_run"
    assert told["context"]["task_id"] == "fails"


def test_a_dead_service_stops_no_run(airflow: Airflow, service: Running, tmp_path: Path) -> None:
    service.kill()
    airflow.environment["SEEN"] = str(tmp_path / "seen")
    airflow.environment["AIRFLOW__COUNTERFOIL__EXIT_TIMEOUT"] = "0"
    airflow.run("dags", "test", "situations", code=1)
    service.start()
    with service.connect() as trail:
        trail.flush(30)
        wait_for("the run's end", lambda: [entry for entry in trail if entry["event_type"] == "pipeline_finished"])
    entries = service.recorded()
    once = {entry.get("id") or (entry["source"], entry["sequence"]) for entry in entries}
    assert len(once) == len(entries)
    assert changes(entries, "works") == [(1, "queued", "running"), (1, "running", "success")]


def test_without_a_ledger_airflow_runs_and_says_so(airflow: Airflow, service: Running, tmp_path: Path) -> None:
    del airflow.environment["AIRFLOW__COUNTERFOIL__URL"]
    airflow.environment["SEEN"] = str(tmp_path / "seen")
    said = airflow.run("dags", "test", "situations", code=1)
    assert said.count("[counterfoil] url is not set") == 1
    assert service.recorded() == []


def test_airflow_knows_the_provider(airflow: Airflow) -> None:
    assert "counterfoil" in airflow.run("providers", "list")
    assert "counterfoil.airflow.hooks.CounterfoilHook" in airflow.run("providers", "hooks")
    assert "counterfoil.airflow.listener" in airflow.run("plugins", "--output", "json")
