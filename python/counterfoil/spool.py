"""The spool: what was recorded and is not shipped yet, in ledgers of its own on the local disk.

    <spool>/<slot>/slot.json               the slot's source, and the host it belongs to
    <spool>/<slot>/lock                    held by the process whose slot it is, or that ships what a dead one left
    <spool>/<slot>/<place>-<sequence>/     an embedded ledger: the entries from this place and sequence number on
    <spool>/<slot>/shipped                 the place up to which the service has everything; may be behind
    <spool>/<slot>/clean                   there while nobody holds the slot and everything in it is shipped
    <spool>/refused.jsonl                  entries that the service refused for good, with its reason
    <spool>/origin                         the name of the service's ledger, where entries are signed for it

A process has a slot to itself and its own source, and takes over a slot that is free before it makes one. Entries that
are signed are in ledgers that bear the name of the service's and know the key, so that they check the signatures too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import _core, forking
from ._core import Receipt
from .disk import sync_folder
from .encoding import Converter
from .errors import Closed, Error, NotFound, Poisoned, Unavailable
from .service import Service
from .signer import Signing, is_registered

_SPAN = 1 << 20
ROLL_AT = 1 << 16
"""Entries of a ledger in the spool, after which the next one is begun."""

ROLL_EMPTY_AT = 1 << 13
"""The same where everything is shipped."""


class Generation(NamedTuple):
    """One ledger of a slot: its first place and its first sequence number."""

    offset: int
    sequence: int
    path: Path

    @classmethod
    def of(cls, path: Path) -> Generation | None:
        """The generation with this folder; none if the name is another's."""
        offset, dash, sequence = path.name.partition("-")
        if not (dash and offset.isdigit() and sequence.isdigit()):
            return None
        return cls(int(offset), int(sequence), path)


