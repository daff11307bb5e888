"""Transformations of pandas and polars data: rows, schema and content digest before and after; never the data.

    with transformation(trail, "reconcile", "ACC-1", before=df) as step:
        step.after(reconcile(df))

Anything with an Arrow stream is data: pandas, polars, pyarrow, DuckDB. The digest is defined in
docs/guides/integrations/dataframes.md; it is the same for the same values, whichever library holds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any

from .steps import Step

if TYPE_CHECKING:
    from .trail import Trail

_DOMAIN = b"counterfoil.dataframe/1\n"

MAX_COLUMNS = 256
"""Columns up to which the schema is written out; the digest covers it in any case."""


class Transformation(Step):
    """A step whose second entry says what came out of it."""

    def after(self, data: Any) -> None:
        """What the transformation made: data, or several by name."""
        self.set(new_value=described(data))

    def __enter__(self) -> Transformation:
        super().__enter__()
        return self


def transformation(trail: Trail, name: str, entity_id: object, *, before: Any = None, **members: Any) -> Transformation:
    """A block that derives data, recorded as `data_transformed` when it starts and when it ends.

    `before` is what goes in: data, or a mapping of several by name. `old_value` and `new_value` hold what `described`
    says of them, `context.transformation` the name. Other options as for `Trail.step`.
    """
    context = {**(members.pop("context", None) or {}), "transformation": name}
    if before is not None:
        members["old_value"] = described(before)
    return Transformation(trail, "data_transformed", entity_id, context=context, **members)


def described(data: Any) -> dict[str, Any]:
    """Rows, columns, schema and digest of data: `{"rows", "columns", "schema": [[name, type], …], "sha256"}`.

    For a mapping, of each by its name. Never raises: what cannot be read as Arrow is `{"type", "rows", "undigested"}`,
    the last the name of the error (its text could hold values).
    """
    if isinstance(data, Mapping):
        return {str(name): described(one) for name, one in data.items()}
    try:
        return _described_table(_table(data))
    except Exception as error:
        kind = f"{type(data).__module__.split('.')[0]}.{type(data).__qualname__}"
        rows = len(data) if isinstance(data, Sized) else None
        return {"type": kind, "rows": rows, "undigested": type(error).__name__}


def _table(data: Any) -> Any:
    import pyarrow

    if type(data).__module__.split(".")[0] != "pandas":
        return pyarrow.table(data)
    frame = data.to_frame() if data.ndim == 1 else data
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    return pyarrow.Table.from_pandas(frame, preserve_index=False)


def _described_table(table: Any) -> dict[str, Any]:
    columns = [(name, _plain(column)) for name, column in zip(table.column_names, table.columns, strict=True)]
    schema = [[name, _type_name(column.type)] for name, column in columns]
    content = hashlib.sha256(_DOMAIN + _number(len(columns)))
    for (name, kind), (_, column) in zip(schema, columns, strict=True):
        for text in (name.encode(), kind.encode()):
            content.update(_number(len(text)) + text)
        _add(content, column)
    made: dict[str, Any] = {"rows": table.num_rows, "columns": len(columns), "sha256": content.hexdigest()}
    if len(columns) <= MAX_COLUMNS:
        made["schema"] = schema
    return made


def _plain(column: Any) -> Any:
    """A column in one piece, of a type that has one layout only."""
    # In two steps: Arrow cannot decode dictionaries of views.
    for decoded in (False, True):
        column = column.cast(_plain_type(column.type, decoded))
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _plain_type(kind: Any, decoded: bool) -> Any:
    """Large text and lists, categories decoded to their values, decimals of 38 digits."""
    import pyarrow
    from pyarrow import types

    if isinstance(kind, pyarrow.BaseExtensionType):
        return _plain_type(kind.storage_type, decoded)
    if types.is_dictionary(kind):
        values = _plain_type(kind.value_type, decoded)
        return values if decoded else pyarrow.dictionary(kind.index_type, values)
    if types.is_string(kind) or types.is_string_view(kind):
        return pyarrow.large_string()
    if types.is_binary(kind) or types.is_binary_view(kind):
        return pyarrow.large_binary()
    if types.is_decimal(kind) and kind.precision <= 38:
        return pyarrow.decimal128(38, kind.scale)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pyarrow.large_list(_plain_type(kind.value_type, decoded))
    if types.is_struct(kind):
        return pyarrow.struct([(field.name, _plain_type(field.type, decoded)) for field in kind])
    return kind


def _type_name(kind: Any) -> str:
    from pyarrow import types

    if types.is_large_string(kind):
        return "string"
    if types.is_large_binary(kind):
        return "binary"
    if types.is_large_list(kind):
        return f"list<{_type_name(kind.value_type)}>"
    if types.is_struct(kind):
        return f"struct<{', '.join(f'{field.name}: {_type_name(field.type)}' for field in kind)}>"
    return str(kind)


def _add(content: hashlib._Hash, array: Any) -> None:
    """Adds a column to the digest: its length, which values are missing, and those that are not, in order."""
    import pyarrow
    from pyarrow import compute, types

    content.update(_number(len(array)) + _number(array.null_count))
    if array.null_count:
        _add_fixed(content, array.is_valid().cast(pyarrow.uint8()))
        array = array.drop_null()
    kind = array.type
    if types.is_null(kind):
        return
    if types.is_large_string(kind) or types.is_large_binary(kind):
        _add_fixed(content, compute.binary_length(array))
        if len(array):
            _, offsets, raw = array.buffers()
            bounds = memoryview(offsets).cast("q")
            content.update(memoryview(raw or b"")[bounds[array.offset] : bounds[array.offset + len(array)]])
    elif types.is_large_list(kind):
        _add_fixed(content, compute.list_value_length(array))
        _add(content, array.flatten())
    elif types.is_struct(kind):
        for member in array.flatten():
            _add(content, member)
    elif types.is_boolean(kind):
        _add_fixed(content, array.cast(pyarrow.uint8()))
    else:
        if types.is_floating(kind):
            array = compute.if_else(compute.is_nan(array), pyarrow.scalar(float("nan"), kind), array)
        _add_fixed(content, array)


def _add_fixed(content: hashlib._Hash, array: Any) -> None:
    """Adds values of a fixed width, little-endian as Arrow has them."""
    width = array.type.byte_width
    if len(array):
        content.update(memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width])


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")
