"""`counterfoil.dataframes` on real data; the digest against a second implementation of its definition."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guides import run_examples

import counterfoil
from counterfoil.dataframes import described, transformation

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

DATA: dict[str, list[Any]] = {
    "id": [1, 2, 3],
    "amount": [1.5, None, -0.0],
    "supplier": ["Nordwind", None, "Müller & Söhne"],
    "paid": [datetime.datetime(2026, 1, 1, 12), None, datetime.datetime(2026, 1, 2)],
    "day": [datetime.date(2026, 1, 1), datetime.date(1969, 12, 31), None],
    "price": [decimal.Decimal("1.50"), decimal.Decimal("-0.01"), None],
    "lines": [[1, 2], None, []],
}


def by_definition(data: dict[str, tuple[str, list[Any]]]) -> str:
    """The digest as the guide defines it, of columns with their types, without Arrow."""
    content = b"counterfoil.dataframe/1\n" + number(len(data))
    for name, (kind, values) in data.items():
        content += text(name) + text(kind) + column(kind, values)
    return hashlib.sha256(content).hexdigest()


def number(value: int) -> bytes:
    return struct.pack("<q", value)


def text(value: str) -> bytes:
    return number(len(value.encode())) + value.encode()


def column(kind: str, values: list[Any]) -> bytes:
    kept = [value for value in values if value is not None]
    content = number(len(values)) + number(len(values) - len(kept))
    if len(kept) < len(values):
        content += bytes(value is not None for value in values)
    if kind == "string":
        raw = [value.encode() for value in kept]
        return content + b"".join(number(len(one)) for one in raw) + b"".join(raw)
    if kind.startswith("list<"):
        lengths = b"".join(number(len(one)) for one in kept)
        return content + lengths + column(kind[5:-1], [value for one in kept for value in one])
    packed: dict[str, Callable[[Any], bytes]] = {
        "int64": number,
        "double": lambda value: struct.pack("<d", value),
        "bool": lambda value: bytes([value]),
        "timestamp[us]": lambda value: number(
            round((value - datetime.datetime(1970, 1, 1)).total_seconds() * 1_000_000)
        ),
        "date32[day]": lambda value: struct.pack("<i", (value - datetime.date(1970, 1, 1)).days),
        "decimal128(38, 2)": lambda value: int(value.scaleb(2)).to_bytes(16, "little", signed=True),
    }
    return content + b"".join(packed[kind](value) for value in kept)


KINDS = ["int64", "double", "string", "timestamp[us]", "date32[day]", "decimal128(38, 2)", "list<int64>"]


def test_pandas_polars_and_arrow_agree_with_the_definition() -> None:
    expected = {
        "rows": 3,
        "columns": 7,
        "schema": [[name, kind] for name, kind in zip(DATA, KINDS, strict=True)],
        "sha256": by_definition({name: (kind, DATA[name]) for name, kind in zip(DATA, KINDS, strict=True)}),
    }
    assert described(polars.DataFrame(DATA)) == expected
    assert described(pandas.DataFrame(DATA)) == expected
    assert described(pyarrow.table(DATA)) == expected
    for nan in (float("nan"), -float("nan")):
        assert described(polars.DataFrame({"x": [nan]}))["sha256"] == by_definition({"x": ("double", [float("nan")])})
    assert (
        described(polars.DataFrame({"ok": [True, None, False]}))["sha256"]
        == described(pandas.DataFrame({"ok": pandas.array([True, None, False], dtype="boolean")}))["sha256"]
        == by_definition({"ok": ("bool", [True, None, False])})
    )


def test_how_data_lies_in_memory_does_not_matter() -> None:
    frame = polars.DataFrame(DATA)
    whole = described(frame)
    assert described(polars.concat([frame[:1], frame[1:]], rechunk=False)) == whole
    assert described(polars.concat([frame, frame])[3:]) == whole
    assert described(pandas.concat([pandas.DataFrame(DATA)] * 2).iloc[3:]) == whole
    table = pyarrow.table({"n": [1, 2, 3], "s": ["a", "bb", "c"], "b": [True, False, True], "l": [[1], [2, 3], []]})
    large = table.cast(
        table.schema.set(1, pyarrow.field("s", pyarrow.large_string())).set(
            3, pyarrow.field("l", pyarrow.large_list(pyarrow.int64()))
        )
    )
    assert described(large.slice(1)) == described(table.take([1, 2]))
    categories = frame.with_columns(polars.col("supplier").cast(polars.Categorical))
    assert described(categories) == whole
    assert described(pandas.DataFrame(DATA).astype({"supplier": "category"})) == whole


def test_what_does_matter() -> None:
    frame = polars.DataFrame(DATA)
    others = [
        frame.reverse(),
        frame.select(reversed(frame.columns)),
        frame.rename({"id": "ID"}),
        frame.cast({"id": polars.Int32}),
        frame.with_columns(amount=polars.col("amount").fill_null(0.0)),
        frame.with_columns(amount=polars.col("amount").fill_null(float("nan"))),
        frame.with_columns(polars.Series("amount", [1.5, None, 0.0])),
        frame.with_columns(supplier=polars.col("supplier").fill_null("")),
        frame.head(2),
        frame.clear(),
        polars.DataFrame({"a": ["ab", "c"]}),
        polars.DataFrame({"a": ["a", "bc"]}),
        polars.DataFrame({"a": [["a"], ["b", "c"]]}),
        polars.DataFrame({"a": [["a", "b"], ["c"]]}),
        polars.DataFrame({"a": [{"b": 1, "c": None}]}),
        polars.DataFrame({"a": [{"b": None, "c": 1}]}),
        polars.DataFrame({"a": [None]}, schema={"a": polars.Struct({"b": polars.Int64})}),
    ]
    digests = {described(one)["sha256"] for one in [frame, *others]}
    assert len(digests) == len(others) + 1


def test_the_index_of_pandas_is_data_if_it_has_a_name() -> None:
    frame = pandas.DataFrame(DATA)
    assert described(frame[frame["id"] > 0].set_index(pandas.Index([7, 8, 9]))) == described(frame)
    assert described(frame.set_index("id")) == described(frame)
    assert described(frame["id"])["schema"] == [["id", "int64"]]


def test_what_cannot_be_read_is_said_and_gives_nothing_away() -> None:
    mixed = described(pandas.DataFrame({"iban": ["DE02 1203", 7]}))
    assert mixed == {"type": "pandas.DataFrame", "rows": 2, "undigested": "ArrowTypeError"}
    assert described(polars.LazyFrame(DATA)) == {"type": "polars.LazyFrame", "rows": None, "undigested": "TypeError"}
    assert described(None)["undigested"] == "TypeError"


def test_many_columns() -> None:
    wide = described(polars.DataFrame({f"c{number}": [1] for number in range(300)}))
    assert wide["columns"] == 300
    assert "schema" not in wide


def test_a_transformation_records_what_went_in_and_what_came_out(trail: counterfoil.Trail) -> None:
    ledger, bank = polars.DataFrame({"iban": ["DE02 1203"], "amount": [5]}), pandas.DataFrame({"amount": [5, 6]})
    with transformation(
        trail,
        "reconcile",
        "ACC-1",
        before={"ledger": ledger, "bank": bank},
        actor="recon-bot",
        context={"day": "2026-11-24"},
    ) as step:
        step.after(bank[bank["amount"] == 5])
    started, finished = trail.history("ACC-1")
    assert started["event_type"] == finished["event_type"] == "data_transformed"
    assert started["old_value"] == {"ledger": described(ledger), "bank": described(bank)}
    assert "new_value" not in started
    assert finished["new_value"]["rows"] == 1
    assert finished["outcome"] == "success"
    assert finished["context"]["transformation"] == "reconcile"
    assert finished["context"]["day"] == "2026-11-24"
    assert "DE02" not in str([dict(entry) for entry in trail])


def test_a_transformation_that_fails(trail: counterfoil.Trail) -> None:
    def score() -> None:
        with transformation(trail, "score", "ACC-1", actor="model") as step:
            step.after(polars.DataFrame({"a": [1]}))
            raise KeyError("rate")

    with pytest.raises(KeyError):
        score()
    started, finished = trail.history("ACC-1")
    assert "old_value" not in started
    assert finished["outcome"] == "failure"
    assert "new_value" not in finished


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    run_examples("integrations/dataframes.md", names, examples=3)
    names["trail"].close()
