"""The interface that an embedded ledger and a service have in common."""

from __future__ import annotations

import abc
import datetime
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from . import encoding, scopes
from ._core import Receipt
from .entry import Entry
from .errors import Invalid
from .report import Report
from .salvage import NOBODY, salvaged

if TYPE_CHECKING:
    from typing import TypeGuard

    from typing_extensions import Self

    from . import _core
    from .steps import Step
    from .table import Table
    from .vault import Vault

OnError = Literal["record", "raise"]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""No value at all, as opposed to `None`, which is recorded as `null`."""

FORGOTTEN = "data_deleted"
"""The type of the entries about a person whose key is destroyed."""

_NAMES = ("event_type", "actor", "entity_id")
_NEVER_SEALED = frozenset(("actor", "entity_id", "on_behalf_of"))


class Trail(abc.ABC):
    """An audit trail. Any number of threads may use it.

    `actor` stands in entries that name none. With `on_error="record"` (the default) no value can make a call of the
    business code fail: what cannot be encoded is recorded as such. With `"raise"` it is `Invalid`. What keeps an entry
    from being durable (a full disk, a closed trail) is raised either way. `personal` names the fields that are sealed
    under the key of the person whom an entry is about.
    """

    def __init__(
        self, *, actor: str | None = None, on_error: OnError = "record", personal: Collection[str] = ()
    ) -> None:
        if on_error not in ("record", "raise"):
            raise Invalid(f"on_error is 'record' or 'raise', not {on_error!r}")
        self._defaults: dict[str, Any] = {"actor": actor} if actor else {}
        self._on_error = on_error
        self._convert = encoding.convert if on_error == "record" else encoding.convert_strictly
        self._personal = personal_names(personal)

    def record(
        self,
        event_type: str,
        entity_id: object,
        *,
        actor: object = None,
        actor_type: str | None = None,
        on_behalf_of: object = None,
        entity_type: str | None = None,
        old_value: object = ABSENT,
        new_value: object = ABSENT,
        outcome: str | None = None,
        reason: object = None,
        context: Mapping[str, object] | None = None,
        trace_id: object = None,
        timestamp: object = None,
        id: str | None = None,
        personal: Collection[str] | None = None,
        subject: object = None,
    ) -> Receipt:
        """Records one event and returns when it is durable.

        `timestamp` is a `datetime`, seconds since 1970 or RFC 3339 text; left out, the time of recording stands in.
        `id` makes repeats harmless: the same id and content answers as the first time, other content is `Conflict`.
        `personal` names fields, beyond those of the trail and the scope, that are sealed under the key of `subject`,
        whom they are about: of the entity, if it is left out.
        """
        given: dict[str, Any] = {"event_type": event_type, "entity_id": entity_id}
        for name, value in (
            ("actor", actor),
            ("actor_type", actor_type),
            ("on_behalf_of", on_behalf_of),
            ("entity_type", entity_type),
            ("outcome", outcome),
            ("reason", reason),
            ("context", context),
            ("trace_id", trace_id),
            ("timestamp", timestamp),
            ("id", id),
            ("personal", personal),
            ("subject", subject),
        ):
            if value is not None:
                given[name] = value
        if old_value is not ABSENT:
            given["old_value"] = old_value
        if new_value is not ABSENT:
            given["new_value"] = new_value
        return self.record_many((given,))[0]

    def record_many(self, entries: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Records a batch, each entry a mapping of its members: in order, in one stretch, all of it or nothing.

        At most 65,536 entries and 64 MiB. One sync for all of them: this is the fast way to record much.
        """
        said = self.said()
        made = [self._made(given, said) for given in entries]
        for _ in range(len(made) + 2):
            try:
                return self._append(made)
            except (Invalid, TypeError, UnicodeError) as error:
                if self._on_error == "raise":
                    raise error if isinstance(error, Invalid) else Invalid(str(error)) from error
                made = _salvaged_at(made, getattr(error, "position", None))
        return self._append(made)

    def said(self) -> dict[str, Any]:
        """What entries carry here unless they say otherwise: the trail's own and the scope's."""
        said = scopes.current()
        return {**self._defaults, **said} if said else self._defaults

    def _made(self, given: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """The entry with what the scope says, names and times as texts, and what is personal sealed."""
        if not said and _is_plain(given):
            return self._sealed(given, said)
        entry = {**said, **given}
        another = given.get("actor") is not None and scopes.current().get("actor") not in (None, given["actor"])
        if another and "actor_type" not in given:
            # The scope says of what kind its own actor is.
            entry.pop("actor_type", None)
        if said and "context" in said and "context" in given:
            own = given["context"]
            entry["context"] = {**said["context"], **own} if isinstance(own, Mapping) else own
        actor = entry.get("actor")
        if actor is None:
            entry["actor"] = said.get("actor") or NOBODY
        if "timestamp" in entry or any(type(entry.get(name)) is not str for name in _NAMES):
            self._tidy(entry)
        return self._sealed(entry, said)

    def _sealed(self, entry: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        if not self._personal and "personal" not in entry and "subject" not in entry:
            return entry
        kept = {name: value for name, value in entry.items() if name not in ("personal", "subject")}
        names = self._personal | personal_names(entry.get("personal")) | personal_names(said.get("personal"))
        if not names or kept.get("event_type") == FORGOTTEN:
            return kept
        subject = entry.get("subject")
        if subject is None:
            subject = kept.get("entity_id")
        return self._vault.sealed(kept, names, encoding.identifier(subject), self._convert)

    @functools.cached_property
    def _vault(self) -> Vault:
        from .vault import Vault

        return Vault(self._vault_folder())

    @abc.abstractmethod
    def _vault_folder(self) -> Path:
        """Where the keys are under which personal fields are sealed."""

    def _tidy(self, entry: dict[str, Any]) -> None:
        for name, value in list(entry.items()):
            if name in _NAMES and value is not None:
                entry[name] = encoding.identifier(value)
        if entry.get("timestamp") is not None:
            try:
                entry["timestamp"] = encoding.moment(entry["timestamp"])
            except Invalid:
                if self._on_error == "raise":
                    raise

    @abc.abstractmethod
    def _append(self, entries: list[dict[str, Any]]) -> list[Receipt]:
        """Makes entries durable: all or nothing."""

    @abc.abstractmethod
    def flush(self, timeout: float | None = None) -> None:
        """Returns when the ledger has everything that was recorded before; `Unavailable` after `timeout` seconds.

        If a service refused some of it for good, the first refusal is raised, once: `Denied`, `Conflict` or `Invalid`.
        """

    @abc.abstractmethod
    def size(self) -> int:
        """The number of entries in the ledger, its own acts among them."""

    @abc.abstractmethod
    def entry(self, index: int) -> Entry:
        """One entry; `NotFound` beyond the ledger's size."""

    @abc.abstractmethod
    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Entries in their order, from index `start` up to, not including, `stop`."""

    @abc.abstractmethod
    def history(self, entity_id: object) -> list[Entry]:
        """All entries of one entity, oldest first."""

    def arrow(self, columns: Sequence[str] | None = None, *, since: int | datetime.datetime = 0) -> Table:
        """Entries as Arrow columns, all or the named ones, as of now; see `counterfoil.table.Table`.

        `since` is the first index, or a time: entries that were recorded then or later. A time without an offset is
        local time.
        """
        from .table import Table

        start = self._recorded_since(since.astimezone()) if isinstance(since, datetime.datetime) else since
        if start < 0:
            raise Invalid("since is an index from 0, or a datetime")
        return Table(self._table(None if columns is None else list(columns), start))

    @abc.abstractmethod
    def _recorded_since(self, moment: datetime.datetime) -> int:
        """The index of the first entry recorded at `moment`, which has an offset, or later."""

    @abc.abstractmethod
    def _table(self, columns: list[str] | None, start: int) -> _core.Table:
        """The native part of `arrow`."""

    @abc.abstractmethod
    def verify(self, *, key: str | None = None, checkpoint: str | bytes | None = None) -> Report:
        """Verifies the whole ledger, against a key and a checkpoint that were kept elsewhere if they are given."""

    @abc.abstractmethod
    def proof(self, index: int) -> str:
        """The C2SP proof that an entry is in the ledger, with the signed checkpoint."""

    @abc.abstractmethod
    def checkpoint(self) -> str:
        """The newest signed checkpoint. Keep one elsewhere now and then: `verify` holds the ledger to it."""

    @abc.abstractmethod
    def verifier_key(self) -> str:
        """The key that the ledger says it signs with. Get it once by another way and keep it for `verify`."""

    @abc.abstractmethod
    def status(self) -> dict[str, Any]:
        """How the ledger is, and how much waits to be shipped."""

    @abc.abstractmethod
    def wait(self, receipt: Receipt, timeout: float | None = None) -> Receipt:
        """The ledger's receipt for a receipt of the spool, when it is there; `Unavailable` after `timeout` seconds.

        If the service refused the entry for good, that is raised: `Denied`, `Conflict` or `Invalid`.
        """

    @abc.abstractmethod
    def close(self, timeout: float | None = None) -> None:
        """Ships what can be shipped within `timeout` seconds and lets go of everything. A second time does nothing."""

    def check(self, receipt: Receipt, *, key: str | None = None) -> Entry:
        """Proves that the entry of a receipt is in the ledger and is the one that was recorded.

        `key` is the ledger's verifier key as it was kept elsewhere; without it the ledger's own word is taken. Raises
        `Tampered` when the proof does not hold.
        """
        from .evidence import check_recorded

        return check_recorded(self, self.wait(receipt), key)

    def unseal(self, value: Any) -> Any:
        """An entry, or a value of one, with its sealed fields as they were before.

        What is under a key that is not here, because it was destroyed or is in another vault, stays `{"$sealed": …}`.
        Raises `Tampered` for a sealed value that was changed.
        """
        return self._vault.unsealed(value)

    def forget(self, subject: object, *, reason: str, **members: Any) -> Receipt:
        """Destroys the key of a person: what was sealed under it cannot be read again, in any copy of the ledger.

        Records `data_deleted` before and after, with the key's id in the second entry's `context.key_id`: `null` if the
        vault has no key of the person. What is recorded of the person later is under a new key.
        """
        step = self.step(FORGOTTEN, subject, reason=reason, **members)
        with step:
            step.context["key_id"] = self._vault.forget(encoding.identifier(subject))
        assert step.finished is not None
        return step.finished

    def __iter__(self) -> Iterator[Entry]:
        return self.entries()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def step(self, event_type: str, entity_id: object, **members: Any) -> Step:
        """A block whose start and end are recorded; see `counterfoil.steps.Step`."""
        from .steps import Step

        return Step(self, event_type, entity_id, **members)

    def change(self, entity_id: object, before: object, after: object, **members: Any) -> Receipt | None:
        """Records which fields of an entity changed; see `counterfoil.changes.record_change`."""
        from .changes import record_change

        return record_change(self, entity_id, before, after, **members)

    def override(self, entity_id: object, *, actor: object, reason: str, shown: object, **members: Any) -> Receipt:
        """Records that a person overrode a decision; see `counterfoil.changes.record_override`."""
        from .changes import record_override

        return record_override(self, entity_id, actor=actor, reason=reason, shown=shown, **members)

    def audited(self, event_type: str, **options: Any) -> Callable[[Any], Any]:
        """A decorator that records calls in this trail; see `counterfoil.audited`."""
        from .auditing import audited

        return audited(event_type, trail=self, **options)


def personal_names(names: str | Collection[str] | None) -> frozenset[str]:
    """Names of personal fields as they are compared. `Invalid` for members of an entry that cannot be sealed."""
    given = (names,) if isinstance(names, str) else names or ()
    lower = frozenset(name.lower() for name in given)
    if not lower.isdisjoint(_NEVER_SEALED):
        raise Invalid("actor, entity_id and on_behalf_of cannot be sealed: put pseudonyms there")
    return lower


def _is_plain(given: Mapping[str, Any]) -> TypeGuard[dict[str, Any]]:
    """Whether an entry's names and time are texts already; members that are `None` the encoder leaves out."""
    if type(given) is not dict:
        return False
    time = given.get("timestamp", "Z")
    return (
        type(given.get("actor")) is str
        and type(given.get("entity_id")) is str
        and type(given.get("event_type")) is str
        and type(time) is str
        and time[-1:] == "Z"
    )


def _salvaged_at(entries: list[dict[str, Any]], position: int | None) -> list[dict[str, Any]]:
    if position is None:
        return [salvaged(entry) for entry in entries]
    return [*entries[:position], salvaged(entries[position]), *entries[position + 1 :]]
