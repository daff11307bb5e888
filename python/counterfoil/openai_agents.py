"""A tracing processor of the OpenAI Agents SDK, after which what agents do are entries.

agents.set_trace_processors([AuditProcessor(trail)])     # instead of the vendor's exporter
agents.add_trace_processor(AuditProcessor(trail))        # beside it
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

from agents.tracing import Span, Trace, TracingProcessor
from agents.tracing.span_data import (
    AgentSpanData,
    CustomSpanData,
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    HandoffSpanData,
    ResponseSpanData,
    SpanData,
    SpeechSpanData,
    TranscriptionSpanData,
    TurnSpanData,
)

from .calls import Attributes, Call, Decision, Recorder, read
from .contents import ARGUMENTS, INPUT, INSTRUCTIONS, OUTPUT, RESULT, Content
from .trail import Trail

__all__ = ["AuditProcessor", "Decision"]

_OPERATIONS: Mapping[type[SpanData], str] = {
    AgentSpanData: "invoke_agent",
    FunctionSpanData: "execute_tool",
    GenerationSpanData: "chat",
    GuardrailSpanData: "guardrail",
    HandoffSpanData: "handoff",
    ResponseSpanData: "chat",
    SpeechSpanData: "speech",
    TranscriptionSpanData: "transcription",
}
_MEMBERS = ("actor", "actor_type", "on_behalf_of", "old_value", "new_value", "outcome", "reason")


class AuditProcessor(TracingProcessor):
    """Records each span that tells of a model, a tool, an agent, a handoff or a guardrail, before the agent goes on.

    - `content`, `redact`, `scrub`: what is recorded of prompts, answers, arguments and results; see
      `counterfoil.contents.Contents`.
    - `decisions`: by the name of a tool, what its calls decide; see `counterfoil.calls.Decision`.

    The metadata of a trace (`RunConfig(trace_metadata=…)`) says what all of it is about: `entity_id`, `entity_type`,
    `user_id`. A `custom_span` whose data has an `event_type` is an entry of that type, its data the members of it. The
    SDK swallows what a processor raises, so an entry that cannot be made durable is logged to `counterfoil`.
    """

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        content: Content = "digest",
        redact: Collection[str] = (),
        scrub: Callable[[str], str] | None = None,
        decisions: Mapping[str, Decision] | None = None,
    ) -> None:
        self._trail = trail
        self._traces: dict[str, Trace] = {}
        self._spans: dict[str, tuple[Span[Any], BaseException | None]] = {}
        self._models: dict[str, str] = {}
        self._recorder = Recorder(
            trail, agent=None, content=content, redact=redact, scrub=scrub, decisions=decisions, strict=False
        )

    def on_trace_start(self, trace: Trace) -> None:
        """A workflow begins."""
        self._traces[trace.trace_id] = trace

    def on_trace_end(self, trace: Trace) -> None:
        """A workflow has ended."""
        self._traces.pop(trace.trace_id, None)
        self._models.pop(trace.trace_id, None)

    def on_span_start(self, span: Span[Any]) -> None:
        """Something begins; kept until its end, since what happens inside asks for its agent."""
        self._spans[span.span_id] = span, sys.exc_info()[1]

    def on_span_end(self, span: Span[Any]) -> None:
        """Something has ended, and is recorded if it is of a kind that matters."""
        agent = self._agent(span)
        _, before = self._spans.pop(span.span_id, (span, None))
        data = span.span_data
        operation = _OPERATIONS.get(type(data))
        marked = data.data if isinstance(data, CustomSpanData) and (data.data or {}).get("event_type") else None
        if operation is None and marked is None:
            return
        start_ns, end_ns = _nanos(span.started_at), _nanos(span.ended_at)
        metadata = span.trace_metadata or {}
        call = Call(
            _name(data),
            span.trace_id,
            span.span_id,
            span.parent_id,
            start_ns=start_ns,
            duration_ns=end_ns - start_ns,
            entity_id=metadata.get("entity_id"),
            entity_type=metadata.get("entity_type"),
            error=_error(span, before),
            members={"timestamp": span.ended_at} if span.ended_at else {},
        )
        attributes = self._who(span.trace_id, agent, metadata)
        if marked is not None:
            _mark(call, self._recorder.contents.text(marked))
        else:
            attributes.update({"gen_ai.operation.name": operation, **read(_attributes, data)})
            call.members.update(_members(data))
        self._decide(call, attributes)
        self._recorder.tell(call, attributes)
        self._recorder.record(call)

    def force_flush(self) -> None:
        """Nothing waits here: what was recorded is durable."""

    def shutdown(self, timeout: float | None = None) -> None:
        """The trail is the program's, and stays open."""

    def _decide(self, call: Call, attributes: Attributes) -> None:
        model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
        if model:
            self._models[call.trace_id] = model
        decision = self._recorder.decisions.get(str(attributes.get("gen_ai.tool.name")))
        if decision is not None:
            decision.apply(call, attributes.get(ARGUMENTS))
        if call.is_decision and call.trace_id in self._models:
            call.context.setdefault("model_version", self._models[call.trace_id])

    def _agent(self, span: Span[Any] | None) -> str | None:
        """The agent in whose span this one lies."""
        while span is not None:
            if isinstance(span.span_data, AgentSpanData):
                return span.span_data.name
            if isinstance(span.span_data, TurnSpanData):
                return span.span_data.agent_name
            span, _ = self._spans.get(span.parent_id or "", (None, None))
        return None

    def _who(self, trace_id: str, agent: str | None, metadata: Mapping[str, Any]) -> Attributes:
        trace = self._traces.get(trace_id)
        named = {
            "gen_ai.agent.name": agent,
            "gen_ai.workflow.name": trace.name if trace else None,
            "gen_ai.conversation.id": getattr(trace, "group_id", None),
            "user.id": metadata.get("user_id"),
        }
        return {name: str(value) for name, value in named.items() if value}


