"""Runs the examples of a page of docs/guides, in their order and with common names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import Running

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def set_constants(monkeypatch: pytest.MonkeyPatch, service: Running) -> None:
    """The three constants that python.md has a reader set: what its pages and the others need of the environment."""
    for name, value in (("URL", service.url), ("WRITER", service.writer), ("READER", service.reader)):
        monkeypatch.setenv(name, value)


def run_examples(
    page: str, names: dict[str, Any], *, examples: int, before: Callable[[int], None] | None = None
) -> None:
    """Runs every Python block of `page` (`python.md`, `integrations/flask.md`); `examples` is how many there must be.

    `before` is called with the number of each block, from 0.
    """
    blocks = re.findall(r"```python\n(.*?)```", (GUIDES / page).read_text(), re.DOTALL)
    assert len(blocks) == examples, f"{page} has {len(blocks)} examples"
    for number, block in enumerate(blocks):
        if before:
            before(number)
        exec(compile(block, f"{page}, example {number + 1}", "exec"), names)
