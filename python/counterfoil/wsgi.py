"""WSGI middleware, for Flask, Django and all others: what users do, as entries.

app.wsgi_app = AuditMiddleware(app.wsgi_app, trail)
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .actions import Action, Event, Options, Plan, describe, identify
from .bodies import Body
from .trail import Trail

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AuditMiddleware", "Event", "describe", "identify"]

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


class AuditMiddleware:
    """Records requests, and says in the scope who acts and in which trace. See `counterfoil.actions.Options`.

    The last bytes of an answer leave when its entry is durable.
    """

    def __init__(self, app: App, trail: Trail | None = None, **options: Unpack[Options]) -> None:
        self._app, self._plan = app, Plan(trail, **options)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serves one request, in a context of its own, so that nothing is left behind in the server's thread."""
        request = _Request(environ)
        if not self._plan.covers(request.path):
            return self._app(environ, start_response)
        answer = _Answer(Action(self._plan, request), start_response)
        answer.begin(self._app, environ)
        return answer


class _Request:
    """A request as its WSGI environ tells it."""

    def __init__(self, environ: Environ) -> None:
        self.raw = environ
        self.method: str = environ["REQUEST_METHOD"]
        told = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        self.path = told.encode("latin-1").decode("utf-8", "replace") or "/"
        self.peer: str | None = environ.get("REMOTE_ADDR") or None

    def header(self, name: str) -> str | None:
        key = name.upper().replace("-", "_")
        return self.raw.get(key if key.startswith("CONTENT_T") or key == "CONTENT_LENGTH" else f"HTTP_{key}")

    def route(self) -> tuple[str | None, Mapping[str, Any]]:
        # Werkzeug leaves its request here, and with it Flask's rule.
        request = self.raw.get("werkzeug.request")
        rule = getattr(request, "url_rule", None)
        return getattr(rule, "rule", None), getattr(request, "view_args", None) or {}

    def user(self) -> Any:
        return self.raw.get("REMOTE_USER")


class _Input:
    """`wsgi.input`, with what the application reads of it added to the body."""

    def __init__(self, inner: Any, body: Body) -> None:
        self._inner, self._body = inner, body

    def read(self, *size: int) -> bytes:
        return self._seen(self._inner.read(*size))

    def readline(self, *size: int) -> bytes:
        return self._seen(self._inner.readline(*size))

    def readlines(self, *hint: int) -> list[bytes]:
        return [self._seen(line) for line in self._inner.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return (self._seen(line) for line in self._inner)

    def _seen(self, chunk: bytes) -> bytes:
        self._body.add(chunk)
        return chunk


class _Answer:
    """The answer to one request, on its way to the server."""

    def __init__(self, action: Action, start_response: Callable[..., Any]) -> None:
        self._action, self._start_response = action, start_response
        self._context = contextvars.copy_context()
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        self._status: int | None = None
        self._length: int | None = None
        self._sent = 0
        self._done = not action.recorded

    def begin(self, app: App, environ: Environ) -> None:
        """Has the application answer."""
        self._context.run(self._action.enter)
        if self._action.body is not None:
            environ["wsgi.input"] = _Input(environ["wsgi.input"], self._action.body)
        try:
            self._body = self._context.run(app, environ, self._start)
            self._chunks = self._context.run(iter, self._body)
        except BaseException as error:
            self._record(error=error)
            raise

    def _start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        self._status = int(status.split(None, 1)[0])
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self._length = int(lengths[0]) if lengths and lengths[0].isdecimal() else None
        if self._action.recorded:
            self._action.settle()
        return self._start_response(status, headers, *exc_info)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._context.run(next, self._chunks)
        except StopIteration:
            self._record()
            raise
        except BaseException as error:
            self._record(error=error)
            raise
        self._sent += len(chunk)
        if self._length is not None and self._sent >= self._length:
            self._record()
        return chunk

    def close(self) -> None:
        """Called by the server at the end; before the last chunk when the client has gone."""
        try:
            if hasattr(self._body, "close"):
                self._context.run(self._body.close)
        finally:
            self._record(disconnected=True)

    def _record(self, *, error: BaseException | None = None, disconnected: bool = False) -> None:
        if not self._done:
            self._done = True
            self._context.run(self._action.record, self._status, error=error, disconnected=disconnected)
