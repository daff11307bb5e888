"""Calls of models and tools as entries, in the vocabulary of the OpenTelemetry conventions for generative AI.

What is known of a call stands in attributes (`gen_ai.request.model`, …), whichever framework made it. They become
members of an entry as the service makes them of OTLP (docs/guides/ingest.md), so that every way reads the same.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import scopes
from .contents import OUTPUT, RESULT, Content, Contents, fitted
from .paths import at
from .salvage import UNIDENTIFIED, note_unidentified
from .trail import Trail

_log = logging.getLogger("counterfoil")

Attributes = dict[str, Any]
Place = str | Callable[[Mapping[str, Any]], Any]

INFERENCE = "model_inference"
TOOL_CALL = "tool_call"
AGENT = ("gen_ai.agent.name", "gen_ai.agent.id")
USER = ("enduser.id", "user.id")

FACTS: Mapping[str, tuple[str, ...]] = {
    "agent_id": ("gen_ai.agent.id",),
    "agent_name": ("gen_ai.agent.name",),
    "agent_version": ("gen_ai.agent.version",),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "conversation_id": ("gen_ai.conversation.id",),
    "data_source_id": ("gen_ai.data_source.id",),
    "finish_reasons": ("gen_ai.response.finish_reasons",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "operation": ("gen_ai.operation.name",),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "prompt_name": ("gen_ai.prompt.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
    "request_model": ("gen_ai.request.model",),
    "response_id": ("gen_ai.response.id",),
    "response_model": ("gen_ai.response.model",),
    "tool_call_id": ("gen_ai.tool.call.id",),
    "tool_type": ("gen_ai.tool.type",),
    "workflow": ("gen_ai.workflow.name",),
}
"""Members of `context.gen_ai` and the attributes they are taken from; the first that is there counts."""

_OF_FACTS = frozenset(name for names in FACTS.values() for name in names)
_MODEL = ("gen_ai.response.model", "gen_ai.request.model")
_TOOL = "gen_ai.tool.name"
_ANSWERS = (OUTPUT, "gen_ai.completion", "gen_ai.output")
_RESULTS = (RESULT, "gen_ai.output")
_INFERENCES = ("chat", "text_completion", "completion", "generate_content", "embeddings", "call_llm")
_MOST_REASON = 4096


@dataclass
class Call:
    """One call while it is under way. Times in nanoseconds; `start_ns` since 1970."""

    name: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None
    start_ns: int = 0
    duration_ns: int | None = None
    attributes: Attributes = field(default_factory=dict)
    event_type: str | None = None
    entity_id: Any = None
    entity_type: str | None = None
    reason: Any = None
    error: BaseException | str | None = None
    members: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def is_decision(self) -> bool:
        """Whether it was said what this call decides."""
        return self.event_type is not None


@dataclass(frozen=True)
class Decision:
    """A tool whose calls decide about something: `Decision("invoice_approved", entity_id="invoice_id")`.

    `entity_id` and `reason` say where the entity's id and the reason stand in the tool's arguments (`"invoice.id"`), or
    are functions of them. The entry has this event type instead of `tool_call`, and the tool's result as text.
    """

    event_type: str
    entity_id: Place | None = None
    entity_type: str | None = None
    reason: Place | None = None

    def apply(self, call: Call, given: Any) -> None:
        """Makes a tool's call with these arguments this decision."""
        call.event_type = self.event_type
        call.entity_type = self.entity_type or call.entity_type
        call.entity_id = _found(self.entity_id, given) or call.entity_id
        if self.entity_id and not call.entity_id:
            call.entity_id = UNIDENTIFIED
            note_unidentified(call.context, f"the decision {self.event_type}", self.entity_id, None)
        call.reason = _found(self.reason, given)


def _found(place: Place | None, given: Any) -> Any:
    """What stands at a place in a tool's arguments; `None` if there is nothing."""
    if place is None:
        return None
    try:
        arguments = json.loads(given) if isinstance(given, str) else given
        return place(arguments) if callable(place) else at(arguments, place)
    except Exception:
        return None


