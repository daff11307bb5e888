"""The examples of docs/guides/integrations/prefect.md."""

from __future__ import annotations

from typing import Any

import pytest
from guides import run_examples, set_constants
from running import Running

import counterfoil

pytest.importorskip("prefect.flows", reason="Prefect has a virtual environment of its own")


def test_every_example_runs(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(service.folder)
    set_constants(monkeypatch, service)
    names: dict[str, Any] = {}
    try:
        run_examples("integrations/prefect.md", names, examples=4)
    finally:
        names["trail"].close()
    assert counterfoil.default_trail() is names["trail"]
