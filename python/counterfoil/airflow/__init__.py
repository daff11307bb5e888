"""Apache Airflow 3: the state changes of runs and tasks as entries, and tasks that read the ledger.

Installed beside Airflow it is a provider whose listener needs two settings, `[counterfoil] url` and `token`:

    from counterfoil.airflow import CounterfoilNotifier, LedgerSensor, VerifyLedgerOperator
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hooks import CounterfoilHook
    from .notifiers import CounterfoilNotifier
    from .operators import VerifyLedgerOperator
    from .sensors import LedgerSensor

__all__ = ["CounterfoilHook", "CounterfoilNotifier", "LedgerSensor", "VerifyLedgerOperator"]

_MODULES = {
    "CounterfoilHook": "hooks",
    "CounterfoilNotifier": "notifiers",
    "LedgerSensor": "sensors",
    "VerifyLedgerOperator": "operators",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