def _mark(call: Call, data: Mapping[str, Any]) -> None:
    """Makes the call the entry that the data of a custom span describes."""
    call.event_type = str(data["event_type"])
    call.entity_id = data.get("entity_id", call.entity_id)
    call.entity_type = data.get("entity_type", call.entity_type)
    call.members.update({name: data[name] for name in _MEMBERS if name in data})
    own = data.get("context")
    call.context.update(own if isinstance(own, Mapping) else {})


def _members(data: SpanData) -> dict[str, Any]:
    """What has no name in the conventions: who hands over to whom, and a guardrail that stopped the agent."""
    if isinstance(data, HandoffSpanData):
        return {"new_value": {"from_agent": data.from_agent, "to_agent": data.to_agent}}
    if isinstance(data, GuardrailSpanData) and data.triggered:
        return {"outcome": "denied", "reason": f"guardrail {data.name} was triggered"}
    return {}


def _attributes(data: SpanData) -> Attributes:
    """What a span tells, in the names of the conventions."""
    found: Attributes = {}
    if isinstance(data, ResponseSpanData):
        found = {INPUT: data.input, **_usage(data.usage), **_of_response(data.response)}
    elif isinstance(data, GenerationSpanData):
        found = _of_generation(data)
    elif isinstance(data, FunctionSpanData):
        found = {
            "gen_ai.tool.name": data.name,
            "gen_ai.tool.type": "function",
            ARGUMENTS: data.input,
            RESULT: data.output,
        }
    elif isinstance(data, AgentSpanData):
        found = {"tools": data.tools, "handoffs": data.handoffs, "output_type": data.output_type}
    elif isinstance(data, (SpeechSpanData, TranscriptionSpanData)):
        found = {"gen_ai.request.model": data.model, INPUT: data.input, OUTPUT: data.output}
    return {name: value for name, value in found.items() if value is not None}


def _of_generation(data: GenerationSpanData) -> Attributes:
    """A chat completion; what was streamed stands there as a response."""
    asked = list(data.input or [])
    instructions = [one["content"] for one in asked if one.get("role") == "system"]
    config = data.model_config or {}
    streamed = data.output[0] if data.output and data.output[0].get("object") == "response" else None
    return {
        "gen_ai.request.model": data.model,
        "gen_ai.request.temperature": config.get("temperature"),
        "gen_ai.request.max_tokens": config.get("max_tokens"),
        INSTRUCTIONS: instructions or None,
        INPUT: [one for one in asked if one.get("role") != "system"] or None,
        OUTPUT: streamed["output"] if streamed else data.output,
        **_usage(data.usage),
    }


def _of_response(response: Any) -> Attributes:
    """An answer of the Responses API."""
    if response is None:
        return {}
    cut = getattr(response.incomplete_details, "reason", None)
    return {
        "gen_ai.provider.name": "openai",
        "gen_ai.request.temperature": response.temperature,
        "gen_ai.response.model": response.model,
        "gen_ai.response.id": response.id,
        "gen_ai.response.finish_reasons": [cut or response.status] if cut or response.status else None,
        INSTRUCTIONS: response.instructions,
        OUTPUT: [one.model_dump(exclude_none=True) for one in response.output],
    }


def _usage(usage: Mapping[str, Any] | None) -> Attributes:
    told = usage or {}
    inward, outward = told.get("input_tokens_details") or {}, told.get("output_tokens_details") or {}
    return {
        "gen_ai.usage.input_tokens": told.get("input_tokens"),
        "gen_ai.usage.output_tokens": told.get("output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": inward.get("cached_tokens"),
        "gen_ai.usage.reasoning.output_tokens": outward.get("reasoning_tokens"),
    }


def _error(span: Span[Any], before: BaseException | None) -> BaseException | str | None:
    """Why a span failed. The SDK does not tell of one that was cancelled; the exception that passes through does."""
    if span.error is not None:
        told = (span.error.get("data") or {}).get("error")
        return f"{span.error['message']}: {told}" if told else span.error["message"]
    passing = sys.exc_info()[1]
    return None if passing is before or isinstance(passing, GeneratorExit) else passing


def _name(data: SpanData) -> str:
    return str(getattr(data, "name", None) or data.type)


def _nanos(time: str | None) -> int:
    """Nanoseconds since 1970 of the SDK's ISO 8601 text."""
    if not time:
        return 0
    whole = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
    return int(whole.timestamp()) * 1_000_000_000 + whole.microsecond * 1000
