"""An agent that settles invoices: it reads one, matches it with its order, and approves it or asks a person.

The model is a fake that follows rules, so that the example needs no key: put a real one in its place.
"""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import ToolException, tool

import counterfoil
from counterfoil.langchain import AuditHandler, Decision

HERE = Path(__file__).parent
ORDERS = json.loads((HERE / "orders.json").read_text())
PAYMENTS = Path(os.environ["WORK"]) / "payments.jsonl"
LIMIT = Decimal(10_000)
INSTRUCTIONS = (
    "You settle invoices. Read the invoice, match it with its order, then approve it or ask a person and say why."
)


@tool
def extract_invoice(invoice_id: str) -> dict[str, str]:
    """Reads the fields of an invoice."""
    text = (HERE / "invoices" / f"{invoice_id}.txt").read_text()
    fields = dict(re.findall(r"(Invoice|Order|Total|IBAN): (.+)", text))
    if not fields:
        raise ToolException("the document holds no text")
    return {name.lower(): value.removesuffix(" EUR") for name, value in fields.items()}


@tool
def match_invoice(invoice_id: str, order: str, total: str) -> dict[str, Any]:
    """Compares an invoice with its order."""
    difference = Decimal(total) - Decimal(ORDERS[order])
    return {"order": order, "matches": difference == 0, "difference": str(difference)}


@tool
def approve_invoice(invoice_id: str, total: str) -> str:
    """Approves an invoice for payment."""
    with PAYMENTS.open("a") as payments:
        payments.write(json.dumps({"invoice": invoice_id, "total": total}) + "\n")
    return "approved"


@tool
def ask_a_person(invoice_id: str, why: str) -> str:
    """Puts an invoice before a person."""
    return "waits for a person"


extract_invoice.handle_tool_error = True
DECISIONS = {
    "extract_invoice": Decision("invoice_extracted", entity_id="invoice_id", entity_type="invoice"),
    "match_invoice": Decision("invoice_matched", entity_id="invoice_id", entity_type="invoice"),
    "approve_invoice": Decision("invoice_approved", entity_id="invoice_id", entity_type="invoice"),
    "ask_a_person": Decision("invoice_exception_raised", entity_id="invoice_id", entity_type="invoice", reason="why"),
}


class Clerk(BaseChatModel):
    """A fake model: it looks at what the last tool said."""

    model: str = "clerk-rules-1"

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *arguments: Any, **options: Any) -> ChatResult:
        invoice_id = next(str(one.content).split()[-1] for one in messages if isinstance(one, HumanMessage))
        said = {one.name: one for one in messages if isinstance(one, ToolMessage)}
        step = len(said)
        name, asked = self._next(invoice_id, said)
        calls = (
            [{"name": name, "args": {"invoice_id": invoice_id, **asked}, "id": f"call_{invoice_id}_{step}"}]
            if name
            else []
        )
        answer = AIMessage(
            "" if name else f"{invoice_id}: {list(said.values())[-1].content}",
            tool_calls=calls,
            response_metadata={"model_name": self.model, "finish_reason": "tool_calls" if name else "stop"},
            usage_metadata={
                "input_tokens": 40 * len(messages),
                "output_tokens": 12,
                "total_tokens": 40 * len(messages) + 12,
            },
        )
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _next(self, invoice_id: str, said: dict[str | None, ToolMessage]) -> tuple[str | None, dict[str, Any]]:
        if "extract_invoice" not in said:
            return "extract_invoice", {}
        if "approve_invoice" in said or "ask_a_person" in said:
            return None, {}
        if said["extract_invoice"].status == "error":
            return "ask_a_person", {"why": "the invoice cannot be read"}
        invoice = json.loads(str(said["extract_invoice"].content))
        if "match_invoice" not in said:
            return "match_invoice", {"order": invoice["order"], "total": invoice["total"]}
        matched = json.loads(str(said["match_invoice"].content))
        if not matched["matches"]:
            return "ask_a_person", {"why": f"the total differs by {matched['difference']} from {matched['order']}"}
        if Decimal(invoice["total"]) > LIMIT:
            return "ask_a_person", {"why": f"over the limit of {LIMIT}"}
        return "approve_invoice", {"total": invoice["total"]}


def main() -> None:
    tools = [extract_invoice, match_invoice, approve_invoice, ask_a_person]
    with counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"]) as trail:
        handler = AuditHandler(trail, decisions=DECISIONS, redact=["iban"])
        agent = create_agent(Clerk(), tools, system_prompt=INSTRUCTIONS, name="invoice-agent")
        with counterfoil.scope(actor="ap-team", actor_type="user"):
            for invoice in sorted((HERE / "invoices").glob("*.txt")):
                said = {"callbacks": [handler], "metadata": {"entity_id": invoice.stem, "entity_type": "invoice"}}
                result = agent.invoke({"messages": [HumanMessage(f"Settle {invoice.stem}")]}, config=said)
                print(result["messages"][-1].content)
        # A person has looked at what the agent would not decide.
        shown = {"invoice": (HERE / "invoices" / "INV-3002.txt").read_text(), "why": f"over the limit of {LIMIT}"}
        trail.override(
            "INV-3002",
            actor="j.doe",
            reason="confirmed with the supplier",
            shown=shown,
            old_value="pending",
            new_value="approved",
        )
        trail.flush(60)


if __name__ == "__main__":
    main()
