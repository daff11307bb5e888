"""The service's HTTP API, one keep-alive connection a thread."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

from . import errors
from .errors import Error, Internal, Invalid, Unavailable

_GZIP_FROM_BYTES = 2048


class Retry(Unavailable):
    """The service cannot be reached or asks to wait: `after_s` seconds, if it says so."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Service:
    """A client of one service. `timeout` is in seconds, for connecting and for each read."""

    def __init__(self, url: str, token: str | None, *, ca_cert: str | None = None, timeout: float = 30.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise Invalid(f"{url}: give the service's address alone, as http://127.0.0.1:7411")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._token = token
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_cert) if self._secure else None
        self._local = threading.local()
        self._under_way: set[http.client.HTTPConnection] = set()

    def break_off(self) -> None:
        """Ends the requests under way in all threads, which raise `Retry`."""
        for connection in list(self._under_way):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def forget_connections(self) -> None:
        """In a forked child: the connections are the parent's."""
        self._local = threading.local()
        self._under_way = set()

    def get(self, path: str) -> bytes:
        """The body of an answer. Raises the kind that the service's problem names; `Unavailable` without an answer."""
        return self._ask("GET", path, None, {})

    def get_json(self, path: str) -> Any:
        """The same for JSON."""
        return _json(self.get(path))

    def post(self, path: str, body: bytes, content_type: str) -> Any:
        """Sends a body and reads the JSON answer."""
        headers = {"Content-Type": content_type}
        if len(body) >= _GZIP_FROM_BYTES:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        return _json(self._ask("POST", path, body, headers))

    def query(self, sql: str, form: str) -> bytes:
        """The answer to a statement, as the media type `form`."""
        return self._ask("POST", "/api/v1/query", sql.encode(), {"Content-Type": "application/sql", "Accept": form})

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        sent = {"Accept": "application/json, */*", **headers}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        for fresh in (False, True):
            connection, used = self._connection(fresh)
            self._under_way.add(connection)
            try:
                connection.request(method, path, body, sent)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if used and not fresh:
                    continue
                raise Retry(f"{self.url}: {_said(error)}") from error
            finally:
                self._under_way.discard(connection)
            if answer.will_close:
                self._drop()
            if answer.status < 300:
                return text
            problem = _problem(answer.status, text, answer.getheader("Retry-After"))
            if answer.status == 401 and not self._token:
                problem.message = f"{self.url} asks for a token: connect(token=…) or COUNTERFOIL_TOKEN"
                problem.args = (problem.message,)
            raise problem
        raise Internal("unreachable")

    def _connection(self, fresh: bool) -> tuple[http.client.HTTPConnection, bool]:
        held: tuple[int, http.client.HTTPConnection] | None = getattr(self._local, "held", None)
        if held and held[0] == os.getpid() and not fresh:
            return held[1], True
        if self._tls:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._local.held = (os.getpid(), made)
        return made, False

    def _drop(self) -> None:
        held = getattr(self._local, "held", None)
        self._local.held = None
        if held and held[0] == os.getpid():
            with contextlib.suppress(OSError):
                held[1].close()


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Internal(f"the service answered something that is no JSON: {error}") from error


def _problem(status: int, text: bytes, retry_after: str | None) -> Error:
    try:
        problem = json.loads(text)
        kind, detail, position = problem["kind"], problem["detail"], problem.get("position")
    except (ValueError, KeyError, TypeError):
        kind, detail, position = None, text[:200].decode("utf-8", "replace"), None
    if kind in ("busy", "unavailable", "closed", "poisoned") or (kind is None and status >= 500) or status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        return Retry(f"the service answered {status}: {detail}", seconds)
    if kind is None:
        return Internal(f"the service answered {status}: {detail}")
    error = errors.of_kind(kind, detail, position)
    if status == 413:
        error.kind = "too-large"
    return error
