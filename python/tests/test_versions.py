"""One native module for all Pythons from 3.10 on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
WORKFLOW = """
import sys, tempfile, counterfoil
assert sys.version_info[:2] == (3, {minor}), sys.version
with counterfoil.open(tempfile.mkdtemp() + "/audit") as trail:
    trail.record("kyc_check", "CUST-1", actor="kyc", new_value={{"passed": True}})
    assert trail.verify() and trail.history("CUST-1")[0]["new_value"] == {{"passed": True}}
"""


def _interpreter(minor: int) -> str | None:
    found = shutil.which(f"python3.{minor}")
    installed = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"))
    for candidate in (found, *map(str, installed)):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.mark.parametrize("minor", [10, 11, 12, 13, 14])
def test_it_records_and_verifies(minor: int) -> None:
    interpreter = _interpreter(minor)
    if interpreter is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    code = WORKFLOW.format(minor=minor)
    subprocess.run([interpreter, "-c", code], check=True, env={"PYTHONPATH": str(PACKAGE)}, cwd="/")
