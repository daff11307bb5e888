"""A handler for the standard library's `logging`, after which audit events in the log are entries.

logging.getLogger().addHandler(counterfoil.logging.AuditHandler(trail))
logger.info("audit_event", extra={"event_type": "kyc_check", "actor": "kyc-bot", "entity_id": "CUST-7", …})
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from .records import EVENT, record_fields
from .redaction import SECRETS
from .trail import Trail

_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class AuditHandler(logging.Handler):
    """Records log records whose message is `event` (`audit_event`), or all that carry `event_type`.

    Fields come from `extra=` or from a mapping given as the only argument. Members of entries are taken as such, others
    go into `context`. Without `timestamp` the record's own time is taken. An entry that cannot be made durable is an
    error for `logging`'s `handleError` with `strict=False`, and is raised into the logging call with `strict=True` (the
    default): an audit event must not be lost unnoticed.
    """

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        event: str = EVENT,
        redact: Collection[str] = (),
        strict: bool = True,
        level: int = logging.NOTSET,
    ) -> None:
        super().__init__(level)
        self._trail, self._event, self._strict = trail, event, strict
        self._hidden = SECRETS | frozenset(name.lower() for name in redact)

    def emit(self, record: logging.LogRecord) -> None:
        """Records one log record, if it is an audit event."""
        if record.name == "counterfoil" or not self._is_event(record):
            return
        try:
            from . import default_trail

            record_fields(self._trail or default_trail(), _fields(record), hidden=self._hidden)
        except Exception:
            if self._strict:
                raise
            self.handleError(record)

    def _is_event(self, record: logging.LogRecord) -> bool:
        return record.msg == self._event or "event_type" in vars(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = dict(record.args) if isinstance(record.args, Mapping) else {}
    fields.update({name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD})
    fields.setdefault("timestamp", record.created)
    if record.exc_info and record.exc_info[1] is not None:
        fields.setdefault("exception", record.exc_info[1])
    return fields
