"""The middlewares under uvicorn and gunicorn, with a real service: the examples, and what only a real server does."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import Running, _free_port, program, wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"


def environment(service: Running, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHON": sys.executable,
        "PYTHONDONTWRITEBYTECODE": "1",
        "COUNTERFOIL": program(),
        "COUNTERFOIL_URL": service.url,
        "COUNTERFOIL_TOKEN": service.writer,
        "COUNTERFOIL_READ_TOKEN": service.reader,
        "SPOOL": str(service.folder / "spool"),
        "WORK": str(service.folder),
        **more,
    }


@pytest.mark.parametrize(
    ("name", "packages"),
    [("fastapi", ["fastapi", "uvicorn", "jwt"]), ("flask", ["flask", "gunicorn"]), ("django", ["django", "gunicorn"])],
)
def test_an_example_leaves_the_trail_it_should(service: Running, name: str, packages: list[str]) -> None:
    for package in packages:
        pytest.importorskip(package)
    ran = subprocess.run(
        [EXAMPLES / name / "run.sh"], env=environment(service), capture_output=True, text=True, check=False
    )
    log = service.folder / "server.log"
    assert ran.returncode == 0, ran.stdout + ran.stderr + (log.read_text() if log.exists() else "")
    with service.connect() as trail:
        # What ended processes left in the spool.
        time.sleep(2)
        trail.flush(30)
    service.end()
    check = [sys.executable, str(EXAMPLES / name / "check.py"), str(service.ledger)]
    checked = subprocess.run(check, env=environment(service), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


class Server:
    """A server in a process of its own, with an application given as text."""

    def __init__(self, service: Running, app: str, *command: str) -> None:
        (service.folder / "served.py").write_text(textwrap.dedent(app))
        self.port = _free_port()
        self.log = service.folder / "server.log"
        words = [word.format(port=self.port) for word in command]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=service.folder,
                env=environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for("server", self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def post(self, path: str, **headers: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", b"", headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def leave_early(self, path: str) -> None:
        """Reads the first bytes of a stream and hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path)
        assert connection.getresponse().read(1) == b"x"
        connection.close()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@contextlib.contextmanager
def served(service: Running, app: str, *command: str) -> Iterator[Server]:
    server = Server(service, app, *command)
    try:
        yield server
    finally:
        server.end()


def user_actions(service: Running) -> list[str]:
    return [entry["entity_id"] for entry in service.recorded() if entry["event_type"] == "user_action"]


def recorded(service: Running, path: str) -> list[dict[str, Any]]:
    return [entry for entry in service.recorded() if entry["entity_id"] == path]


ASGI = """
    import asyncio, os
    import counterfoil
    from counterfoil.asgi import AuditMiddleware
    from fastapi import FastAPI, WebSocket
    from fastapi.responses import StreamingResponse

    app = FastAPI()
    trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"], spool_limit=20)
    app.add_middleware(AuditMiddleware, trail=trail, proxies=1)

    @app.post("/stream")
    async def stream():
        async def chunks():
            for _ in range(2000):
                yield b"x"
                await asyncio.sleep(0.01)
        return StreamingResponse(chunks())

    @app.post("/x")
    async def x():
        return 1

    @app.post("/broken")
    async def broken():
        raise ZeroDivisionError
"""


def test_uvicorn(service: Running) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with served(service, ASGI, "uvicorn", "--no-proxy-headers", "--port", "{port}", "served:app") as server:
        assert server.post("/x", **{"X-Forwarded-For": "9.9.9.9, 8.8.8.8"}) == 200
        (entry,) = wait_for("entry", lambda: recorded(service, "/x"))
        assert entry["context"]["ip_address"] == "8.8.8.8"
        assert server.post("/broken") == 500
        (entry,) = wait_for("entry", lambda: recorded(service, "/broken"))
        assert entry["context"]["exception"]["type"] == "ZeroDivisionError"
        server.leave_early("/stream")
        (entry,) = wait_for("entry", lambda: recorded(service, "/stream"))
        assert (entry["outcome"], entry["context"]["disconnected"]) == ("failure", True)
        assert entry["context"]["duration_ms"] < 15_000


def test_a_service_that_is_down_stops_nobody_until_the_spool_is_full(service: Running) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with served(service, ASGI, "uvicorn", "--port", "{port}", "served:app") as server:
        service.kill()
        answers = [server.post("/x") for _ in range(30)]
        assert answers[:19] == [200] * 19
        assert answers[25:] == [500] * 5
        service.start()
        wait_for("room", lambda: server.post("/x") == 200)
        good = answers.count(200)
        wait_for("entries", lambda: len(recorded(service, "/x")) > good)


WSGI = """
    import os
    import counterfoil
    from counterfoil.wsgi import AuditMiddleware
    from flask import Flask

    app = Flask(__name__)
    trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"])
    app.wsgi_app = AuditMiddleware(app.wsgi_app, trail)

    @app.post("/stream")
    def stream():
        return app.response_class(b"x" * 100 for _ in range(100_000))

    @app.post("/<number>")
    def x(number):
        return "done"
"""
GUNICORN = ("gunicorn", "--bind", "127.0.0.1:{port}", "--no-control-socket", "served:app")


@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn(service: Running, kind: str) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    with served(service, WSGI, *GUNICORN, "--worker-class", kind, "--threads", "2") as server:
        assert server.post("/1") == 200
        wait_for("entry", lambda: recorded(service, "/1"))
        server.leave_early("/stream")
        (entry,) = wait_for("entry", lambda: recorded(service, "/stream"))
        assert (entry["outcome"], entry["context"]["disconnected"]) == ("failure", True)


def test_whoever_was_answered_is_in_the_ledger_once_though_workers_are_killed(service: Running) -> None:
    pytest.importorskip("flask")
    pytest.importorskip("gunicorn")
    answered: list[str] = []
    stop = threading.Event()

    def post(server: Server, lane: int) -> None:
        number = 0
        while not stop.is_set():
            path = f"/{lane}-{number}"
            with contextlib.suppress(OSError, http.client.HTTPException):
                if server.post(path) == 200:
                    answered.append(path)
            number += 1

    with served(service, WSGI, *GUNICORN, "--workers", "3", "--preload", "--graceful-timeout", "5") as server:
        threads = [threading.Thread(target=post, args=(server, lane)) for lane in range(4)]
        for thread in threads:
            thread.start()
        for kill in range(8):
            time.sleep(0.4)
            children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
            if children:
                os.kill(int(children[kill % len(children)]), signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
    assert len(answered) > 50
    with service.connect():
        # Whoever lives ships what the dead left.
        wait_for("everything that was answered", lambda: set(answered) <= set(user_actions(service)))
    paths = user_actions(service)
    assert len(paths) == len(set(paths))
