"""What an entry is: its members, sealed values, signed bytes (docs/formats/entry.md)."""

from __future__ import annotations

import re
from typing import Any

from . import b64, canonical, timestamps
from .canonical import Number
from .findings import Malformed

MOST_BYTES = 65_535
TEXTS = {
    "event_type": (1, 128),
    "actor": (1, 256),
    "entity_id": (1, 256),
    "on_behalf_of": (0, 256),
    "entity_type": (0, 256),
    "trace_id": (0, 256),
    "id": (1, 64),
    "source": (1, 256),
    "recorder": (1, 256),
}
"""Identifiers: the fewest and the most bytes of UTF-8."""
CHOICES = {
    "actor_type": ("user", "service", "ai_agent"),
    "outcome": ("success", "failure", "denied"),
}
REQUIRED = ("event_type", "actor", "entity_id", "timestamp", "recorded_at")
JSON_VALUES = ("old_value", "new_value", "context")
MEMBERS = frozenset(
    {*TEXTS, *CHOICES, *JSON_VALUES, "timestamp", "recorded_at", "reason", "sequence", "signature", "salt"}
)
BY_LEDGER = ("recorded_at", "recorder", "salt")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_HEX_DIGEST = re.compile("[0-9a-f]{64}")


def parse(raw: bytes) -> tuple[dict[str, Any], bool]:
    """The members of a committed entry, and whether `raw` is its canonical form. `Malformed` if it is no entry.

    Values are as `canonical.parse` gives them.
    """
    members = canonical.parse(raw)
    if not isinstance(members, dict):
        raise Malformed("an entry is an object")
    _check(members)
    stored = {**members, **{name: timestamps.write(instant(members, name)) for name in ("timestamp", "recorded_at")}}
    if instant(members, "recorded_at") % 1000:
        raise Malformed("recorded_at is in whole microseconds")
    written = canonical.write(stored)
    if len(written) > MOST_BYTES:
        raise Malformed(f"an entry of more than {MOST_BYTES} bytes")
    return members, written == raw


def instant(members: dict[str, Any], name: str) -> int:
    """A timestamp of an entry, in nanoseconds since 1970."""
    return timestamps.parse(_as_text(name, members[name]))


def signed_bytes(members: dict[str, Any], origin: str) -> bytes:
    """What the client's signature of an entry is over."""
    signed = {name: value for name, value in members.items() if name not in BY_LEDGER}
    signed["signature"] = {name: value for name, value in members["signature"].items() if name != "value"}
    return f"counterfoil-entry/v1\n{origin}\n".encode() + canonical.write(signed)


def is_own(members: dict[str, Any]) -> bool:
    """Whether it is the ledger's own act."""
    return str(members["event_type"]).startswith("ledger.")


def is_sealed(value: Any) -> bool:
    """Whether it is a sealed value, `{"$sealed": {…}}`, of the right shape."""
    if not isinstance(value, dict) or list(value) != ["$sealed"]:
        return False
    inner = value["$sealed"]
    if not isinstance(inner, dict) or set(inner) != {"ciphertext", "key_id", "nonce"}:
        return False
    if not all(isinstance(text, str) and text for text in inner.values()):
        return False
    try:
        b64.decode(inner["ciphertext"])
        b64.decode(inner["nonce"])
    except Malformed:
        return False
    return len(inner["key_id"].encode()) <= 256 and not _CONTROL.search(inner["key_id"])


def is_sealed_text(text: str) -> bool:
    """Whether a text reads exactly like a canonical sealed value."""
    try:
        value = canonical.parse(text.encode())
    except Malformed:
        return False
    return is_sealed(value) and canonical.write(value) == text.encode()


def _check(members: dict[str, Any]) -> None:
    for name in REQUIRED:
        if name not in members:
            raise Malformed(f"{name} is missing")
    for name, value in members.items():
        if name not in MEMBERS:
            raise Malformed(f"an entry has no member {name!r}")
        if name in TEXTS:
            _check_text(name, value, *TEXTS[name])
        elif name in CHOICES and value not in CHOICES[name]:
            raise Malformed(f"{name} is one of {', '.join(CHOICES[name])}")
        elif name in JSON_VALUES:
            _check_sealed(value)
    if not isinstance(members.get("context", {}), dict):
        raise Malformed("context is an object")
    _check_reason(members.get("reason", ""))
    if ("source" in members) != ("sequence" in members):
        raise Malformed("source and sequence come together")
    sequence = members.get("sequence", Number("0"))
    if not isinstance(sequence, Number) or not sequence.text.isdecimal() or int(sequence.text) >= 2**63:
        raise Malformed("a sequence is an integer from 0 to 2^63-1")
    if "salt" in members:
        b64.decode(_as_text("salt", members["salt"]), 16)
    if "signature" in members:
        _check_signature(members)
    if is_own(members) and not members.keys().isdisjoint(("source", "sequence", "signature")):
        raise Malformed("the ledger's own entries have no source, sequence or signature")


def _check_text(name: str, value: Any, fewest: int, most: int) -> None:
    if not fewest <= len(_as_text(name, value).encode()) <= most:
        raise Malformed(f"{name} has {fewest} to {most} bytes")
    if _CONTROL.search(value):
        raise Malformed(f"{name} holds a control character")


def _as_text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed(f"{name} is a text")
    return value


def _check_sealed(value: Any) -> None:
    """Refuses an object with a member `$sealed` that is no sealed value, anywhere inside."""
    if isinstance(value, dict):
        if "$sealed" in value and not is_sealed(value):
            raise Malformed("a $sealed value of another shape")
        for one in value.values():
            _check_sealed(one)
    elif isinstance(value, list):
        for one in value:
            _check_sealed(one)


def _check_reason(reason: Any) -> None:
    if isinstance(reason, str):
        if is_sealed_text(reason):
            raise Malformed("a reason that is a text reads like a sealed value")
    elif not is_sealed(reason):
        raise Malformed("a reason is a text or a sealed value")


def _check_signature(members: dict[str, Any]) -> None:
    signature = members["signature"]
    if not isinstance(signature, dict) or set(signature) != {"algorithm", "key_id", "value"}:
        raise Malformed("a signature has algorithm, key_id and value")
    if signature["algorithm"] != "ed25519":
        raise Malformed("a signature is by ed25519")
    if not _HEX_DIGEST.fullmatch(_as_text("key_id", signature["key_id"])):
        raise Malformed("a key_id is 64 lowercase hex digits")
    b64.decode(_as_text("value", signature["value"]), 64)
    if "source" not in members:
        raise Malformed("a signed entry has source and sequence")
