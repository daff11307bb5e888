"""Keeping values out of the trail: what a field is replaced with, and which fields."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from typing import Any

from . import encoding

REDACTED = "[redacted]"

SECRETS = frozenset(("password", "passwd", "secret", "token", "api_key", "authorization", "private_key", "cvv", "pin"))
"""Names whose values are never recorded by decorators and log handlers."""


def redacted(value: Any, fields: Collection[str]) -> Any:
    """A copy of nested mappings and lists in which the named fields are `[redacted]`, at any depth; case is ignored."""
    names = frozenset(name.lower() for name in fields)
    return _without(value, names, 0)


def _without(value: Any, names: frozenset[str], depth: int) -> Any:
    if depth > 32:
        return value
    if not isinstance(value, (Mapping, list, tuple, str, int, float, type(None))):
        value = encoding.convert(value, "")
    if isinstance(value, Mapping):
        return {
            name: REDACTED if str(name).lower() in names else _without(member, names, depth + 1)
            for name, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_without(member, names, depth + 1) for member in value]
    return value


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
