"""Data changes field by field, and human overrides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from . import encoding
from ._core import Receipt
from .errors import Invalid
from .redaction import digest, redacted

if TYPE_CHECKING:
    from .trail import Trail

_MISSING = object()


def record_change(
    trail: Trail,
    entity_id: object,
    before: object,
    after: object,
    *,
    event_type: str = "data_change",
    redact: Collection[str] = (),
    **members: Any,
) -> Receipt | None:
    """Records the fields that differ between two states of an entity; `None`, and no entry, when none does.

    States are mappings, dataclasses or models. `old_value` and `new_value` hold the fields that differ, by their path
    (`address.city`); a field that is new or gone stands on one side only. `redact` names fields whose values are
    replaced, so that the entry says that they changed and not how. Other options as for `record`.
    """
    old, new = differing(before, after)
    if not old and not new:
        return None
    old, new = (_redacted_paths(side, redact) for side in (old, new))
    return trail.record(event_type, entity_id, old_value=old, new_value=new, **members)


def differing(before: object, after: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that differ, by their path, in the state before and in the state after."""
    old: dict[str, Any] = {}
    new: dict[str, Any] = {}
    _compare("", _fields(before), _fields(after), old, new)
    return old, new


def _compare(path: str, before: Any, after: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    if isinstance(before, Mapping) and isinstance(after, Mapping) and path.count(".") < 16:
        for name in dict.fromkeys((*before, *after)):
            inner = f"{path}.{name}" if path else str(name)
            sides = (_fields(side.get(name, _MISSING)) for side in (before, after))
            _compare(inner, next(sides), next(sides), old, new)
        return
    if not _same(before, after):
        for side, value in ((old, before), (new, after)):
            if value is not _MISSING:
                side[path or "value"] = value


def _fields(value: Any) -> Any:
    if value is None or value is _MISSING or isinstance(value, (str, int, float, list, tuple, Mapping)):
        return value
    return encoding.convert(value, "")


def _same(before: Any, after: Any) -> bool:
    try:
        return bool(before == after) and type(before) is type(after)
    except Exception:
        return False


def _redacted_paths(side: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    if not fields:
        return side
    names = {name.lower() for name in fields}
    made = {}
    for path, value in side.items():
        hidden = path.lower() in names or any(part in names for part in path.lower().split("."))
        made[path] = "[redacted]" if hidden else redacted(value, fields)
    return made


def record_override(
    trail: Trail,
    entity_id: object,
    *,
    actor: object,
    reason: str,
    shown: object,
    event_type: str = "manual_override",
    context: Mapping[str, Any] | None = None,
    **members: Any,
) -> Receipt:
    """Records that a person decided against a model or a rule.

    Needs who it was, why, and what the reviewer was shown, of which the SHA-256 is recorded in `context.shown`: it can
    be proven later what the decision rested on. Raises `Invalid` without them: an override that nobody explained must
    not go through. Other options as for `record`.
    """
    for name, value in (("actor", actor), ("reason", reason)):
        if value is None or not str(value).strip():
            raise Invalid(f"an override needs {name}")
    if shown is None:
        raise Invalid("an override needs `shown`: what the reviewer saw")
    said = {"actor_type": "user", **members}
    return trail.record(
        event_type, entity_id, actor=actor, reason=reason, context={**(context or {}), "shown": digest(shown)}, **said
    )
