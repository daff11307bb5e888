"""The listener: what Airflow's hooks tell of runs and task instances, in whichever process they fire.

Airflow lets no listener stop a task: whatever goes wrong here goes to the log of `counterfoil`.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.listeners import hookimpl

import counterfoil
from counterfoil.errors import Invalid

from . import ledger, oversight, states

_log = logging.getLogger("counterfoil")

_SUSPENDED = ("deferred", "awaiting_input", "up_for_reschedule")
_DECIDED_BY_SCHEDULER = ("skipped", "upstream_failed", "removed")


class Listener:
    """Records every change of state that Airflow tells of, and says to a task's own code where it runs."""

    def __init__(self) -> None:
        self._running: Any = None
        self._scope: contextvars.Token[Mapping[str, Any]] | None = None
        self._warned = False

    @hookimpl
    def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
        """A run was started by the scheduler."""
        with self._recording() as entries:
            entries.append(states.run_entry(dag_run, "running", msg))

    @hookimpl
    def on_dag_run_success(self, dag_run: Any, msg: str) -> None:
        """A run ended well."""
        self._end_run(dag_run, "success", msg)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any, msg: str) -> None:
        """A run failed."""
        self._end_run(dag_run, "failed", msg)

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:
        """A task instance starts, or goes on after it was suspended."""
        with self._recording() as entries:
            entries.append(states.task_entry(task_instance, "running", _name(previous_state)))
        with self._recording():
            self._enter(task_instance)

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
        """A task instance ended well, or somebody set it so."""
        self._end_try(task_instance, "success", previous_state)

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:
        """A try failed, for good or to be repeated, or somebody set it so."""
        self._end_try(task_instance, _name(task_instance.state) or "failed", previous_state, error)

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:
        """A task instance skipped itself, or somebody set it so."""
        self._end_try(task_instance, "skipped", previous_state)

    @hookimpl
    def before_stopping(self, component: Any) -> None:
        """A task's process, or a component, ends: by `os._exit`, so what can be shipped is shipped now."""
        with self._recording() as entries:
            ti, self._running = self._running, None
            state = _name(ti.state) if ti is not None else None
            if state in _SUSPENDED:
                # Airflow has no hook for tasks that give up their process to wait.
                entries.append(states.task_entry(ti, state, "running"))
                entries.extend(oversight.shown(ti) if state != "up_for_reschedule" else ())
        self._leave()
        ledger.flush()

    def _end_run(self, run: Any, state: str, message: str) -> None:
        with self._recording() as entries:
            entries.extend(_of_scheduler(run))
        with self._recording() as entries:
            entries.append(states.run_entry(run, state, message))

    def _end_try(self, ti: Any, state: str, previous: Any, error: object = None) -> None:
        by_hand = previous is None
        if not by_hand:
            with self._recording() as entries:
                entries.extend(oversight.decided(ti))
        with self._recording() as entries:
            entries.append(states.task_entry(ti, state, _name(previous), error, by_hand=by_hand))

    @contextlib.contextmanager
    def _recording(self) -> Iterator[list[dict[str, Any]]]:
        """Records the entries that the block collects; whatever fails is logged."""
        try:
            if not ledger.is_configured():
                self._warn()
                yield []
                return
            entries: list[dict[str, Any]] = []
            yield entries
            if entries:
                ledger.trail().record_many(entries)
        except Exception:
            _log.exception("counterfoil: a change of state could not be recorded")

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("counterfoil: nothing is recorded: [counterfoil] url is not set")

    def _enter(self, ti: Any) -> None:
        """What the task's own code records carries the run, the task, the try and the trace."""
        self._leave()
        self._running = ti
        self._scope = counterfoil.set_scope(
            states.place(ti),
            actor=states.actor(ti),
            actor_type="service",
            on_behalf_of=states.triggered_by(ti),
            trace_id=states.trace_id(ti),
        )
        try:
            counterfoil.default_trail()
        except Invalid:
            counterfoil.set_default_trail(ledger.trail())

    def _leave(self) -> None:
        scope, self._scope = self._scope, None
        if scope is not None:
            with contextlib.suppress(ValueError):  # set in another context, which has ended
                counterfoil.reset_scope(scope)


def _of_scheduler(run: Any) -> list[dict[str, Any]]:
    """The task instances of a run that ended without ever running: no hook tells of them."""
    from airflow.settings import Session
    from sqlalchemy.orm import object_session

    # The session of this thread, where the change is not committed yet; one of our own would commit or not see it.
    session = object_session(run) or Session()
    never_ran = (ti for ti in run.get_task_instances(session=session) if ti.pid is None)
    return [
        states.task_entry(ti, state, None) for ti in never_ran if (state := _name(ti.state)) in _DECIDED_BY_SCHEDULER
    ]


def _name(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
