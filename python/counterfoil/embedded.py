"""The ledger in the process: a folder that one process has open."""

from __future__ import annotations

import datetime
import json
import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from . import _core, forking
from ._core import Receipt
from .encoding import identifier
from .entry import Entry
from .errors import Busy, Invalid, NotFound
from .report import Report
from .signer import Signer, check_registered, signer_of, this_program
from .trail import OnError, Trail

_AT_ONCE = 1024
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Embedded(Trail):
    """A trail whose ledger lies in a folder. `record` returns the ledger's own receipt, with a signed checkpoint."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        origin: str | None = None,
        create: bool = True,
        actor: str | None = None,
        on_error: OnError = "record",
        signer: str | os.PathLike[str] | Signer | None = None,
        personal: Collection[str] = (),
    ) -> None:
        super().__init__(actor=actor, on_error=on_error, personal=personal)
        self._path = Path(path)
        signing = None if signer is None else signer_of(signer)
        with forking.steady:
            self._ledger = _opened(self._path, origin, create)
            forking.watch(self)
        if signing is not None:
            self._sign_with(signing)

    def _sign_with(self, signer: Signer) -> None:
        try:
            check_registered(self._ledger, signer)
            source = this_program()
            last = self._ledger.last_of(source)
            self._ledger.number(source, 0 if last is None else last + 1, None, signer)
        except BaseException:
            self.close()
            raise

    def _append(self, entries: list[dict[str, Any]]) -> list[Receipt]:
        return self._ledger.append(entries, self._convert)

    def record_lines(self, lines: bytes) -> list[Receipt]:
        """Records JSON lines as they stand, without scope and encoder; what the ledger refuses is `Invalid`.

        So are lines in a trail that seals personal fields, since nothing in them would be sealed.
        """
        if self._personal:
            raise Invalid("lines are recorded as they stand, and nothing in them is sealed: use record_many")
        return self._ledger.append_lines(lines)

    def flush(self, timeout: float | None = None) -> None:
        self._ledger.size()

    def wait(self, receipt: Receipt, timeout: float | None = None) -> Receipt:
        return receipt

    def size(self) -> int:
        return self._ledger.size()

    def entry(self, index: int) -> Entry:
        found = self._ledger.entries(index, index + 1) if index >= 0 else []
        if not found:
            raise NotFound(f"there is no entry {index}: the ledger has {self.size()} entries, counted from 0")
        return Entry(index, found[0])

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        end = self.size() if stop is None else min(stop, self.size())
        for first in range(start, end, _AT_ONCE):
            found = self._ledger.entries(first, min(first + _AT_ONCE, end))
            for offset, canonical in enumerate(found):
                yield Entry(first + offset, canonical)

    def history(self, entity_id: object) -> list[Entry]:
        return [Entry(index, canonical) for index, canonical in self._ledger.history(identifier(entity_id))]

    def _recorded_since(self, moment: datetime.datetime) -> int:
        return _core.first_since(self._ledger, (moment - _EPOCH) // datetime.timedelta(microseconds=1))

    def _table(self, columns: list[str] | None, start: int) -> _core.Table:
        return _core.Table.of_ledger(self._ledger, columns, start)

    def verify(self, *, key: str | None = None, checkpoint: str | bytes | None = None) -> Report:
        self._ledger.publish()
        kept = checkpoint.encode() if isinstance(checkpoint, str) else checkpoint
        return Report.from_json(_core.verify_folder(self._path, [key] if key else [], kept))

    def proof(self, index: int) -> str:
        return self._ledger.proof(index)

    def checkpoint(self) -> str:
        return self._ledger.checkpoint()

    def verifier_key(self) -> str:
        return self._ledger.verifier_key()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ledger.status())
        return found

    def seal(self) -> int:
        """Seals early, at the last multiple of 256; the index up to which the ledger is sealed."""
        return self._ledger.seal()

    def close(self, timeout: float | None = None) -> None:
        self._ledger.close()

    def _vault_folder(self) -> Path:
        return self._path / "state" / "vault"

    def after_fork(self) -> None:
        """In a forked child: the ledger stays the parent's, and every call here answers `Closed`."""
        _core.abandon(self._ledger)


def _opened(path: Path, origin: str | None, create: bool) -> _core.Ledger:
    if path.is_file():
        raise Invalid(f"{path}: it is a file, a ledger is a folder")
    try:
        return _core.Ledger.open(path)
    except NotFound:
        if not create:
            raise
    except Busy as busy:
        raise Busy(
            f"{busy.message}; open() is for one process: run `counterfoil serve {path}` and use counterfoil.connect()"
        ) from None
    return _core.Ledger.create(path, origin or f"{socket.gethostname()}/{path.resolve().name}")
