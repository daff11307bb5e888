"""The WSGI middleware with Flask in this process, and with bare WSGI where that tells more."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import counterfoil
from counterfoil import scopes
from counterfoil.wsgi import AuditMiddleware, Event, describe, identify

pytest.importorskip("flask")

from flask import Flask, abort, jsonify, request, session, stream_with_context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def entries(trail: counterfoil.Trail) -> list[dict[str, Any]]:
    return [dict(entry) for entry in trail if not entry["event_type"].startswith("ledger.")]


def last(trail: counterfoil.Trail) -> dict[str, Any]:
    return entries(trail)[-1]


@pytest.fixture
def app() -> Flask:
    made = Flask("app")
    made.secret_key = "k"

    @made.post("/login")
    def login() -> Any:
        session["user"] = request.form["user"]
        return jsonify(None)

    return made


def client(app: Flask, trail: counterfoil.Trail, **options: Any) -> Any:
    app.wsgi_app = AuditMiddleware(app.wsgi_app, trail, **options)  # type: ignore[method-assign]
    return app.test_client()


def test_who_what_and_how_it_ended(trail: counterfoil.Trail, app: Flask) -> None:
    @app.post("/invoices/<number>/approve")
    def approve(number: str) -> Any:
        trail.record("invoice_matched", number)
        if number == "INV-2":
            describe(reason="over the limit")
            abort(403)
        if number == "INV-3":
            raise ZeroDivisionError
        return jsonify(None)

    http = client(
        app,
        trail,
        actor=lambda environ: session.get("user"),
        events={
            "POST /login": "login",
            "POST /invoices/<number>/approve": Event("invoice_approved", "{number}", "invoice"),
        },
        fields=["amount", "user", "password"],
    )
    http.post("/login", data={"user": "a.clerk", "password": "hunter2"})
    assert (last(trail)["event_type"], last(trail)["actor"]) == ("login", "a.clerk")
    assert last(trail)["context"]["fields"] == {"user": "a.clerk", "password": "[redacted]"}
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "r-1"}
    http.post("/invoices/INV-1/approve?q=1", json={"amount": 5, "iban": "DE02"}, headers=headers)
    inside, action = entries(trail)[1:]
    assert inside["actor"] == action["actor"] == "a.clerk"
    assert inside["trace_id"] == action["trace_id"] == TRACE
    assert (action["event_type"], action["entity_id"], action["entity_type"]) == (
        "invoice_approved",
        "INV-1",
        "invoice",
    )
    assert (action["outcome"], action["actor_type"]) == ("success", "user")
    assert action["context"].pop("duration_ms") > 0
    assert action["context"] == {
        "method": "POST",
        "path": "/invoices/INV-1/approve",
        "route": "/invoices/<number>/approve",
        "status": 200,
        "request_id": "r-1",
        "ip_address": "127.0.0.1",
    }
    http.post("/invoices/INV-2/approve")
    assert (last(trail)["outcome"], last(trail)["reason"]) == ("denied", "over the limit")
    assert http.post("/invoices/INV-3/approve").status_code == 500
    assert last(trail)["outcome"] == "failure"
    http.delete("/nowhere")
    assert (last(trail)["event_type"], last(trail)["entity_id"], last(trail)["outcome"]) == (
        *("user_action", "/nowhere"),
        "failure",
    )
    assert "hunter2" not in str(entries(trail))
    assert scopes.current() == {}


def test_fields_of_bodies_that_are_read(trail: counterfoil.Trail, app: Flask) -> None:
    @app.post("/x")
    def x() -> Any:
        return jsonify(request.get_json())

    @app.post("/unread")
    def unread() -> str:
        return ""

    http = client(app, trail, fields=["amount"])
    assert http.post("/x", json={"amount": 5, "iban": "DE02"}).json == {"amount": 5, "iban": "DE02"}
    assert last(trail)["context"]["fields"] == {"amount": 5}
    http.post("/unread", json={"amount": 5})
    assert "fields" not in last(trail)["context"]
    assert len(http.post("/x", json=["x" * 70_000]).data) > 70_000
    assert last(trail)["context"]["fields_missing"] == "it has over 65536 bytes"


def test_reads_and_excluded_paths(trail: counterfoil.Trail, app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        trail.record("seen", "x")
        return ""

    http = client(app, trail, exclude=["/health"], actor=lambda environ: "a")
    http.get("/x")
    assert [(entry["event_type"], entry["actor"]) for entry in entries(trail)] == [("seen", "a")]
    http.post("/health")
    assert len(entries(trail)) == 1


def environ(**more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "PATH_INFO": "/x", "wsgi.input": io.BytesIO(b"line 1\nline 2\n"), **more}


def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
    pass


def test_streams_flow_and_carry_the_scope(trail: counterfoil.Trail, app: Flask) -> None:
    @app.post("/stream")
    def stream() -> Any:
        identify("a.clerk")

        def lines() -> Iterator[bytes]:
            for number in range(3):
                trail.record("line", str(number))
                yield b"%d" % number

        return app.response_class(stream_with_context(lines()))

    client(app, trail)
    answer = iter(
        app(environ(PATH_INFO="/stream", SERVER_NAME="x", SERVER_PORT="1", **{"wsgi.url_scheme": "http"}), start)
    )
    for number in range(3):
        assert next(answer) == b"%d" % number
        assert [entry["event_type"] for entry in entries(trail)] == ["line"] * (number + 1)
    assert next(answer, None) is None
    assert last(trail)["event_type"] == "user_action"
    assert {(entry["actor"], entry["trace_id"]) for entry in entries(trail)} == {("a.clerk", last(trail)["trace_id"])}


def test_the_last_bytes_leave_when_the_entry_is_durable(trail: counterfoil.Trail) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return iter([b"ab", b"cd"])

    answer = iter(AuditMiddleware(app, trail)(environ(), start))
    assert next(answer) == b"ab"
    assert entries(trail) == []
    assert next(answer) == b"cd"
    assert len(entries(trail)) == 1
    assert next(answer, None) is None
    assert len(entries(trail)) == 1


def test_clients_that_leave_and_answers_that_break(trail: counterfoil.Trail) -> None:
    closed: list[bool] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        try:
            yield b"1"
            if environ["PATH_INFO"] == "/broken":
                raise ZeroDivisionError
            yield b"2"
        finally:
            closed.append(True)

    wrapped = AuditMiddleware(app, trail)
    left: Any = wrapped(environ(), start)
    assert next(iter(left)) == b"1"
    left.close()
    assert (last(trail)["outcome"], last(trail)["context"]["disconnected"]) == ("failure", True)
    with pytest.raises(ZeroDivisionError):
        list(wrapped(environ(PATH_INFO="/broken"), start))
    assert last(trail)["context"]["exception"]["type"] == "ZeroDivisionError"
    assert last(trail)["context"]["status"] == 200
    assert last(trail)["outcome"] == "failure"
    assert closed == [True, True]

    def raises(environ: Any, start_response: Any) -> Any:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        AuditMiddleware(raises, trail)(environ(), start)
    assert last(trail)["outcome"] == "denied"
    assert len(entries(trail)) == 3


def test_what_reads_line_by_line_is_seen_too(trail: counterfoil.Trail) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"]
        lines = [body.readline(), *body, *body.readlines()]
        start_response("200 OK", [])
        return lines

    kind = "application/x-www-form-urlencoded"
    body = io.BytesIO(b"a=1\n&b=2\n&c=3")
    wrapped = AuditMiddleware(app, trail, fields=["a", "c"])
    assert b"".join(wrapped(environ(**{"wsgi.input": body, "CONTENT_TYPE": kind}), start)) == b"a=1\n&b=2\n&c=3"
    assert last(trail)["context"]["fields"]["c"] == "3"


def test_no_answer_without_an_entry(trail: counterfoil.Trail, app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    http = client(app, trail)
    trail.close()
    with pytest.raises(counterfoil.Closed):
        http.post("/login", data={"user": "a"})
    lax = Flask("lax")
    with caplog.at_level(logging.ERROR, "counterfoil"):
        assert client(lax, trail, strict=False).post("/x").status_code == 404
    assert "POST /x was not recorded" in caplog.text
