"""The plugin by which Airflow finds the listener."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from .listener import Listener


class CounterfoilPlugin(AirflowPlugin):
    """Records state changes in every process of Airflow that makes one."""

    name = "counterfoil"
    listeners = [Listener()]  # noqa: RUF012 - Airflow's own interface
