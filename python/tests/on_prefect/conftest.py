"""A real Prefect server for these tests. Without Prefect they are skipped: it has a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import wait_for

os.environ.update(
    DO_NOT_TRACK="1",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="WARNING",
    PREFECT_LOGGING_TO_API_ENABLED="false",
)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[dict[str, str]]:
    """The settings with which Prefect finds the server, for the environment of other processes too."""
    # In memory: making its database syncs hundreds of times, which takes minutes on a busy disk.
    home = Path(tempfile.mkdtemp(prefix="prefect-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = {"PREFECT_HOME": str(home), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    with open(home / "server.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "PREFECT_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for("Prefect server", lambda: _answers(said["PREFECT_API_URL"]), 240)
        yield said
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True)
def of_the_server(prefect_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flows of these tests, in this process and in others, run against the server."""
    for name, value in prefect_server.items():
        monkeypatch.setenv(name, value)
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    with temporary_settings(
        {PREFECT_API_URL: prefect_server["PREFECT_API_URL"], PREFECT_HOME: Path(prefect_server["PREFECT_HOME"])}
    ):
        yield


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
