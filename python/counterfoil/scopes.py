"""What is said once for a request, a task or a workflow: actor, trace and context, carried by context variables.

Threads start without it; asyncio tasks and `contextvars.copy_context` inherit it.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import Invalid

MEMBERS = frozenset(
    ("actor", "actor_type", "on_behalf_of", "entity_type", "trace_id", "outcome", "reason", "personal", "subject")
)
"""Members of an entry that a scope can set, and what is personal in it and of whom."""

_current: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("counterfoil_scope", default={})  # noqa: B039


def current() -> Mapping[str, Any]:
    """What the scope says here: members of entries, `context` among them."""
    return _current.get()


@contextlib.contextmanager
def scope(context: Mapping[str, Any] | None = None, /, **said: Any) -> Iterator[None]:
    """Everything recorded inside carries what is said here, unless the call says otherwise.

    Members of entries (`actor`, `on_behalf_of`, `trace_id`, …) are set as such, anything else (`model_version`, …) in
    `context`. Scopes nest; the inner one wins.
    """
    token = _current.set(_joined(context, said))
    try:
        yield
    finally:
        _current.reset(token)


def set_scope(context: Mapping[str, Any] | None = None, /, **said: Any) -> contextvars.Token[Mapping[str, Any]]:
    """As `scope`, without an end: for hooks at the start of a request or task. The token is for `reset_scope`."""
    return _current.set(_joined(context, said))


def put(said: Mapping[str, Any]) -> contextvars.Token[Mapping[str, Any]]:
    """Puts a scope in the place of the one here; it may make up what it says when it is asked. For `reset_scope`."""
    return _current.set(said)


def reset_scope(token: contextvars.Token[Mapping[str, Any]]) -> None:
    """Takes back a `set_scope`."""
    _current.reset(token)


def _joined(context: Mapping[str, Any] | None, said: Mapping[str, Any]) -> dict[str, Any]:
    if context is not None and not isinstance(context, Mapping):
        raise Invalid("the context of a scope is a mapping")
    joined = dict(_current.get())
    more = {**joined.get("context", {}), **(context or {})}
    for name, value in said.items():
        if name in MEMBERS:
            joined[name] = value
        else:
            more[name] = value
    if more:
        joined["context"] = more
    return joined
