from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import counterfoil
from counterfoil.redaction import digest, same_digest


@dataclasses.dataclass
class Invoice:
    id: str
    amount: int
    iban: str = "DE00"


def pairs(trail: counterfoil.Trail) -> list[dict[str, Any]]:
    return [dict(entry) for entry in trail if not entry["event_type"].startswith("ledger.")]


def test_functions(trail: counterfoil.Trail) -> None:
    @counterfoil.audited(
        "invoice_approved",
        entity_id="invoice.id",
        trail=trail,
        arguments=["invoice", "limit"],
        redact=["iban"],
        result=True,
    )
    def approve(invoice: Invoice, password: str, limit: int = 100) -> dict[str, Any]:
        """Approves."""
        return {"status": "approved", "iban": invoice.iban}

    with counterfoil.scope(actor="bot", model_version="m-1"):
        approve(Invoice("INV-1", 5), "hunter2")
    before, after = pairs(trail)
    assert approve.__doc__ == "Approves."
    assert before["entity_id"] == "INV-1"
    assert before["context"]["phase"] == "started"
    assert before["context"]["arguments"] == {
        "invoice": {"id": "INV-1", "amount": 5, "iban": "[redacted]"},
        "limit": 100,
    }
    assert "outcome" not in before
    assert after["outcome"] == "success"
    assert after["new_value"] == {"status": "approved", "iban": "[redacted]"}
    assert after["context"]["step_id"] == before["context"]["step_id"]
    assert after["context"]["duration_ms"] >= 0
    assert after["context"]["model_version"] == "m-1"
    assert after["actor"] == "bot"
    assert "hunter2" not in str(pairs(trail))


def test_failures_go_on_and_are_recorded(trail: counterfoil.Trail) -> None:
    @counterfoil.audited("payment", entity_id="id", trail=trail, actor="bot")
    def pay(id: str) -> None:
        raise PermissionError("over the limit") if id == "P-2" else ValueError("no such account")

    with pytest.raises(ValueError, match="no such"):
        pay("P-1")
    with pytest.raises(PermissionError):
        pay("P-2")
    with pytest.raises(TypeError):
        pay()  # type: ignore[call-arg]
    entries = pairs(trail)
    assert [entry.get("outcome") for entry in entries] == [None, "failure", None, "denied", None, "failure"]
    assert entries[1]["context"]["exception"] == {"type": "ValueError", "message": "no such account"}
    assert entries[4]["entity_id"] == "unidentified"


def test_intent_is_durable_before_the_call(trail: counterfoil.Trail) -> None:
    @counterfoil.audited("e", entity_id=lambda number: f"N-{number}", trail=trail, actor="a")
    def call(number: int) -> int:
        return len(trail.history(f"N-{number}"))

    assert call(7) == 1

    @counterfoil.audited("e", entity_id="number", trail=trail, actor="a", intent=False)
    def quiet(number: int) -> int:
        return len(trail.history(number))

    assert quiet(8) == 0
    assert len(trail.history(8)) == 1


def test_methods_and_coroutines(trail: counterfoil.Trail) -> None:
    counterfoil.set_default_trail(trail)

    class Desk:
        name = "desk-1"

        @counterfoil.audited("close", entity_id="self.name", actor="a")
        def close(self) -> str:
            return "closed"

        @counterfoil.audited("review", entity_id="order.lines.1.sku", actor="a", result=len)
        async def review(self, order: dict[str, Any]) -> list[int]:
            await asyncio.sleep(0.01)
            return [1, 2, 3]

    assert Desk().close() == "closed"
    assert asyncio.run(Desk().review({"lines": [{"sku": "s-0"}, {"sku": "s-1"}]})) == [1, 2, 3]
    assert asyncio.iscoroutinefunction(Desk.review)
    entries = pairs(trail)
    assert [entry["entity_id"] for entry in entries] == ["desk-1", "desk-1", "s-1", "s-1"]
    assert entries[3]["new_value"] == 3
    assert entries[3]["context"]["duration_ms"] >= 10