class Slot:
    """A slot that this process holds. Appending is for any thread, shipping for one."""

    def __init__(self, path: Path, lock_fd: int, signing: Signing | None = None) -> None:
        self.path = path
        self._lock_fd = lock_fd
        self._signing = signing
        told = json.loads((path / "slot.json").read_text())
        self.source: str = told["source"]
        self._changing = threading.Condition()
        self._appending = 0
        self._poisoned = False
        self._reading: tuple[Generation, _core.Ledger] | None = None
        self._generations = _generations(path)
        self._active = self._open_active()
        self.shipped = self._read_cursor()
        self._forget_clean()
        forking.watch(self)

    @classmethod
    def take(cls, path: Path, signing: Signing | None = None) -> Slot | None:
        """The slot in this folder, unless another process holds it."""
        with forking.steady:
            lock_fd = _locked(path / "lock")
            if lock_fd is None:
                return None
            try:
                return cls(path, lock_fd, signing)
            except BaseException:
                os.close(lock_fd)
                raise

    @classmethod
    def make(cls, spool: Path, source: str, signing: Signing | None = None) -> Slot:
        """A new slot of this process, with a source that nobody else has."""
        name = secrets.token_hex(8)
        path = spool / name
        with forking.steady:
            path.mkdir(mode=0o700)
            lock_fd = _locked(path / "lock")
            if lock_fd is None:
                raise Unavailable(f"{path}: somebody else locked a new slot")
            _write(path / "slot.json", json.dumps({"source": f"{source}/{name}", "host": socket.gethostname()}))
            sync_folder(spool)
            return cls(path, lock_fd, signing)

    def append(self, entries: list[dict[str, Any]], convert: Converter) -> list[Receipt]:
        """Makes entries durable, numbered, all or nothing."""
        with self._changing:
            if self._poisoned:
                self._reopen()
            ledger = self._ledger()
            self._appending += 1
        try:
            return ledger.append(entries, convert)
        except Poisoned:
            self._poisoned = True
            raise
        finally:
            with self._changing:
                self._appending -= 1
                self._changing.notify_all()

    def end(self) -> int:
        """The place after the last entry."""
        return self._generations[-1].offset + self._ledger().size()

    def unshipped(self) -> int:
        """Entries that the service may not have."""
        return self.end() - self.shipped

    def batch(self, most: int, most_bytes: int) -> tuple[int, list[tuple[int, bytes]]]:
        """Place and JSON of the next entries to ship, and the place to go on from."""
        while True:
            generation = self._generation_at(self.shipped)
            ledger = self._ledger_of(generation)
            after, found = ledger.unshipped(self.shipped - generation.offset, most, most_bytes)
            after += generation.offset
            if found or generation == self._generations[-1]:
                return after, [(generation.offset + index, line) for index, line in found]
            self.advance(self._next_of(generation).offset)

    def advance(self, place: int) -> None:
        """The service has everything before this place: remembers that, and removes ledgers that are shipped."""
        self.shipped = place
        _write(self.path / "shipped", str(place), durable=False)
        while len(self._generations) > 1 and self._generations[1].offset <= place:
            self._close_reading()
            shutil.rmtree(self._generations[0].path, ignore_errors=True)
            with self._changing:
                self._generations = self._generations[1:]

    def roll_when_due(self) -> None:
        """Begins the next ledger when this one is large, so that its space can be freed."""
        entries = self._ledger().size()
        if entries < ROLL_EMPTY_AT or (entries < ROLL_AT and self.unshipped() > 0):
            return
        with self._changing:
            self._changing.wait_for(lambda: self._appending == 0)
            ledger = self._ledger()
            following = self._following(ledger, self._generations[-1])
            with forking.steady:
                self._active = self._made(following)
                self._generations = [*self._generations, following]
                ledger.close()
        self.advance(self.shipped)

    def close(self) -> None:
        """Lets go of the slot; what is in it stays."""
        with self._changing:
            self._changing.wait_for(lambda: self._appending == 0)
            active, self._active = self._active, None
        self._close_reading()
        with forking.steady:
            if active is not None:
                if self._generations[-1].offset + active.size() <= self.shipped:
                    _write(self.path / "clean", "", durable=False)
                active.close()
            if self._lock_fd >= 0:
                os.close(self._lock_fd)
                self._lock_fd = -1

    def after_fork(self) -> None:
        """In a forked child: the slot stays the parent's."""
        for ledger in (self._active, self._reading[1] if self._reading else None):
            if ledger is not None:
                _core.abandon(ledger)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _forget_clean(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.path / "clean").unlink()
            sync_folder(self.path)

    def _ledger(self) -> _core.Ledger:
        if self._active is None:
            raise Closed("the trail was closed")
        return self._active

    def _open_active(self) -> _core.Ledger | None:
        if self._generations:
            last = self._generations[-1]
            try:
                ledger = _core.Ledger.open(last.path)
                if self._signing is None or ledger.origin() == self._signing.origin:
                    return self._numbered(ledger, last)
                first = self._following(ledger, last)
                ledger.close()
            except NotFound:
                # The process ended before this ledger was one: nothing was recorded in it.
                shutil.rmtree(last.path)
                self._generations.pop()
                first = self._create(last.offset, last.sequence)
        else:
            first = self._create(0, 0)
        self._generations.append(first)
        return self._made(first)

    def _create(self, offset: int, sequence: int) -> Generation:
        return Generation(offset, sequence, self.path / f"{offset:020}-{sequence:020}")

    def _following(self, ledger: _core.Ledger, last: Generation) -> Generation:
        """The generation that goes on after the last one."""
        known = ledger.last_of(self.source)
        return self._create(last.offset + ledger.size(), last.sequence if known is None else known + 1)

    def _made(self, generation: Generation) -> _core.Ledger:
        shutil.rmtree(generation.path, ignore_errors=True)
        origin = self._signing.origin if self._signing else f"spool/{self.path.name}"
        ledger = _core.Ledger.create(generation.path, origin, _SPAN)
        sync_folder(self.path)
        return self._numbered(ledger, generation)

    def _numbered(self, ledger: _core.Ledger, generation: Generation) -> _core.Ledger:
        known = ledger.last_of(self.source)
        following = generation.sequence if known is None else known + 1
        signer = self._signing.signer if self._signing else None
        if signer is not None and not is_registered(ledger, signer):
            ledger.register_key(signer.public_key)
        ledger.number(self.source, following, generation.offset, signer)
        return ledger

    def _reopen(self) -> None:
        """After a failed sync the ledger is read from disk again, as its rules ask. The caller holds `_changing`."""
        self._changing.wait_for(lambda: self._appending == 0)
        if not self._poisoned:
            return
        last = self._generations[-1]
        with forking.steady:
            with contextlib.suppress(Error):
                self._ledger().close()
            self._active = self._numbered(_core.Ledger.open(last.path), last)
        self._poisoned = False

    def _generation_at(self, place: int) -> Generation:
        return next(one for one in reversed(self._generations) if one.offset <= place)

    def _next_of(self, generation: Generation) -> Generation:
        return self._generations[self._generations.index(generation) + 1]

    def _ledger_of(self, generation: Generation) -> _core.Ledger:
        if generation == self._generations[-1]:
            return self._ledger()
        if self._reading is None or self._reading[0] != generation:
            self._close_reading()
            with forking.steady:
                self._reading = (generation, _core.Ledger.open(generation.path))
        return self._reading[1]

    def _close_reading(self) -> None:
        with forking.steady:
            reading, self._reading = self._reading, None
            if reading is not None:
                reading[1].close()

    def _read_cursor(self) -> int:
        first, end = self._generations[0].offset, self.end()
        try:
            return min(max(int((self.path / "shipped").read_text()), first), end)
        except (OSError, ValueError):
            return first


