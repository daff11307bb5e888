"""Changes of rows in real databases: SQLite, and PostgreSQL where its server is installed."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import sqlalchemy as sa
from guides import run_examples
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, scoped_session, sessionmaker

import counterfoil
from counterfoil.sqlalchemy import Changes


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="open")
    amount: Mapped[decimal.Decimal] = mapped_column(sa.Numeric(12, 2))
    iban: Mapped[str | None]
    note: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="1")
    lines: Mapped[list[Line]] = relationship(cascade="all, delete-orphan")


class Line(Base):
    __tablename__ = "line"
    invoice_id: Mapped[str] = mapped_column(sa.ForeignKey("invoice.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


COLUMNS = ["status", "amount", "iban", "version"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server is installed")
    programs = found[-1].parent
    as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="counterfoil-pg-", dir="/tmp"))
    if as_other:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    options += " -c max_prepared_transactions=4"

    def run(*arguments: str) -> None:
        subprocess.run([*as_other, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")

    run(str(found[-1]), "-D", f"{folder}/data", "-U", "postgres", "--auth=trust", "--no-sync")
    run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start")
    yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    run(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'books.db'}"
    found: str = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    made = sa.create_engine(url)
    Base.metadata.drop_all(made)
    Base.metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def sessions(engine: sa.Engine, trail: counterfoil.Trail) -> sessionmaker[Session]:
    made = sessionmaker(engine)
    changes = Changes(made, trail)
    changes.rows(Invoice, columns=COLUMNS, redact=["iban"])
    changes.rows(Line, columns=["text"])
    return made


def said(trail: counterfoil.Trail, phase: str | None = None) -> list[dict[str, Any]]:
    entries = [dict(entry) for entry in trail if entry["event_type"] == "data_change"]
    return [entry for entry in entries if phase in (None, entry["context"]["phase"])]


def brief(trail: counterfoil.Trail) -> list[tuple[Any, ...]]:
    """Entity, operation, old value, new value and outcome of what is finished."""
    return [
        (e["entity_id"], e["context"]["operation"], e.get("old_value"), e.get("new_value"), e["outcome"])
        for e in said(trail, "finished")
    ]


def new(number: int, **more: Any) -> Invoice:
    return Invoice(id=f"INV-{number}", amount=decimal.Decimal("12.50"), **more)


def test_insert_update_and_delete(sessions: sessionmaker[Session], trail: counterfoil.Trail) -> None:
    with counterfoil.scope(actor="ap-bot", actor_type="service", trace_id="run-9"):
        with sessions.begin() as session:
            session.add(new(1, iban="DE02", note="not named"))
        with sessions.begin() as session:
            session.get_one(Invoice, "INV-1").status = "paid"
        with sessions.begin() as session:
            session.delete(session.get_one(Invoice, "INV-1"))
    opened = {"status": "open", "amount": "12.50", "iban": "[redacted]", "version": 1}
    assert brief(trail) == [
        ("INV-1", "insert", None, opened, "success"),
        ("INV-1", "update", {"status": "open"}, {"status": "paid"}, "success"),
        ("INV-1", "delete", {**opened, "status": "paid"}, None, "success"),
    ]
    before, after = said(trail)[2:4]
    assert before["old_value"] == {"status": "open"}
    assert "new_value" not in before
    assert "outcome" not in before
    assert before["context"]["transaction_id"] == after["context"]["transaction_id"]
    assert (after["actor"], after["actor_type"], after["trace_id"]) == ("ap-bot", "service", "run-9")
    assert after["entity_type"] == "Invoice"
    assert "DE02" not in str(list(trail))
    assert trail.verify()


def test_what_is_rolled_back_is_not_recorded(sessions: sessionmaker[Session], trail: counterfoil.Trail) -> None:
    with sessions() as session:
        session.add(new(1))
        session.flush()
        session.rollback()
        session.add(new(2))
        session.flush()
    with contextlib.suppress(ZeroDivisionError), sessions.begin() as session:
        session.add(new(3))
        session.flush()
        raise ZeroDivisionError
    with contextlib.suppress(sa.exc.IntegrityError), sessions.begin() as session:
        session.add_all([new(4), Line(invoice_id="INV-4", number=1, text="x")])
        session.flush()
        session.add(Invoice(id="INV-5"))
    assert said(trail) == []


def test_savepoints(sessions: sessionmaker[Session], trail: counterfoil.Trail) -> None:
    with sessions.begin() as session:
        session.add(new(1))
        with session.begin_nested():
            session.add(new(2))
        with contextlib.suppress(ZeroDivisionError), session.begin_nested():
            session.add(new(3))
            with session.begin_nested():
                session.add(new(4))
            raise ZeroDivisionError
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.add(Invoice(id="INV-5"))
        session.add(new(6))
    assert [one[0] for one in brief(trail)] == ["INV-1", "INV-2", "INV-6"]
    assert [entry["context"]["position"] for entry in said(trail, "finished")] == [0, 1, 2]
    with sessions() as session:
        session.begin_nested()
        session.add(new(7))
        session.commit()
    assert brief(trail)[-1][0] == "INV-7"


def test_old_values_that_are_not_loaded_come_from_the_database(
    sessions: sessionmaker[Session], trail: counterfoil.Trail
) -> None:
    with sessions() as session:
        invoice = new(1)
        session.add(invoice)
        session.commit()
        invoice.status = "paid"
        session.commit()
        invoice.amount = Invoice.amount * 2
        session.commit()
        session.delete(invoice)
        session.commit()
    changed = [(old, new) for _, operation, old, new, _ in brief(trail) if operation == "update"]
    assert changed == [({"status": "open"}, {"status": "paid"}), ({"amount": "12.50"}, {"amount": "25.00"})]
    assert brief(trail)[-1][2] == {"status": "paid", "amount": "25.00", "iban": None, "version": 1} | {
        "iban": "[redacted]"
    }


def test_cascades_orphans_and_no_change(sessions: sessionmaker[Session], trail: counterfoil.Trail) -> None:
    with sessions.begin() as session:
        session.add(new(1, lines=[Line(number=1, text="a"), Line(number=2, text="b")]))
    assert [one[0] for one in brief(trail)] == ["INV-1", "INV-1/1", "INV-1/2"]
    with sessions.begin() as session:
        invoice = session.get_one(Invoice, "INV-1")
        invoice.lines.pop(0)
        invoice.note = "nobody asked for it"
        invoice.status = "open"
    assert brief(trail)[3:] == [("INV-1/1", "delete", {"text": "a"}, None, "success")]
    with sessions.begin() as session:
        session.delete(session.get_one(Invoice, "INV-1"))
    assert [one[:2] for one in brief(trail)[4:]] == [("INV-1/2", "delete"), ("INV-1", "delete")]


def test_statements_are_recorded_with_their_row_count(
    sessions: sessionmaker[Session], trail: counterfoil.Trail
) -> None:
    with sessions.begin() as session:
        session.execute(
            sa.insert(Invoice),
            [{"id": f"INV-{n}", "amount": 1, "iban": "DE02"} for n in range(5)],
        )
        session.execute(sa.update(Invoice), [{"id": "INV-3", "note": "x"}, {"id": "INV-4", "note": "y"}])
        session.execute(sa.update(Invoice).where(Invoice.id > "INV-1").values(status="paid"))
        session.execute(sa.delete(Invoice.__table__).where(Invoice.id == "INV-0"))  # type: ignore[arg-type]
        assert session.scalar(sa.select(sa.func.count()).select_from(Invoice)) == 4
    finished = said(trail, "finished")
    assert [(e["context"]["operation"], e["context"]["rows"]) for e in finished] == [
        ("insert", 5),
        ("update", 2),
        ("update", 3),
        ("delete", 1),
    ]
    assert finished[2]["entity_id"] == "invoice"
    assert finished[2]["context"]["statement"].startswith("UPDATE invoice SET status=:status WHERE")
    assert "DE02" not in str(finished)


def test_an_intent_that_cannot_be_recorded_stops_the_commit(
    engine: sa.Engine, sessions: sessionmaker[Session], trail: counterfoil.Trail
) -> None:
    trail.close()
    with pytest.raises(counterfoil.Closed), sessions.begin() as session:
        session.add(new(1))
    with Session(engine) as session:
        assert session.get(Invoice, "INV-1") is None


def test_a_result_that_cannot_be_recorded_is_raised_after_the_commit(
    engine: sa.Engine, sessions: sessionmaker[Session], trail: counterfoil.Trail, tmp_path: Path
) -> None:
    sa.event.listen(sessions, "after_commit", lambda session: trail.close())
    with sessions() as session:
        session.add(new(1))
        with pytest.raises(counterfoil.Closed, match="is committed, but not all its changes are recorded"):
            session.commit()
        assert session.get(Invoice, "INV-1") is not None
    with counterfoil.open(tmp_path / "ledger") as again:
        assert [entry["context"]["phase"] for entry in again.history("INV-1")] == ["started"]


def test_a_commit_that_fails_is_recorded_as_such(
    engine: sa.Engine, sessions: sessionmaker[Session], trail: counterfoil.Trail
) -> None:
    def fail(connection: Any) -> None:
        raise OSError("the line is dead")

    sa.event.listen(engine, "commit", fail)
    with pytest.raises(OSError, match="dead"), sessions.begin() as session:
        session.add(new(1))
    assert [(entry["context"]["phase"], entry.get("outcome")) for entry in said(trail)] == [
        ("started", None),
        ("finished", "failure"),
    ]
    assert "new_value" in said(trail)[1]


def test_a_later_hook_that_changes_more(sessions: sessionmaker[Session], trail: counterfoil.Trail) -> None:
    sa.event.listen(sessions, "before_commit", lambda session: session.add(new(2)))
    with sessions.begin() as session:
        session.add(new(1))
    phases = [(entry["entity_id"], entry["context"]["phase"]) for entry in said(trail)]
    assert sorted(phases) == sorted((f"INV-{n}", phase) for n in (1, 2) for phase in ("started", "finished"))


def test_two_phases(postgres: str, trail: counterfoil.Trail) -> None:
    engine = sa.create_engine(postgres)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    made = sessionmaker(engine, twophase=True)
    Changes(made, trail).rows(Invoice, columns=COLUMNS)
    with made() as session:
        session.add(new(1))
        session.prepare()
        assert [entry["context"]["phase"] for entry in said(trail)] == ["started"]
        session.commit()
    with made() as session:
        session.add(new(2))
        session.prepare()
        session.rollback()
    assert [(one[0], one[4]) for one in brief(trail)] == [("INV-1", "success"), ("INV-2", "failure")]
    engine.dispose()


def test_a_process_that_dies_in_the_commit_leaves_the_intent(engine: sa.Engine, url: str, tmp_path: Path) -> None:
    def child() -> None:
        trail = counterfoil.open(tmp_path / "mine")
        made = sessionmaker(sa.create_engine(url))
        Changes(made, trail).rows(Invoice, columns=COLUMNS)
        sa.event.listen(made, "after_commit", lambda session: os._exit(9))
        with made.begin() as session:
            session.add(new(1))

    engine.dispose()
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    with Session(engine) as session:
        assert session.get(Invoice, "INV-1") is not None
    with counterfoil.open(tmp_path / "mine") as trail:
        assert [entry["context"]["phase"] for entry in trail.history("INV-1")] == ["started"]


def test_sessions_at_once_and_sessions_that_are_not_watched(
    engine: sa.Engine, sessions: sessionmaker[Session], trail: counterfoil.Trail
) -> None:
    with Session(engine) as session:
        session.add(new(99))
        session.execute(sa.update(Invoice).values(status="x"))
        session.commit()
    assert said(trail) == []
    lock = threading.Lock()

    def work(number: int) -> None:
        for turn in range(10):
            with counterfoil.scope(actor=f"clerk-{number}"), lock, sessions.begin() as session:
                session.add(new(number * 100 + turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = said(trail, "finished")
    assert len(entries) == 40
    assert all(entry["actor"] == f"clerk-{int(entry['entity_id'][4:]) // 100}" for entry in entries)


def test_columns_that_do_not_exist(engine: sa.Engine, trail: counterfoil.Trail) -> None:
    changes = Changes(sessionmaker(engine), trail)
    with pytest.raises(counterfoil.Invalid, match="Invoice has no columns lines, sum"):
        changes.rows(Invoice, columns=["status", "sum", "lines"])


def test_greenlet_is_not_needed() -> None:
    code = "import sys; sys.modules['greenlet'] = None; import counterfoil.sqlalchemy"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_session_and_scoped_sessions(engine: sa.Engine, trail: counterfoil.Trail) -> None:
    scoped = scoped_session(sessionmaker(engine))
    with Session(engine) as single:
        both: tuple[Any, ...] = (scoped, single)
        for number, sessions in enumerate(both):
            Changes(sessions, trail, intent=False).rows(Invoice, columns=["status"], prefix="books/")
            sessions.add(new(number))
            sessions.commit()
    scoped.remove()
    assert [entry["entity_id"] for entry in said(trail)] == ["books/INV-0", "books/INV-1"]


def asynchronous(url: str) -> str:
    return url.replace("sqlite:", "sqlite+aiosqlite:")


def run_async(url: str, work: Callable[[async_sessionmaker[AsyncSession]], Any]) -> None:
    async def main() -> None:
        engine = create_async_engine(asynchronous(url))
        try:
            await work(async_sessionmaker(engine))
        finally:
            await engine.dispose()

    asyncio.run(main())


def test_asynchronous_sessions(engine: sa.Engine, url: str, trail: counterfoil.Trail) -> None:
    pytest.importorskip("aiosqlite")

    async def work(made: async_sessionmaker[AsyncSession]) -> None:
        Changes(made, trail).rows(Invoice, columns=COLUMNS)
        with counterfoil.scope(actor="async-bot"):
            async with made() as session:
                invoice = new(1)
                session.add(invoice)
                await session.commit()
                invoice.status = "paid"
                await session.commit()
                session.add(new(2))
                await session.flush()
                await session.rollback()

    run_async(url, work)
    assert [one[:4] for one in brief(trail)[1:]] == [("INV-1", "update", {"status": "open"}, {"status": "paid"})]
    assert len(brief(trail)) == 2
    assert {entry["actor"] for entry in said(trail)} == {"async-bot"}


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiosqlite")
    monkeypatch.chdir(tmp_path)
    # SQLAlchemy looks for the names in annotations in the module of a class.
    page = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    names = vars(page)
    try:
        run_examples("integrations/sqlalchemy.md", names, examples=2)
    finally:
        if "trail" in names:
            names["trail"].close()
