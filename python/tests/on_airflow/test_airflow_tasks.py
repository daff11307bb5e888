"""The listener in processes that end as Airflow's do, and the tasks that read the ledger."""

from __future__ import annotations

import datetime
import os
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseHook
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.definitions.connection import Connection
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from guides import run_examples
from running import Running, wait_for

import counterfoil
from counterfoil.airflow import CounterfoilHook, CounterfoilNotifier, LedgerSensor, VerifyLedgerOperator, ledger
from counterfoil.airflow.listener import Listener

pytestmark = pytest.mark.usefixtures("configured")
NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.timezone.utc)


def run_model(**members: Any) -> DagRun:
    told = dict.fromkeys(DagRun.model_fields)
    told |= {"dag_id": "loans", "run_id": "manual__1", "run_type": "manual", "state": "running"}
    return DagRun.model_construct(**(told | {"triggering_user_name": "t.berg"} | members))


def task_instance(task: Any = None, **members: Any) -> Any:
    """A task instance as the task's own process has it."""
    told = {"id": uuid.uuid4(), "dag_id": "loans", "run_id": "manual__1", "task_id": "score", "try_number": 1}
    told |= {"map_index": -1, "start_date": NOW, "hostname": "worker-1", "max_tries": 0, "task": task}
    context = TIRunContext.model_construct(dag_run=run_model(), max_tries=0)
    return RuntimeTaskInstance.model_construct(**(told | members), _ti_context_from_server=context)


def states_of(service: Running) -> list[Any]:
    return [entry["new_value"] for entry in service.recorded()]