def slot_of_this_process(spool: Path, source: str, signing: Signing | None = None) -> Slot:
    """A free slot of this host, taken over, or a new one."""
    for path in slots(spool):
        if _host(path) != socket.gethostname():
            continue
        try:
            slot = Slot.take(path, signing)
        except (Error, OSError, ValueError):
            continue
        if slot is not None:
            return slot
    return Slot.make(spool, source, signing)


def origin_of(spool: Path, given: str | None, service: Service) -> str:
    """The name of the service's ledger: as given, as it was kept, or as the service says; kept from then on."""
    path = spool / "origin"
    try:
        with contextlib.suppress(FileNotFoundError):
            kept = path.read_text()
            if given in (None, kept):
                return kept
        if given is None:
            given = str(service.get_json("/api/v1/status")["origin"])
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            # Whoever was quicker wrote the same.
            _write(path, given)
    except OSError as error:
        raise Unavailable(f"the spool {spool}: {error}") from error
    except Unavailable as error:
        raise Unavailable(
            f"{error.message}; what is signed for it must know its ledger's origin: give origin="
        ) from error
    return given


def slots(spool: Path) -> Iterator[Path]:
    """The folders of all slots."""
    for path in sorted(spool.iterdir()):
        if (path / "slot.json").is_file():
            yield path


def is_clean(path: Path) -> bool:
    """Whether a slot that nobody holds has nothing to ship."""
    return (path / "clean").exists()


def _host(path: Path) -> str | None:
    try:
        host: str = json.loads((path / "slot.json").read_text())["host"]
    except (OSError, ValueError, KeyError):
        return None
    return host


def set_aside(spool: Path, line: bytes, kind: str, detail: str) -> Path:
    """Keeps an entry that the service refused for good, durable when this returns; the file."""
    path = spool / "refused.jsonl"
    kept = json.dumps({"kind": kind, "detail": detail, "entry": json.loads(line)}, ensure_ascii=False)
    with open(path, "ab") as file:
        file.write(kept.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def _generations(path: Path) -> list[Generation]:
    found = (Generation.of(one) for one in path.iterdir() if one.is_dir())
    return sorted(one for one in found if one is not None)


def _locked(path: Path) -> int | None:
    lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock_fd)
        return None
    return lock_fd


def _write(path: Path, text: str, *, durable: bool = True) -> None:
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if durable:
        sync_folder(path.parent)
