"""Dotted paths into arguments and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(given: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path: keys, attributes and positions alike."""
    first, *rest = path.replace("[", ".").replace("]", "").split(".")
    value = given[first]
    for name in rest:
        if isinstance(value, Mapping):
            value = value[name]
        elif isinstance(value, (list, tuple)) and name.isdigit():
            value = value[int(name)]
        else:
            value = getattr(value, name)
    return value
