"""A service's ledger: durable in the local spool first, then shipped."""

from __future__ import annotations

import atexit
import datetime
import hashlib
import json
import os
import threading
import urllib.parse
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from . import _core, forking
from ._core import Receipt
from .encoding import identifier
from .entry import Entry
from .errors import Closed, Error, Internal, Invalid, NotFound, Unavailable
from .report import Report
from .service import Service
from .shipper import Shipper
from .signer import Signer, Signing, signer_of, this_program
from .spool import Slot, origin_of, slot_of_this_process
from .trail import OnError, Trail

_TILE = 256
_ARROW = "application/vnd.apache.arrow.stream"

Mode = Literal["spool", "sync"]
WhenFull = Literal["raise", "block"]


class Connected(Trail):
    """A trail whose ledger a service keeps. See `counterfoil.connect` for the options."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        read_token: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        source: str | None = None,
        mode: Mode = "spool",
        spool_limit: int = 200_000,
        when_full: WhenFull = "raise",
        full_timeout: float | None = None,
        sync_timeout: float = 30.0,
        exit_timeout: float = 2.0,
        ca_cert: str | None = None,
        actor: str | None = None,
        on_error: OnError = "record",
        signer: str | os.PathLike[str] | Signer | None = None,
        origin: str | None = None,
        personal: Collection[str] = (),
        vault: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(actor=actor, on_error=on_error, personal=personal)
        if mode not in ("spool", "sync") or when_full not in ("raise", "block"):
            raise Invalid("mode is 'spool' or 'sync', when_full is 'raise' or 'block'")
        if spool_limit < 1:
            raise Invalid("spool_limit is at least 1 entry")
        self._service = Service(url, token, ca_cert=ca_cert)
        self._reading = Service(url, read_token, ca_cert=ca_cert) if read_token else self._service
        self._spool = Path(spool) if spool is not None else _usual_spool(self._service.url)
        self._vault_path = self._spool / "vault" if vault is None else Path(vault)
        self._source = source or this_program()
        if len(self._source.encode()) > 200:
            raise Invalid("source is at most 200 bytes")
        self._mode, self._limit, self._when_full = mode, spool_limit, when_full
        self._full_timeout, self._sync_timeout, self._exit_timeout = full_timeout, sync_timeout, exit_timeout
        self._signing: Signing | None = None
        self._opening = threading.Lock()
        self._open: tuple[Slot, Shipper] | None = None
        self._closed = False
        if signer is not None:
            self._signing = Signing(signer_of(signer), origin_of(self._spool, origin, self._service))
        self._begin()
        forking.watch(self)
        atexit.register(_close_at_exit, weakref.ref(self))

    def _begin(self) -> tuple[Slot, Shipper]:
        begun = self._open
        if begun is not None:
            return begun
        with self._opening:
            if self._closed:
                raise Closed("the trail was closed")
            if self._open is None:
                try:
                    self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
                    slot = slot_of_this_process(self._spool, self._source, self._signing)
                except OSError as error:
                    raise Unavailable(f"the spool {self._spool}: {error}") from error
                self._open = (slot, Shipper(self._spool, slot, self._service, self._reading))
            return self._open

    def _append(self, entries: list[dict[str, Any]]) -> list[Receipt]:
        slot, shipper = self._begin()
        if slot.unshipped() + len(entries) > self._limit:
            self._make_room(slot, shipper, len(entries))
        receipts = slot.append(entries, self._convert)
        shipper.wake()
        return receipts

    def record_many(self, entries: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        receipts = super().record_many(entries)
        if self._mode == "spool" or not receipts:
            return receipts
        _, shipper = self._begin()
        shipper.wait_until(max(receipt.spooled or 0 for receipt in receipts) + 1, self._sync_timeout)
        recorded: list[Receipt] = []
        for position, receipt in enumerate(receipts):
            try:
                recorded.append(self._shipped(receipt))
            except Error as refusal:
                refusal.position = position
                raise
        return recorded

    def _make_room(self, slot: Slot, shipper: Shipper, entries: int) -> None:
        room = max(self._limit - entries + 1, 1)
        full = f"the spool holds {slot.unshipped()} entries that are not shipped, its limit is {self._limit}"
        if self._when_full == "block" and shipper.wait_for_room(room, self._full_timeout):
            return
        raise Unavailable(f"{full}: {shipper.trouble.message}" if shipper.trouble else full)

    def _shipped(self, receipt: Receipt) -> Receipt:
        _, shipper = self._begin()
        found = None if receipt.spooled is None else shipper.receipt(receipt.spooled)
        if found is None:
            raise NotFound(f"no receipt for {receipt!r} any more: it was shipped too long ago")
        return Receipt(
            index=found.index,
            leaf_hash=found.leaf_hash,
            tree_size=found.tree_size,
            recorded_at=found.recorded_at,
            source=receipt.source,
            sequence=receipt.sequence,
            spooled=receipt.spooled,
        )

    def wait(self, receipt: Receipt, timeout: float | None = None) -> Receipt:
        if receipt.recorded or receipt.spooled is None:
            return receipt
        slot, shipper = self._begin()
        if receipt.source != slot.source:
            raise NotFound("the receipt is of another process or trail")
        shipper.wait_until(receipt.spooled + 1, timeout)
        return self._shipped(receipt)

    def flush(self, timeout: float | None = None) -> None:
        slot, shipper = self._begin()
        end = slot.end()
        shipper.wait_until(end, timeout)
        shipper.raise_refusals(end)

    def size(self) -> int:
        return _size_of(self.checkpoint())

    def entry(self, index: int) -> Entry:
        told = self._reading.get_json(f"/api/v1/entries/{index}")
        return Entry(index, told["canonical"].encode())

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        size = self.size()
        end = size if stop is None else min(stop, size)
        for number in range(start // _TILE, -(-end // _TILE)):
            width = min(size - number * _TILE, _TILE)
            bundle = _core.split_bundle(self._reading.get(_entries_path(number, width)))
            for offset, canonical in enumerate(bundle, number * _TILE):
                if start <= offset < end:
                    yield Entry(offset, canonical)

    def history(self, entity_id: object) -> list[Entry]:
        quoted = urllib.parse.quote(identifier(entity_id), safe="")
        told = self._reading.get_json(f"/api/v1/entities/{quoted}/history")
        return [Entry(one["index"], None, one["entry"]) for one in told["entries"]]

    def _recorded_since(self, moment: datetime.datetime) -> int:
        recorded_at = moment.astimezone(datetime.timezone.utc).isoformat()
        sql = f"SELECT \"index\" FROM audit_log WHERE recorded_at >= '{recorded_at}' LIMIT 1"
        told = json.loads(self._reading.query(sql, "application/json"))
        if not told["complete"]:
            raise Unavailable(told["problem"]["detail"])
        return int(told["rows"][0][0]) if told["rows"] else self.size()

    def _table(self, columns: list[str] | None, start: int) -> _core.Table:
        return _core.Table.of_service(self._page, columns, start, self.size())

    def _page(self, columns: list[str], start: int, stop: int) -> bytes:
        names = ", ".join(f'"{name}"' for name in columns)
        sql = f'SELECT {names} FROM audit_log WHERE "index" >= {start} AND "index" < {stop}'
        return self._reading.query(sql, _ARROW)

    def verify(self, *, key: str | None = None, checkpoint: str | bytes | None = None) -> Report:
        """Reads every entry that the service serves, hashes it, and compares the root with the signed checkpoint.

        Nothing that the service says of itself is believed but, without `key`, its key.
        """
        kept = checkpoint.encode() if isinstance(checkpoint, str) else checkpoint
        note = self._reading.get("/tlog/checkpoint")
        walk = _core.Walk(note, key or self.verifier_key(), [key] if key else [], kept)
        while (path := walk.next()) and walk.add(self._reading.get(path)):
            pass
        return Report.from_json(walk.finish())

    def proof(self, index: int) -> str:
        told: str = self._reading.get_json(f"/api/v1/proofs/inclusion?index={index}")["proof"]
        return told

    def checkpoint(self) -> str:
        return self._reading.get("/api/v1/checkpoint").decode()

    def verifier_key(self) -> str:
        told: str = self._reading.get_json("/api/v1/status")["verifier_key"]
        return told

    def status(self) -> dict[str, Any]:
        slot, shipper = self._begin()
        trouble = shipper.trouble
        return {
            "url": self._service.url,
            "spool": str(self._spool),
            "source": slot.source,
            "unshipped": slot.unshipped(),
            "refused": shipper.refused,
            "trouble": None if trouble is None else f"{trouble.kind}: {trouble.message}",
        }

    def close(self, timeout: float | None = None) -> None:
        with self._opening:
            self._closed = True
            begun, self._open = self._open, None
        if begun is None:
            return
        slot, shipper = begun
        try:
            shipper.wait_until(slot.end(), self._exit_timeout if timeout is None else timeout)
        except Unavailable:
            pass
        finally:
            shipper.stop()

    def _vault_folder(self) -> Path:
        return self._vault_path

    def after_fork(self) -> None:
        """In a forked child: the slot and the connections are the parent's; the child opens its own when it records."""
        self._open = None
        self._opening = threading.Lock()
        for service in (self._service, self._reading):
            service.forget_connections()


def _close_at_exit(reference: weakref.ref[Connected]) -> None:
    trail = reference()
    if trail is not None:
        trail.close()


def _usual_spool(url: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "counterfoil" / "spool" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _entries_path(number: int, width: int) -> str:
    """The C2SP tlog-tiles path of an entry bundle."""
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    partial = f".p/{width}" if width < _TILE else ""
    return f"/tlog/tile/entries/{'/'.join(groups)}{partial}"


def _size_of(checkpoint: str) -> int:
    try:
        return int(checkpoint.split("\n")[1])
    except (IndexError, ValueError):
        raise Internal("the service's checkpoint cannot be read") from None
