"""Keeping values out of the trail: what a field is replaced with, and which fields."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from . import encoding

REDACTED = "[redacted]"

_PLAIN = frozenset((dict, list, tuple, str, int, float, bool, type(None)))
_MAX_DEPTH = 32

SECRETS = frozenset(("password", "passwd", "secret", "token", "api_key", "authorization", "private_key", "cvv", "pin"))
"""Names whose values are never recorded by decorators and log handlers."""


def redacted(value: Any, fields: Collection[str]) -> Any:
    """A copy of nested mappings and lists in which the named fields are `[redacted]`, at any depth; case is ignored."""
    return replaced(value, frozenset(name.lower() for name in fields), lambda value, path: REDACTED)


def is_named(name: object, names: frozenset[str]) -> bool:
    """Whether a field is among those named in lower case; of a path (`address.city`) each part counts."""
    lower = str(name).lower()
    return lower in names or ("." in lower and not names.isdisjoint(lower.split(".")))


def replaced(
    value: Any,
    names: frozenset[str],
    stand_in: Callable[[Any, str], Any],
    *,
    path: str = "",
    convert: encoding.Converter = encoding.convert,
    _around: tuple[int, ...] = (),
) -> Any:
    """A copy in which `stand_in(value, path)` stands for the named fields, and for what lies too deep to look at."""
    if id(value) in _around:
        return convert(value, "it contains itself")
    around = (*_around, id(value))
    if type(value) not in _PLAIN:
        value = convert(value, "")
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if len(around) > _MAX_DEPTH:
        return stand_in(value, path)

    def within(member: Any, place: str) -> Any:
        return replaced(member, names, stand_in, path=place, convert=convert, _around=around)

    if isinstance(value, Mapping):
        return {
            name: stand_in(member, f"{path}.{name}") if is_named(name, names) else within(member, f"{path}.{name}")
            for name, member in value.items()
        }
    return [within(member, f"{path}.{place}") for place, member in enumerate(value)]


def digest(value: object) -> dict[str, Any]:
    """The SHA-256 of a text, of bytes, or of the canonical JSON of anything else: `{"sha256", "bytes"}`."""
    if isinstance(value, str):
        raw = value.encode("utf-8", "backslashreplace")
    elif isinstance(value, (bytes, bytearray, memoryview)):
        raw = bytes(value)
    else:
        raw = _canonical(value)
    return {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}


def _canonical(value: object) -> bytes:
    plain = json.loads(json.dumps(value, default=lambda one: encoding.convert(one, ""), sort_keys=True, allow_nan=True))
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def same_digest(value: object, expected: str) -> bool:
    """Whether a value has the digest that an entry holds."""
    return hmac.compare_digest(digest(value)["sha256"], expected)
