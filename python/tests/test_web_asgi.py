"""The ASGI middleware with FastAPI and Starlette in this process, and with bare ASGI where that tells more."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Annotated, Any

import pytest

import counterfoil
from counterfoil import scopes
from counterfoil.asgi import AuditMiddleware, Event, describe, identify

pytest.importorskip("fastapi")
pytest.importorskip("starlette.testclient")

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, WebSocket
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

Message = MutableMapping[str, Any]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def entries(trail: counterfoil.Trail) -> list[dict[str, Any]]:
    return [dict(entry) for entry in trail if not entry["event_type"].startswith("ledger.")]


def last(trail: counterfoil.Trail) -> dict[str, Any]:
    return entries(trail)[-1]


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    name = authorization.removeprefix("Bearer ")
    if not name:
        raise HTTPException(401)
    identify(name)
    return name


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


def client(app: Any, trail: counterfoil.Trail, **options: Any) -> TestClient:
    app.add_middleware(AuditMiddleware, trail=trail, **options)
    return TestClient(app, raise_server_exceptions=False)


def test_who_what_and_how_it_ended(trail: counterfoil.Trail, app: FastAPI) -> None:
    @app.post("/invoices/{number}/approve")
    def approve(number: str, user: Annotated[str, Depends(bearer)]) -> None:
        trail.record("invoice_matched", number)
        if number == "INV-2":
            describe(reason="over the limit")
            raise HTTPException(403)
        describe(new_value="approved")

    http = client(
        app, trail, events={"POST /invoices/{number}/approve": Event("invoice_approved", "{number}", "invoice")}
    )
    headers = {
        "authorization": "Bearer a.clerk",
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
        "x-request-id": "r-1",
    }
    assert http.post("/invoices/INV-1/approve?secret=1", headers=headers).status_code == 200
    inside, action = entries(trail)
    assert inside["actor"] == action["actor"] == "a.clerk"
    assert inside["trace_id"] == action["trace_id"] == TRACE
    assert inside["context"]["request_id"] == "r-1"
    assert (action["event_type"], action["entity_id"], action["entity_type"]) == (
        "invoice_approved",
        "INV-1",
        "invoice",
    )
    assert (action["outcome"], action["actor_type"], action["new_value"]) == ("success", "user", "approved")
    duration = action["context"].pop("duration_ms")
    assert 0 < duration < 60_000
    assert action["context"] == {
        "method": "POST",
        "path": "/invoices/INV-1/approve",
        "route": "/invoices/{number}/approve",
        "status": 200,
        "request_id": "r-1",
        "ip_address": "testclient",
    }
    assert http.post("/invoices/INV-2/approve", headers=headers).status_code == 403
    assert (last(trail)["outcome"], last(trail)["reason"]) == ("denied", "over the limit")
    assert http.post("/invoices/INV-3/approve").status_code == 401
    assert (last(trail)["outcome"], last(trail)["actor"]) == ("denied", "anonymous")
    assert "actor_type" not in last(trail)
    assert scopes.current() == {}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "success"),
        (303, "success"),
        (400, "failure"),
        (401, "denied"),
        (403, "denied"),
        (404, "failure"),
        (503, "failure"),
    ],
)
def test_the_outcome_is_that_of_the_status(trail: counterfoil.Trail, app: FastAPI, status: int, outcome: str) -> None:
    @app.post("/x")
    def x() -> None:
        raise HTTPException(status, headers={"Location": "/y"})

    assert client(app, trail).post("/x", follow_redirects=False).status_code == status
    assert last(trail)["outcome"] == outcome
    assert last(trail)["event_type"] == "user_action"
    assert last(trail)["entity_id"] == "/x"


def test_exceptions_are_failures_and_go_on(trail: counterfoil.Trail, app: FastAPI) -> None:
    @app.delete("/broken")
    def broken() -> None:
        describe(new_value="gone")
        raise ZeroDivisionError("by zero")

    @app.delete("/forbidden")
    def forbidden() -> None:
        raise PermissionError("no")

    http = client(app, trail)
    assert http.delete("/broken").status_code == 500
    assert last(trail)["outcome"] == "failure"
    assert last(trail)["context"]["exception"] == {"type": "ZeroDivisionError", "message": "by zero"}
    assert "new_value" not in last(trail)
    assert http.delete("/forbidden").status_code == 500
    assert last(trail)["outcome"] == "denied"
    with pytest.raises(ZeroDivisionError):
        TestClient(app).delete("/broken")


def test_reads_are_recorded_on_request_and_some_paths_never(trail: counterfoil.Trail, app: FastAPI) -> None:
    @app.api_route("/x", methods=["GET", "POST"])
    def x() -> None:
        trail.record("seen", "x", actor="a")

    @app.post("/health/live")
    def health() -> None:
        assert scopes.current() == {}

    http = client(app, trail, exclude=["/health/*"])
    http.get("/x")
    assert [entry["event_type"] for entry in entries(trail)] == ["seen"]
    assert last(trail)["trace_id"]
    assert http.post("/health/live").status_code == 200
    assert len(entries(trail)) == 1
    wider = FastAPI()
    wider.get("/x")(lambda: None)
    client(wider, trail, methods=["GET"]).get("/x")
    assert last(trail)["event_type"] == "record_read"


def test_body_fields_by_allow_list(trail: counterfoil.Trail, app: FastAPI) -> None:
    @app.post("/x")
    async def x(request: Request) -> int:
        return len(await request.body())

    http = client(app, trail, fields=["amount", "invoice.currency", "user.password", "lines.0.sku"])
    body = {
        "amount": 5,
        "iban": "DE02",
        "invoice": {"currency": "EUR", "iban": "DE02"},
        "user": {"password": "hunter2"},
        "lines": [{"sku": "A"}],
    }
    http.post("/x", json=body)
    assert last(trail)["context"]["fields"] == {
        "amount": 5,
        "invoice.currency": "EUR",
        "user.password": "[redacted]",
        "lines.0.sku": "A",
    }
    http.post("/x", data={"amount": "7", "password": "hunter2"})
    assert last(trail)["context"]["fields"] == {"amount": "7"}
    assert http.post("/x", content=b"{" + b" " * 70_000, headers={"content-type": "application/json"}).json() == 70_001
    assert last(trail)["context"]["fields_missing"] == "it has over 65536 bytes"
    http.post("/x", content=b"[[[", headers={"content-type": "application/json"})
    assert last(trail)["context"]["fields_missing"] == "it cannot be read"
    http.post("/x", files={"amount": b"5"})
    assert last(trail)["context"]["fields_missing"] == "multipart/form-data is not read"
    http.post("/x")
    assert "fields_missing" not in last(trail)["context"]
    assert "hunter2" not in str(entries(trail))
    assert "DE02" not in str(entries(trail))


def test_a_routes_own_fields(trail: counterfoil.Trail, app: FastAPI) -> None:
    @app.post("/{name}")
    async def x(request: Request, name: str) -> None:
        await request.body()

    http = client(app, trail, fields=["a"], events={"POST /{name}": Event("e", fields=["b"], failed="f")})
    http.post("/x", json={"a": 1, "b": 2})
    assert last(trail)["context"]["fields"] == {"b": 2}


def test_the_whole_template_of_a_route(trail: counterfoil.Trail, app: FastAPI) -> None:
    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse("")

    inner = Starlette(
        routes=[Route("/z/{q}", answer, methods=["POST"]), Route("/f/{p:path}", answer, methods=["POST"])]
    )
    app.mount("/m/{tenant}", inner)
    router = APIRouter(prefix="/r")
    router.post("/x/{i}")(lambda i: None)
    router.post("/reset/{token}")(lambda token: None)
    app.include_router(router, prefix="/api")
    http = client(app, trail)
    for path, route in (
        ("/m/5/z/3", "/m/{tenant}/z/{q}"),
        ("/m/5/f/a/b", "/m/{tenant}/f/{p}"),
        ("/api/r/x/1", "/api/r/x/{i}"),
    ):
        http.post(path)
        assert last(trail)["context"]["route"] == route
    http.post("/api/r/reset/s3cret-link")
    assert last(trail)["entity_id"] == "/api/r/reset/[redacted]"
    assert "s3cret" not in str(last(trail))
    assert http.post("/nowhere").status_code == 404
    assert "route" not in last(trail)["context"]
    behind = Starlette(routes=[Mount("/m", routes=[Route("/z/{q}", answer, methods=["POST"])])])
    behind.add_middleware(AuditMiddleware, trail=trail)
    TestClient(behind, root_path="/app").post("/app/m/z/1")
    assert last(trail)["context"]["route"] == "/m/z/{q}"


class Named(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.headers.get("x-name")
        return (AuthCredentials(), SimpleUser(name)) if name else None


def test_the_user_of_starlettes_authentication(trail: counterfoil.Trail) -> None:
    async def x(request: Any) -> PlainTextResponse:
        trail.record("inside", "x")
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/x", x, methods=["POST"])])
    app.add_middleware(AuthenticationMiddleware, backend=Named())
    http = client(app, trail)
    http.post("/x", headers={"x-name": "alice"})
    assert [entry["actor"] for entry in entries(trail)] == ["alice", "alice"]
    http.post("/x")
    assert [entry["actor"] for entry in entries(trail)][2:] == ["unattributed", "anonymous"]


def test_the_session_and_a_function_of_ones_own(trail: counterfoil.Trail) -> None:
    async def login(request: Any) -> PlainTextResponse:
        request.session["name"] = "bob"
        return PlainTextResponse("")

    def actor(scope: Any) -> Any:
        name = scope["session"].get("name")
        return name and {"actor": name, "actor_type": "service", "on_behalf_of": "team"}

    app = Starlette(routes=[Route("/login", login, methods=["POST"])])
    app.add_middleware(SessionMiddleware, secret_key="k")
    client(app, trail, actor=actor).post("/login")
    entry = last(trail)
    assert (entry["actor"], entry["actor_type"], entry["on_behalf_of"]) == ("bob", "service", "team")
    broken = Starlette(routes=[Route("/login", lambda request: PlainTextResponse(""), methods=["POST"])])
    assert client(broken, trail, actor=lambda scope: scope["session"]).post("/login").status_code == 200
    assert last(trail)["actor"] == "anonymous"
    assert last(trail)["context"]["actor_error"]["type"] == "KeyError"


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "9.9.9.9", "10.0.0.1"),
        (1, "9.9.9.9, 8.8.8.8", "8.8.8.8"),
        (2, "9.9.9.9, 8.8.8.8", "9.9.9.9"),
        (3, "9.9.9.9", "10.0.0.1"),
        (1, "no address", "10.0.0.1"),
    ],
)
def test_forwarded_addresses_only_from_trusted_proxies(
    trail: counterfoil.Trail, app: FastAPI, proxies: int, header: str, address: str
) -> None:
    app.add_middleware(AuditMiddleware, trail=trail, proxies=proxies)
    TestClient(app, client=("10.0.0.1", 1)).post("/x", headers={"x-forwarded-for": header})
    assert last(trail)["context"]["ip_address"] == address


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}, TRACE),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00", "x-request-id": "r-2"}, TRACE),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-00", "x-request-id": "r-2"}, "r-2"),
        ({"traceparent": f"ff-{TRACE}-00f067aa0ba902b7-00", "x-request-id": "r-2"}, "r-2"),
        ({"x-request-id": "r" * 129}, None),
        ({}, None),
    ],
)
def test_trace_ids(trail: counterfoil.Trail, app: FastAPI, headers: dict[str, str], expected: str | None) -> None:
    client(app, trail).post("/x", headers=headers)
    found = last(trail)["trace_id"]
    assert found == expected if expected else len(found) == 32


def test_websockets_and_lifespans_pass_through(trail: counterfoil.Trail) -> None:
    started: list[bool] = []

    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        started.append(True)
        yield

    app = FastAPI(lifespan=contextlib.asynccontextmanager(lifespan))

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    app.add_middleware(AuditMiddleware, trail=trail, fields=["a"])
    with TestClient(app) as http, http.websocket_connect("/ws") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    assert started == [True]
    assert entries(trail) == []


def test_an_answer_waits_for_its_entry(
    trail: counterfoil.Trail, app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/x")
    def x() -> str:
        return "done"

    @app.post("/nothing", status_code=204)
    def nothing() -> None:
        pass

    http = client(app, trail)
    trail.close()
    assert http.post("/x").status_code == 500
    assert http.post("/nothing").status_code == 500
    lax = FastAPI()
    lax.post("/x")(lambda: "done")
    with caplog.at_level(logging.ERROR, "counterfoil"):
        assert client(lax, trail, strict=False).post("/x").status_code == 200
    assert "POST /x was not recorded" in caplog.text


def test_the_event_loop_does_not_wait_for_the_disk(trail: counterfoil.Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(trail), "record_many", lambda *_, **__: time.sleep(0.3))
    ticks: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def tick() -> None:
        for _ in range(20):
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def both() -> None:
        await asyncio.gather(tick(), exchange(AuditMiddleware(app, trail), []))

    asyncio.run(both())
    assert max(after - before for before, after in itertools.pairwise(ticks)) < 0.2


async def exchange(app: Any, chunks: list[Message], sent: Callable[[Message], None] = lambda message: None) -> None:
    """One request with the messages that the server has for it."""
    left = list(chunks)

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "headers": [(b"content-type", b"application/json")],
        "client": None,
    }
    await app(scope, receive, send)


def test_bodies_stream_in_both_directions(trail: counterfoil.Trail) -> None:
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(3):
            message = await receive()
            log.append(f"read {len(message['body'])}")
            await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    def sent(message: Message) -> None:
        log.append(f"{message['type'].rpartition('.')[2]} {message.get('body', b'').decode()}".strip())
        log.append("recorded" if entries(trail) else "open")

    chunk = {"type": "http.request", "body": b"x" * 40_000, "more_body": True}
    asyncio.run(exchange(AuditMiddleware(app, trail, fields=["a"]), [chunk] * 3, sent))
    assert log == [
        *("start", "open", "read 40000", "body 0", "open", "read 40000", "body 1", "open"),
        *("read 40000", "body 2", "open", "body end", "recorded"),
    ]
    assert last(trail)["context"]["fields_missing"] == "it has over 65536 bytes"


def test_a_client_that_goes_away(trail: counterfoil.Trail) -> None:
    async def listens(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    async def hears_nothing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})

    async def answers_nobody(scope: Any, receive: Any, send: Any) -> None:
        await listens(scope, receive, send)
        await send({"type": "http.response.body", "body": b""})

    def refuse(message: Message) -> None:
        raise OSError("gone")

    for app in (listens, answers_nobody):
        asyncio.run(exchange(AuditMiddleware(app, trail), []))
        assert (last(trail)["outcome"], last(trail)["context"]["disconnected"]) == ("failure", True)
    asyncio.run(exchange(AuditMiddleware(hears_nothing, trail), []))
    assert last(trail)["outcome"] == "failure"
    with pytest.raises(OSError, match="gone"):
        asyncio.run(exchange(AuditMiddleware(hears_nothing, trail), [], refuse))
    assert (last(trail)["outcome"], last(trail)["context"]["disconnected"]) == ("failure", True)

    async def sleeps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(exchange(AuditMiddleware(sleeps, trail), []))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert last(trail)["outcome"] == "failure"
    assert last(trail)["context"]["exception"]["type"].endswith("CancelledError")
    assert len(entries(trail)) == 5


def test_a_cancelled_request_is_recorded_all_the_same(trail: counterfoil.Trail) -> None:
    """As Django cancels a request whose client has what it wanted."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def cancelled() -> None:
        loop = asyncio.get_running_loop()
        busy = concurrent.futures.ThreadPoolExecutor(1)
        loop.set_default_executor(busy)
        loop.run_in_executor(None, time.sleep, 0.3)
        task = asyncio.create_task(exchange(AuditMiddleware(app, trail), []))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert [entry["outcome"] for entry in entries(trail)] == ["success"]


