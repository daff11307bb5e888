"""Index files, built again from the entries (docs/formats/index.md)."""

from __future__ import annotations

import functools
import itertools
import struct
from typing import Any

from .history import Ranges

MAGIC = b"CFLINDEX"
HEADER_BYTES = 140
BLOCK_BYTES = 4096
BITS = 40
TEXTS = ("entity_id", "actor", "trace_id", "id")

Sources = dict[tuple["str | None", str], Ranges]


class Builder:
    """Makes a segment's index file from its entries, one after the other."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._count = 0
        self._rows: list[dict[int, list[int]]] = [{} for _ in range(len(TEXTS) + 1)]

    def add(self, members: dict[str, Any]) -> None:
        """The entry of the next row."""
        for section, name in enumerate(TEXTS):
            if name in members:
                self._rows[section].setdefault(text_hash(members[name]), []).append(self._count)
        if "source" in members:
            name = members["source"] if "recorder" not in members else f"{members['recorder']}\0{members['source']}"
            hashed = (text_hash(name) + int(members["sequence"].text)) % 2**BITS
            self._rows[-1].setdefault(hashed, []).append(self._count)
        self._count += 1

    def finish(self, sources: Sources) -> bytes:
        """The file's bytes; `sources` is what was seen from the ledger's first entry to this segment's last."""
        head = MAGIC + struct.pack("<IIQ", 1, self._count, self._first)
        body = b""
        for rows in self._rows:
            blocks, directory = _section(rows)
            start = HEADER_BYTES + len(body)
            head += struct.pack("<QQI", start, start + len(blocks), len(directory) // 12)
            body += blocks + directory
        listed = _sources(sources)
        start = HEADER_BYTES + len(body)
        return head + struct.pack("<QQ", start, start + len(listed)) + body + listed


def _section(rows_of: dict[int, list[int]]) -> tuple[bytes, bytes]:
    blocks, directory = b"", b""
    block = bytearray()
    last_hash = last_row = first_hash = 0
    for hashed in sorted(rows_of):
        if not block:
            first_hash, last_hash, last_row = hashed, hashed, 0
        rows = rows_of[hashed]
        block += _group(hashed - last_hash, rows, last_row)
        last_hash, last_row = hashed, rows[0]
        if len(block) >= BLOCK_BYTES:
            directory += struct.pack("<QI", first_hash, len(blocks))
            blocks += block
            block = bytearray()
    if block:
        directory += struct.pack("<QI", first_hash, len(blocks))
        blocks += block
    return blocks, directory


def _group(distance: int, rows: list[int], last_row: int) -> bytes:
    distances = [after - before - 1 for before, after in itertools.pairwise(rows)]
    plain = b"".join(map(varint, distances))
    runs = b""
    at = 0
    while at < len(distances):
        end = at + 1
        while end < len(distances) and distances[end] == distances[at]:
            end += 1
        runs += varint(distances[at]) + varint(end - at - 1)
        at = end
    in_runs = len(runs) < len(plain)
    head = varint(distance) + varint(2 * len(rows) + in_runs) + _signed(rows[0] - last_row)
    return head + (runs if in_runs else plain)


def _sources(sources: Sources) -> bytes:
    listed = varint(len(sources))
    named = {
        (b"" if recorder is None else b"\1" + recorder.encode(), source.encode()): ranges.ranges
        for (recorder, source), ranges in sources.items()
    }
    for recorder_key, source_key in sorted(named):
        listed += varint(len(recorder_key)) + recorder_key[1:] + varint(len(source_key)) + source_key
        ranges = named[recorder_key, source_key]
        listed += varint(len(ranges))
        before = 0
        for first, last in ranges:
            listed += varint(first - before) + varint(last - first)
            before = last
    return listed


def varint(number: int) -> bytes:
    """LEB128."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _signed(number: int) -> bytes:
    return varint(2 * number if number >= 0 else -2 * number - 1)


@functools.lru_cache(maxsize=1 << 16)
def text_hash(text: str) -> int:
    """The upper 40 bits of the XXH64 of a text."""
    return xxh64(text.encode()) >> (64 - BITS)


_1, _2, _3, _4, _5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
)  # fmt: skip
_MASK = 2**64 - 1


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0."""
    at = 0
    if len(data) >= 32:
        lanes = [(_1 + _2) & _MASK, _2, 0, -_1 & _MASK]
        while at + 32 <= len(data):
            words = struct.unpack_from("<4Q", data, at)
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
            at += 32
        state = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * _1 + _4) & _MASK
    else:
        state = _5
    state = (state + len(data)) & _MASK
    while at + 8 <= len(data):
        state = (_rotate(state ^ _round(0, struct.unpack_from("<Q", data, at)[0]), 27) * _1 + _4) & _MASK
        at += 8
    if at + 4 <= len(data):
        state = (_rotate(state ^ struct.unpack_from("<I", data, at)[0] * _1 & _MASK, 23) * _2 + _3) & _MASK
        at += 4
    for byte in data[at:]:
        state = _rotate(state ^ byte * _5 & _MASK, 11) * _1 & _MASK
    state = (state ^ state >> 33) * _2 & _MASK
    state = (state ^ state >> 29) * _3 & _MASK
    return state ^ state >> 32


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _2) & _MASK, 31) * _1 & _MASK


def _rotate(number: int, by: int) -> int:
    return (number << by | number >> (64 - by)) & _MASK
