"""The trail as Arrow columns, read by the programs that read Arrow."""

from __future__ import annotations

import datetime
import json
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
from guides import GUIDES, run_examples
from running import Running

import counterfoil
from counterfoil import _core
from counterfoil.embedded import Embedded
from counterfoil.table import Table


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Embedded]:
    """Three segments of 256 entries and a tail."""
    _core.Ledger.create(tmp_path / "ledger", "test.example/arrow", 256).close()
    with counterfoil.open(tmp_path / "ledger") as trail:
        fill(trail, 800)
        assert trail.seal() == 768
        fill(trail, 50)
        yield trail


def fill(trail: counterfoil.Trail, entries: int) -> None:
    values: tuple[Any, ...] = ("text", 1.5, None, True, {"a": [1]}, [])
    trail.record_many(
        {
            "event_type": "data_change" if number % 3 else "kyc_check",
            "entity_id": f"E-{number % 7}",
            "actor": "bot",
            "actor_type": "ai_agent" if number % 2 else None,
            "new_value": values[number % 6],
            "context": {"number": number},
            "timestamp": "2026-11-24T10:00:00.123456789Z",
        }
        for number in range(entries)
    )


def cells(entry: counterfoil.Entry) -> dict[str, Any]:
    """What the columns must hold of an entry, by the format's page."""
    expected: dict[str, Any] = {"index": entry.index}
    for name in ("event_type", "actor", "actor_type", "entity_id", "outcome", "recorder"):
        expected[name] = entry.get(name)
    kinds = {str: "string", float: "number", int: "number", bool: "boolean", dict: "object", list: "array"}
    for name in ("old_value", "new_value"):
        value = entry.get(name)
        there = name in entry
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        expected[name] = text if there else None
        expected[f"{name}_type"] = kinds.get(type(value), "null") if there else None
    expected["recorded_at"] = datetime.datetime.fromisoformat(entry["recorded_at"].replace("Z", "+00:00"))
    return expected


def ask(sql: str, audit_log: Table) -> list[Any]:
    """What DuckDB answers, which finds `audit_log` by its name."""
    found: Any = duckdb.sql(sql)
    rows: list[Any] = found.fetchall()
    return rows


def test_every_reader_sees_segments_and_tail(ledger: Embedded) -> None:
    table = ledger.arrow()
    entries = [cells(entry) for entry in ledger if not entry["event_type"].startswith("ledger.")]
    whole = pa.table(table)
    whole.validate(full=True)
    rows = [row for row in whole.to_pylist() if not row["event_type"].startswith("ledger.")]
    assert [{name: row[name] for name in entries[0]} for row in rows] == entries
    assert whole["index"].to_pylist() == list(range(ledger.size()))
    assert {row["timestamp_nanos"] for row in rows} == {789}

    expected = {name: sum(row["entity_id"] == name for row in rows) for name in {row["entity_id"] for row in rows}}
    found = ask("SELECT entity_id, count(*) FROM audit_log WHERE event_type NOT LIKE 'ledger.%' GROUP BY 1", table)
    assert dict(found) == expected
    found = ask("SELECT sum((context->>'number')::int) FROM audit_log WHERE event_type = 'kyc_check'", table)
    assert found == [(sum(range(0, 800, 3)) + sum(range(0, 50, 3)),)]
    for frame in (table.to_polars(), pl.DataFrame(table)):
        clients = frame.filter(~pl.col("event_type").str.starts_with("ledger."))
        assert dict(clients.group_by("entity_id").len().iter_rows()) == expected
    of_pandas: Any = pd.DataFrame
    for pandas_frame in (table.to_pandas(), of_pandas.from_arrow(table)):
        clients_of = pandas_frame[~pandas_frame.event_type.str.startswith("ledger.")]
        assert clients_of.groupby("entity_id").size().to_dict() == expected
        assert str(pandas_frame.recorded_at.dtype) == "datetime64[us, UTC]"


def test_the_schema_is_the_documented_one(ledger: Embedded) -> None:
    page = (GUIDES.parent / "formats" / "segment.md").read_text()
    types = {
        "INT64": pa.int64(),
        "INT32": pa.int32(),
        "INT64, TIMESTAMP(MICROS, UTC)": pa.timestamp("us", "UTC"),
        "BYTE_ARRAY, STRING": pa.string(),
        "BYTE_ARRAY": pa.binary(),
    }
    documented = re.findall(r"^\| \d+ \| `(\w+)` \| ([^|]+) \| (required)? *\|", page, re.MULTILINE)
    assert len(documented) == 26
    fields = [pa.field(name, types[kind], nullable=not required) for name, kind, required in documented]
    assert pa.table(ledger.arrow()).schema == pa.schema(fields)


@pytest.mark.parametrize("start", [0, 1, 255, 256, 700, 768, 820, 10_000])
def test_since_an_index(ledger: Embedded, start: int) -> None:
    table = ledger.arrow(["entity_id", "index"], since=start)
    frame = table.to_polars()
    assert frame.columns == ["entity_id", "index"]
    assert frame["index"].to_list() == list(range(start, ledger.size()))
    assert frame["entity_id"].to_list() == [entry["entity_id"] for entry in ledger.entries(start)]
    assert table.stop == ledger.size()


