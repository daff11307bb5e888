"""The examples of docs/guides/python.md, in their order."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from running import Running

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "python.md"


def test_every_example_runs(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("structlog")
    monkeypatch.chdir(service.folder)
    (service.folder / "guide").mkdir()
    monkeypatch.chdir(service.folder / "guide")
    names: dict[str, Any] = {"URL": service.url, "WRITER": service.writer, "READER": service.reader}
    examples = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(examples) == 8
    handlers = list(logging.getLogger().handlers)
    try:
        for number, example in enumerate(examples):
            if number in (1, 2):
                names["trail"].close()
            exec(compile(example, f"{GUIDE.name}, example {number + 1}", "exec"), names)
    finally:
        logging.getLogger().handlers[:] = handlers
        import structlog

        structlog.reset_defaults()
