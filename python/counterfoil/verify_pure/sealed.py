"""Segments: their three files, and the entries in them (docs/formats/segment.md, tiles.md, index.md); by `pyarrow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import index, layout, tiles, tree
from .findings import Malformed, Report
from .layout import PARTS, segment_file
from .ledger import Ledger
from .seals import SEALED, Seal, Seals, blocks, wrong
from .segment import KEYS, MOST_ROWS, Segment, cells, rebuild


def collect(seals: Seals, ledger: Ledger, segments: Iterable[int]) -> None:
    """Adds the seals that stand in segments, the newest first: a file is read once a seal vouches for its blocks."""
    for first in sorted(segments, reverse=True):
        raw = layout.read(ledger.folder, segment_file(first, "parquet"), Report())
        if raw is None or any(wrong(seal, "parquet", raw) for seal in seals.by_first.get(first, [])):
            continue
        try:
            for row in Segment(raw).rows(SEALED):
                seals.add(row["index"], rebuild(row))
        except Malformed:
            continue


def check_segment(ledger: Ledger, first: int, seals: list[Seal], awaits: bool) -> None:
    """Checks the files of the segment whose first entry is `ledger.end`, and adds its entries.

    `awaits` says whether the journal still holds them, so that a seal may still come.
    """
    found = ledger.report.found
    files: dict[str, bytes] = {}
    for part in PARTS:
        name = segment_file(first, part)
        raw = layout.read(ledger.folder, name, ledger.report)
        if raw is None:
            continue
        faults = [fault for seal in seals if (fault := wrong(seal, part, raw))]
        for kind, message in faults:
            found(kind, message, name)
        if not faults:
            files[part] = raw
    name = segment_file(first, "parquet")
    if not seals:
        if awaits:
            ledger.report.notices.append(f"{name} awaits the entry that seals it")
        else:
            found("segment-unsealed", "no entry seals it", name, index=first)
    count = 0
    if "parquet" in files:
        count = _Content(ledger, first, name).check(files, seals)
    if not count:
        ledger.lose()
        ledger.end = first + max((seal.count for seal in seals), default=0)


class _Content:
    """What is in a segment's files."""

    def __init__(self, ledger: Ledger, first: int, name: str) -> None:
        self.ledger = ledger
        self.first = first
        self.name = name
        self.leaves: list[bytes] = []
        self.sealed: list[tuple[int, bytes]] = []
        self.index = index.Builder(first)

    def check(self, files: dict[str, bytes], seals: list[Seal]) -> int:
        """The number of entries that were read."""
        found, ledger = self.ledger.report.found, self.ledger
        try:
            segment = Segment(files["parquet"])
            for row in segment.rows():
                self._row(self.first + len(self.leaves), row)
        except Malformed as error:
            found("segment-unreadable", str(error), self.name, index=self.first + len(self.leaves))
            ledger.lose()
            return len(self.leaves)
        count = len(self.leaves)
        if not 0 < count <= MOST_ROWS:
            found("segment-metadata", f"it has {count} rows", self.name)
        span = ledger.about.segment_span
        if self.first // span != (self.first + count - 1) // span:
            found("segment-metadata", f"it crosses a multiple of {span}", self.name)
        root = tree.Tree(self.leaves).root(count).hex()
        for seal in seals:
            if (seal.count, seal.root) != (count, root):
                found("root-mismatch", f"entry {seal.index} seals other entries", self.name)
        self._metadata(segment, root)
        self._derived(files, count)
        return count

    def _row(self, at: int, row: dict[str, Any]) -> None:
        found = self.ledger.report.found
        if row["index"] != at:
            found("index-mismatch", f"the row says {row['index']}", self.name, index=at)
        try:
            raw = rebuild(row)
        except Malformed as error:
            found("cell-disagrees", str(error), self.name, index=at)
            self.ledger.lose()
            raw = b""
        leaf = tree.leaf_hash(raw)
        self.leaves.append(leaf)
        members = self.ledger.add(at, raw, leaf, self.name)
        if members is None:
            return
        if cells(at, members) != row:
            found("cell-disagrees", "the cells are not those of the entry that they make", self.name, index=at)
        self.index.add(members)
        if members["event_type"] == SEALED:
            self.sealed.append((at, raw))

    def _metadata(self, segment: Segment, root: str) -> None:
        found, ledger, end = self.ledger.report.found, self.ledger, self.first + len(self.leaves)
        texts = {
            "format_version": "1",
            "origin": ledger.about.origin,
            "first": str(self.first),
            "count": str(len(self.leaves)),
            "root": root,
        }
        if ledger.complete:
            for name, size in (("before", self.first), ("after", end)):
                texts[name] = " ".join(one.hex() for one in ledger.tree.complete(size))
        if set(segment.metadata) != set(KEYS):
            found("segment-metadata", "its metadata has other keys", self.name)
            return
        for key, text in texts.items():
            if segment.metadata[f"counterfoil.{key}"] != text:
                found("segment-metadata", f"its {key} is not what the entries give", self.name)
        checkpoint = segment.metadata["counterfoil.checkpoint"]
        if checkpoint:
            ledger.claim(checkpoint.encode(), self.name, "root-mismatch")

    def _derived(self, files: dict[str, bytes], count: int) -> None:
        """Builds the other two files again and compares."""
        ledger = self.ledger
        if not ledger.complete:
            return
        if "index" in files and self.index.finish(ledger.history.sources) != files["index"]:
            ledger.report.found(
                "index-file-wrong", "not the index that the entries give", segment_file(self.first, "index")
            )
        if files.keys() == set(PARTS):
            parts = [(len(files[part]), blocks(files[part])) for part in ("parquet", "index")]
            if tiles.build(ledger.tree, self.first, count, parts, self.sealed) != files["tiles"]:
                ledger.report.found("tile-wrong", "not what the entries give", segment_file(self.first, "tiles"))
