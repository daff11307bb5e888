from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agents")
import httpx2
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Model,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    custom_span,
    function_tool,
    input_guardrail,
    set_trace_processors,
    trace,
)
from guides import run_examples
from openai import AsyncOpenAI

import counterfoil
from counterfoil import redaction
from counterfoil.openai_agents import AuditProcessor, Decision

Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def no_processors() -> Iterator[None]:
    yield
    set_trace_processors([])


def client(answer: Callable[[httpx2.Request], httpx2.Response]) -> AsyncOpenAI:
    """The vendor's own client, whose requests end here."""
    transport = httpx2.MockTransport(answer)
    return AsyncOpenAI(api_key="x", http_client=httpx2.AsyncClient(transport=transport), max_retries=0)


def completing(*messages: Answer) -> Model:
    """A model of the Chat Completions API that gives these answers."""
    said = iter(messages)

    def answer(request: httpx2.Request) -> httpx2.Response:
        message = {"role": "assistant", "content": None, **next(said)}
        reason = "tool_calls" if "tool_calls" in message else "stop"
        usage = {"prompt_tokens": 31, "completion_tokens": 5, "total_tokens": 36}
        choice = {"index": 0, "finish_reason": reason, "message": message}
        told = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06"}
        return httpx2.Response(200, json={**told, "choices": [choice], "usage": usage})

    return OpenAIChatCompletionsModel("gpt-4o", client(answer))


def responding(text: str) -> Model:
    """A model of the Responses API that gives this answer."""
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m-1", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 31,
        "output_tokens": 5,
        "total_tokens": 36,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens_details": {"reasoning_tokens": 2},
    }
    told = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-4o-2024-08-06",
        "instructions": "Match invoices.",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }
    return OpenAIResponsesModel("gpt-4o", client(lambda request: httpx2.Response(200, json=told)))


def calling(name: str, **arguments: Any) -> Answer:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}


def recorded(trail: counterfoil.Trail) -> list[counterfoil.Entry]:
    return [entry for entry in trail if not entry["event_type"].startswith("ledger.")]


@function_tool
def approve(invoice_id: str, amount: int) -> str:
    """Approves an invoice."""
    return f"approved {amount}"


def test_an_agent_reads_as_one_story(trail: counterfoil.Trail) -> None:
    decisions = {"approve": Decision("invoice_approved", entity_id="invoice_id", entity_type="invoice")}
    set_trace_processors([AuditProcessor(trail, decisions=decisions)])
    model = completing(calling("approve", invoice_id="INV-7", amount=3), {"content": "Approved."})
    agent = Agent("invoice-agent", instructions="Match invoices.", model=model, tools=[approve])
    said = RunConfig(workflow_name="payables", group_id="th-9", trace_metadata={"user_id": "mlopez"})
    with counterfoil.scope(model_policy="p-1"):
        Runner.run_sync(agent, "Approve INV-7", run_config=said)
    entries = recorded(trail)
    assert [entry["event_type"] for entry in entries] == [
        "model_inference",
        "invoice_approved",
        "model_inference",
        "gen_ai.invoke_agent",
    ]
    assert len({entry["trace_id"] for entry in entries}) == 1
    assert [entry["entity_id"] for entry in entries] == ["th-9", "INV-7", "th-9", "th-9"]
    for entry in entries:
        assert (entry["actor"], entry["actor_type"]) == ("invoice-agent", "ai_agent")
        assert entry["on_behalf_of"] == "mlopez"
        assert entry["context"]["gen_ai"]["workflow"] == "payables"
        assert entry["context"]["model_policy"] == "p-1"
    asked, decided = entries[0], entries[1]
    assert asked["context"]["model_version"] == "gpt-4o"
    assert asked["context"]["gen_ai"]["input_tokens"] == 31
    assert asked["context"]["gen_ai"]["output_tokens"] == 5
    contents = asked["context"]["attributes"]
    assert contents["gen_ai.system_instructions"] == redaction.digest(["Match invoices."])
    prompt = [{"role": "user", "content": "Approve INV-7"}]
    assert contents["gen_ai.input.messages"] == redaction.digest(prompt)
    assert decided["new_value"] == "approved 3"
    assert decided["entity_type"] == "invoice"
    assert decided["context"]["tool_name"] == "approve"
    assert decided["context"]["model_version"] == "gpt-4o"
    arguments = decided["context"]["attributes"]["gen_ai.tool.call.arguments"]
    assert arguments == redaction.digest('{"invoice_id": "INV-7", "amount": 3}')


