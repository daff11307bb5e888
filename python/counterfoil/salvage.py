"""Making an entry that the ledger refuses into one that it takes, with a note of what was changed.

The business code that called `record` goes on, and the trail says what it could not hold: `context.$unencoded` lists
each change as `{"member", "reason", …}`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from . import _core, encoding
from .errors import Error, Invalid

NOBODY = "unattributed"
"""The actor of an entry that names none."""

NOTES = "$unencoded"

_LIMITS = {
    "event_type": 128,
    "actor": 256,
    "entity_id": 256,
    "on_behalf_of": 256,
    "entity_type": 256,
    "trace_id": 256,
    "id": 64,
    "source": 256,
}
_REQUIRED = {"event_type": "unnamed_event", "actor": NOBODY, "entity_id": "unidentified"}
_CHOICES = {"actor_type": ("user", "service", "ai_agent"), "outcome": ("success", "failure", "denied")}
_VALUES = ("old_value", "new_value", "context", "reason")
_MEMBERS = frozenset((*_LIMITS, *_CHOICES, *_VALUES, "timestamp", "sequence"))
_TEXT_KEPT = 200
_ADDED: dict[str, Any] = {
    "timestamp": "2000-01-01T00:00:00.000000Z",
    "source": "x" * 217,
    "sequence": (1 << 63) - 1,
    "signature": {"algorithm": "ed25519", "key_id": "0" * 64, "value": "A" * 86 + "=="},
}
"""What recording may add."""


def salvaged(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry that the ledger takes, as near to the given one as can be."""
    notes: list[dict[str, Any]] = []
    context = entry.get("context")
    made: dict[str, Any] = {}
    for name, value in entry.items():
        if value is None and name not in ("old_value", "new_value"):
            continue
        if name in _LIMITS:
            made[name] = _identifier(name, value, notes)
        elif name in _CHOICES:
            _choice(name, value, made, notes)
        elif name == "timestamp":
            _timestamp(value, made, notes)
        elif name in ("old_value", "new_value"):
            made[name] = _value(name, value, notes)
        elif name == "reason":
            made[name] = _reason(value, notes)
        elif name == "sequence":
            made[name] = value
        elif name not in _MEMBERS:
            notes.append({"member": str(name), "reason": "an entry has no such member", "value": _plain(value)})
    for name, stand_in in _REQUIRED.items():
        if not made.get(name):
            made[name] = stand_in
            notes.append({"member": name, "reason": "it is missing"})
    if made["event_type"].startswith("ledger."):
        notes.append({"member": "event_type", "reason": "names that begin with ledger. are the ledger's own"})
        made["event_type"] = ("client." + made["event_type"])[:128]
    if not _is_whole_number(made.get("sequence")) or "source" not in made:
        for name in ("source", "sequence"):
            if name in made:
                notes.append({"member": name, "reason": "source and sequence come together", "value": made.pop(name)})
    if context is not None:
        plain = _value("context", context, notes)
        made["context"] = plain if isinstance(plain, dict) else {"value": plain}
    return _fitting(made, notes)


def _identifier(name: str, value: Any, notes: list[dict[str, Any]]) -> str:
    text = encoding.identifier(value)
    clean = "".join(" " if unicodedata.category(char) == "Cc" else char for char in text)
    clean = clean.encode("utf-8", "backslashreplace").decode()
    limit = _LIMITS[name]
    if len(clean.encode()) > limit:
        digest = hashlib.sha256(clean.encode()).hexdigest()
        clean = clean.encode()[: limit - 17].decode("utf-8", "ignore") + "~" + digest[:16]
        notes.append({"member": name, "reason": f"over {limit} bytes", "text": text[:_TEXT_KEPT], "sha256": digest})
    elif clean != text:
        notes.append({"member": name, "reason": "it contains characters that a name may not have"})
    return clean


def _choice(name: str, value: Any, made: dict[str, Any], notes: list[dict[str, Any]]) -> None:
    text = encoding.identifier(value)
    if text in _CHOICES[name]:
        made[name] = text
    else:
        notes.append(
            {"member": name, "reason": "it is none of " + ", ".join(_CHOICES[name]), "text": text[:_TEXT_KEPT]}
        )


def _timestamp(value: Any, made: dict[str, Any], notes: list[dict[str, Any]]) -> None:
    try:
        made["timestamp"] = encoding.moment(value)
        _core.check_entry({**_REQUIRED, "timestamp": made["timestamp"]}, encoding.convert)
    except Invalid as error:
        made.pop("timestamp", None)
        text = encoding.identifier(value)[:_TEXT_KEPT]
        notes.append({"member": "timestamp", "reason": error.message, "text": text})


def _reason(value: Any, notes: list[dict[str, Any]]) -> Any:
    if isinstance(value, Mapping):
        return _value("reason", value, notes)
    text = encoding.identifier(value) if not isinstance(value, str) else value
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _value(name: str, value: Any, notes: list[dict[str, Any]]) -> Any:
    """The value as plain JSON, or a marker if the ledger refuses it where it stands."""
    holder = "context" if name == "context" else name
    probe = {**_REQUIRED, holder: value}
    if name == "context" and not isinstance(value, Mapping):
        probe[holder] = {"value": value}
    try:
        return json.loads(_core.check_entry(probe, encoding.convert))[holder]
    except Error as error:
        plain = _plain(value)
        text = json.dumps(plain, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        notes.append({"member": name, "reason": error.message[:_TEXT_KEPT], "bytes": len(text), "sha256": digest})
        return {NOTES: {"type": type(value).__name__, "reason": error.message[:_TEXT_KEPT], "text": text[:_TEXT_KEPT]}}


def _plain(value: Any) -> Any:
    """What is left of a value by way of a probe that cannot be refused for its size or its names."""
    try:
        return json.loads(_core.check_entry({**_REQUIRED, "new_value": value}, encoding.convert))["new_value"]
    except Error:
        return encoding.unencoded(value, "the ledger refuses it")


def _fitting(entry: dict[str, Any], notes: list[dict[str, Any]]) -> dict[str, Any]:
    """The entry with its notes; its largest values give way to their digests until it fits."""
    while True:
        noted = entry
        if notes:
            context = entry.get("context") or {}
            noted = {**entry, "context": {**context, NOTES: notes}}
        try:
            _core.check_entry({**_ADDED, **noted}, encoding.convert)
        except Invalid as error:
            sizes = {name: len(json.dumps(entry[name])) for name in _VALUES if name in entry}
            largest = max(sizes, key=sizes.__getitem__, default=None)
            if largest is None:
                notes[:] = [{"reason": error.message[:_TEXT_KEPT]}]
                return {**_REQUIRED, **{name: entry[name] for name in _REQUIRED}, "context": {NOTES: notes}}
            text = json.dumps(entry.pop(largest), sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
            note = {"member": largest, "reason": "too large", "bytes": len(text.encode()), "sha256": digest}
            notes.append({**note, "text": text[:_TEXT_KEPT]})
        else:
            return noted


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
