"""Log records that are audit events: how their fields become an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .redaction import SECRETS, redacted
from .trail import Trail

EVENT = "audit_event"
"""The message that marks a log record as an audit event."""

_MEMBERS = frozenset(
    (
        "timestamp",
        "event_type",
        "actor",
        "actor_type",
        "on_behalf_of",
        "entity_id",
        "entity_type",
        "old_value",
        "new_value",
        "outcome",
        "reason",
        "trace_id",
        "id",
    )
)


def record_fields(trail: Trail, fields: Mapping[str, Any], *, hidden: frozenset[str] = SECRETS) -> Any:
    """Records the fields of a log record: members of entries as such, all others in `context`."""
    entry: dict[str, Any] = {"event_type": None, "entity_id": None}
    context: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _MEMBERS:
            entry[name] = value
        elif name == "context" and isinstance(value, Mapping):
            context.update(value)
        else:
            context[name] = value
    if context:
        entry["context"] = context
    for name in ("old_value", "new_value", "context"):
        if name in entry:
            entry[name] = redacted(entry[name], hidden)
    return trail.record_many([entry])[0]