def test_generators(trail: counterfoil.Trail) -> None:
    @counterfoil.audited("rows", entity_id="name", trail=trail, actor="a")
    def rows(name: str) -> Iterator[int]:
        got = yield 1
        yield (got or 0) + 1

    @counterfoil.audited("stream", entity_id="name", trail=trail, actor="a")
    async def stream(name: str) -> AsyncIterator[int]:
        yield 1
        yield 2

    assert list(rows("r")) == [1, 1]
    running = rows("sent")
    assert next(running) == 1
    assert running.send(41) == 42  # type: ignore[attr-defined]
    running.close()  # type: ignore[attr-defined]

    async def read() -> list[int]:
        return [item async for item in stream("s")]

    assert asyncio.run(read()) == [1, 2]
    finished = [entry["context"] for entry in pairs(trail) if entry["context"]["phase"] == "finished"]
    assert [context["items"] for context in finished] == [2, 2, 2]
    assert finished[1]["closed_early"] is True


def test_steps(trail: counterfoil.Trail) -> None:
    with trail.step("reconcile", "ACC-1", actor="bot", context={"batch": 7}) as step:
        step.set(new_value={"matched": 3}, context={"source": "camt.053"})
    with pytest.raises(RuntimeError), trail.step("reconcile", "ACC-2", actor="bot"):
        raise RuntimeError("no file")

    async def main() -> None:
        async with trail.step("reconcile", "ACC-3", actor="bot"):
            await asyncio.sleep(0)

    asyncio.run(main())
    first, second, _, failed, _, third = pairs(trail)
    assert first["context"] == {"batch": 7, "phase": "started", "step_id": step.step_id}
    assert second["new_value"] == {"matched": 3}
    assert second["context"]["source"] == "camt.053"
    assert step.finished is not None
    assert failed["outcome"] == "failure"
    assert third["outcome"] == "success"


def test_scopes_nest_and_follow_tasks_not_threads(trail: counterfoil.Trail) -> None:
    with counterfoil.scope(actor="outer", trace_id="t-1", model_version="m-1"):
        with counterfoil.scope({"region": "eu"}, actor="inner", on_behalf_of="cfo"):
            trail.record("e", "1", context={"model_version": "m-2"})
            trail.record_many([{"event_type": "e", "entity_id": "2", "actor": "own"}])
            copied = contextvars.copy_context()
        thread = threading.Thread(target=lambda: trail.record("e", "3"))
        thread.start()
        thread.join()
        copied.run(trail.record, "e", "4")
    one, two, three, four = pairs(trail)
    assert (one["actor"], one["on_behalf_of"], one["trace_id"]) == ("inner", "cfo", "t-1")
    assert one["context"] == {"model_version": "m-2", "region": "eu"}
    assert two["actor"] == "own"
    assert two["context"] == {"model_version": "m-1", "region": "eu"}
    assert three["actor"] == "unattributed"
    assert four["actor"] == "inner"
    token = counterfoil.set_scope(actor="hook")
    trail.record("e", "5")
    counterfoil.reset_scope(token)
    assert pairs(trail)[-1]["actor"] == "hook"


def test_a_change_is_the_fields_that_differ(trail: counterfoil.Trail) -> None:
    before = {"name": "Ada", "address": {"city": "Bonn", "zip": "1"}, "iban": "DE1", "gone": 1}
    after = {"name": "Ada", "address": {"city": "Köln", "zip": "1"}, "iban": "DE2", "new": None}
    assert trail.change("CUST-1", before, after, actor="a", redact=["iban"]) is not None
    assert trail.change("CUST-1", before, dict(before), actor="a") is None
    trail.change("INV-1", Invoice("I", 5), Invoice("I", 6), actor="a", event_type="invoice_changed", reason="typo")
    one, two = pairs(trail)
    assert one["old_value"] == {"address.city": "Bonn", "iban": "[redacted]", "gone": 1}
    assert one["new_value"] == {"address.city": "Köln", "iban": "[redacted]", "new": None}
    assert (two["old_value"], two["new_value"]) == ({"amount": 5}, {"amount": 6})


