"""A structlog processor, after which audit events in the log are entries.

    structlog.configure(processors=[…, counterfoil.structlog.AuditProcessor(trail), JSONRenderer()])
    logger.info("audit_event", timestamp=…, event_type=…, actor=…, entity_id=…, old_value=…, new_value=…, context=…)

Put it before the renderer, and before processors that replace values. It needs no structlog to be imported.
"""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from typing import Any

from .records import EVENT, record_fields
from .redaction import SECRETS
from .trail import Trail

_OF_STRUCTLOG = frozenset(("event", "level", "logger", "_record", "_from_structlog", "log_level", "positional_args"))


class AuditProcessor:
    """Records events named `event` (`audit_event`) and passes everything on.

    Members of entries are taken as such, others go into `context`. With `receipt=True` the line that is logged gets
    `audit_index` (of what is under way to a service: `audit_sequence`), to join log and ledger. An entry that
    cannot be made durable is raised into the logging call. With `drop=True` the line itself is not logged.
    """

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        event: str = EVENT,
        redact: Collection[str] = (),
        receipt: bool = False,
        drop: bool = False,
    ) -> None:
        self._trail, self._event, self._receipt, self._drop = trail, event, receipt, drop
        self._hidden = SECRETS | frozenset(name.lower() for name in redact)

    def __call__(self, logger: Any, method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Records one event, if it is an audit event."""
        if event_dict.get("event") != self._event:
            return event_dict
        from . import default_trail

        fields = {name: value for name, value in event_dict.items() if name not in _OF_STRUCTLOG}
        kept = record_fields(self._trail or default_trail(), fields, hidden=self._hidden)
        if self._drop:
            import structlog

            raise structlog.DropEvent
        if self._receipt:
            name, number = ("audit_index", kept.index) if kept.recorded else ("audit_sequence", kept.sequence)
            event_dict[name] = number
        return event_dict
