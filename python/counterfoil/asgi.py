"""ASGI middleware, for FastAPI, Starlette and all others: what users do, as entries.

    app.add_middleware(AuditMiddleware, trail=trail)

Websockets and lifespans pass through untouched.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from .actions import Action, Event, Options, Plan, describe, identify
from .trail import Trail

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AuditMiddleware", "Event", "describe", "identify"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class AuditMiddleware:
    """Records requests, and says in the scope who acts and in which trace. See `counterfoil.actions.Options`.

    The last bytes of an answer leave when its entry is durable; an answer that is no stream leaves then as a whole.
    """

    def __init__(self, app: App, trail: Trail | None = None, **options: Unpack[Options]) -> None:
        self._app, self._plan = app, Plan(trail, **options)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not self._plan.covers(scope["path"]):
            return await self._app(scope, receive, send)
        action = Action(self._plan, _Request(scope))
        leave = action.enter()
        try:
            if action.recorded:
                await _Exchange(action, scope, receive, send).run(self._app)
            else:
                await self._app(scope, receive, send)
        finally:
            leave()


class _Request:
    """A request as its ASGI scope tells it."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        self.raw = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.peer: str | None = (scope.get("client") or (None,))[0]

    def header(self, name: str) -> str | None:
        wanted = name.encode()
        found = [value for key, value in self.raw["headers"] if key.lower() == wanted]
        return b",".join(found).decode("latin-1") if found else None

    def route(self) -> tuple[str | None, Mapping[str, Any]]:
        return _template(self.raw), self.raw.get("path_params") or {}

    def user(self) -> Any:
        return self.raw.get("user")


def _template(scope: Mapping[str, Any]) -> str | None:
    """The route's whole template. Starlette keeps that of the innermost router alone: what stands before it is the
    path's own beginning, with the parameters of mounts put back."""
    route = scope.get("route")
    regex, own = getattr(route, "path_regex", None), getattr(route, "path_format", None)
    if regex is None or own is None:
        return None
    path, mounted = scope["path"], scope.get("root_path", "")
    base = scope.get("app_root_path", mounted)
    start = len(mounted) if path.startswith(mounted) else 0
    while start >= 0 and not regex.match(path[start:]):
        start = path.find("/", start + 1)
    if start < 0:
        return str(own)
    outer = {
        str(value): name for name, value in (scope.get("path_params") or {}).items() if name not in regex.groupindex
    }
    before = path[len(base) : start] if path.startswith(base) else path[:start]
    parts = [f"{{{outer[part]}}}" if part in outer else part for part in before.split("/")]
    return "/".join(parts) + str(own)


class _Exchange:
    """One request and its answer, as they pass between the server and the application."""

    def __init__(self, action: Action, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        self._action, self._scope, self._receive, self._send = action, scope, receive, send
        self._status: int | None = None
        self._held: Message | None = None
        self._gone = False
        self._done = False

    async def run(self, app: App) -> None:
        """Has the application answer, and records what came of it."""
        try:
            await app(self._scope, self._take, self._give)
        except Exception as error:
            if not self._done:
                await self._finish(error)
            raise
        except BaseException as error:
            # Cancelled: there may be no time to wait for anything.
            if not self._done:
                self._done = True
                self._record(error)
            raise
        if not self._done:
            self._gone = True
            await self._finish()
            await self._release()

    async def _take(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = self._gone or not self._done
        elif self._action.body is not None:
            self._action.body.add(message.get("body", b""))
        return message

    async def _give(self, message: Message) -> None:
        if not self._done:
            if message["type"] == "http.response.start":
                self._status = message["status"]
                self._action.settle()
                if self._is_whole(message):
                    self._held = message
                    return
            elif message["type"] == "http.response.pathsend" or not message.get("more_body", False):
                await self._finish()
            await self._release()
        try:
            await self._send(message)
        except OSError:
            self._gone = True
            raise

    def _is_whole(self, start: Message) -> bool:
        """Whether an answer is no stream, so that nothing is lost by holding its beginning back."""
        if start["status"] in (204, 304) or self._scope["method"] == "HEAD":
            return True
        return any(name.lower() == b"content-length" for name, _ in start.get("headers", ()))

    async def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await self._send(held)

    async def _finish(self, error: BaseException | None = None) -> None:
        """Records the end in a thread, for that waits for the disk; once begun, no cancellation stops it."""
        self._done = True
        record = functools.partial(contextvars.copy_context().run, self._record, error)
        try:
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, record))
        except BaseException:
            self._held = None
            raise

    def _record(self, error: BaseException | None = None) -> None:
        self._action.record(self._status, error=error, disconnected=self._gone)