class Recorder:
    """Records calls by one policy. With `strict=False` an entry that cannot be made durable is only logged."""

    def __init__(
        self,
        trail: Trail | None,
        *,
        agent: str | None,
        content: Content,
        redact: Collection[str],
        scrub: Callable[[str], str] | None,
        decisions: Mapping[str, Decision] | None,
        strict: bool,
    ) -> None:
        self._trail, self._agent, self._strict = trail, agent, strict
        self.contents, self.decisions = Contents(content, redact, scrub), dict(decisions or {})

    def tell(self, call: Call, attributes: Attributes) -> None:
        """Adds to a call what has become known of it, at once as it may be recorded: it may change afterwards."""
        call.attributes.update(self.contents.applied(attributes))
        if call.is_decision:
            told = (name for name in (*_ANSWERS, RESULT) if name in attributes)
            call.attributes.update({name: self.contents.text(attributes[name]) for name in told})

    def record(self, call: Call) -> None:
        """Records a call; never raises for one that failed, whose own error must not be hidden."""
        record_entry(self._trail, self._entry(call), strict=self._strict and call.error is None)

    def record_intent(self, call: Call) -> None:
        """Records that a decision is about to be made; both entries carry one `context.step_id`."""
        call.context["step_id"] = call.span_id
        entry = self._entry(call)
        made = {name: value for name, value in entry.items() if name not in ("outcome", "new_value")}
        record_entry(self._trail, {**made, "context": {**entry["context"], "phase": "started"}}, strict=self._strict)
        call.context["phase"] = "finished"

    def _entry(self, call: Call) -> dict[str, Any]:
        attributes = dict(call.attributes)
        unread = attributes.pop(_UNREAD, None)
        if self._agent:
            attributes.setdefault("gen_ai.agent.name", self._agent)
        about = {"event_type": call.event_type, "entity_id": call.entity_id, "entity_type": call.entity_type}
        entry: dict[str, Any] = {name: value for name, value in about.items() if value is not None}
        entry.update(call.members)
        entry["context"] = {
            "name": call.name,
            "start": moment(call.start_ns),
            "span_id": call.span_id,
            **({"duration_ns": call.duration_ns} if call.duration_ns is not None else {}),
            **({"parent_span_id": call.parent_span_id} if call.parent_span_id else {}),
            **({"mapping_notes": [unread]} if unread else {}),
            **call.context,
        }
        if "trace_id" not in scopes.current():
            entry["trace_id"] = call.trace_id
        if isinstance(call.error, BaseException):
            entry["outcome"] = "denied" if isinstance(call.error, PermissionError) else "failure"
            attributes.setdefault("error.type", type(call.error).__qualname__)
            set_reason(entry, self.contents.text(str(call.error) or type(call.error).__name__))
        elif call.error is not None:
            entry["outcome"] = "failure"
            set_reason(entry, self.contents.text(call.error))
        set_reason(entry, self.contents.text(call.reason))
        kind = kind_of(attributes)
        if call.is_decision and kind is None:
            if RESULT in attributes:
                entry["new_value"] = attributes.pop(RESULT)
            entry.setdefault("outcome", "success")
        set_actor(entry, scalar(attributes, *AGENT), scalar(attributes, *USER))
        set_members(entry, attributes, call.trace_id, kind=kind, failed=call.error is not None)
        rest = {name: value for name, value in attributes.items() if name not in _OF_FACTS and name != _TOOL}
        if rest:
            entry["context"]["attributes"] = rest
        return entry


_UNREAD = "counterfoil.unread"


def read(reader: Callable[..., Attributes], *arguments: Any) -> Attributes:
    """What `reader` makes of a framework's objects; where it fails on one, a note of it. Never raises."""
    try:
        return reader(*arguments)
    except Exception as error:
        _log.warning("counterfoil: part of a call could not be read", exc_info=True)
        return {_UNREAD: f"part of the call could not be read: {type(error).__name__}"}


def record_entry(trail: Trail | None, entry: dict[str, Any], *, strict: bool) -> None:
    """Records an entry; what keeps it from being durable is raised if `strict`, else logged."""
    from . import default_trail

    try:
        (trail or default_trail()).record_many([fitted(entry)])
    except Exception as failed:
        if strict:
            raise
        _log.error("counterfoil: %s of %s could not be recorded: %s", entry["event_type"], entry["entity_id"], failed)


