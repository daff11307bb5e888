"""What an entry says of a run or of a task instance."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from airflow.sdk.configuration import conf

SCHEDULER = "airflow-scheduler"
API_SERVER = "airflow-api-server"

_BY_HAND = "manually set"
_EVENTS = {
    "running": "task_started",
    "deferred": "task_suspended",
    "awaiting_input": "task_suspended",
    "up_for_reschedule": "task_suspended",
}
_OUTCOMES = {"success": "success", "failed": "failure", "up_for_retry": "failure", "upstream_failed": "failure"}


def run_key(one: Any) -> str:
    """`dag/run` of a run or of a task instance: the entity of a run."""
    return f"{one.dag_id}/{one.run_id}"


def task_key(ti: Any) -> str:
    """`dag/run/task`, with `[index]` where the task is mapped: the entity of a task instance."""
    return f"{run_key(ti)}/{ti.task_id}{f'[{ti.map_index}]' if is_mapped(ti) else ''}"


def is_mapped(ti: Any) -> bool:
    """Whether a task instance is one of several of its task."""
    return ti.map_index is not None and ti.map_index >= 0


def trace_id(one: Any) -> str:
    """The same for everything in a run, whichever process records it: 32 hex digits made of its ids."""
    return _digest(run_key(one))


def actor(ti: Any) -> str:
    """Who acts in a task: the DAG."""
    return f"airflow/{ti.dag_id}"


def place(ti: Any) -> dict[str, Any]:
    """Where in Airflow an entry comes from: DAG, run, task, try and map index."""
    told = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "try_number": ti.try_number}
    return {**told, "map_index": ti.map_index} if is_mapped(ti) else told


def triggered_by(one: Any) -> str | None:
    """The user who triggered a run, or the run of a task instance, where Airflow knows one."""
    user: str | None = None
    with contextlib.suppress(Exception):  # the run of a task instance that has left its database session
        run = one if hasattr(one, "run_type") else run_of(one)
        user = run.triggering_user_name
    return user


def run_of(ti: Any) -> Any:
    """The run of a task instance, as the process has it: told by the API server, or from the database."""
    told = getattr(ti, "_ti_context_from_server", None)
    return told.dag_run if told is not None else ti.dag_run


def run_entry(run: Any, state: str, message: str) -> dict[str, Any]:
    """The entry of a run's change of state; `message` is Airflow's reason."""
    by_hand = _BY_HAND in message
    started = state == "running"
    entry: dict[str, Any] = {
        "event_type": "pipeline_started" if started else "pipeline_finished",
        "entity_id": run_key(run),
        "entity_type": "workflow_run",
        "actor": API_SERVER if by_hand else SCHEDULER,
        "actor_type": "service",
        "on_behalf_of": None if by_hand else triggered_by(run),
        "new_value": state,
        "outcome": _OUTCOMES.get(state),
        "reason": None if started else message,
        "trace_id": trace_id(run),
        "context": _without_none(
            {
                "dag_id": run.dag_id,
                "run_id": run.run_id,
                "run_type": _text(run.run_type),
                "triggered_by": _text(run.triggered_by),
                "logical_date": run.logical_date,
                "clear_number": run.clear_number or None,
                "bundle_version": run.bundle_version,
                "links": {"run": run_url(run)},
            }
        ),
    }
    if not by_hand:
        entry["old_value"] = "queued" if started else "running"
        # A transaction that the scheduler repeats calls its hooks again: what it began with stays the same.
        entry["id"] = _digest(run_key(run), run.clear_number, run.queued_at, state)
    return entry


def task_entry(
    ti: Any, state: str, previous: str | None, error: object = None, *, by_hand: bool = False
) -> dict[str, Any]:
    """The entry of a task instance's change of state, which `by_hand` somebody set: who, Airflow does not tell."""
    in_task = getattr(ti, "_ti_context_from_server", None) is not None
    task = getattr(ti, "task", None)
    entry: dict[str, Any] = {
        "event_type": _EVENTS.get(state, "task_finished"),
        "entity_id": task_key(ti),
        "entity_type": "task_instance",
        "actor": API_SERVER if by_hand else actor(ti) if in_task else SCHEDULER,
        "actor_type": "service",
        "on_behalf_of": None if by_hand else triggered_by(ti),
        "new_value": state,
        "outcome": _OUTCOMES.get(state),
        "reason": first_line(error),
        "trace_id": trace_id(ti),
        "context": _without_none(
            {
                **place(ti),
                "max_tries": ti.max_tries,
                "operator": getattr(ti, "operator", None) or (type(task).__name__ if task is not None else None),
                "host": ti.hostname or None,
                "exception": _exception(error),
                "links": {"run": run_url(ti), "task": ti.log_url},
            }
        ),
    }
    if not by_hand:
        entry["old_value"] = previous
        entry["id"] = event_id(ti, state) if in_task else _digest(task_key(ti), ti.try_number, state, SCHEDULER)
    return entry


def event_id(ti: Any, what: str) -> str:
    """The id of what happens once in a task's process: a hook that is called again records no second entry.

    A try that is suspended starts again, in another process; so the process is part of it.
    """
    import psutil

    process = (ti.hostname, os.getpid(), psutil.Process().create_time())
    return _digest(task_key(ti), ti.id, ti.start_date, what, *process)


def run_url(one: Any) -> str:
    """The page of a run in Airflow."""
    base = conf.get("api", "base_url", fallback="http://localhost:8080/").rstrip("/")
    return f"{base}/dags/{quote(one.dag_id)}/runs/{quote(one.run_id)}"


def masked(text: str) -> str:
    """A text without the secrets that Airflow knows: passwords of connections, sensitive variables."""
    from airflow.sdk._shared.secrets_masker import redact

    return str(redact(text))


def first_line(error: object) -> str | None:
    """What an error is and says, in short."""
    kind = f"{type(error).__name__}: " if isinstance(error, BaseException) else ""
    text = masked(f"{kind}{error or ''}").strip()
    return text.splitlines()[0][:500] if text else None


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:32]


def _exception(error: object) -> object:
    if isinstance(error, BaseException):
        return {"type": type(error).__name__, "message": masked(str(error))}
    return None


def _text(value: Any) -> str | None:
    return None if value is None else str(getattr(value, "value", value))


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
