"""The entries that seal segments, and what they hold of a segment's files (docs/formats/folder.md)."""

from __future__ import annotations

import dataclasses
from typing import Any

from . import entry, tree
from .canonical import Number
from .findings import Malformed
from .layout import BLOCK, PARTS

SEALED = "ledger.sealed"


@dataclasses.dataclass(frozen=True)
class Seal:
    """An entry `ledger.sealed`: of a segment's files it holds the length and the root over the blocks."""

    index: int
    first: int
    count: int
    root: str
    files: dict[str, tuple[int, str]]

    @classmethod
    def of(cls, at: int, members: dict[str, Any]) -> Seal:
        context = members.get("context", {})
        try:
            files = {
                part: (_number(context["files"][part]["length"]), context["files"][part]["block_root"])
                for part in PARTS
            }
            seal = cls(at, _number(context["first"]), _number(context["count"]), context["root"], files)
        except (KeyError, TypeError) as error:
            raise Malformed(f"a {SEALED} entry without {error}") from error
        if members["entity_id"] != f"segment/{seal.first}":
            raise Malformed(f"a {SEALED} entry that names another segment")
        return seal


class Seals:
    """The seals of a ledger, by the first entry of their segments."""

    def __init__(self) -> None:
        self.by_first: dict[int, list[Seal]] = {}

    def add(self, at: int, raw: bytes) -> None:
        """An entry; if it is valid and seals a segment, it is remembered. What is wrong with it is found elsewhere."""
        if b'"event_type":"ledger.sealed"' not in raw:
            return
        try:
            seal = Seal.of(at, entry.parse(raw)[0])
        except Malformed:
            return
        self.by_first.setdefault(seal.first, []).append(seal)


def wrong(seal: Seal, part: str, raw: bytes) -> tuple[str, str] | None:
    """Kind and message, where a file is not the one that was sealed."""
    length, root = seal.files[part]
    if len(raw) != length:
        kind = "file-truncated" if len(raw) < length else "file-extended"
        return kind, f"it has {len(raw)} bytes; {length} were sealed"
    if block_tree(raw).hex() != root:
        return "block-mismatch", "a block of it does not have the digest that was sealed"
    return None


def blocks(raw: bytes) -> list[bytes]:
    """The leaves of a file's blocks."""
    return [tree.leaf_hash(raw[at : at + BLOCK]) for at in range(0, len(raw), BLOCK)]


def block_tree(raw: bytes) -> bytes:
    leaves = blocks(raw)
    return tree.Tree(leaves).root(len(leaves))


def _number(value: Any) -> int:
    if not isinstance(value, Number) or not value.text.isdecimal():
        raise TypeError("a number")
    return int(value.text)
