"""A span processor for OpenTelemetry, after which spans of generative AI and marked spans are entries.

provider.add_span_processor(AuditSpanProcessor(trail))

Entries are those that the service makes of the same spans over OTLP (docs/guides/ingest.md).
"""

from __future__ import annotations

import base64
import json
import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, StatusCode, format_span_id, format_trace_id

from . import default_trail
from .calls import AGENT, USER, Attributes, kind_of, moment, record_entry, scalar, set_actor, set_members, set_reason
from .contents import Content, Contents
from .trail import Trail

_log = logging.getLogger("counterfoil")

_PREFIX = "counterfoil."
_OF_CONTEXT = "counterfoil.context."
_TEXTS = ("event_type", "actor", "actor_type", "on_behalf_of", "entity_id", "entity_type", "outcome", "id", "source")
_VALUES = ("reason", "old_value", "new_value", "sequence")
_OF_RESOURCE = ("actor", "actor_type", "on_behalf_of", "source")
_IS_REMOTE_KNOWN, _IS_REMOTE = 0x100, 0x200
"""Flags as the SDK's exporters send them."""


class AuditSpanProcessor(SpanProcessor):
    """Records spans of the conventions for generative AI, and those with an attribute `counterfoil.…`; no others.

    The entry is durable before `span.end()` returns. `content`, `redact` and `scrub` say what is recorded of prompts,
    answers, arguments and results; see `counterfoil.contents.Contents`. An entry that cannot be made durable is raised
    out of `span.end()`; of a span that failed it is logged to `counterfoil`, so that its own error is seen, and with
    `strict=False` it is always logged.
    """

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        content: Content = "digest",
        redact: Collection[str] = (),
        scrub: Callable[[str], str] | None = None,
        strict: bool = True,
    ) -> None:
        self._trail, self._strict = trail, strict
        self._contents = Contents(content, redact, scrub)

    def on_end(self, span: ReadableSpan) -> None:
        """A span has ended."""
        attributes, ids = span.attributes or {}, span.context
        kind = kind_of(attributes)
        if ids is None or (kind is None and not any(name.startswith(_PREFIX) for name in attributes)):
            return
        try:
            entry = self._entry(span, ids)
        except Exception as error:
            _log.warning("counterfoil: a span could not be read", exc_info=True)
            note = f"the span could not be read: {type(error).__name__}"
            entry = {"event_type": kind or "span_ended", "context": {"name": span.name, "mapping_notes": [note]}}
            entry["entity_id"] = entry["trace_id"] = format_trace_id(ids.trace_id)
        record_entry(self._trail, entry, strict=self._strict and span.status.status_code is not StatusCode.ERROR)

    def _entry(self, span: ReadableSpan, ids: SpanContext) -> dict[str, Any]:
        trace_id, span_id = format_trace_id(ids.trace_id), format_span_id(ids.span_id)
        resource = self._plain(span.resource.attributes)
        attributes = self._plain(span.attributes or {})
        entry = self._explicit(attributes, resource)
        kind = kind_of(attributes)
        failed = self._set_outcome(entry, span, attributes, kind)
        if "event_type" not in entry and (named := scalar(attributes, "event.name")):
            entry["event_type"] = f"otel.{named}" if named.startswith("ledger.") else named
        self._set_actor(entry, attributes, resource)
        set_members(entry, attributes, trace_id, kind=kind, failed=failed)
        for name, value in (("event_type", "span_ended"), ("trace_id", trace_id), ("id", f"otlp:{trace_id}:{span_id}")):
            entry.setdefault(name, value)
        start, end = span.start_time or 0, span.end_time or 0
        entry["timestamp"] = moment(end)
        kept = {
            "name": span.name,
            "kind": span.kind.name.lower(),
            "start": moment(start),
            "duration_ns": end - start,
            "span_id": span_id,
            "parent_span_id": format_span_id(span.parent.span_id) if span.parent else None,
            "trace_state": ids.trace_state.to_header(),
            "flags": _flags(span.parent),
            "attributes": attributes,
            "events": [self._event(event) for event in span.events],
            "links": [self._link(link) for link in span.links],
            "dropped_attributes": span.dropped_attributes,
            "dropped_events": span.dropped_events,
            "dropped_links": span.dropped_links,
            "resource": resource,
            **self._scope(span.instrumentation_scope, span.resource.schema_url),
        }
        entry["context"].update({name: value for name, value in kept.items() if value or name == "duration_ns"})
        return entry

    def _explicit(self, attributes: Attributes, resource: Mapping[str, Any]) -> dict[str, Any]:
        """Moves the attributes `counterfoil.…` to the members that they name."""
        entry: dict[str, Any] = {"context": {}}
        for name in (*_TEXTS, *_VALUES):
            of_resource = resource.get(_PREFIX + name) if name in _OF_RESOURCE else None
            value = attributes.pop(_PREFIX + name, of_resource)
            if value is not None:
                entry[name] = scalar({name: value}, name) or value if name in _TEXTS else value
        for name in ("old_value", "new_value"):
            text = attributes.pop(f"{_PREFIX}{name}_json", None)
            if text is not None:
                entry[name] = self._parsed(text)
        for name in [name for name in attributes if name.startswith(_OF_CONTEXT)]:
            entry["context"][name[len(_OF_CONTEXT) :]] = attributes.pop(name)
        return entry

    def _parsed(self, text: Any) -> Any:
        """The value that a text of JSON holds; the text, if it holds none."""
        try:
            return self._contents.text(json.loads(text))
        except (TypeError, ValueError, RecursionError):
            return text

    def _set_outcome(
        self, entry: dict[str, Any], span: ReadableSpan, attributes: Mapping[str, Any], kind: str | None
    ) -> bool:
        """Whether the span failed; `outcome` and `reason` say so."""
        code, error_type = span.status.status_code, scalar(attributes, "error.type")
        failed = code is StatusCode.ERROR or (code is StatusCode.UNSET and error_type is not None)
        if failed:
            entry.setdefault("outcome", "failure")
            text = span.status.description or _exception_message(span.events) or error_type
            set_reason(entry, self._contents.text(text) if text else None)
        elif code is StatusCode.OK or kind is not None:
            entry.setdefault("outcome", "success")
        return failed

    def _set_actor(self, entry: dict[str, Any], attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
        """Where neither span nor resource nor scope nor trail names anybody, the service acted."""
        agent, user = (scalar(attributes, *names) or scalar(resource, *names) for names in (AGENT, USER))
        set_actor(entry, agent, user)
        if "actor" not in entry and "actor" not in (self._trail or default_trail()).said():
            entry["actor"] = scalar(resource, "service.name") or "unknown_service"
            entry["actor_type"] = "service"

    def _plain(self, attributes: Mapping[str, Any], *, everything: bool = False) -> Attributes:
        """Attributes that may be recorded, as JSON has them."""
        plain = {name: _value(value) for name, value in attributes.items()}
        return self._contents.applied(plain, everything=everything)

    def _event(self, event: Event) -> dict[str, Any]:
        made = {
            "name": event.name,
            "time": moment(event.timestamp),
            "attributes": self._plain(event.attributes or {}, everything=event.name.startswith("gen_ai.")),
            "dropped_attributes": event.dropped_attributes,
        }
        return {name: value for name, value in made.items() if value}

    def _link(self, link: Link) -> dict[str, Any]:
        made = {
            "trace_id": format_trace_id(link.context.trace_id),
            "span_id": format_span_id(link.context.span_id),
            "attributes": self._plain(link.attributes or {}),
            "dropped_attributes": link.dropped_attributes,
            "flags": _flags(link.context),
        }
        return {name: value for name, value in made.items() if value}

    def _scope(self, scope: InstrumentationScope | None, of_resource: str) -> dict[str, Any]:
        """The instrumentation, and the schemas that it and the resource follow."""
        if scope is None:
            return {"resource_schema_url": of_resource}
        told = {"name": scope.name, "version": scope.version, "attributes": self._plain(scope.attributes or {})}
        return {
            "scope": {name: value for name, value in told.items() if value},
            "schema_url": scope.schema_url,
            "resource_schema_url": of_resource if of_resource != scope.schema_url else None,
        }


def _exception_message(events: Sequence[Event]) -> str | None:
    """What the last recorded exception says."""
    found = next((event for event in reversed(events) if event.name == "exception"), None)
    return scalar(found.attributes or {}, "exception.message", "exception.type") if found else None


def _flags(context: SpanContext | None) -> int:
    return _IS_REMOTE_KNOWN | (_IS_REMOTE if context is not None and context.is_remote else 0)


def _value(value: Any) -> Any:
    """An attribute's value as JSON: bytes in base64, what is no finite number as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [_value(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _value(one) for name, one in value.items()}
    return value
