"""A LangChain callback handler, after which calls of models and tools are entries; LangGraph's agents as well.

agent.invoke(input, config={"callbacks": [AuditHandler(trail)], "metadata": {"entity_id": "INV-7"}})
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.outputs import Generation, LLMResult

from .calls import Attributes, Call, Decision, Recorder, read
from .contents import ARGUMENTS, DOCUMENTS, INPUT, INSTRUCTIONS, OUTPUT, RESULT, Content
from .trail import Trail

__all__ = ["AuditHandler", "Decision"]

_ROLES = {"human": "user", "ai": "assistant"}
_CONVERSATIONS = ("thread_id", "session_id", "conversation_id")


@dataclass
class _Run:
    """A run under way: what is recorded of it when it ends, in the context in which it started."""

    call: Call
    root: UUID
    said: Any
    began_ns: int
    context: contextvars.Context
    is_recorded: bool
    model: str | None = None


class AuditHandler(BaseCallbackHandler):
    """Records each call of a model, tool and retriever when it ends, before LangChain goes on.

    - `content`, `redact`, `scrub`: what is recorded of prompts, answers, arguments and results; see
      `counterfoil.contents.Contents`.
    - `agent`: who acts, where LangChain does not know (`create_agent(name=…)` tells it).
    - `decisions`: by the name of a tool, what its calls decide; see `counterfoil.calls.Decision`.
    - `strict`: an entry that cannot be made durable is raised into the run (of a run that failed it is logged, so that
      its own error is seen); with `False` it is always logged.

    `metadata` of a run's config says what it is about: `entity_id`, `entity_type` and `user_id`, for it and all runs
    inside; and `event_type`, which makes the run itself a decision, with its intent before and its result after. One
    handler serves any number of threads and tasks, synchronous and asynchronous runs alike.
    """

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        agent: str | None = None,
        content: Content = "digest",
        redact: Collection[str] = (),
        scrub: Callable[[str], str] | None = None,
        decisions: Mapping[str, Decision] | None = None,
        strict: bool = True,
    ) -> None:
        self.raise_error = strict
        self._runs: dict[UUID, _Run] = {}
        self._recorder = Recorder(
            trail, agent=agent, content=content, redact=redact, scrub=scrub, decisions=decisions, strict=strict
        )

    def on_chat_model_start(
        self, serialized: dict[str, Any] | None, messages: list[list[BaseMessage]], *, run_id: UUID, **said: Any
    ) -> None:
        """A chat model is asked."""
        self._start(
            run_id, said, _name(serialized, said), {**read(_model, "chat", serialized, said), **read(_prompt, messages)}
        )

    def on_llm_start(self, serialized: dict[str, Any] | None, prompts: list[str], *, run_id: UUID, **said: Any) -> None:
        """A model that completes texts is asked."""
        model = read(_model, "text_completion", serialized, said)
        self._start(
            run_id, said, _name(serialized, said), {**model, INPUT: prompts[0] if len(prompts) == 1 else prompts}
        )

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_: Any) -> None:
        """A model has answered; a stream has ended."""
        self._end(run_id, read(_answer, response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, response: LLMResult | None = None, **_: Any) -> None:
        """A model failed, or nobody read its stream to the end."""
        self._end(run_id, read(_answer, response) if response else {}, error)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        **said: Any,
    ) -> None:
        """A tool is called."""
        name = _name(serialized, said)
        arguments = input_str if inputs is None else inputs
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": (serialized or {}).get("name") or name,
            "gen_ai.tool.type": "function",
            ARGUMENTS: arguments,
            **({"gen_ai.tool.call.id": tool_call_id} if tool_call_id else {}),
        }
        decision = self._recorder.decisions.get(attributes["gen_ai.tool.name"])
        self._start(run_id, said, name, attributes, decision)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool has answered, perhaps with an error message for the model."""
        if isinstance(output, ToolMessage):
            attributes = {RESULT: output.content, "gen_ai.tool.call.id": output.tool_call_id}
            self._end(run_id, attributes, _text(output.content) if output.status == "error" else None)
        else:
            self._end(run_id, {RESULT: output})

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool failed."""
        self._end(run_id, {}, error)

    def on_retriever_start(self, serialized: dict[str, Any] | None, query: str, *, run_id: UUID, **said: Any) -> None:
        """Documents are looked for."""
        name = _name(serialized, said)
        attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": name}
        self._start(run_id, said, name, {**attributes, "gen_ai.retrieval.query.text": query})

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **_: Any) -> None:
        """Documents were found."""
        found = [{"id": one.id, "content": one.page_content, "metadata": one.metadata} for one in documents]
        self._end(run_id, {DOCUMENTS: found})

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """The search failed."""
        self._end(run_id, {}, error)

    def on_chain_start(self, serialized: dict[str, Any] | None, inputs: Any, *, run_id: UUID, **said: Any) -> None:
        """A chain, a graph or a node of one begins; recorded only if it is a decision."""
        self._start(run_id, said, _name(serialized, said), None)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_: Any) -> None:
        """A chain has ended."""
        paused = isinstance(outputs, Mapping) and "__interrupt__" in outputs
        self._end(run_id, read(_conclusion, outputs), paused=paused)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A chain failed."""
        self._end(run_id, {}, error)

    def _start(
        self,
        run_id: UUID,
        said: Mapping[str, Any],
        name: str,
        attributes: Attributes | None,
        decision: Decision | None = None,
    ) -> None:
        metadata = said.get("metadata") or {}
        above = said.get("parent_run_id")
        parent = self._runs.get(above) if above else None
        decides = metadata.get("event_type")
        call = Call(
            name,
            trace_id=parent.call.trace_id if parent else str(above or run_id),
            span_id=str(run_id),
            parent_span_id=str(above) if above else None,
            start_ns=time.time_ns(),
            entity_id=metadata.get("entity_id"),
            entity_type=metadata.get("entity_type"),
        )
        if decision is not None:
            decision.apply(call, (attributes or {}).get(ARGUMENTS))
        if decides and (parent is None or parent.said != decides):
            call.event_type = str(decides)
        self._recorder.tell(call, {**_who(metadata), **(attributes or {})})
        root = parent.root if parent else run_id
        is_recorded = attributes is not None or call.is_decision
        run = _Run(call, root, decides, time.perf_counter_ns(), contextvars.copy_context(), is_recorded)
        if call.is_decision:
            self._recorder.record_intent(call)
        self._runs[run_id] = run

    def _end(
        self, run_id: UUID, attributes: Attributes, error: BaseException | str | None = None, *, paused: bool = False
    ) -> None:
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        if run.root == run_id:
            self._end_orphans(run_id)
        call = run.call
        if run.is_recorded:
            self._recorder.tell(call, attributes)
        call.duration_ns = time.perf_counter_ns() - run.began_ns
        if isinstance(error, GeneratorExit):
            call.context["closed_early"] = True
        elif paused or _is_pause(error):
            call.context["interrupted"] = True
            call.members["outcome"] = None
        else:
            call.error = error
        model = call.attributes.get("gen_ai.response.model") or call.attributes.get("gen_ai.request.model")
        root = self._runs.get(run.root, run)
        if model:
            root.model = model
        elif call.is_decision and root.model:
            call.context["model_version"] = root.model
        if run.is_recorded:
            run.context.run(self._recorder.record, call)

    def _end_orphans(self, root: UUID) -> None:
        """Records what was cut off, such as a tool whose task was cancelled: LangChain does not tell of its end."""
        for run_id, run in list(self._runs.items()):
            if run.root == root:
                self._end(run_id, {}, "it was cut off: the run around it has ended")


