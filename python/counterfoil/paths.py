"""Dotted paths into arguments and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _parts(path: str) -> list[str]:
    return path.replace("[", ".").replace("]", "").split(".")


def first_of(path: str) -> str:
    """The name that a dotted path begins with."""
    return _parts(path)[0]


def at(given: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted path: keys, attributes and positions alike."""
    first, *rest = _parts(path)
    value = given[first]
    for name in rest:
        if isinstance(value, Mapping):
            value = value[name]
        elif isinstance(value, (list, tuple)) and name.isdigit():
            value = value[int(name)]
        else:
            value = getattr(value, name)
    return value
