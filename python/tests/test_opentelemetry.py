from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
from guides import run_examples
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from running import Running

import counterfoil
from counterfoil import redaction
from counterfoil.opentelemetry import AuditSpanProcessor

SAMPLES = Path(__file__).parents[2] / "testdata" / "ingest" / "python-sdk-traces.entries.jsonl"
BASE = 1_795_514_400_000_000_123
SET_BY_LEDGER = ("recorded_at", "recorder")
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
OLD: dict[str, Any] = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.usage.prompt_tokens": 12,
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.completion": "approve",
    "gen_ai.prompt": "INV-2041?",
}


class Counted(IdGenerator):
    """The ids of testdata/ingest/make_samples.py."""

    span = 0

    def generate_span_id(self) -> int:
        self.span += 1
        return 0xEEE19B7EC3C1B100 + self.span

    def generate_trace_id(self) -> int:
        return 100927429609276267646756448943279827607


def provider(trail: counterfoil.Trail, resource: dict[str, Any] | None = None, **options: Any) -> TracerProvider:
    made = TracerProvider(resource=Resource(resource or {"service.name": "svc"}), id_generator=Counted())
    made.add_span_processor(AuditSpanProcessor(trail, **options))
    return made


def tracer(trail: counterfoil.Trail, **options: Any) -> Tracer:
    return provider(trail, **options).get_tracer("invoice.agent")


def members(entry: Any) -> dict[str, Any]:
    return {name: value for name, value in dict(entry).items() if name not in SET_BY_LEDGER}


def recorded(trail: counterfoil.Trail) -> list[dict[str, Any]]:
    return [members(entry) for entry in trail if not entry["event_type"].startswith("ledger.")]


def samples(tracer: Tracer) -> None:
    """The spans of testdata/ingest/make_samples.py."""
    agent = tracer.start_span(
        "invoke_agent invoice-bot-7",
        start_time=BASE,
        attributes={
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "invoice-bot-7",
            "gen_ai.agent.id": "asst_7",
            "gen_ai.conversation.id": "conv-81",
            "enduser.id": "mlopez",
        },
    )
    inside = set_span_in_context(agent)
    tracer.start_span(
        "chat gpt-4o",
        context=inside,
        start_time=BASE + 1_000,
        kind=SpanKind.CLIENT,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.id": "chatcmpl-9J3u",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 1021,
            "gen_ai.usage.output_tokens": 43,
            "gen_ai.request.temperature": 0.2,
            "gen_ai.agent.name": "invoice-bot-7",
            "gen_ai.conversation.id": "conv-81",
            "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"match"}]}]',
        },
    ).end(end_time=BASE + 1_250_000_000)
    tracer.start_span("openai.chat", context=inside, start_time=BASE + 2_000, kind=SpanKind.CLIENT, attributes=OLD).end(
        end_time=BASE + 2_000_000_000
    )
    tool = tracer.start_span(
        "execute_tool get_invoice",
        context=inside,
        start_time=BASE + 3_000,
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_invoice",
            "gen_ai.tool.call.id": "call_VSPy",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.arguments": '{"id":"INV-2041"}',
        },
    )
    late = "ERP did not answer within 5 s"
    tool.add_event("exception", {"exception.type": "TimeoutError", "exception.message": late}, BASE + 5_000)
    tool.set_status(Status(StatusCode.ERROR, late))
    tool.end(end_time=BASE + 5_000_003_000)
    tracer.start_span(
        "approve",
        context=inside,
        start_time=BASE + 6_000,
        attributes={
            "counterfoil.event_type": "invoice_approved",
            "counterfoil.actor": "mlopez",
            "counterfoil.actor_type": "user",
            "counterfoil.entity_id": "INV-2041",
            "counterfoil.entity_type": "invoice",
            "counterfoil.old_value": "pending",
            "counterfoil.new_value_json": '{"status": "approved", "amount_minor": 9007199254740993}',
            "counterfoil.outcome": "success",
            "counterfoil.reason": "three-way match",
            "counterfoil.source": "erp-1",
            "counterfoil.sequence": 42,
            "confidence": 0.97,
            "serial": 9223372036854775807,
        },
    ).end(end_time=BASE + 6_000_000_000)
    agent.end(end_time=BASE + 7_000_000_000)


def test_entries_are_those_that_the_service_makes(trail: counterfoil.Trail) -> None:
    resource = {"service.name": "invoice-matcher", "service.version": "2.11.0"}
    schema = "https://opentelemetry.io/schemas/1.37.0"
    made = provider(trail, resource, content="text")
    samples(made.get_tracer("invoice.agent", "1.4.0", schema_url=schema))
    wanted = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    assert recorded(trail) == wanted


