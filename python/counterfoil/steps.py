"""A step of a workflow: its start, its end and how it ended."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ._core import Receipt
from .trail import Trail

_log = logging.getLogger("counterfoil")


class Step:
    """A block of code, for `with` and `async with`.

    On entering it records `<event_type>` with `context.phase = "started"`, before anything is done; on leaving the same
    with `"finished"`, `outcome`, `duration_ms` and, after an exception, `exception`, which goes on to the caller. Both
    carry one `context.step_id`.

    Inside, `new_value`, `old_value`, `reason`, `outcome` and `context` may be set for the second entry.
    """

    def __init__(
        self, trail: Trail, event_type: str, entity_id: object, *, intent: bool = True, **members: Any
    ) -> None:
        self._trail, self._event_type, self._entity_id, self._intent = trail, event_type, entity_id, intent
        self._context: Mapping[str, Any] = members.pop("context", None) or {}
        self._first = {name: value for name, value in members.items() if name not in ("new_value", "outcome")}
        self._members = members
        self._started_s = 0.0
        self.step_id = uuid.uuid4().hex
        self.context: dict[str, Any] = {}
        self.started: Receipt | None = None
        self.finished: Receipt | None = None

    def set(self, **members: Any) -> None:
        """Members of the second entry: `new_value`, `outcome`, `reason` and the others of `record`."""
        self.context.update(members.pop("context", None) or {})
        self._members.update(members)

    def __enter__(self) -> Step:
        if self._intent:
            context = {**self._context, "phase": "started", "step_id": self.step_id}
            self.started = self._trail.record(self._event_type, self._entity_id, context=context, **self._first)
        self._started_s = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context: dict[str, Any] = {**self._context, **self.context, "phase": "finished", "step_id": self.step_id}
        context["duration_ms"] = round((time.perf_counter() - self._started_s) * 1000, 3)
        members = dict(self._members)
        if isinstance(error, GeneratorExit):
            # Whoever reads a generator stopped early, which is no failure.
            context["closed_early"] = True
        elif error is not None:
            context["exception"] = error
            members["outcome"] = "denied" if isinstance(error, PermissionError) else "failure"
            members.pop("new_value", None)
        members.setdefault("outcome", "success")
        try:
            self.finished = self._trail.record(self._event_type, self._entity_id, context=context, **members)
        except Exception as failed:
            if error is None:
                raise
            # The caller's own exception must not be hidden by ours.
            _log.error("counterfoil: the end of a step could not be recorded: %s", failed)

    async def __aenter__(self) -> Step:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
