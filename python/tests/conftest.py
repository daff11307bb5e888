from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Running

import counterfoil


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path)
    yield running
    running.end()


@pytest.fixture
def trail(tmp_path: Path) -> Iterator[counterfoil.Trail]:
    with counterfoil.open(tmp_path / "ledger", origin="test.example/embedded") as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_default_trail() -> Iterator[None]:
    yield
    counterfoil.set_default_trail(None)