def _who(metadata: Mapping[str, Any]) -> Attributes:
    """The agent, the user and the conversation that a run's metadata name."""
    conversation = next((metadata[name] for name in _CONVERSATIONS if metadata.get(name)), None)
    named = {
        "gen_ai.agent.name": metadata.get("lc_agent_name"),
        "user.id": metadata.get("user_id"),
        "gen_ai.conversation.id": conversation,
    }
    return {name: str(value) for name, value in named.items() if value}


def _name(serialized: Mapping[str, Any] | None, said: Mapping[str, Any]) -> str:
    of_class = (serialized or {}).get("id") or ["run"]
    return str(said.get("name") or (serialized or {}).get("name") or of_class[-1])


def _model(operation: str, serialized: Mapping[str, Any] | None, said: Mapping[str, Any]) -> Attributes:
    """Which model is asked, and how. A class that names no model stands for it."""
    metadata, settings = said.get("metadata") or {}, said.get("invocation_params") or {}
    model = metadata.get("ls_model_name") or settings.get("model") or settings.get("model_name")
    found = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": metadata.get("ls_provider"),
        "gen_ai.request.model": model or _name(serialized, said),
        "gen_ai.request.temperature": metadata.get("ls_temperature"),
        "gen_ai.request.max_tokens": metadata.get("ls_max_tokens"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _prompt(messages: list[list[BaseMessage]]) -> Attributes:
    """The prompt, its instructions apart, so that their digest tells one version of them from another."""
    every = [message for prompt in messages for message in prompt]
    instructions = [_message(message)["parts"] for message in every if message.type == "system"]
    found: Attributes = {INPUT: [_message(message) for message in every if message.type != "system"]}
    if instructions:
        found[INSTRUCTIONS] = [part for parts in instructions for part in parts]
    return found


def _message(message: BaseMessage) -> dict[str, Any]:
    """A message in the form of the conventions: role and parts."""
    content = message.content
    parts: list[Any] = []
    if isinstance(message, ToolMessage):
        parts.append({"type": "tool_call_response", "id": message.tool_call_id, "response": content})
    else:
        for block in [content] if isinstance(content, str) else content:
            if isinstance(block, str) and block:
                parts.append({"type": "text", "content": block})
            elif isinstance(block, dict):
                is_text = block.get("type") == "text"
                parts.append({"type": "text", "content": block.get("text")} if is_text else block)
    for call in getattr(message, "tool_calls", ()):
        parts.append({"type": "tool_call", "id": call["id"], "name": call["name"], "arguments": call["args"]})
    return {"role": _ROLES.get(message.type, message.type), "parts": parts}


def _answer(response: LLMResult) -> Attributes:
    """What a model answered, with which model, tokens and reasons to stop: of chat models and of others."""
    answers = [one for several in response.generations for one in several]
    messages = [message for one in answers if isinstance(message := getattr(one, "message", None), BaseMessage)]
    reported = [message.response_metadata for message in messages]
    of_all = response.llm_output or {}
    usage = _usage(messages, of_all)
    reasons = [reason for one in answers if (reason := _finish_reason(one))]
    found: Attributes = {
        "gen_ai.response.model": _first((*reported, of_all), "model_name", "model", "model_id"),
        "gen_ai.response.id": _first((*reported, of_all), "id") or _message_id(messages),
        "gen_ai.response.finish_reasons": reasons or None,
        **usage,
        OUTPUT: [_message(message) for message in messages] or [one.text for one in answers] or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _usage(messages: Sequence[BaseMessage], of_all: Mapping[str, Any]) -> Attributes:
    """Tokens as the message tells them, else as the provider's output does, under its names."""
    told = next((usage for one in messages if (usage := getattr(one, "usage_metadata", None))), None)
    if told is None:
        told = of_all.get("token_usage") or of_all.get("usage") or {}
    inward, outward = told.get("input_token_details") or {}, told.get("output_token_details") or {}
    return {
        "gen_ai.usage.input_tokens": told.get("input_tokens", told.get("prompt_tokens")),
        "gen_ai.usage.output_tokens": told.get("output_tokens", told.get("completion_tokens")),
        "gen_ai.usage.cache_read.input_tokens": inward.get("cache_read"),
        "gen_ai.usage.reasoning.output_tokens": outward.get("reasoning"),
    }


def _finish_reason(answer: Generation) -> Any:
    reported = getattr(getattr(answer, "message", None), "response_metadata", {})
    return _first((reported, answer.generation_info or {}), "finish_reason", "stop_reason", "done_reason")


def _message_id(messages: Sequence[BaseMessage]) -> str | None:
    """The provider's id; LangChain's own stands for no answer of a provider."""
    return next((one.id for one in messages if one.id and not one.id.startswith(("run-", "lc_", "lc_run-"))), None)


def _first(places: Sequence[Mapping[str, Any]], *names: str) -> Any:
    return next((place[name] for place in places for name in names if place.get(name)), None)


def _conclusion(outputs: Any) -> Attributes:
    """What a chain came to: its structured answer, its last message, or all of its output."""
    if isinstance(outputs, Mapping):
        if outputs.get("structured_response") is not None:
            return {RESULT: outputs["structured_response"]}
        messages = outputs.get("messages")
        outputs = messages[-1] if isinstance(messages, list) and messages else outputs
    return {RESULT: _text(outputs.content) if isinstance(outputs, BaseMessage) else outputs}


def _text(content: Any) -> Any:
    """A message's content as text, where it is nothing but text."""
    if isinstance(content, list) and all(isinstance(one, dict) and one.get("type") == "text" for one in content):
        return "".join(one["text"] for one in content)
    return content


def _is_pause(error: BaseException | str | None) -> bool:
    """Whether LangGraph stops here for a person, which is no failure."""
    return any(kind.__name__ == "GraphBubbleUp" for kind in type(error).__mro__)
