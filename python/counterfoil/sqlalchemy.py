"""Changes of rows that SQLAlchemy sessions commit: which row, the old and the new values.

changes = counterfoil.sqlalchemy.Changes(Session, trail)
changes.rows(Invoice, columns=["status", "amount"])
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection, event
from sqlalchemy.orm import (
    Mapper,
    ORMExecuteState,
    Session,
    SessionTransaction,
    object_session,
    scoped_session,
    sessionmaker,
)

from .changes import differing
from .encoding import identifier
from .errors import Error, Invalid
from .redaction import SECRETS, redacted
from .trail import Trail

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

    Sessions = (
        type[Session] | sessionmaker[Any] | scoped_session[Any] | Session | async_sessionmaker[Any] | AsyncSession
    )

_log = logging.getLogger("counterfoil")
_AT_ONCE = 1000
_UNCERTAIN = "COMMIT did not succeed; if the connection was lost in it, ask the database"


class Changes:
    """Records what sessions change, with the transaction's own outcome.

    Right before COMMIT each change is recorded with `context.phase = "started"` and its old value; after COMMIT again,
    with `"finished"`, old and new value and `outcome="success"`. What is rolled back before that is not recorded at
    all, what fails at COMMIT is with `outcome="failure"`. `context.transaction_id` and `context.position` pair the two.

    - `sessions`: a session class, a `sessionmaker`, `async_sessionmaker`, `scoped_session` or one session; transactions
      that begin later are watched.
    - `trail`: left out, the one of `set_default_trail` when the transaction ends.
    - `intent=False`: only the second entry.

    An intent that cannot be made durable is raised into `commit()`, before anything is committed. A result that cannot
    be is raised too, after the transaction has ended: it stands, do not repeat it.
    """

    def __init__(
        self, sessions: Sessions, trail: Trail | None = None, *, intent: bool = True, event_type: str = "data_change"
    ) -> None:
        self._trail, self._intent, self._event_type = trail, intent, event_type
        self._tables: dict[Any, str] = {}
        target = _sync(sessions)
        event.listen(target, "after_transaction_create", self._begun)
        event.listen(target, "before_commit", self._before_commit)
        event.listen(target, "after_flush", self._after_flush)
        event.listen(target, "after_commit", self._after_commit)
        event.listen(target, "after_transaction_end", self._ended)
        event.listen(target, "do_orm_execute", self._executed)

    def rows(
        self, mapped: type[Any], *, columns: Sequence[str], redact: Collection[str] = (), prefix: str = ""
    ) -> None:
        """Watches the rows of a mapped class and of the classes that inherit from it.

        `columns` are the attributes whose values are recorded, no others; `redact` names those, at any depth, of which
        only is recorded that they changed (passwords and the like always). The entity is the primary key after
        `prefix`, with `/` between its parts; its type is the class's name.
        """
        mapper = sqlalchemy.inspect(mapped)
        unknown = set(columns) - {attribute.key for attribute in mapper.column_attrs}
        if unknown or not columns:
            raise Invalid(f"{mapped.__name__} has no columns {', '.join(sorted(unknown))}" if unknown else "no columns")
        rows = _Rows(self, tuple(columns), SECRETS | frozenset(name.lower() for name in redact), prefix)
        for name, listener in (
            ("before_update", rows.before),
            ("before_delete", rows.before),
            ("after_insert", rows.inserted),
            ("after_update", rows.updated),
            ("after_delete", rows.deleted),
        ):
            event.listen(mapped, name, listener, propagate=True)
        for table in mapper.tables:
            self._tables[table] = mapped.__name__

    def transaction(self, session: Session | None) -> _Transaction | None:
        """What a session has changed in the transaction it is in; `None` for sessions that are not watched."""
        return None if session is None else session.info.get(self)

    def _begun(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            session.info[self] = _Transaction()
        elif transaction.nested and (pending := self.transaction(session)):
            pending.savepoints[transaction] = len(pending.changes)

    def _before_commit(self, session: Session) -> None:
        pending = self.transaction(session)
        if pending and not session.in_nested_transaction():
            session.flush()
            pending.committing = True
            self._record_intents(pending)

    def _after_flush(self, session: Session, context: Any) -> None:
        # Another listener of before_commit may change more.
        pending = self.transaction(session)
        if pending and pending.committing:
            self._record_intents(pending)

    def _record_intents(self, pending: _Transaction) -> None:
        if self._intent:
            for some in _batches(pending.changes[pending.intended :]):
                self._record([{name: one[name] for name in one if name != "new_value"} for one in some], "started")
                pending.intended += len(some)

    def _after_commit(self, session: Session) -> None:
        if pending := self.transaction(session):
            pending.committed.add(session.get_nested_transaction() or session.get_transaction())

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        pending = self.transaction(session)
        if pending is None:
            return
        committed = transaction in pending.committed
        if transaction.nested:
            # A savepoint that was rolled back, or lost with its transaction.
            place = pending.savepoints.pop(transaction, len(pending.changes))
            if not committed:
                del pending.changes[place:]
        elif transaction.parent is None:
            del session.info[self]
            if committed:
                self._record_results(pending)
            else:
                self._record_failure(pending)

    def _record_results(self, pending: _Transaction) -> None:
        try:
            for some in _batches(pending.changes):
                self._record(some, "finished", outcome="success")
        except Error as error:
            said = f"transaction {pending.id} is committed, but not all its changes are recorded: {error.message}"
            raise type(error)(said) from error

    def _record_failure(self, pending: _Transaction) -> None:
        try:
            for some in _batches(pending.changes[: pending.intended]):
                self._record(some, "finished", outcome="failure", reason=_UNCERTAIN)
        except Exception as error:
            # The caller's own exception must not be hidden by ours.
            _log.error("counterfoil: the end of transaction %s could not be recorded: %s", pending.id, error)

    def _record(self, changes: Iterable[dict[str, Any]], phase: str, **members: Any) -> None:
        from . import default_trail

        entries = [{**one, **members, "context": {**one["context"], "phase": phase}} for one in changes]
        (self._trail or default_trail()).record_many(entries)

    def _executed(self, state: ORMExecuteState) -> Any:
        table: Any = getattr(state.statement, "table", None)
        pending = self.transaction(state.session)
        if pending is None or not (state.is_update or state.is_delete or state.is_insert) or table not in self._tables:
            return None
        result = state.invoke_statement()
        operation = "insert" if state.is_insert else "update" if state.is_update else "delete"
        rows = getattr(result, "rowcount", -1)
        if rows < 0 and isinstance(state.parameters, list):
            rows = len(state.parameters)
        context = {
            "operation": operation,
            "statement": _text(state.statement, operation, table.name),
            "rows": rows if rows >= 0 else None,
        }
        self.add(pending, table.name, self._tables[table], context, {})
        return result

    def add(
        self, pending: _Transaction, entity_id: str, entity_type: str, context: dict[str, Any], values: dict[str, Any]
    ) -> None:
        """Keeps a change until its transaction ends."""
        pending.changes.append(
            {
                "event_type": self._event_type,
                "entity_id": entity_id,
                "entity_type": entity_type,
                **values,
                "context": {**context, "transaction_id": pending.id, "position": len(pending.changes)},
            }
        )


class _Transaction:
    """What one transaction of a session has changed so far."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.changes: list[dict[str, Any]] = []
        self.before: dict[Any, dict[str, Any]] = {}
        self.savepoints: dict[SessionTransaction, int] = {}
        self.committed: set[SessionTransaction | None] = set()
        self.committing = False
        self.intended = 0