def in_child(work: Any) -> None:
    """Does something in a forked process that ends as a task's process does."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_what_a_task_recorded_before_it_was_gone_is_shipped_by_others(service: Running) -> None:
    with service.connect() as scheduler:
        scheduler.record("warm", "x", actor="a", new_value="warm")
        service.kill()
        for number in range(3):
            ti = task_instance(task_id=f"task_{number}")
            in_child(lambda ti=ti: Listener().on_task_instance_running("queued", ti))
        service.start()
        wait_for("all entries", lambda: len(states_of(service)) == 4)
    assert states_of(service) == ["warm", "running", "running", "running"]


def test_a_hook_that_is_called_again_records_once(service: Running) -> None:
    ti, listener = task_instance(), Listener()
    for _ in range(2):
        listener.on_task_instance_running("queued", ti)
    listener.before_stopping(None)
    assert states_of(service) == ["running"]
    resumed = task_instance(id=ti.id, start_date=ti.start_date)
    in_child(lambda: (Listener().on_task_instance_running("queued", resumed), Listener().before_stopping(None)))
    wait_for("the second start", lambda: states_of(service) == ["running", "running"])


def test_a_transaction_that_a_scheduler_repeats_records_once(service: Running) -> None:
    def scheduler_run(start: datetime.datetime) -> Any:
        more = {"clear_number": 0, "queued_at": NOW, "triggered_by": "ui", "bundle_version": None}
        return SimpleNamespace(**{**run_model().model_dump(warnings=False), **more, "start_date": start})

    for minute in (1, 2):
        run = scheduler_run(NOW + datetime.timedelta(minutes=minute))
        in_child(lambda run=run: (Listener().on_dag_run_running(run, "started"), Listener().before_stopping(None)))
    with service.connect() as other:
        other.flush(30)
        wait_for("the run's start", lambda: states_of(service))
        other.record("after", "x", actor="a", new_value="after")
        other.flush(30)
    assert states_of(service) == ["running", "after"]
    assert not (service.folder / "spool" / "refused.jsonl").exists()
    (started, _) = service.recorded()
    assert started["event_type"] == "pipeline_started"
    assert started["on_behalf_of"] == "t.berg"
    assert started["context"]["triggered_by"] == "ui"


def test_a_person_decides(service: Running) -> None:
    operator = ApprovalOperator(task_id="approve", subject="Grant LOAN-1?", body="score 0.8")
    waiting = task_instance(operator, task_id="approve", state="awaiting_input")
    listener = Listener()
    listener.on_task_instance_running("queued", waiting)
    listener.before_stopping(None)
    operator.hitl_summary_extra |= {
        "chosen_options": ["Reject"],
        "approved": False,
        "params_input": {"reason": "income not proven", "iban": "DE02"},
        "responded_at": NOW.isoformat(),
        "responded_by_user": {"id": "7", "name": "m.huber"},
    }
    answered = task_instance(operator, task_id="approve")
    listener.on_task_instance_running("queued", answered)
    for _ in range(2):
        listener.on_task_instance_success("running", answered)
    listener.before_stopping(None)
    entries = service.recorded()
    assert [entry["event_type"] for entry in entries] == [
        "task_started",
        "task_suspended",
        "oversight_shown",
        "task_started",
        "oversight_decided",
        "task_finished",
    ]
    shown, decided = entries[2], entries[4]
    assert (decided["actor"], decided["actor_type"], decided["outcome"]) == ("m.huber", "user", "denied")
    assert decided["new_value"] == "Reject"
    assert decided["reason"] == "income not proven"
    assert "on_behalf_of" not in decided
    assert decided["timestamp"].startswith("2026-11-28T12:00:00")
    assert shown["context"]["shown_digest"] == decided["context"]["shown_digest"]
    assert "DE02" not in str(entries)
    assert "score 0.8" not in str(entries)


def test_the_scope_is_that_of_the_task(service: Running) -> None:
    ti, listener = task_instance(try_number=2, map_index=3), Listener()
    listener.on_task_instance_running("queued", ti)
    counterfoil.default_trail().record("inside", "x")
    listener.on_task_instance_success("running", ti)
    counterfoil.default_trail().record("callback", "x")
    listener.before_stopping(None)
    counterfoil.default_trail().record("outside", "x", actor="a")
    counterfoil.default_trail().flush(30)
    told = {entry["event_type"]: entry for entry in service.recorded()}
    place = {"dag_id": "loans", "run_id": "manual__1", "task_id": "score", "try_number": 2, "map_index": 3}
    for event_type in ("inside", "callback"):
        assert told[event_type]["context"] == place
        assert told[event_type]["actor"] == "airflow/loans"
        assert told[event_type]["on_behalf_of"] == "t.berg"
        assert told[event_type]["trace_id"] == told["task_started"]["trace_id"]
    assert "context" not in told["outside"]
    assert "trace_id" not in told["outside"]


def test_a_state_set_by_hand(service: Running) -> None:
    ti = SimpleNamespace(**vars(task_instance()) | {"log_url": "https://x/", "operator": "PythonOperator"})
    listener = Listener()
    listener.on_task_instance_success(None, ti)
    listener.on_task_instance_success(None, ti)
    listener.before_stopping(None)
    entries = service.recorded()
    assert [(entry["actor"], entry.get("old_value"), entry["new_value"]) for entry in entries] == [
        ("airflow-api-server", None, "success")
    ] * 2, "each is an act of its own"


def test_the_operator_verifies_and_fails_on_findings(service: Running, tmp_path: Path) -> None:
    with service.connect() as trail:
        trail.record("e", "x", actor="a")
        trail.flush(30)
    verified = VerifyLedgerOperator(task_id="verify").execute({})
    assert verified["tree_size"] > 1
    assert verified["anchored"] is False
    again = VerifyLedgerOperator(task_id="again", checkpoint=verified["checkpoint"]).execute({})
    assert again["anchored"] is True
    with counterfoil.open(tmp_path / "forged", origin="test.example/audit") as forged:
        checkpoint = forged.checkpoint()
    with pytest.raises(AirflowFailException, match="finding"):
        VerifyLedgerOperator(task_id="forged", checkpoint=checkpoint).execute({})


def test_the_sensor_waits_for_an_entry(service: Running) -> None:
    wanted = {"event_type": "invoice_approved", "actor_type": "user", "context.step": 2}
    sensor = LedgerSensor(
        task_id="wait", entity_id="INV-1", match=wanted, reject={"event_type": "invoice_rejected"}, poke_interval=0
    )
    assert not sensor.poke({})
    with service.connect() as trail:
        trail.record("invoice_approved", "INV-1", actor="bot", actor_type="ai_agent", context={"step": 2})
        trail.record("invoice_approved", "INV-1", actor="eve", actor_type="user", context={"step": 1})
        trail.flush(30)
        assert not sensor.poke({})
        trail.record("invoice_approved", "INV-1", actor="eve", actor_type="user", context={"step": 2})
        trail.flush(30)
        found = sensor.poke({})
        assert found.is_done
        assert found.xcom_value["actor"] == "eve"
        assert trail.entry(found.xcom_value["index"])["context"] == {"step": 2}
        trail.record("invoice_rejected", "INV-2", actor="eve", actor_type="user")
        trail.flush(30)
        sensor.entity_id = "INV-2"
        with pytest.raises(AirflowFailException, match="invoice_rejected by eve"):
            sensor.poke({})
    service.kill()
    assert not sensor.poke({}), "an unreachable service is waited for"
    service.start()


def test_a_connection_names_another_ledger(service: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = Connection(
        conn_id="audit", conn_type="counterfoil", host="127.0.0.1", schema="http", port=service.port,
        password=service.writer, extra=f'{{"read_token": "{service.reader}", "spool": "{tmp_path / "other"}"}}',
    )  # fmt: skip
    monkeypatch.delenv("AIRFLOW__COUNTERFOIL__URL")
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: {"audit": asked}[conn_id])
    hook = CounterfoilHook("audit")
    working, said = hook.test_connection()
    assert working, said
    assert said.startswith("test.example/audit: ")
    hook.get_conn().record("e", "x", actor="a")
    hook.get_conn().flush(30)
    assert [entry["event_type"] for entry in service.recorded()] == ["e"]
    assert (tmp_path / "other").is_dir()
    with pytest.raises(counterfoil.Invalid, match="no ledger"):
        CounterfoilHook().get_conn()


def test_the_notifier_of_a_whole_run(service: Running) -> None:
    CounterfoilNotifier()({"dag_run": run_model(), "reason": "timed_out"})
    CounterfoilHook().get_conn().flush(30)
    (entry,) = service.recorded()
    assert (entry["event_type"], entry["entity_id"]) == ("workflow_failed", "loans/manual__1")
    assert (entry["outcome"], entry["reason"]) == ("failure", "timed_out")
    assert entry["on_behalf_of"] == "t.berg"
    assert entry["context"]["links"] == {"run": "https://airflow.example/dags/loans/runs/manual__1"}


def test_a_token_may_come_from_a_command(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__COUNTERFOIL__TOKEN")
    monkeypatch.setenv("AIRFLOW__COUNTERFOIL__TOKEN_CMD", f"echo {service.writer}")
    trail = CounterfoilHook().get_conn()
    trail.record("e", "x", actor="a")
    trail.flush(30)


def test_what_the_service_refuses_stops_no_task(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__COUNTERFOIL__TOKEN", service.token("writer", "--name", "narrow", "--prefix", "task_"))
    monkeypatch.setenv("AIRFLOW__COUNTERFOIL__EXIT_TIMEOUT", "30")
    trail = CounterfoilHook().get_conn()
    trail.record("payment_released", "PAY-1", actor="bot")
    ledger.flush()
    assert trail.status()["refused"] == 1


def test_every_example_of_the_guide_runs(service: Running) -> None:
    run_examples("integrations/airflow.md", {}, examples=4)