def test_the_responses_api_tells_more(trail: counterfoil.Trail) -> None:
    set_trace_processors([AuditProcessor(trail, content="text")])
    agent = Agent("clerk", instructions="Match invoices.", model=responding("Due."))
    Runner.run_sync(agent, "Is INV-7 due?", run_config=RunConfig(trace_metadata={"entity_id": "INV-7"}))
    entry = recorded(trail)[0]
    assert (entry["event_type"], entry["entity_id"]) == ("model_inference", "INV-7")
    facts = entry["context"]["gen_ai"]
    assert facts["response_model"] == entry["context"]["model_version"] == "gpt-4o-2024-08-06"
    assert (facts["cached_input_tokens"], facts["reasoning_tokens"]) == (8, 2)
    assert (facts["finish_reasons"], facts["response_id"]) == (["completed"], "resp_1")
    assert entry["context"]["attributes"]["gen_ai.input.messages"] == [{"content": "Is INV-7 due?", "role": "user"}]
    assert entry["new_value"]["messages"][0]["content"][0]["text"] == "Due."
    assert entry["context"]["duration_ns"] > 0


def test_streams(trail: counterfoil.Trail) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        told = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
        deltas = [{"role": "assistant", "content": "It "}, {"content": "is."}]
        lines = [{**told, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        lines.append({**told, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        usage = {"prompt_tokens": 31, "completion_tokens": 5, "total_tokens": 36}
        lines.append({**told, "choices": [], "usage": usage})
        body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
        return httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"})

    async def read() -> None:
        agent = Agent("clerk", model=OpenAIChatCompletionsModel("gpt-4o", client(answer)))
        async for _ in Runner.run_streamed(agent, "due?").stream_events():
            pass

    set_trace_processors([AuditProcessor(trail, content="text")])
    asyncio.run(read())
    entry = recorded(trail)[0]
    assert entry["event_type"] == "model_inference"
    assert entry["new_value"]["messages"][0]["content"][0]["text"] == "It is."
    assert entry["context"]["gen_ai"]["output_tokens"] == 5


def test_failures_and_guardrails(trail: counterfoil.Trail) -> None:
    @function_tool
    def lookup(key: str) -> str:
        """Looks up."""
        raise KeyError(key)

    @input_guardrail
    async def limits(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info="over", tripwire_triggered="1000000" in str(given))

    set_trace_processors([AuditProcessor(trail)])
    model = completing(calling("lookup", key="k"), {"content": "No."}, {"content": "x"})
    agent = Agent("clerk", model=model, tools=[lookup], input_guardrails=[limits])
    Runner.run_sync(agent, "look")
    with pytest.raises(InputGuardrailTripwireTriggered):
        Runner.run_sync(agent, "pay 1000000")
    entries = recorded(trail)
    (tool,) = [entry for entry in entries if entry["event_type"] == "tool_call"]
    assert tool["outcome"] == "failure"
    assert tool["reason"].startswith("Error running tool")
    passed, stopped = [entry for entry in entries if entry["event_type"] == "gen_ai.guardrail"]
    assert passed["outcome"] == "success"
    assert (stopped["outcome"], stopped["reason"]) == ("denied", "guardrail limits was triggered")

    broken = OpenAIChatCompletionsModel("gpt-4o", client(lambda request: httpx2.Response(500, json={})))
    with pytest.raises(Exception, match="500"):
        Runner.run_sync(Agent("clerk", model=broken), "due?")
    failed = next(entry for entry in recorded(trail) if entry["event_type"] == "inference_failed")
    assert failed["outcome"] == "failure"
    assert failed["context"]["model_version"] == "gpt-4o"


def test_a_tool_that_was_cancelled_has_failed(trail: counterfoil.Trail) -> None:
    @function_tool
    async def wait(key: str) -> str:
        """Waits."""
        await asyncio.sleep(60)
        return key

    set_trace_processors([AuditProcessor(trail)])
    agent = Agent("clerk", model=completing(calling("wait", key="k")), tools=[wait])
    try:
        raise LookupError("being handled, and none of the agent's")
    except LookupError:
        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(asyncio.wait_for(Runner.run(agent, "wait"), 0.5))
    ends = {entry["event_type"]: entry["outcome"] for entry in recorded(trail)}
    assert ends == {"model_inference": "success", "tool_call": "failure", "gen_ai.invoke_agent": "failure"}


def test_handoffs(trail: counterfoil.Trail) -> None:
    set_trace_processors([AuditProcessor(trail)])
    second = Agent("payments", model=completing({"content": "Paid."}))
    first = Agent("front", model=completing(calling("transfer_to_payments")), handoffs=[second])
    Runner.run_sync(first, "pay")
    entries = recorded(trail)
    (handoff,) = [entry for entry in entries if entry["event_type"] == "gen_ai.handoff"]
    assert handoff["new_value"] == {"from_agent": "front", "to_agent": "payments"}
    assert [entry["actor"] for entry in entries if entry["event_type"] == "model_inference"] == ["front", "payments"]


def test_a_custom_span_may_say_what_was_decided(trail: counterfoil.Trail) -> None:
    set_trace_processors([AuditProcessor(trail)])
    about = {"event_type": "payment_scored", "entity_id": "PAY-1", "actor": "scorer", "actor_type": "ai_agent"}
    with (
        trace("scoring"),
        custom_span("score", {**about, "new_value": {"score": 0.12, "token": "t"}, "context": {"confidence": 0.9}}),
    ):
        pass
    with trace("other"), custom_span("not ours", {"a": 1}):
        pass
    (entry,) = recorded(trail)
    assert (entry["event_type"], entry["entity_id"], entry["actor"]) == ("payment_scored", "PAY-1", "scorer")
    assert entry["new_value"] == {"score": 0.12, "token": "[redacted]"}
    assert entry["outcome"] == "success"
    assert entry["context"]["confidence"] == 0.9


def test_concurrent_runs_keep_their_scopes_apart(trail: counterfoil.Trail) -> None:
    async def one(number: int) -> None:
        agent = Agent(f"agent-{number}", model=completing({"content": str(number)}))
        with counterfoil.scope(on_behalf_of=f"user-{number}"):
            await Runner.run(agent, "due?", run_config=RunConfig(trace_metadata={"entity_id": f"INV-{number}"}))

    async def every() -> None:
        await asyncio.gather(*(one(number) for number in range(12)))

    processor = AuditProcessor(trail)
    set_trace_processors([processor])
    asyncio.run(every())
    entries = recorded(trail)
    assert len(entries) == 24
    for entry in entries:
        number = entry["entity_id"].removeprefix("INV-")
        assert (entry["actor"], entry["on_behalf_of"]) == (f"agent-{number}", f"user-{number}")
    assert not processor._spans
    assert not processor._traces
    assert not processor._models


def test_an_entry_that_cannot_be_durable_is_logged(trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture) -> None:
    set_trace_processors([AuditProcessor(trail)])
    trail.close()
    with caplog.at_level(logging.ERROR, "counterfoil"):
        result = Runner.run_sync(Agent("clerk", model=completing({"content": "Due."})), "due?")
    assert result.final_output == "Due."
    assert "model_inference of trace_" in caplog.text


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers = ({"content": "Due."}, calling("approve", invoice_id="INV-8", amount=3), {"content": "Settled."})
    agent = Agent("clerk", model=completing(*answers), tools=[approve])
    names: dict[str, Any] = {"agent": agent}
    run_examples("integrations/openai-agents.md", names, examples=2)
    names["trail"].close()
