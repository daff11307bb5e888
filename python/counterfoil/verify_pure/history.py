"""What must hold from entry to entry: time, sequences, ids, clients' keys and their signatures."""

from __future__ import annotations

import bisect
import hashlib
import re
from typing import Any

from . import b64, ed25519, entry
from .findings import Report

KEY_TYPES = ("ledger.key_registered", "ledger.key_revoked")


class Ranges:
    """Whole numbers, as ascending ranges between which at least one number is missing."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def add(self, number: int) -> bool:
        """Whether it was new."""
        at = bisect.bisect_right(self.ranges, (number, 2**63))
        first = last = number
        if at and self.ranges[at - 1][1] >= number:
            return False
        low = high = at
        if at and self.ranges[at - 1][1] == number - 1:
            low, first = at - 1, self.ranges[at - 1][0]
        if at < len(self.ranges) and self.ranges[at][0] == number + 1:
            high, last = at + 1, self.ranges[at][1]
        self.ranges[low:high] = [(first, last)]
        return True


class History:
    """Entries in ascending order of their indices; what is wrong goes into the report."""

    def __init__(self, origin: str, report: Report) -> None:
        self.sources: dict[tuple[str | None, str], Ranges] = {}
        self.complete = True
        """Whether no entry is missing that may have registered a key."""
        self._origin = origin
        self._report = report
        self._recorded_at = 0
        self._ids: set[tuple[str | None, str]] = set()
        self._keys: dict[str, tuple[bytes, frozenset[str]]] = {}

    def add(self, index: int, members: dict[str, Any], file: str | None = None) -> None:
        """The next entry. `members` are those of a valid one."""
        found = self._report.found
        recorded_at = entry.instant(members, "recorded_at")
        if recorded_at < self._recorded_at:
            found("recorded-at-backwards", "recorded before the entry in front of it", file, index=index)
        self._recorded_at = recorded_at
        recorder = members.get("recorder")
        if "source" in members:
            ranges = self.sources.setdefault((recorder, members["source"]), Ranges())
            if not ranges.add(int(members["sequence"].text)):
                found("sequence-repeat", f"{members['source']} has this sequence already", file, index=index)
        if "id" in members:
            if (recorder, members["id"]) in self._ids:
                found("duplicate-id", f"the id {members['id']!r} stands in an earlier entry", file, index=index)
            self._ids.add((recorder, members["id"]))
        if "signature" in members:
            self._check_signature(index, members, file)

    def add_key(self, index: int, members: dict[str, Any], file: str | None = None) -> None:
        """An entry that registers or revokes a client's key."""
        if members["event_type"] == "ledger.key_revoked":
            if self._keys.pop(members["entity_id"], None) is None and self.complete:
                self._report.found("key-unregistered", "it revokes a key that is not registered", file, index=index)
            return
        context = members.get("context", {})
        public_key, actors = context.get("public_key"), context.get("actors")
        if (
            set(context) != {"actors", "algorithm", "public_key"}
            or context["algorithm"] != "ed25519"
            or not isinstance(public_key, str)
            or not re.fullmatch("[0-9a-f]{64}", public_key)
            or hashlib.sha256(bytes.fromhex(public_key)).hexdigest() != members["entity_id"]
            or not isinstance(actors, list)
            or not all(isinstance(actor, str) for actor in actors)
        ):
            self._report.found("entry-malformed", "a registration of a key that is none", file, index=index)
            return
        self._keys[members["entity_id"]] = bytes.fromhex(public_key), frozenset(actors)

    def _check_signature(self, index: int, members: dict[str, Any], file: str | None) -> None:
        signature = members["signature"]
        self._report.signatures_checked += 1
        key, actors = self._keys.get(signature["key_id"], (None, frozenset()))
        if key is None and not self.complete:
            return
        if key is None or (actors and members["actor"] not in actors):
            self._report.found("key-unregistered", "the key is not registered for the actor", file, index=index)
            return
        if not ed25519.verify(key, b64.decode(signature["value"]), entry.signed_bytes(members, self._origin)):
            self._report.found("entry-signature", "the client's signature does not hold", file, index=index)