def kind_of(attributes: Mapping[str, Any]) -> str | None:
    """The event type of what the attributes tell of; `None` outside the conventions for generative AI."""
    operation = scalar(attributes, "gen_ai.operation.name")
    if operation in _INFERENCES:
        return INFERENCE
    if operation == "execute_tool":
        return TOOL_CALL
    if operation:
        return f"gen_ai.{operation}"
    if scalar(attributes, _TOOL, "gen_ai.tool.call.id"):
        return TOOL_CALL
    return INFERENCE if scalar(attributes, *_MODEL) else None


def set_members(
    entry: dict[str, Any], attributes: Attributes, trace_id: str, *, kind: str | None, failed: bool
) -> None:
    """Sets what the attributes say and the entry does not; the answer or result moves out of them."""
    if kind is not None:
        entry.setdefault("event_type", "inference_failed" if kind == INFERENCE and failed else kind)
        entry.setdefault("outcome", "success")
    set_entity(entry, attributes, trace_id)
    context = entry["context"]
    found = {name: [attributes[key] for key in keys if key in attributes] for name, keys in FACTS.items()}
    facts = {name: values[0] for name, values in found.items() if values}
    for name, value in (("model_version", scalar(attributes, *_MODEL)), ("tool_name", scalar(attributes, _TOOL))):
        if value:
            context.setdefault(name, value)
    if facts:
        context["gen_ai"] = facts
    if "new_value" in entry:
        return
    if kind == INFERENCE and not failed:
        answer = {name: facts[name] for name in ("finish_reasons", "output_tokens", "response_id") if name in facts}
        messages = _taken(attributes, _ANSWERS)
        entry["new_value"] = {**answer, **({"messages": messages} if messages is not None else {})}
    elif kind == TOOL_CALL:
        result = _taken(attributes, _RESULTS)
        if result is not None:
            entry["new_value"] = result


def set_actor(entry: dict[str, Any], agent: str | None, user: str | None) -> None:
    """Who acted: the agent, else the user, else whom the scope names; the user is for whom an agent acted."""
    said = scopes.current()
    if "actor" not in entry and (agent or user):
        entry["actor"] = agent or user
        entry["actor_type"] = "ai_agent" if agent else "user"
    elif "actor" in entry:
        entry.setdefault("actor_type", None)
    if entry.get("actor_type") == "ai_agent" and not entry.get("on_behalf_of"):
        of_scope = said.get("actor") if said.get("actor_type") == "user" and "on_behalf_of" not in said else None
        if user or of_scope:
            entry["on_behalf_of"] = user or of_scope


def set_entity(entry: dict[str, Any], attributes: Mapping[str, Any], trace_id: str) -> None:
    """What it happened to: the conversation, else the tool call, else the trace."""
    if "entity_id" in entry:
        return
    for name, entity_type in (("gen_ai.conversation.id", "conversation"), ("gen_ai.tool.call.id", "tool_call")):
        if found := scalar(attributes, name):
            entry["entity_id"] = found
            entry.setdefault("entity_type", entity_type)
            return
    entry["entity_id"] = trace_id
    entry.setdefault("entity_type", "trace")


def set_reason(entry: dict[str, Any], text: Any) -> None:
    """Sets `reason`, unless it is there; a long text is cut."""
    if text and "reason" not in entry:
        entry["reason"] = _cut(text) if isinstance(text, str) else text


def scalar(attributes: Mapping[str, Any], *names: str) -> str | None:
    """The first of the attributes that is a text, number or boolean and not empty, as text."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (str, int, float)) and value != "":
            return str(value)
    return None


def moment(nanos: int) -> str:
    """RFC 3339 of nanoseconds since 1970, without trailing zeros."""
    seconds, fraction = divmod(nanos, 1_000_000_000)
    whole = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"


def _cut(text: str) -> str:
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) <= _MOST_REASON:
        return text
    mark = "…" + hashlib.sha256(raw).hexdigest()[:16]
    return raw[: _MOST_REASON - len(mark.encode())].decode("utf-8", "ignore") + mark


def _taken(attributes: Attributes, names: Collection[str]) -> Any:
    """The first of the attributes that is there, taken out of them."""
    for name in names:
        if name in attributes:
            return attributes.pop(name)
    return None