def test_since_a_time(ledger: Embedded) -> None:
    recorded = [datetime.datetime.fromisoformat(entry["recorded_at"].replace("Z", "+00:00")) for entry in ledger]
    for place in (0, 300, 700, 800, len(recorded) - 1):
        table = ledger.arrow(["index"], since=recorded[place])
        assert table.start == recorded.index(recorded[place])
        local = recorded[place].astimezone().replace(tzinfo=None)
        assert ledger.arrow(["index"], since=local).start == table.start
    assert ledger.arrow(since=datetime.datetime(1969, 1, 1)).start == 0
    assert ledger.arrow(since=datetime.datetime(2100, 1, 1)).to_pandas().empty


def test_what_is_refused(ledger: Embedded) -> None:
    for columns, said in ((["x"], "no column x"), (["index", "index"], "twice"), ([], "at least one")):
        with pytest.raises(counterfoil.Invalid, match=said):
            ledger.arrow(columns)
    with pytest.raises(counterfoil.Invalid, match="from 0"):
        ledger.arrow(since=-1)


def test_a_table_is_one_state_however_much_is_written(ledger: Embedded) -> None:
    table = ledger.arrow(["index", "new_value"])
    first = pa.table(table)
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            fill(ledger, 100)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        at = table.stop
        for _ in range(30):
            later = ledger.arrow(["index"], since=at)
            assert later.to_polars()["index"].to_list() == list(range(at, later.stop))
            at = later.stop
            found = ask("SELECT count(*), min(index), max(index) FROM audit_log", table)
            assert found == [(table.stop, 0, table.stop - 1)]
    finally:
        ended.set()
        writer.join()
    fill(ledger, 256)
    assert ledger.seal() > table.stop
    assert pa.table(table) == first


def test_only_the_named_columns_are_read_and_what_was_changed_is_found(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "ledger") as trail:
        trail.record_many(
            {"event_type": "e", "entity_id": "x", "actor": "a", "context": {"text": random.randbytes(200).hex()}}
            for _ in range(2000)
        )
        trail.seal()
    file = next((tmp_path / "ledger" / "segments").glob("*.parquet"))
    group = pyarrow.parquet.read_metadata(file).row_group(0)
    names = [group.column(place).path_in_schema for place in range(group.num_columns)]
    context = group.column(names.index("context"))
    assert context.total_compressed_size > 65_536
    raw = bytearray(file.read_bytes())
    raw[context.data_page_offset + context.total_compressed_size // 2] ^= 1
    file.write_bytes(raw)
    with counterfoil.open(tmp_path / "ledger") as trail:
        assert trail.arrow(["index", "entity_id"]).to_polars().height == trail.size()
        for read in (Table.to_polars, Table.to_pandas):
            with pytest.raises(counterfoil.Tampered, match=file.name):
                read(trail.arrow(["index", "context"]))
        with pytest.raises(pa.ArrowException, match="tampered"):
            pa.table(trail.arrow(["context"]))


def test_memory_is_bounded_by_batches(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "ledger") as trail:
        for _ in range(8):
            trail.record_many(
                {"event_type": "e", "entity_id": "x", "actor": "a", "context": {"text": f"{number:x}" * 300}}
                for number in range(10**6, 10**6 + 8192)
            )
    code = """
import counterfoil, pyarrow, re, sys
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) >> 10
with counterfoil.open(sys.argv[1]) as trail:
    pyarrow.RecordBatchReader.from_stream(trail.arrow(["index"])).read_all()
    before, bytes, most = peak(), 0, 0
    for batch in pyarrow.RecordBatchReader.from_stream(trail.arrow()):
        bytes, most = bytes + batch.nbytes, max(most, batch.num_rows)
    print(peak() - before, bytes >> 20, most)
"""
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ledger")], capture_output=True, text=True, check=True
    )
    grown_mib, read_mib, most_rows = map(int, told.stdout.split())
    assert most_rows <= 8192
    assert read_mib > 90
    assert grown_mib < read_mib / 2


def test_a_service_gives_the_same_columns(service: Running) -> None:
    with service.connect() as trail:
        for _ in range(7):
            fill(trail, 5_000)
        trail.flush(60)
        service.run("seal", str(service.ledger))
        fill(trail, 10)
        trail.flush(30)
        table = trail.arrow()
        whole = pa.table(table)
        assert whole.num_rows == table.stop > 32_768
        assert whole["index"].to_pylist() == list(range(table.stop))
        entry = trail.entry(table.stop - 1)
        assert {name: whole.slice(entry.index).to_pylist()[0][name] for name in cells(entry)} == cells(entry)
        some = trail.arrow(["entity_id", "index"], since=table.stop - 3)
        assert ask("SELECT count(*), min(index) FROM audit_log", some) == [(3, some.start)]
        assert some.to_pandas()["index"].tolist() == some.to_polars()["index"].to_list()
        recorded_at = datetime.datetime.fromisoformat(entry["recorded_at"].replace("Z", "+00:00"))
        assert trail.entry(trail.arrow(since=recorded_at).start)["recorded_at"] == entry["recorded_at"]
        assert trail.arrow(since=datetime.datetime(2100, 1, 1)).to_polars().is_empty()
        again = [field.type for field in whole.schema]
    service.kill()
    with pytest.raises(counterfoil.Unavailable):
        table.to_polars()
    service.start()
    with counterfoil.open(service.folder / "other") as embedded:
        assert [field.type for field in pa.table(embedded.arrow()).schema] == again


def test_who_may_not_read_is_told_so(service: Running) -> None:
    with (
        counterfoil.connect(service.url, token=service.writer, spool=service.folder / "spool") as trail,
        pytest.raises(counterfoil.Denied),
    ):
        trail.arrow().to_polars()


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    try:
        run_examples("integrations/reading.md", names, examples=3)
    finally:
        if "trail" in names:
            names["trail"].close()