def test_each_of_many_requests_has_its_own_scope(trail: counterfoil.Trail) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        identify(scope["path"])
        await asyncio.sleep(0.01)
        trail.record("inside", scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def one(number: int) -> None:
        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            pass

        scope: dict[str, Any] = {"type": "http", "method": "PUT", "path": f"/{number}", "headers": [], "client": None}
        await wrapped(scope, receive, send)

    async def many() -> None:
        await asyncio.gather(*(one(number) for number in range(20)))

    wrapped = AuditMiddleware(app, trail)
    asyncio.run(many())
    found = entries(trail)
    assert len(found) == 40
    assert all(entry["actor"] == entry["entity_id"] for entry in found)
    assert len({entry["trace_id"] for entry in found}) == 20


@pytest.mark.parametrize("path", ["/%00%0a", "/%ff%fe", "/" + "x" * 9000, "/%ed%a0%80", "/{number}"])
def test_nothing_that_a_client_sends_is_too_much(trail: counterfoil.Trail, app: FastAPI, path: str) -> None:
    @app.post("/{rest:path}")
    async def x(request: Request, rest: str) -> None:
        await request.body()
        describe(context={"x": object()}, old_value={1, 2}, unknown=1, outcome="perhaps")
        identify(rest)

    headers = {b"content-type": b"application/json", b"x-request-id": b"r\xe9", b"traceparent": b"00-\xff"}
    http = client(app, trail, fields=["a", "a.b", "b.0", ""], proxies=2, events={"/{rest}": Event("e", "{rest.x}")})
    assert http.post(path, content=b'{"a": NaN, "b": "\\u0000"}', headers=headers).status_code == 200
    assert len(entries(trail)) == 1


def test_who_acts_is_looked_at_when_the_answer_begins_and_forgotten_after_it(trail: counterfoil.Trail) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = "alice"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        del scope["user"]
        await send({"type": "http.response.body", "body": b""})

    async def served() -> None:
        await exchange(AuditMiddleware(app, trail), [])
        assert scopes.current() == {}
        identify("nobody")

    asyncio.run(served())
    assert last(trail)["actor"] == "alice"


def test_wrong_options_are_told_at_once(trail: counterfoil.Trail) -> None:
    with pytest.raises(counterfoil.Invalid, match="exclude is a list"):
        AuditMiddleware(Starlette(), trail, exclude="/x")
    with pytest.raises(TypeError):
        AuditMiddleware(Starlette(), trail, exlude=["/x"])  # type: ignore[call-arg]
