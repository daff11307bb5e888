"""Journal files: frames of entries, a commit each (docs/formats/journal.md)."""

from __future__ import annotations

import dataclasses
import struct
from typing import NamedTuple

MAGIC = b"CFJ1"
_HEADER = struct.Struct("<4sHHQIIQq32s64s")
SIGNED_HEADER = 72
ROW = struct.Struct("<32sI")
MOST_ENTRIES = 65_536
MOST_BYTES = 67_108_864
SECTOR = 512


@dataclasses.dataclass(frozen=True)
class Header:
    """The first bytes of a frame, at `offset` in its file."""

    offset: int
    magic: bytes
    flags: int
    zero: int
    first: int
    count: int
    checksum: int
    length: int
    recorded_at_us: int
    root: bytes
    signature: bytes

    @property
    def end(self) -> int:
        return self.offset + _HEADER.size + self.length


class Frame(NamedTuple):
    """A commit. `signed` are the bytes under the signature; `whole` says whether the checksum is right."""

    header: Header
    signed: bytes
    leaves: list[bytes]
    entries: list[bytes]
    whole: bool


class Journal(NamedTuple):
    """The frames of a file, and where something begins that is neither a frame nor only zeros."""

    frames: list[Frame]
    rest: int | None


def read(raw: bytes) -> Journal:
    """Takes a file apart, as far as frames follow one another."""
    frames: list[Frame] = []
    at = 0
    while (frame := _frame(raw, at)) is not None:
        frames.append(frame)
        at = frame.header.end
    return Journal(frames, at if raw[at:].strip(b"\0") else None)


def is_torn(raw: bytes, start: int, published: int, size: int) -> bool:
    """Whether what follows the last whole frame may be a write that was cut off.

    `published` is the size in `checkpoint`, `size` the number of entries before `start`.
    """
    used = len(raw.rstrip(b"\0"))
    header = _header(raw, start)
    end, count = (header.end, header.count) if header else (used, 1)
    if size + count <= published or used > end:
        return False
    if used < end or (used < start + _HEADER.size and MAGIC.startswith(raw[start:used][:4])):
        return True
    sectors = range(start // SECTOR * SECTOR, end, SECTOR)
    return any(not raw[max(at, start) : min(at + SECTOR, end)].strip(b"\0") for at in sectors)


def _header(raw: bytes, at: int) -> Header | None:
    if len(raw) - at < _HEADER.size:
        return None
    header = Header(at, *_HEADER.unpack_from(raw, at))
    plausible = (
        header.magic == MAGIC
        and header.flags <= 1
        and header.zero == 0
        and 0 < header.count <= MOST_ENTRIES
        and header.count * ROW.size <= header.length <= MOST_BYTES
    )
    return header if plausible else None


def _frame(raw: bytes, at: int) -> Frame | None:
    header = _header(raw, at)
    if header is None or header.end > len(raw):
        return None
    body = at + _HEADER.size
    rows = [ROW.unpack_from(raw, body + number * ROW.size) for number in range(header.count)]
    entries, place = [], body + header.count * ROW.size
    for _, size in rows:
        entries.append(raw[place : place + size])
        place += size
    if place != header.end:
        return None
    signed = raw[at : at + 20] + bytes(4) + raw[at + 24 : at + SIGNED_HEADER]
    whole = crc32c(raw[at : at + 20] + raw[at + 24 : header.end]) == header.checksum
    return Frame(header, signed, [leaf for leaf, _ in rows], entries, whole)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), as RFC 3720 has it."""
    state = 0xFFFFFFFF
    for byte in data:
        state = _CRC[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]