def test_an_override_needs_who_why_and_what_was_shown(trail: counterfoil.Trail) -> None:
    shown = {"score": 0.31, "advice": "reject"}
    trail.override(
        "LOAN-1", actor="j.doe", reason="salary letter seen", shown=shown, old_value="reject", new_value="grant"
    )
    (entry,) = pairs(trail)
    assert entry["event_type"] == "manual_override"
    assert entry["actor_type"] == "user"
    assert same_digest({"advice": "reject", "score": 0.31}, entry["context"]["shown"]["sha256"])
    assert digest("text")["bytes"] == 4
    for wrong in ({"reason": " "}, {"actor": None}, {"shown": None}):
        options: dict[str, Any] = {"actor": "a", "reason": "r", "shown": "s", **wrong}
        with pytest.raises(counterfoil.Invalid, match="override needs"):
            trail.override("LOAN-1", **options)


def test_mistakes_of_the_decorator_are_told_at_once(trail: counterfoil.Trail) -> None:
    with pytest.raises(counterfoil.Invalid, match="no arguments"):
        counterfoil.audited("e", entity_id="x", arguments=["nope"])(abs)
    call = counterfoil.audited("e", entity_id="x")(abs)
    with pytest.raises(counterfoil.Invalid, match="no trail"):
        call(1)
    with pytest.raises(counterfoil.Invalid, match=r"approve has no argument invoce: .*invoce\.id"):

        @counterfoil.audited("invoice_approved", entity_id="invoce.id", trail=trail)
        def approve(invoice: Invoice) -> None: ...


def test_an_entity_that_is_not_found_is_told(trail: counterfoil.Trail, caplog: pytest.LogCaptureFixture) -> None:
    @counterfoil.audited("invoice_approved", entity_id="invoice.number", trail=trail, actor="bot")
    def approve(invoice: Invoice) -> int:
        return invoice.amount

    @counterfoil.audited("invoice_closed", entity_id=lambda invoice: invoice["id"], trail=trail, actor="bot")
    def close(invoice: Invoice) -> None: ...

    assert [approve(Invoice("INV-1", 5)), approve(Invoice("INV-2", 6))] == [5, 6]
    close(Invoice("INV-3", 7))
    entries = pairs(trail)
    assert {entry["entity_id"] for entry in entries} == {"unidentified"}
    (note,) = entries[0]["context"]["$unencoded"]
    assert note["member"] == "entity_id"
    assert "invoice.number" in note["reason"]
    assert "AttributeError" in note["reason"]
    assert entries[0]["context"]["$unencoded"] == entries[1]["context"]["$unencoded"]
    assert "TypeError" in entries[-1]["context"]["$unencoded"][0]["reason"]
    warnings = [record.getMessage() for record in caplog.records if record.name == "counterfoil"]
    assert len(warnings) == 2, "once for each function"
    assert "approve" in warnings[0]
    assert "invoice.number" in warnings[0]


def test_notes_of_the_encoder_stand_beside_that_of_the_entity(trail: counterfoil.Trail) -> None:
    @counterfoil.audited("read", entity_id="invoice.number", arguments=["scan"], trail=trail, actor="bot", intent=False)
    def read(invoice: Invoice, scan: str) -> None: ...

    read(Invoice("INV-1", 5), "x" * 100_000)
    (entry,) = pairs(trail)
    assert [note["member"] for note in entry["context"]["$unencoded"]] == ["entity_id", "context.arguments"]


def test_the_entity_may_be_an_argument_that_has_no_name(trail: counterfoil.Trail) -> None:
    @counterfoil.audited("order_read", entity_id="order.id", trail=trail, actor="bot", intent=False)
    def read(**more: Any) -> None: ...

    read(order={"id": "ORD-1"})
    assert [entry["entity_id"] for entry in pairs(trail)] == ["ORD-1"]
