from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("langchain")
from guides import run_examples
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.language_models import FakeListLLM
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult, GenerationChunk, LLMResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

import counterfoil
from counterfoil import redaction
from counterfoil.langchain import AuditHandler, Decision

ASKED = [SystemMessage("Match invoices."), HumanMessage("Is INV-7 due? The IBAN is DE02120300000000202051.")]
USAGE = {"input_tokens": 31, "output_tokens": 5, "total_tokens": 36, "input_token_details": {"cache_read": 8}}
TOLD = {"model_name": "gpt-4o-2024-08-06", "finish_reason": "stop", "id": "chatcmpl-1"}


class Scripted(GenericFakeChatModel):
    """Says what it is given to say; told its name as a provider's class is."""

    model: str = "gpt-4o"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self


def saying(*messages: AIMessage | str) -> Scripted:
    return Scripted(messages=iter(messages))


def answer(text: str = "It is.", **more: Any) -> AIMessage:
    return AIMessage(text, response_metadata=TOLD, usage_metadata=USAGE, **more)


def calling(name: str, call_id: str = "call_1", **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": call_id}], response_metadata=TOLD)


def recorded(trail: counterfoil.Trail) -> list[counterfoil.Entry]:
    return [entry for entry in trail if not entry["event_type"].startswith("ledger.")]


def config(trail: counterfoil.Trail, metadata: dict[str, Any] | None = None, **options: Any) -> Any:
    return {"callbacks": [AuditHandler(trail, **options)], "metadata": metadata or {}}


@tool
def approve(invoice_id: str, amount: int) -> str:
    """Approves an invoice."""
    return f"approved {amount}"


def test_a_model_call_says_what_an_auditor_asks(trail: counterfoil.Trail) -> None:
    said = saying(answer()).invoke(ASKED, config=config(trail, {"entity_id": "INV-7", "entity_type": "invoice"}))
    assert said.content == "It is."
    (entry,) = recorded(trail)
    assert (entry["event_type"], entry["entity_id"], entry["entity_type"]) == ("model_inference", "INV-7", "invoice")
    assert entry["outcome"] == "success"
    context = entry["context"]
    assert context["model_version"] == "gpt-4o-2024-08-06"
    assert context["gen_ai"] == {
        "cached_input_tokens": 8,
        "finish_reasons": ["stop"],
        "input_tokens": 31,
        "operation": "chat",
        "output_tokens": 5,
        "provider": "scripted",
        "request_model": "gpt-4o",
        "response_id": "chatcmpl-1",
        "response_model": "gpt-4o-2024-08-06",
    }
    assert context["duration_ns"] > 0
    assert entry["trace_id"] == context["span_id"]
    prompt = [{"role": "user", "parts": [{"type": "text", "content": ASKED[1].content}]}]
    instructions = [{"type": "text", "content": "Match invoices."}]
    assert context["attributes"] == {
        "gen_ai.input.messages": redaction.digest(prompt),
        "gen_ai.system_instructions": redaction.digest(instructions),
    }
    answered = [{"role": "assistant", "parts": [{"type": "text", "content": "It is."}]}]
    assert entry["new_value"] == {
        "finish_reasons": ["stop"],
        "messages": redaction.digest(answered),
        "output_tokens": 5,
        "response_id": "chatcmpl-1",
    }
    assert "DE02" not in (entry.canonical or b"").decode()
    assert "It is" not in (entry.canonical or b"").decode()


def test_texts_are_recorded_only_on_request_and_without_secrets(trail: counterfoil.Trail) -> None:
    def scrub(text: str) -> str:
        return text.replace("DE02120300000000202051", "[iban]")

    saying(calling("pay", password="p4ss", account={"iban": "DE9"}, note='{"pin": "1234"}')).invoke(
        ASKED, config=config(trail, content="text", redact=["IBAN"], scrub=scrub)
    )
    saying(answer()).invoke(ASKED, config=config(trail, content="none"))
    texts, nothing = recorded(trail)
    prompt = texts["context"]["attributes"]["gen_ai.input.messages"]
    assert prompt[0]["parts"][0]["content"] == "Is INV-7 due? The IBAN is [iban]."
    assert texts["new_value"]["messages"][0]["parts"] == [
        {
            "type": "tool_call",
            "id": "call_1",
            "name": "pay",
            "arguments": {"password": "[redacted]", "account": {"iban": "[redacted]"}, "note": '{"pin": "[redacted]"}'},
        }
    ]
    assert "attributes" not in nothing["context"]
    assert nothing["new_value"] == {"finish_reasons": ["stop"], "output_tokens": 5, "response_id": "chatcmpl-1"}


def test_a_scrub_that_fails_hides_the_text(trail: counterfoil.Trail) -> None:
    saying("yes").invoke("secret", config=config(trail, content="text", scrub=lambda text: str(1 / 0)))
    (entry,) = recorded(trail)
    part = entry["context"]["attributes"]["gen_ai.input.messages"][0]["parts"][0]
    assert part["content"]["sha256"] == hashlib.sha256(b"secret").hexdigest()


def test_what_is_too_large_gives_way_to_its_digest(trail: counterfoil.Trail) -> None:
    saying(answer("short")).invoke("word " * 40_000, config=config(trail, content="text"))
    (entry,) = recorded(trail)
    prompt = entry["context"]["attributes"]["gen_ai.input.messages"]
    assert prompt["omitted"]["bytes"] > 200_000
    assert entry["new_value"]["messages"][0]["parts"][0]["content"] == "short"
    assert entry["context"]["model_version"] == "gpt-4o-2024-08-06"


class OldStyle(Scripted):
    """Tells its tokens for the whole batch, as older integrations do."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        one = ChatGeneration(message=AIMessage("yes"), generation_info={"finish_reason": "length"})
        told = {"token_usage": {"prompt_tokens": 12, "completion_tokens": 3}, "model_name": "gpt-3.5-turbo-0125"}
        return ChatResult(generations=[one], llm_output=told)

    def _combine_llm_outputs(self, outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return outputs[0] or {}


def test_tokens_from_the_output_of_the_provider(trail: counterfoil.Trail) -> None:
    OldStyle(messages=iter([])).invoke("due?", config=config(trail))
    (entry,) = recorded(trail)
    facts = entry["context"]["gen_ai"]
    assert (facts["input_tokens"], facts["output_tokens"], facts["finish_reasons"]) == (12, 3, ["length"])
    assert entry["context"]["model_version"] == "gpt-3.5-turbo-0125"


class Completing(FakeListLLM):
    def _stream(self, *arguments: Any, **options: Any) -> Iterator[GenerationChunk]:
        yield GenerationChunk(text="yes", generation_info={"finish_reason": "stop"})


def test_models_that_complete_texts(trail: counterfoil.Trail) -> None:
    FakeListLLM(responses=["yes"]).invoke("due?", config=config(trail, content="text"))
    list(Completing(responses=["yes"]).stream("due?", config=config(trail, content="text")))
    for entry in recorded(trail):
        assert entry["context"]["gen_ai"]["operation"] == "text_completion"
        assert entry["context"]["attributes"]["gen_ai.input.messages"] == "due?"
        assert entry["new_value"]["messages"] == ["yes"]


def test_a_stream_is_one_entry_with_the_whole_answer(trail: counterfoil.Trail) -> None:
    model = saying("It is due today.", "It is due today.")
    with counterfoil.scope(actor="mlopez", actor_type="user"):
        pieces = [piece.content for piece in model.stream("due?", config=config(trail, content="text"))]
    assert len(pieces) > 3
    stopped = model.stream("due?", config=config(trail, content="text"))
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    whole, early = recorded(trail)
    assert whole["new_value"]["messages"][0]["parts"][0]["content"] == "It is due today."
    assert whole["actor"] == "mlopez"
    assert early["context"]["closed_early"] is True
    assert early["event_type"] == "model_inference"


def test_a_stream_that_is_read_elsewhere_keeps_the_scope_of_its_start(trail: counterfoil.Trail) -> None:
    with counterfoil.scope(actor="mlopez"):
        pieces = saying("It is due.").stream("due?", config=config(trail))
        next(pieces)
    with counterfoil.scope(actor="somebody else"):
        list(pieces)
    assert recorded(trail)[0]["actor"] == "mlopez"


def test_a_model_that_fails(trail: counterfoil.Trail) -> None:
    class Failing(Scripted):
        def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
            raise TimeoutError("overloaded")

    with pytest.raises(TimeoutError):
        Failing(messages=iter([])).invoke("due?", config=config(trail))
    (entry,) = recorded(trail)
    assert (entry["event_type"], entry["outcome"], entry["reason"]) == ("inference_failed", "failure", "overloaded")
    assert entry["context"]["attributes"]["error.type"] == "TimeoutError"
    assert "new_value" not in entry


def test_batches_and_threads_keep_their_runs_and_scopes_apart(trail: counterfoil.Trail) -> None:
    handler = AuditHandler(trail, content="text")
    chain = RunnableLambda(str.upper) | saying(*["yes"] * 40) | RunnableLambda(lambda message: message.content)
    said = [{"callbacks": [handler], "metadata": {"entity_id": f"INV-{number}"}} for number in range(20)]
    with counterfoil.scope(actor="batch-7", model_version="m-2"):
        chain.batch([f"inv-{number}" for number in range(20)], config=said)  # type: ignore[arg-type]

    async def one(number: int) -> None:
        with counterfoil.scope(actor=f"task-{number}"):
            await chain.ainvoke(
                f"inv-{number}", config={"callbacks": [handler], "metadata": {"entity_id": f"T-{number}"}}
            )

    async def every() -> None:
        await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(every())
    entries = recorded(trail)
    assert len(entries) == 40
    assert len({entry["trace_id"] for entry in entries}) == 40
    for entry in entries:
        text = entry["context"]["attributes"]["gen_ai.input.messages"][0]["parts"][0]["content"]
        kind, number = entry["entity_id"].split("-")
        assert text == f"INV-{number}"
        assert entry["actor"] == ("batch-7" if kind == "INV" else f"task-{number}")
        assert entry["context"]["parent_span_id"] == entry["trace_id"]
    assert not handler._runs


def test_asynchronous_streams(trail: counterfoil.Trail) -> None:
    async def read() -> None:
        async for _ in saying("It is due.").astream("due?", config=config(trail, content="text")):
            pass

    asyncio.run(read())
    (entry,) = recorded(trail)
    assert entry["new_value"]["messages"][0]["parts"][0]["content"] == "It is due."


def test_tool_calls_and_how_they_end(trail: counterfoil.Trail) -> None:
    @tool
    def lookup(key: str) -> str:
        """Looks up."""
        if key == "closed":
            raise PermissionError("not yours")
        if key == "gone":
            raise ToolException("no such key")
        raise KeyError(key)

    said = config(trail)
    approve.invoke(
        {"name": "approve", "args": {"invoice_id": "INV-7", "amount": 3}, "id": "c-1", "type": "tool_call"}, said
    )
    for key, error in (("closed", PermissionError), ("x", KeyError)):
        with pytest.raises(error):
            lookup.invoke({"key": key}, said)
    lookup.handle_tool_error = True
    lookup.invoke({"name": "lookup", "args": {"key": "gone"}, "id": "c-2", "type": "tool_call"}, said)
    done, denied, failed, handled = recorded(trail)
    assert (done["event_type"], done["outcome"], done["entity_id"]) == ("tool_call", "success", "c-1")
    assert done["context"]["tool_name"] == "approve"
    arguments = redaction.digest({"invoice_id": "INV-7", "amount": 3})
    assert done["context"]["attributes"]["gen_ai.tool.call.arguments"] == arguments
    assert done["new_value"] == redaction.digest("approved 3")
    assert (denied["outcome"], denied["reason"]) == ("denied", "not yours")
    assert (failed["outcome"], failed["context"]["attributes"]["error.type"]) == ("failure", "KeyError")
    assert (handled["outcome"], handled["reason"]) == ("failure", "no such key")


def test_what_is_changed_afterwards_is_recorded_as_it_was(trail: counterfoil.Trail) -> None:
    arguments = {"lines": ["a", "b"]}
    run = UUID(int=9)
    handler = AuditHandler(trail, content="text")
    handler.on_tool_start({"name": "spoil"}, "", run_id=run, inputs=arguments)
    arguments["lines"].clear()
    handler.on_tool_end("done", run_id=run)
    (entry,) = recorded(trail)
    assert entry["context"]["attributes"]["gen_ai.tool.call.arguments"] == {"lines": ["a", "b"]}


def test_a_tool_that_decides_is_recorded_before_and_after(trail: counterfoil.Trail) -> None:
    seen = []

    @tool
    def decide(invoice: dict[str, str], why: str) -> str:
        """Decides."""
        seen.extend(recorded(trail))
        return "approved"

    decision = Decision("invoice_approved", entity_id="invoice.id", entity_type="invoice", reason="why")
    decisions = {"decide": decision}
    decide.invoke(
        {"invoice": {"id": "INV-7"}, "why": "matched"},
        config(trail, decisions=decisions, agent="clerk", content="none"),
    )
    before, after = recorded(trail)
    assert [dict(entry) for entry in seen] == [dict(before)]
    for entry in (before, after):
        assert (entry["event_type"], entry["entity_id"], entry["entity_type"]) == (
            "invoice_approved",
            "INV-7",
            "invoice",
        )
        assert (entry["actor"], entry["actor_type"], entry["reason"]) == ("clerk", "ai_agent", "matched")
        assert entry["context"]["step_id"] == entry["context"]["span_id"]
    assert before["context"]["phase"] == "started"
    assert "outcome" not in before
    assert after["context"]["phase"] == "finished"
    assert (after["outcome"], after["new_value"]) == ("success", "approved")


def test_a_run_that_decides_is_the_outermost_with_that_event_type(trail: counterfoil.Trail) -> None:
    about = {"entity_id": "PAY-1", "event_type": "payment_scored"}
    chain = saying(answer("0.12")) | RunnableLambda(lambda message: {"score": message.content, "token": "t"})
    chain.invoke("score PAY-1", config=config(trail, about))
    before, inference, after = recorded(trail)
    assert inference["event_type"] == "model_inference"
    assert {entry["entity_id"] for entry in (before, inference, after)} == {"PAY-1"}
    assert {entry["trace_id"] for entry in (before, inference, after)} == {after["context"]["span_id"]}
    assert before["event_type"] == after["event_type"] == "payment_scored"
    assert after["new_value"] == {"score": "0.12", "token": "[redacted]"}
    assert after["context"]["model_version"] == "gpt-4o-2024-08-06"

    saying(answer("0.9")).invoke("score", config=config(trail, {**about, "entity_id": "PAY-2"}))
    intent, scored = trail.history("PAY-2")
    assert "new_value" not in intent
    assert "outcome" not in intent
    assert scored["new_value"]["messages"][0]["parts"][0]["content"] == "0.9"

    failing: RunnableLambda[str, float] = RunnableLambda(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failing.invoke("x", config=config(trail, about))
    assert recorded(trail)[-1]["outcome"] == "failure"


def test_a_decision_about_nothing_says_so(trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture) -> None:
    decisions = {"approve": Decision("invoice_approved", entity_id="invoice.nr")}
    for _ in range(2):
        approve.invoke({"invoice_id": "INV-7", "amount": 3}, config(trail, decisions=decisions))
    entries = recorded(trail)
    assert {entry["entity_id"] for entry in entries} == {"unidentified"}
    for entry in entries:
        assert [note["member"] for note in entry["context"]["$unencoded"]] == ["entity_id"]
        assert "'invoice.nr' finds none" in entry["context"]["$unencoded"][0]["reason"]
    assert [one.getMessage() for one in caplog.records if one.name == "counterfoil"] == [
        "counterfoil: the entity of the decision invoice_approved is 'unidentified': entity_id='invoice.nr' finds none"
    ]


def test_an_agent_reads_as_one_story(trail: counterfoil.Trail) -> None:
    model = saying(calling("approve", invoice_id="INV-7", amount=3), answer("Approved."))
    agent = create_agent(model, [approve], name="invoice-agent", checkpointer=InMemorySaver())
    handler = AuditHandler(trail, decisions={"approve": Decision("invoice_approved", entity_id="invoice_id")})
    with counterfoil.scope(actor="mlopez", actor_type="user"):
        agent.invoke(
            {"messages": [HumanMessage("Approve INV-7")]},
            config={"callbacks": [handler], "configurable": {"thread_id": "th-9"}},
        )
    entries = recorded(trail)
    assert [entry["event_type"] for entry in entries] == [
        "model_inference",
        "invoice_approved",
        "invoice_approved",
        "model_inference",
    ]
    assert len({entry["trace_id"] for entry in entries}) == 1
    assert [entry["entity_id"] for entry in entries] == ["th-9", "INV-7", "INV-7", "th-9"]
    for entry in entries:
        assert (entry["actor"], entry["actor_type"]) == ("invoice-agent", "ai_agent")
        assert entry["on_behalf_of"] == "mlopez"
        assert entry["context"]["gen_ai"]["conversation_id"] == "th-9"
    assert entries[2]["context"]["gen_ai"]["tool_call_id"] == "call_1"
    assert entries[2]["context"]["model_version"] == "gpt-4o-2024-08-06"
    assert entries[2]["new_value"] == "approved 3"
    assert not handler._runs


def test_a_tool_that_was_cancelled_is_recorded(trail: counterfoil.Trail) -> None:
    @tool
    async def wait(key: str) -> str:
        """Waits."""
        await asyncio.sleep(60)
        return key

    handler = AuditHandler(trail)
    agent = create_agent(saying(calling("wait", key="k")), [wait])
    run = agent.ainvoke({"messages": [HumanMessage("wait")]}, config={"callbacks": [handler]})
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(run, 0.5))
    cut = recorded(trail)[-1]
    assert (cut["event_type"], cut["outcome"]) == ("tool_call", "failure")
    assert cut["reason"] == "it was cut off: the run around it has ended"
    assert not handler._runs


def test_an_agent_that_waits_for_a_person_has_not_failed(trail: counterfoil.Trail) -> None:
    @tool
    def release(payment_id: str) -> str:
        """Releases a payment."""
        return f"released by {interrupt('may I?')}"

    model = saying(calling("release", payment_id="PAY-1"), answer("Done."))
    agent = create_agent(model, [release], checkpointer=InMemorySaver())
    handler = AuditHandler(trail, decisions={"release": Decision("payment_released", entity_id="payment_id")})
    said: Any = {"callbacks": [handler], "configurable": {"thread_id": "th-1"}}
    agent.invoke({"messages": [HumanMessage("Release PAY-1")]}, config=said)
    paused = recorded(trail)[-1]
    assert paused["event_type"] == "payment_released"
    assert "outcome" not in paused
    assert paused["context"]["interrupted"] is True
    agent.invoke(Command(resume="mlopez"), config=said)
    released = trail.history("PAY-1")[-1]
    assert (released["outcome"], released["new_value"]) == ("success", "released by mlopez")


def test_retrieval(trail: counterfoil.Trail) -> None:
    class Policies(BaseRetriever):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document("Limits are 500.", id="p-1", metadata={"page": 3})]

    Policies().invoke("limit?", config=config(trail, content="text"))
    (entry,) = recorded(trail)
    assert entry["event_type"] == "gen_ai.retrieval"
    found = entry["context"]["attributes"]["gen_ai.retrieval.documents"]
    assert found == [{"id": "p-1", "content": "Limits are 500.", "metadata": {"page": 3}}]


def test_what_cannot_be_read_is_recorded_as_such(trail: counterfoil.Trail) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("odd")

    handler = AuditHandler(trail)
    run = UUID(int=7)
    handler.on_chat_model_start(None, [[Odd()]], run_id=run)  # type: ignore[list-item]
    handler.on_llm_end(LLMResult(generations=[[]]), run_id=run)
    (entry,) = recorded(trail)
    assert entry["event_type"] == "model_inference"
    assert entry["context"]["mapping_notes"] == ["part of the call could not be read: RuntimeError"]


def test_an_entry_that_cannot_be_durable_stops_the_run(
    trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture
) -> None:
    @tool
    def failing(key: str) -> str:
        """Fails."""
        raise LookupError(key)

    decided = []

    @tool
    def decide(invoice_id: str) -> None:
        """Decides."""
        decided.append(invoice_id)

    strict, lenient = config(trail), config(trail, strict=False)
    decisions = {"decide": Decision("invoice_approved", entity_id="invoice_id")}
    trail.close()
    with pytest.raises(counterfoil.Closed):
        saying("yes").invoke("due?", config=strict)
    with pytest.raises(counterfoil.Closed):
        asyncio.run(saying("yes").ainvoke("due?", config=strict))
    with pytest.raises(LookupError):
        failing.invoke({"key": "k"}, strict)
    with pytest.raises(counterfoil.Closed):
        decide.invoke({"invoice_id": "INV-7"}, config(trail, decisions=decisions))
    assert not decided
    with caplog.at_level(logging.ERROR, "counterfoil"):
        assert saying("yes").invoke("due?", config=lenient).content == "yes"
    assert "could not be recorded" in caplog.text


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settling = saying(answer("It is."), calling("approve", invoice_id="INV-8", amount=3), answer("Settled."))
    chain = saying("0.12", "It is.") | RunnableLambda(lambda message: message.content)
    names: dict[str, Any] = {"agent": create_agent(settling, [approve]), "chain": chain}
    run_examples("integrations/langchain.md", names, examples=3)
    names["trail"].close()
