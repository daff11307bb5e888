"""Making an entry that the ledger refuses into one that it takes, with a note of what was changed.

The business code that called `record` goes on, and the trail says what it could not hold: `context.$unencoded` lists
each change as `{"member", "reason", …}`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections.abc import Mapping
from typing import Any

from . import _core, encoding
from .errors import Error, Invalid

_log = logging.getLogger("counterfoil")

NOBODY = "unattributed"
"""The actor of an entry that names none."""

UNIDENTIFIED = "unidentified"
"""The entity of an entry that names none."""

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
_REQUIRED = {"event_type": "unnamed_event", "actor": NOBODY, "entity_id": UNIDENTIFIED}
_CHOICES = {"actor_type": ("user", "service", "ai_agent"), "outcome": ("success", "failure", "denied")}
_VALUES = ("old_value", "new_value", "context", "reason")
_MEMBERS = frozenset((*_LIMITS, *_CHOICES, *_VALUES, "timestamp", "sequence"))
_TEXT_KEPT = 200
_MOST_SINGLY = 8
"""Members of a context that give way one by one."""

_ROOM_BESIDE = 32_768
"""Bytes that the others may then take; beyond that the context gives way whole."""

_ADDED: dict[str, Any] = {
    "timestamp": "2000-01-01T00:00:00.000000Z",
    "source": "x" * 217,
    "sequence": (1 << 63) - 1,
    "signature": {"algorithm": "ed25519", "key_id": "0" * 64, "value": "A" * 86 + "=="},
}
"""What recording may add."""


_warned: set[tuple[str, str]] = set()


def note_unidentified(context: dict[str, Any], whose: str, place: object, why: BaseException | None) -> None:
    """Notes in an entry's context that no entity was found at `place`; the log says so once for each `whose`.

    What `why` says is kept out of both: it may hold arguments, which are recorded only where they are named.
    """
    where = f"entity_id={place!r}" if isinstance(place, str) else "the function entity_id"
    reason = f"{where} finds none" + (f": {type(why).__name__}" if why else "")
    context[NOTES] = [{"member": "entity_id", "reason": reason}]
    if (whose, where) not in _warned:
        _warned.add((whose, where))
        _log.warning("counterfoil: the entity of %s is %r: %s", whose, UNIDENTIFIED, reason)


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
            notes.append({"member": str(name), "reason": "an entry has no such member", **_kept(value)})
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
        made["context"] = _context(context, notes)
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
    try:
        return _checked(name, value)
    except Error as error:
        reason, told = error.message[:_TEXT_KEPT], _digest(value)
        text = told.pop("text")
        notes.append({"member": name[:_TEXT_KEPT], "reason": reason, **told})
        return {NOTES: {"type": type(value).__name__, "reason": reason, "text": text}}


def _context(value: Any, notes: list[dict[str, Any]]) -> dict[str, Any]:
    """The context as plain JSON; markers stand for those of its members that the ledger refuses."""
    try:
        plain: dict[str, Any] = _checked("context", value)
    except Error:
        plain = json.loads(_raw(value)) if isinstance(value, Mapping) else {"value": value}
        return {name: _value(f"context.{name}", member, notes) for name, member in plain.items()}
    return plain


def _checked(name: str, value: Any) -> Any:
    """A value as plain JSON; `Invalid` if the ledger refuses it at `name`, which may be a member of the context."""
    holder, dot, member = name.partition(".")
    inside = {member: value} if dot else value
    if name == "context" and not isinstance(value, Mapping):
        inside = {"value": value}
    found = json.loads(_core.check_entry({**_REQUIRED, holder: inside}, encoding.convert))[holder]
    return found[member] if dot else found


def _kept(value: Any) -> dict[str, Any]:
    """A value that has no place of its own, for a note: itself, or its digest."""
    try:
        return {"value": _checked("new_value", value)}
    except Error:
        return _digest(value)


def _raw(value: Any) -> bytes:
    """The canonical JSON of a value, whatever its size."""
    try:
        return _core.encode_value(value, encoding.convert)
    except Error as error:
        return _core.encode_value(encoding.unencoded(value, error.message[:_TEXT_KEPT]), encoding.convert)


def _digest(value: Any) -> dict[str, Any]:
    """Length and SHA-256 of a value's canonical JSON, and how it begins."""
    raw = _raw(value)
    text = raw[: 4 * _TEXT_KEPT].decode("utf-8", "ignore")[:_TEXT_KEPT]
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "text": text}


def _fitting(entry: dict[str, Any], notes: list[dict[str, Any]]) -> dict[str, Any]:
    """The entry with its notes; its largest values give way to their digests until it fits."""
    while True:
        noted = entry
        if notes:
            context = entry.get("context") or {}
            earlier = context.get(NOTES)
            noted = {**entry, "context": {**context, NOTES: [*earlier, *notes] if isinstance(earlier, list) else notes}}
        try:
            _core.check_entry({**_ADDED, **noted}, encoding.convert)
        except Invalid as error:
            largest = _largest(entry)
            if largest is None:
                notes[:] = [{"reason": error.message[:_TEXT_KEPT]}]
                return {**_REQUIRED, **{name: entry[name] for name in _REQUIRED}, "context": {NOTES: notes}}
            holder, member = largest
            if member is None:
                name, value = holder, entry.pop(holder)
            else:
                name, value = f"{holder}.{member}", entry[holder].pop(member)
            notes.append({"member": name[:_TEXT_KEPT], "reason": "too large", **_digest(value)})
        else:
            return noted


def _largest(entry: dict[str, Any]) -> tuple[str, str | None] | None:
    """What gives way next: one of the entry's values, or a member of its context."""
    sizes = {name: _size(entry[name]) for name in _VALUES if name in entry}
    largest = max(sizes, key=sizes.__getitem__, default=None)
    if largest is None:
        return None
    if largest != "context":
        return largest, None
    members = sorted((len(name) + _size(value), name) for name, value in entry["context"].items())
    if len(members) < 2 or sum(size for size, _ in members[:-_MOST_SINGLY]) > _ROOM_BESIDE:
        return "context", None
    return "context", members[-1][1]


def _size(value: Any) -> int:
    return len(json.dumps(value))


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
