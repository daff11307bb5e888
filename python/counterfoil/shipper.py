"""The thread that brings the spool to the service: in order, until it is there, exactly once."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, TypeVar

from ._core import Receipt, is_repeat
from .errors import Conflict, Denied, Error, Invalid, Unavailable, of_kind
from .service import Retry, Service
from .spool import Slot, is_clean, set_aside, slots

_log = logging.getLogger("counterfoil")

_MOST = 2000
_MOST_BYTES = 8 << 20
_RECEIPTS_KEPT = 1 << 16
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0
_LEFTOVERS_EVERY_S = 2.0
_LONGEST_STOP_S = 3.0
_FOR_GOOD = ("invalid", "conflict", "denied")

T = TypeVar("T")


class Shipper:
    """Ships one process's slot, and what dead processes left in the others."""

    def __init__(self, spool: Path, slot: Slot, service: Service, reading: Service) -> None:
        self._spool, self._slot, self._service, self._reading = spool, slot, service, reading
        self._changed = threading.Condition()
        self._stopping = False
        self._wanted = threading.Event()
        self._hurried = False
        self._receipts: OrderedDict[int, Receipt] = OrderedDict()
        self._refusals: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._untold: set[int] = set()
        self._own_from = slot.end()
        self._unreadable: set[Path] = set()
        self._next_look = time.monotonic() + random.uniform(0, _LEFTOVERS_EVERY_S)
        self._most = _MOST
        self.refused = 0
        self.trouble: Error | None = None
        self._thread = threading.Thread(target=self._run, name="counterfoil-shipper", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to ship."""
        self._wanted.set()

    def wait_until(self, place: int, timeout: float | None) -> None:
        """Returns when everything before `place` is shipped; `Unavailable` after `timeout` seconds."""
        with self._changed:
            self._hurried = True
            self._wanted.set()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._slot.shipped >= place or self._stopping, timeout)
            if self._slot.shipped < place:
                why = f": {self.trouble.message}" if self.trouble else ""
                raise Unavailable(f"not shipped yet, and safe in the spool{why}")

    def receipt(self, place: int) -> Receipt | None:
        """The ledger's receipt for the entry at a place, if it was among the newest that were shipped.

        Raises what the service said if it refused the entry.
        """
        with self._changed:
            if place in self._refusals:
                self._untold.discard(place)
                raise of_kind(*self._refusals[place])
            return self._receipts.get(place)

    def raise_refusals(self, before: int) -> None:
        """Raises the first refusal before a place that was not told yet; they are told now."""
        with self._changed:
            told = sorted(place for place in self._untold if place < before)
            self._untold.difference_update(told)
            if told:
                kind, message = self._refusals[told[0]]
                raise of_kind(kind, message + (f" (and {len(told) - 1} more)" if len(told) > 1 else ""))

    def wait_for_room(self, limit: int, timeout: float | None) -> bool:
        """Waits until fewer than `limit` entries are unshipped."""
        with self._changed:
            self._wanted.set()
            return self._changed.wait_for(lambda: self._slot.unshipped() < limit or self._stopping, timeout)

    def stop(self) -> None:
        """Ends the thread, which closes the slot. A request under way is broken off; its entries stay in the spool."""
        with self._changed:
            self._stopping = True
            self._wanted.set()
            self._changed.notify_all()
        self._service.break_off()
        self._thread.join(_LONGEST_STOP_S)

    def _run(self) -> None:
        try:
            self._ship()
        finally:
            self._slot.close()

    def _ship(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping:
            self._wanted.clear()
            try:
                more = self._ship_once(self._slot)
                self._slot.roll_when_due()
                self._look_for_leftovers()
            except Error as error:
                self._fail(error)
                wait_s = getattr(error, "after_s", None) or pause_s * random.uniform(0.5, 1.0)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                self._pause(wait_s)
            except Exception as error:
                _log.exception("counterfoil: shipping failed")
                self._fail(Unavailable(f"shipping failed: {error}"))
                self._pause(_LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                self.trouble = None
                if not more:
                    self._wanted.wait(_LEFTOVERS_EVERY_S)

    def _fail(self, error: Error) -> None:
        if self.trouble is None or type(self.trouble) is not type(error):
            _log.warning("counterfoil: entries wait in the spool: %s", error.message)
        with self._changed:
            self.trouble = error

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._hurried = False
            self._changed.wait_for(lambda: self._stopping or self._hurried, seconds)

    def _ship_once(self, slot: Slot) -> bool:
        """Ships the next entries of a slot; whether there were any."""
        after, batch = slot.batch(self._most, _MOST_BYTES)
        if batch:
            try:
                after = self._send(slot, batch, after)
            except Invalid as error:
                if error.kind != "too-large" or len(batch) == 1:
                    raise
                self._most = max(1, len(batch) // 2)
                return True
        if after > slot.shipped:
            slot.advance(after)
        with self._changed:
            self._changed.notify_all()
        return bool(batch)

    def _send(self, slot: Slot, batch: list[tuple[int, bytes]], after: int) -> int:
        """Sends a batch; the place up to which the service has, or finally refuses, everything."""
        if len(batch) == 1:
            self._send_one(slot, *batch[0])
            return after
        body = b"\n".join(line for _, line in batch) + b"\n"
        try:
            answer = self._service.post("/api/v1/entries?partial=true", body, "application/x-ndjson")
        except (Invalid, Conflict, Denied) as error:
            if error.kind == "too-large":
                raise
            # None of them is good: one by one the service says why.
            for place, line in batch:
                self._send_one(slot, place, line)
                slot.advance(place + 1)
            return after
        for told in answer["receipts"]:
            self._keep(slot, batch[told["position"]][0], told)
        for refusal in answer.get("refused", ()):
            place, line = batch[refusal["position"]]
            if refusal["kind"] not in _FOR_GOOD:
                if place > slot.shipped:
                    slot.advance(place)
                raise Retry(refusal["detail"])
            self._refuse(slot, place, line, refusal["kind"], refusal["detail"])
        return after

    def _send_one(self, slot: Slot, place: int, line: bytes) -> None:
        """Sends one entry; the service has it, or refuses it for good, when this returns."""
        try:
            answer = self._service.post("/api/v1/entries", line, "application/json")
        except (Invalid, Conflict, Denied) as error:
            if error.kind == "denied" and error.position is None:
                # It is the token that has no right, not the entry.
                raise
            self._refuse(slot, place, line, error.kind, error.message)
        else:
            self._keep(slot, place, answer["receipts"][0])

    def _refuse(self, slot: Slot, place: int, line: bytes, kind: str, detail: str) -> None:
        """One entry is refused for good. A repeat of an `id` may differ in its time alone: that is no conflict."""
        entry = json.loads(line)
        if kind == "conflict" and "id" in entry:
            with contextlib.suppress(Conflict, Invalid, Denied):
                told = self._told_of_first(entry, line) if "signature" in entry else self._told_without_time(line)
                if told is not None:
                    self._keep(slot, place, told)
                    return
        kept = set_aside(self._spool, line, kind, detail)
        self.refused += 1
        _log.error("counterfoil: the service refused an entry, kept in %s: %s", kept, detail)
        if slot is self._slot and place >= self._own_from:
            with self._changed:
                self._untold.add(place)
                self._untold.difference_update(_remember(self._refusals, place, (kind, f"{detail}; kept in {kept}")))

    def _told_without_time(self, line: bytes) -> dict[str, Any]:
        timeless = {name: value for name, value in _raw(line).items() if name != "timestamp"}
        body = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in timeless.items()) + "}"
        receipt: dict[str, Any] = self._service.post("/api/v1/entries", body.encode(), "application/json")["receipts"][
            0
        ]
        return receipt

    def _told_of_first(self, entry: dict[str, Any], line: bytes) -> dict[str, Any] | None:
        """What a repeat of a signed entry would be told: it must be read, since the signatures differ."""
        quoted = entry["id"].replace("'", "''")
        sql = f"SELECT \"index\" FROM audit_log WHERE id = '{quoted}' LIMIT 100"
        found = json.loads(self._reading.query(sql, "application/json"))
        for (index,) in found["rows"]:
            told = self._reading.get_json(f"/api/v1/entries/{index}")
            if is_repeat(line, told["canonical"].encode()):
                recorded_at = told["entry"]["recorded_at"]
                return {**told, "tree_size": found["tree_size"], "recorded_at": recorded_at}
        return None

    def _keep(self, slot: Slot, place: int, told: dict[str, Any]) -> None:
        if slot is not self._slot:
            return
        receipt = Receipt(
            index=told["index"],
            leaf_hash=told["leaf_hash"],
            tree_size=told["tree_size"],
            recorded_at=told["recorded_at"],
        )
        _remember(self._receipts, place, receipt)

    def _look_for_leftovers(self) -> None:
        """Ships what processes that are gone left in their slots."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LEFTOVERS_EVERY_S
        for path in slots(self._spool):
            if path == self._slot.path or self._stopping or is_clean(path):
                continue
            try:
                leftover = Slot.take(path)
            except (Error, OSError, ValueError) as error:
                if path not in self._unreadable:
                    self._unreadable.add(path)
                    _log.error("counterfoil: the spool %s cannot be read: %s", path, error)
                continue
            if leftover is None:
                continue
            try:
                while not self._stopping and self._ship_once(leftover):
                    self._ship_once(self._slot)
            finally:
                leftover.close()


def _remember(kept: OrderedDict[int, T], place: int, what: T) -> list[int]:
    """Keeps the newest; the places that are forgotten for it."""
    kept[place] = what
    return [kept.popitem(last=False)[0] for _ in range(len(kept) - _RECEIPTS_KEPT)]


def _raw(line: bytes) -> dict[str, str]:
    """The members of an entry as the JSON texts that they are."""
    members = json.loads(line, parse_float=_Literal, parse_int=_Literal)
    return {name: _text(value) for name, value in members.items()}


class _Literal(str):
    """A number as its digits."""

    __slots__ = ()


def _text(value: Any) -> str:
    if isinstance(value, _Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(member) for member in value) + "]"
    return json.dumps(value)
