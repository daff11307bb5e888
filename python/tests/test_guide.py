"""The examples of docs/guides/python.md."""

from __future__ import annotations

import logging
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from guides import GUIDES, run_examples, set_constants
from running import Running, program


def test_every_example_runs(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("structlog")
    (service.folder / "guide").mkdir()
    monkeypatch.chdir(service.folder / "guide")
    set_constants(monkeypatch, service)
    names: dict[str, Any] = {}

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


def test_the_constants_are_made_as_the_guide_says(tmp_path: Path) -> None:
    (lines,) = re.findall(r"```console\n(.*?export URL.*?)```", (GUIDES / "python.md").read_text(), re.DOTALL)
    said = [line[2:] for line in lines.splitlines() if not line.endswith("&")]
    script = "\n".join([f"counterfoil() {{ '{program()}' \"$@\"; }}", *said, 'echo "$URL $WRITER $READER"'])
    ran = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    url, writer, reader = ran.stdout.splitlines()[-1].split()
    assert url == "http://127.0.0.1:7411", "where `counterfoil serve` listens unless told otherwise"
    assert writer.startswith("cf_")
    assert reader.startswith("cf_")


def test_guides_install_what_there_is() -> None:
    """The package is in no registry: it is installed from a checkout, or from the wheel that `make dist` makes."""
    extras = (GUIDES.parents[1] / "python" / "pyproject.toml").read_text()
    for page in GUIDES.rglob("*.md"):
        for command in re.findall(r"pip install [^`\n]*", page.read_text()):
            assert "counterfoil[" not in command, f"{page.name}: {command}"
            for extra in re.findall(r"\./python\[(.*?)\]", command):
                assert f"\n{extra} = [" in extras, f"{page.name}: {command}"
                assert "'./python[" in command, f"{page.name}: zsh reads [ ] as a pattern"
