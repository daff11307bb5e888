"""A real service in a process of its own, which tests may kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import counterfoil


def program() -> str:
    """The `counterfoil` binary."""
    target = os.environ.get("CARGO_TARGET_DIR", str(Path.home() / ".cache/counterfoil/target"))
    for candidate in (os.environ.get("COUNTERFOIL"), f"{target}/debug/counterfoil", shutil.which("counterfoil")):
        if candidate and Path(candidate).is_file():
            return candidate
    raise FileNotFoundError("build it: cargo build -p counterfoil-cli, or set COUNTERFOIL")


def wait_for(what: str, found: Callable[[], Any], seconds: float = 30) -> Any:
    """Polls until `found` answers something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {seconds} s")


class Running:
    """A ledger in `folder` and the service before it, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = folder / "audit"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.run("init", str(self.ledger), "--origin", "test.example/audit")
        self.start()
        self.writer = self.token("writer")
        self.reader = self.token("reader")

    def run(self, *arguments: str) -> str:
        """Runs the command line; its standard output."""
        done = subprocess.run([program(), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.returncode} {done.stderr}"
        return done.stdout

    def token(self, role: str, *more: str) -> str:
        """A new token."""
        return self.run("token", "create", str(self.ledger), "--role", role, *more).strip()

    def start(self) -> None:
        """Starts the service and waits until it takes entries."""
        with open(self.folder / "service.log", "ab") as log:
            self.process = subprocess.Popen(
                [program(), "serve", str(self.ledger), "--listen", f"127.0.0.1:{self.port}"], stdout=log, stderr=log
            )
        wait_for("service", self.is_ready)

    def is_ready(self) -> bool:
        """Whether it takes entries."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """Ends it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Ends it in good order and verifies what it leaves."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0
        self.run("verify", str(self.ledger))

    def connect(self, **options: Any) -> counterfoil.Trail:
        """A trail of this service, with its spool in the folder."""
        options.setdefault("spool", self.folder / "spool")
        return counterfoil.connect(self.url, token=self.writer, read_token=self.reader, **options)

    def recorded(self) -> list[dict[str, Any]]:
        """All entries of clients, in order."""
        with counterfoil.connect(
            self.url, token=self.reader, spool=self.folder / "other-spool", exit_timeout=0
        ) as trail:
            return [dict(entry) for entry in trail if not entry["event_type"].startswith("ledger.")]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
