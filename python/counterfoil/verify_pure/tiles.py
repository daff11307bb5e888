"""Tiles files: the tree over a segment, and what ties its files to the entry that seals it (docs/formats/tiles.md)."""

from __future__ import annotations

import struct

from .tree import Tree

MAGIC = b"CFTILES1"
TILE = 256
TILE_HEIGHT = 8


def build(
    tree: Tree, first: int, count: int, files: list[tuple[int, list[bytes]]], sealed: list[tuple[int, bytes]]
) -> bytes:
    """The file's bytes for the segment of `count` entries from `first` on; `tree` ends where it ends, or later.

    `files` are the lengths and the hashes of the blocks of the `.parquet` and the `.index` file; `sealed` are the
    `ledger.sealed` entries in the segment, each with its index.
    """
    levels: list[tuple[int, list[bytes]]] = []
    while (end := (first + count) >> (height := TILE_HEIGHT * len(levels))) > 0:
        start = first if height == 0 else (first >> height) // TILE * TILE
        levels.append((start, [tree.subtree(height, number) for number in range(start, end)]))
    head = MAGIC + struct.pack("<QQQ", first, count, len(levels))
    offset = len(head) + 24 * len(levels)
    for start, hashes in levels:
        head += struct.pack("<QQQ", start, len(hashes), offset)
        offset += 32 * len(hashes)
    trailer = b"".join(struct.pack("<Q", length) + b"".join(blocks) for length, blocks in files)
    trailer += struct.pack("<Q", len(sealed))
    for at, raw in sealed:
        trailer += struct.pack("<QQ", at, len(raw)) + raw
    return head + b"".join(b"".join(hashes) for _, hashes in levels) + trailer
