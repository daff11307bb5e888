"""Human-in-the-loop tasks: what was put before a person, and what the person decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..redaction import digest
from . import states


def shown(ti: Any) -> list[dict[str, Any]]:
    """The entry of a task instance that begins to wait for a person; none for other tasks."""
    summary = _summary(ti)
    if summary is None:
        return []
    context = {
        **_context(ti, summary),
        "assigned_users": [user["name"] for user in summary.get("assigned_users") or ()],
        "timeout_at": summary.get("timeout_datetime"),
    }
    return [
        {
            **_members(ti, "oversight_shown"),
            "actor": states.actor(ti),
            "actor_type": "service",
            "context": {name: value for name, value in context.items() if value},
        }
    ]


def decided(ti: Any) -> list[dict[str, Any]]:
    """The entry of the answer that a task instance got: the person's, or Airflow's own after the time that it had.

    Of the form that goes with the answer the fields `reason` and `comment` are recorded, no others.
    """
    summary = _summary(ti)
    if summary is None or not summary.get("responded_at"):
        return []
    person = summary.get("responded_by_user")
    chosen = summary["chosen_options"]
    form = summary.get("params_input") or {}
    reason = form.get("reason") or form.get("comment")
    return [
        {
            **_members(ti, "oversight_decided"),
            "actor": (person["name"] or person["id"]) if person else states.SCHEDULER,
            "actor_type": "user" if person else "service",
            "on_behalf_of": None,
            "timestamp": summary["responded_at"],
            "new_value": chosen[0] if len(chosen) == 1 else chosen,
            "outcome": "denied" if summary.get("approved") is False else "success",
            "reason": reason or (None if person else "nobody answered in time: the default was taken"),
            "context": _context(ti, summary),
        }
    ]


def _summary(ti: Any) -> Mapping[str, Any] | None:
    found = getattr(ti.task, "hitl_summary", None)
    return found if isinstance(found, Mapping) else None


def _members(ti: Any, event_type: str) -> dict[str, Any]:
    return {
        "event_type": event_type,
        "entity_id": states.task_key(ti),
        "entity_type": "task_instance",
        "trace_id": states.trace_id(ti),
        "id": states.event_id(ti, event_type),
    }


def _context(ti: Any, summary: Mapping[str, Any]) -> dict[str, Any]:
    text = {name: summary.get(name) for name in ("subject", "body", "options")}
    return {
        **states.place(ti),
        "shown_digest": digest(text)["sha256"],
        "options": list(summary["options"]),
        "links": {"task": ti.log_url},
    }