def test_the_same_spans_over_otlp_are_the_same_entries(service: Running, trail: counterfoil.Trail) -> None:
    exporters = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resource = {"service.name": "svc", "gen_ai.agent.name": "bot-7", "user.id": "ana"}
    both = provider(trail, resource, content="text")
    authorization = {"Authorization": f"Bearer {service.writer}"}
    exporter = exporters.OTLPSpanExporter(f"{service.url}/v1/traces", headers=authorization)
    both.add_span_processor(SimpleSpanProcessor(exporter))
    one = both.get_tracer("a", "1", attributes={"library": "x"})
    with one.start_as_current_span("outer", attributes={**CHAT, "gen_ai.prompt.name": "match-v2"}) as outer:
        outer.add_event("gen_ai.choice", {"index": 0, "message": '{"content": "yes"}'})
        with one.start_as_current_span(
            "inner", attributes=OLD, links=[Link(outer.get_span_context(), {"why": "retry"})]
        ):
            pass
    with pytest.raises(ValueError, match="no"), one.start_as_current_span("failing", attributes=CHAT):
        raise ValueError("no such invoice")
    silent = one.start_span("silent", attributes=CHAT, kind=SpanKind.CLIENT)
    silent.record_exception(TimeoutError("ERP did not answer"))
    silent.set_status(StatusCode.ERROR)
    silent.end()
    values = {"nan": float("nan"), "inf": float("-inf"), "raw": b"\x00\xff", "list": [1, 2], "flag": True, "half": 0.5}
    every: tuple[dict[str, Any], ...] = (
        {"gen_ai.operation.name": "embeddings", **values},
        {"gen_ai.operation.name": "brand_new", "event.name": "payment_scored"},
        {"gen_ai.tool.name": "pay", "gen_ai.tool.call.result": "paid", "gen_ai.agent.id": "asst_9"},
        {"gen_ai.operation.name": "chat", "event.name": "ledger.x"},
        {"error.type": "timeout", **CHAT},
        {"counterfoil.actor": "mlopez", "counterfoil.context.ticket": "T-9", "counterfoil.new_value": ["a", "b"]},
        {"counterfoil.event_type": "kyc_check", "counterfoil.entity_id": 77, "counterfoil.reason": "due"},
        {"counterfoil.model_version": "not ours", "enduser.id": "eva"},
    )
    for attributes in every:
        one.start_span("one", attributes=attributes, kind=SpanKind.CONSUMER).end()
    assert recorded(trail) == [members(entry) for entry in service.recorded()]
    assert len(recorded(trail)) == 12


def test_only_spans_of_generative_ai_and_marked_ones_are_recorded(trail: counterfoil.Trail) -> None:
    one = tracer(trail)
    one.start_span("GET /", attributes={"http.route": "/"}).end()
    one.start_span("chat", attributes=CHAT).end()
    one.start_span("approve", attributes={"counterfoil.entity_id": "INV-1"}).end()
    assert [entry["event_type"] for entry in recorded(trail)] == ["model_inference", "span_ended"]


def test_contents_are_digests_unless_they_are_asked_for(trail: counterfoil.Trail) -> None:
    told = {
        **OLD,
        "gen_ai.prompt.0.content": "prompt of old",
        "traceloop.entity.input": "input of old",
        "llm.input_messages.0.message.content": "openinference",
        "http.request.header.authorization": "Bearer x",
    }
    for options in ({}, {"content": "none"}):
        span = tracer(trail, **options).start_span("chat", attributes={**told, "counterfoil.id": f"s-{len(options)}"})
        span.add_event("gen_ai.user.message", {"gen_ai.system": "openai", "content": "what the user wrote"})
        span.end()
    digests, nothing = recorded(trail)
    attributes = digests["context"]["attributes"]
    assert attributes["gen_ai.prompt"] == redaction.digest("INV-2041?")
    assert attributes["http.request.header.authorization"] == "[redacted]"
    assert digests["new_value"] == {"messages": redaction.digest("approve"), "output_tokens": 5}
    event = digests["context"]["events"][0]["attributes"]
    assert event == {"gen_ai.system": "openai", "content": redaction.digest("what the user wrote")}
    assert nothing["new_value"] == {"output_tokens": 5}
    for entry in (digests, nothing):
        text = json.dumps(entry)
        for content in ("INV-2041?", '"approve"', "of old", "openinference", "what the user", "Bearer"):
            assert content not in text


def test_the_entry_is_there_when_the_span_has_ended(trail: counterfoil.Trail) -> None:
    span = tracer(trail).start_span("chat", attributes=CHAT)
    before = trail.size()
    span.end()
    assert trail.size() == before + 1


def test_the_scope_says_who_acted_where_the_span_does_not(trail: counterfoil.Trail) -> None:
    one = tracer(trail)
    with counterfoil.scope(actor="mlopez", actor_type="user", model_version="m-1"):
        one.start_span("chat", attributes=CHAT).end()
        one.start_span("chat", attributes={**CHAT, "gen_ai.agent.name": "bot"}).end()
    alone, agent = recorded(trail)
    assert (alone["actor"], alone["actor_type"]) == ("mlopez", "user")
    assert (agent["actor"], agent["actor_type"], agent["on_behalf_of"]) == ("bot", "ai_agent", "mlopez")


def test_values_that_no_entry_can_have_do_not_harm_the_program(trail: counterfoil.Trail) -> None:
    one = tracer(trail)
    for attributes in (
        {"counterfoil.actor_type": "robot"},
        {"counterfoil.event_type": "ledger.created"},
        {"counterfoil.source": "erp"},
        {"counterfoil.new_value_json": "{"},
        {"counterfoil.entity_id": "x" * 400},
        {"counterfoil.reason": "x" * 200_000},
        {**CHAT, "zero": "a\0b"},
    ):
        one.start_span("odd", attributes=attributes).end()
    one.start_span("late", attributes=CHAT).end(end_time=10**30)
    entries = recorded(trail)
    assert len(entries) == 8
    assert entries[3]["new_value"] == "{"
    assert entries[7]["context"]["mapping_notes"] == ["the span could not be read: OverflowError"]


def test_an_entry_that_cannot_be_durable_is_raised(trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture) -> None:
    strict, lenient = tracer(trail), tracer(trail, strict=False)
    trail.close()
    with pytest.raises(counterfoil.Closed):
        strict.start_span("chat", attributes=CHAT).end()
    with pytest.raises(ValueError, match="no such"), strict.start_as_current_span("chat", attributes=CHAT):
        raise ValueError("no such invoice")
    with caplog.at_level(logging.ERROR, "counterfoil"):
        lenient.start_span("chat", attributes=CHAT).end()
    assert "could not be recorded" in caplog.text


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    run_examples("integrations/opentelemetry.md", names, examples=2)
    names["trail"].close()
