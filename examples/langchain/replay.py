"""Recorded conversations of gpt-4o with airline customers, once more as an agent: `replay.py FILE`.

The model answers and the tools return what was recorded; LangGraph and the audit trail between them are real.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver

import counterfoil
from counterfoil.langchain import AuditHandler, Decision

STOP = "###STOP###"
PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": True}
DECISIONS = {
    "book_reservation": Decision("reservation_booked", entity_id="user_id", entity_type="customer"),
    "cancel_reservation": Decision("reservation_cancelled", entity_id="reservation_id", entity_type="reservation"),
    "send_certificate": Decision("refund_granted", entity_id="user_id", entity_type="customer"),
    "update_reservation_flights": Decision(
        "reservation_changed", entity_id="reservation_id", entity_type="reservation"
    ),
    "transfer_to_human_agents": Decision("human_intervention_requested", reason="summary"),
}


class RecordingEndsError(Exception):
    """The recording has no further answer."""


class Recorded(BaseChatModel):
    """Answers what gpt-4o answered."""

    answers: Any
    model: str = "gpt-4o"

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        said = next(self.answers, None)
        if said is None:
            raise RecordingEndsError("the recording ends here")
        calls = [
            {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"]), "id": call["id"]}
            for call in said.get("tool_calls") or []
        ]
        told = {"model_name": self.model, "finish_reason": "tool_calls" if calls else "stop"}
        answer = AIMessage(said["content"] or "", tool_calls=calls, response_metadata=told)
        return ChatResult(generations=[ChatGeneration(message=answer)])


def recorded_tools(conversation: list[dict[str, Any]]) -> list[StructuredTool]:
    """The tools of a conversation, each of which returns what it returned then."""
    results = iter([said for said in conversation if said["role"] == "tool"])

    def give(**arguments: Any) -> str:
        content: str = next(results)["content"]
        if content.startswith("Error"):
            raise ToolException(content)
        return content

    names = {said["name"] for said in conversation if said["role"] == "tool"}
    return [
        StructuredTool(
            name=name,
            description=name,
            args_schema=PARAMETERS,
            func=give,
            handle_tool_error=True,
            return_direct=name == "transfer_to_human_agents",
        )
        for name in sorted(names)
    ]


def replay(trail: counterfoil.Trail, run: dict[str, Any]) -> None:
    """One conversation, turn by turn."""
    conversation = run["traj"]
    answers = Recorded(answers=iter([said for said in conversation if said["role"] == "assistant"]))
    agent = create_agent(
        answers,
        recorded_tools(conversation),
        system_prompt=conversation[0]["content"],
        name="airline-agent",
        checkpointer=InMemorySaver(),
    )
    thread = f"airline-{run['task_id']}-{run['trial']}"
    said: Any = {
        "callbacks": [AuditHandler(trail, decisions=DECISIONS)],
        "configurable": {"thread_id": thread},
        "metadata": {"user_id": run["info"]["task"]["user_id"]},
    }
    for turn in conversation:
        if turn["role"] == "user" and STOP not in turn["content"]:
            try:
                agent.invoke({"messages": [HumanMessage(turn["content"])]}, config=said)
            except RecordingEndsError:
                break
    outcome = "success" if run["reward"] else "failure"
    trail.record(
        "conversation_rated",
        thread,
        actor="tau-bench",
        actor_type="service",
        outcome=outcome,
        entity_type="conversation",
    )


def main(path: Path) -> None:
    raw = path.read_bytes()
    runs = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    began = time.monotonic()
    with counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"]) as trail:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda run: replay(trail, run), runs))
        trail.flush(300)
    print(f"{len(runs)} conversations of gpt-4o in {time.monotonic() - began:.0f} s")
    (Path(os.environ["WORK"]) / "transcripts").write_text(str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
