"""Segments: Parquet files whose columns are the entries (docs/formats/segment.md). Needs `pyarrow`."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import b64, canonical, entry, timestamps
from .canonical import Number
from .findings import Malformed

MOST_ROWS = 1_048_576
KEYS = tuple(
    f"counterfoil.{name}"
    for name in ("format_version", "origin", "first", "count", "root", "before", "after", "checkpoint")
)
TEXT, BYTES, INTEGER = ("BYTE_ARRAY", "String"), ("BYTE_ARRAY", "None"), ("INT64", "None")
COLUMNS: dict[str, tuple[tuple[str, str], bool]] = {
    "index": (INTEGER, True),
    "timestamp": (("INT64", "Timestamp"), True),
    "recorded_at": (("INT64", "Timestamp"), True),
    "timestamp_nanos": (("INT32", "None"), True),
    "event_type": (TEXT, True),
    "actor": (TEXT, True),
    "actor_type": (TEXT, False),
    "on_behalf_of": (TEXT, False),
    "entity_id": (TEXT, True),
    "entity_type": (TEXT, False),
    "outcome": (TEXT, False),
    "reason": (TEXT, False),
    "trace_id": (TEXT, False),
    "id": (TEXT, False),
    "source": (TEXT, False),
    "recorder": (TEXT, False),
    "sequence": (INTEGER, False),
    "old_value": (TEXT, False),
    "new_value": (TEXT, False),
    "old_value_type": (TEXT, False),
    "new_value_type": (TEXT, False),
    "context": (TEXT, False),
    "signature_key_id": (TEXT, False),
    "signature_algorithm": (TEXT, False),
    "signature": (BYTES, False),
    "salt": (BYTES, False),
}
"""Physical and logical type of each column, and whether it is required."""
COPIED = (
    "actor", "actor_type", "on_behalf_of", "entity_id", "entity_type", "event_type", "id", "outcome", "recorder",
    "source", "trace_id",
)  # fmt: skip
"""Columns whose text is the member's."""

Row = dict[str, Any]


class Segment:
    """A Parquet file in memory. `Malformed` where it is no segment."""

    def __init__(self, raw: bytes) -> None:
        try:
            self._file = pq.ParquetFile(io.BytesIO(raw))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Malformed(f"no Parquet: {error}") from error
        schema = self._file.schema
        columns = [schema.column(number) for number in range(len(schema))]
        found = {
            column.path: (
                (column.physical_type, _logical(column.logical_type)),
                column.max_definition_level == 0,
            )
            for column in columns
        }
        if list(found.items()) != list(COLUMNS.items()) or len(columns) != len(COLUMNS):
            raise Malformed("the columns are not those of a segment")
        metadata = self._file.metadata.metadata or {}
        try:
            self.metadata = {key.decode("utf-8"): value.decode("utf-8") for key, value in metadata.items()}
        except UnicodeDecodeError as error:
            raise Malformed("metadata that is no text") from error

    def rows(self, event_type: str | None = None) -> Iterator[Row]:
        """Each row's cells that are not null, of one event type if it is given; times are microseconds since 1970."""
        try:
            for number in range(self._file.num_row_groups):
                table = self._file.read_row_group(number)
                table.validate(full=True)
                if event_type is not None:
                    table = table.filter(pc.equal(table.column("event_type"), pa.scalar(event_type)))
                cells = [_plain(table.column(name)) for name in COLUMNS]
                for row in zip(*cells, strict=True):
                    yield {name: cell for name, cell in zip(COLUMNS, row, strict=True) if cell is not None}
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Malformed(f"a part cannot be decoded: {error}") from error


def rebuild(row: Row) -> bytes:
    """The canonical bytes of an entry from the cells of its row. `Malformed` where a cell cannot be."""
    nanos = row["timestamp_nanos"]
    if not 0 <= nanos <= 999:
        raise Malformed("timestamp_nanos is outside 0-999")
    for name in ("timestamp", "recorded_at"):
        timestamps.check(row[name] * 1000)
    members = {name: canonical.string(row[name]) for name in COPIED if name in row}
    members["timestamp"] = canonical.string(timestamps.write(row["timestamp"] * 1000 + nanos))
    members["recorded_at"] = canonical.string(timestamps.write(row["recorded_at"] * 1000))
    if "context" in row:
        members["context"] = row["context"]
    for name in ("old_value", "new_value"):
        if name in row:
            is_text = row.get(f"{name}_type") == "string"
            members[name] = canonical.string(row[name]) if is_text else row[name]
    if "reason" in row:
        is_sealed = entry.is_sealed_text(row["reason"])
        members["reason"] = row["reason"] if is_sealed else canonical.string(row["reason"])
    if "sequence" in row:
        members["sequence"] = str(row["sequence"])
    if "salt" in row:
        members["salt"] = canonical.string(b64.encode(row["salt"]))
    if "signature" in row:
        algorithm, key_id = (row.get(f"signature_{name}", "") for name in ("algorithm", "key_id"))
        value = b64.encode(row["signature"])
        members["signature"] = (
            f'{{"algorithm":{canonical.string(algorithm)},"key_id":{canonical.string(key_id)},"value":"{value}"}}'
        )
    return ("{" + ",".join(f'"{name}":{members[name]}' for name in sorted(members)) + "}").encode("utf-8")


def cells(index: int, members: dict[str, Any]) -> Row:
    """The row that holds an entry: what `rebuild` is the other direction of."""
    timestamp, recorded_at = (entry.instant(members, name) for name in ("timestamp", "recorded_at"))
    row: Row = {name: members[name] for name in COPIED if name in members}
    row |= {
        "index": index,
        "timestamp": timestamp // 1000,
        "recorded_at": recorded_at // 1000,
        "timestamp_nanos": timestamp % 1000,
    }
    if "context" in members:
        row["context"] = canonical.write(members["context"]).decode()
    for name in ("old_value", "new_value"):
        if name in members:
            row[name], row[f"{name}_type"] = _value_cells(members[name])
    if "reason" in members:
        row["reason"], _ = _value_cells(members["reason"])
    if "sequence" in members:
        row["sequence"] = int(members["sequence"].text)
    if "salt" in members:
        row["salt"] = b64.decode(members["salt"])
    if "signature" in members:
        row["signature_algorithm"] = members["signature"]["algorithm"]
        row["signature_key_id"] = members["signature"]["key_id"]
        row["signature"] = b64.decode(members["signature"]["value"])
    return row


def _value_cells(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return value, "string"
    text = canonical.write(value).decode()
    if value is None:
        return text, "null"
    if isinstance(value, bool):
        return text, "boolean"
    if isinstance(value, Number):
        return text, "number"
    return text, "object" if isinstance(value, dict) else "array"


def _logical(kind: Any) -> str:
    """A logical type's name; a timestamp's only if it is in UTC and microseconds."""
    if kind.type != "TIMESTAMP":
        return {"STRING": "String", "NONE": "None"}.get(kind.type, str(kind.type))
    text = str(kind)
    return "Timestamp" if "isAdjustedToUTC=true, timeUnit=microseconds" in text else text


def _plain(column: pa.ChunkedArray[Any]) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.to_pylist()
