"""Airflow's command line, with a ledger in its configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from running import Running


def settings_of(service: Running) -> dict[str, str]:
    """`[counterfoil]` of Airflow's configuration, for a service."""
    told = {
        "url": service.url,
        "token": service.writer,
        "read_token": service.reader,
        "spool": str(service.folder / "spool"),
    }
    return {f"AIRFLOW__COUNTERFOIL__{name.upper()}": value for name, value in told.items()}


class Airflow:
    """An Airflow with a database of its own, whose configuration names a ledger."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__API__BASE_URL": "https://airflow.example",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **settings,
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs `airflow …`; what it prints."""
        done = subprocess.run(
            ["airflow", *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == code, f"airflow {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
