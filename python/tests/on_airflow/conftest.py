"""Tests of the Airflow provider: they run where Airflow is installed, and say so where it is not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from airflow_running import Airflow, settings_of
from running import Running

HAS_AIRFLOW = importlib.util.find_spec("airflow") is not None and importlib.util.find_spec("airflow.sdk") is not None

if HAS_AIRFLOW:
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="counterfoil-airflow-"))
else:

    class LeftOut(pytest.Module):
        """A module of tests that cannot run here."""

        def collect(self) -> NoReturn:
            pytest.skip("apache-airflow is not installed here", allow_module_level=True)

    def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
        return LeftOut.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert any(one.name == "counterfoil" for one in importlib.metadata.entry_points(group="airflow.plugins")), (
        "the package's entry points are not installed beside Airflow"
    )
    home = tmp_path_factory.mktemp("airflow")
    Airflow(home, {}).run("db", "migrate")
    return home


@pytest.fixture
def settings(service: Running) -> dict[str, str]:
    """The same for the service of the test."""
    return settings_of(service)


@pytest.fixture
def airflow(airflow_home: Path, settings: dict[str, str]) -> Airflow:
    """The command line, with the ledger of the test."""
    return Airflow(airflow_home, settings)


@pytest.fixture
def configured(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process as one of Airflow's."""
    from counterfoil.airflow import ledger

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example")
    yield
    for opened in ledger._trails.values():
        opened.close()
    ledger._trails.clear()
