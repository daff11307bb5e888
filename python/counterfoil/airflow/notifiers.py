"""A notifier: callbacks of DAGs and tasks as entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseNotifier

from . import states
from .hooks import CounterfoilHook


class CounterfoilNotifier(BaseNotifier):
    """Records an entry when Airflow calls it back: `on_failure_callback=CounterfoilNotifier()`.

    The entity is the run unless `entity_id` says otherwise. `entity_id` and `reason` are templates; without `reason` it
    is what Airflow says of the failure.
    """

    # Airflow writes these into the context, whose own `reason` says what happened to a run.
    template_fields: Sequence[str] = ("entity_id", "given_reason")

    def __init__(
        self,
        *,
        event_type: str = "workflow_failed",
        entity_id: str | None = None,
        reason: str | None = None,
        outcome: str | None = "failure",
        counterfoil_conn_id: str | None = None,
    ) -> None:
        super().__init__()
        self.event_type, self.entity_id, self.given_reason, self.outcome = event_type, entity_id, reason, outcome
        self.counterfoil_conn_id = counterfoil_conn_id

    def notify(self, context: Any) -> None:
        """Records the entry; Airflow logs what goes wrong and goes on."""
        ti = context.get("ti")
        run = ti or context["dag_run"]
        said = context.get("exception") or context.get("reason") or ""
        place = states.place(ti) if ti else {"dag_id": run.dag_id, "run_id": run.run_id}
        links = {"run": states.run_url(run)} | ({"task": ti.log_url} if ti else {})
        CounterfoilHook(self.counterfoil_conn_id).get_conn().record(
            self.event_type,
            self.entity_id or states.run_key(run),
            entity_type=None if self.entity_id else "workflow_run",
            actor=states.actor(run),
            actor_type="service",
            on_behalf_of=states.triggered_by(run),
            outcome=self.outcome,
            reason=self.given_reason or states.first_line(said),
            trace_id=states.trace_id(run),
            context={**place, "links": links},
        )