class _Rows:
    """The rows of one mapped class, as the unit of work writes them."""

    def __init__(self, changes: Changes, columns: tuple[str, ...], hidden: frozenset[str], prefix: str) -> None:
        self._changes, self._columns, self._hidden, self._prefix = changes, columns, hidden, prefix

    def before(self, mapper: Mapper[Any], connection: Connection, row: Any) -> None:
        """Keeps the values that an UPDATE or DELETE will replace."""
        if pending := self._changes.transaction(object_session(row)):
            state = sqlalchemy.inspect(row)
            known = {}
            for name in self._columns:
                history = state.attrs[name].history
                if values := history.deleted or history.unchanged:
                    known[name] = values[0]
            pending.before[state] = self._completed(known, mapper, connection, state.identity)

    def inserted(self, mapper: Mapper[Any], connection: Connection, row: Any) -> None:
        """After an INSERT."""
        self._add("insert", mapper, row, {}, self._after(mapper, connection, row))

    def updated(self, mapper: Mapper[Any], connection: Connection, row: Any) -> None:
        """After an UPDATE, and when there was nothing to update."""
        self._add("update", mapper, row, None, self._after(mapper, connection, row))

    def deleted(self, mapper: Mapper[Any], connection: Connection, row: Any) -> None:
        """After a DELETE."""
        self._add("delete", mapper, row, None, {})

    def _add(
        self, operation: str, mapper: Mapper[Any], row: Any, old: dict[str, Any] | None, new: dict[str, Any]
    ) -> None:
        pending = self._changes.transaction(object_session(row))
        if pending is None:
            return
        state = sqlalchemy.inspect(row)
        if old is None:
            old = pending.before.pop(state, {})
        names = [name for name in self._columns if any(differing(_only(name, old), _only(name, new)))]
        if operation == "update" and not names:
            return
        values = {}
        for member, side in (("old_value", old), ("new_value", new)):
            if side:
                values[member] = redacted({name: side[name] for name in names if name in side}, self._hidden)
        key = state.identity or mapper.primary_key_from_instance(row)
        entity_id = self._prefix + "/".join(identifier(part) for part in key)
        self._changes.add(pending, entity_id, mapper.class_.__name__, {"operation": operation}, values)

    def _after(self, mapper: Mapper[Any], connection: Connection, row: Any) -> dict[str, Any]:
        loaded = sqlalchemy.inspect(row).dict
        known = {name: loaded[name] for name in self._columns if name in loaded}
        return self._completed(known, mapper, connection, mapper.primary_key_from_instance(row))

    def _completed(
        self, known: dict[str, Any], mapper: Mapper[Any], connection: Connection, key: Sequence[Any]
    ) -> dict[str, Any]:
        """The values with those that the session has not loaded, or that the database makes, from the database."""
        missing = [name for name in self._columns if name not in known]
        if not missing:
            return known
        wanted = sqlalchemy.select(*(getattr(mapper.class_, name) for name in missing))
        query = wanted.where(*(column == part for column, part in zip(mapper.primary_key, key, strict=True)))
        found = connection.execute(query).first()
        return known if found is None else {**known, **dict(zip(missing, found, strict=True))}


def _only(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {name: values[name]} if name in values else {}


def _batches(changes: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (changes[first : first + _AT_ONCE] for first in range(0, len(changes), _AT_ONCE))


def _text(statement: Any, operation: str, table: str) -> str:
    """A statement with the names of its parameters, never their values."""
    try:
        return str(statement)
    except Exception:
        # SQLAlchemy has no text for an ORM INSERT outside its execution.
        return f"{operation.upper()} {table}"


def _sync(sessions: Any) -> Any:
    """What SQLAlchemy takes events of: asynchronous sessions have them on the session inside.

    Told by what they have: their module asks for greenlet, which synchronous programs need not have.
    """
    if hasattr(sessions, "sync_session"):
        return sessions.sync_session
    inner = getattr(getattr(sessions, "class_", None), "sync_session_class", None)
    if inner is None:
        return sessions
    if "sync_session_class" not in sessions.kw:
        sessions.configure(sync_session_class=sessionmaker(class_=inner))
    return sessions.kw["sync_session_class"]
