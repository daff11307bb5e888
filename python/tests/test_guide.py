"""The examples of docs/guides/python.md."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from guides import run_examples
from running import Running


def test_every_example_runs(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("structlog")
    (service.folder / "guide").mkdir()
    monkeypatch.chdir(service.folder / "guide")
    names: dict[str, Any] = {"URL": service.url, "WRITER": service.writer, "READER": service.reader}

    def close_last(number: int) -> None:
        if number in (1, 2):
            names["trail"].close()

    handlers = list(logging.getLogger().handlers)
    try:
        run_examples("python.md", names, examples=8, before=close_last)
    finally:
        logging.getLogger().handlers[:] = handlers
        import structlog

        structlog.reset_defaults()
