"""The trail's entries as columns, for DuckDB, Polars, pandas and everything else that reads Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars

    from . import _core


class Table:
    """Entries `start` up to, not including, `stop`, with the columns of a segment (`docs/formats/segment.md`).

    An Arrow C stream: whoever knows the PyCapsule interface (DuckDB, Polars, pyarrow, pandas, nanoarrow) reads it as it
    is, batch by batch. It is one state of the ledger, however much is recorded meanwhile, and may be read again. To go
    on later, ask for `since=table.stop`.
    """

    def __init__(self, core: _core.Table) -> None:
        self._core = core

    @property
    def start(self) -> int:
        """The first index."""
        return self._core.start

    @property
    def stop(self) -> int:
        """One past the last index."""
        return self._core.stop

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self._core.columns

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A new stream. Errors reach its reader as texts that begin with the kind: `tampered: …`."""
        return self._core.stream()

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas DataFrame; needs pyarrow. Raises `Tampered` and the like for entries that cannot be read."""
        import pyarrow

        with self._own_errors():
            frame: pandas.DataFrame = pyarrow.table(self).to_pandas()
            return frame

    def to_polars(self) -> polars.DataFrame:
        """A Polars DataFrame. Errors as with `to_pandas`."""
        import polars

        with self._own_errors():
            return polars.DataFrame(self)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            fault: Any = self._core.fault()
            if fault is None:
                raise
            raise fault from error

    def __repr__(self) -> str:
        return f"Table(start={self.start}, stop={self.stop}, columns={self.columns})"
