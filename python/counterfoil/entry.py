"""A recorded entry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Entry(Mapping[str, Any]):
    """An entry of the ledger: a mapping of its members, and its `index`.

    `canonical` holds the bytes that were hashed, where the home gives them (a service's history does not). Numbers with
    a fraction are read as `float`, whole numbers as `int`.
    """

    __slots__ = ("_members", "canonical", "index")

    def __init__(self, index: int, canonical: bytes | None, members: Mapping[str, Any] | None = None) -> None:
        self.index = index
        self.canonical = canonical
        self._members = members

    @property
    def members(self) -> Mapping[str, Any]:
        """All members."""
        if self._members is None:
            self._members = json.loads(self.canonical or b"{}")
        return self._members

    def __getitem__(self, name: str) -> Any:
        return self.members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        return f"Entry({self.index}, {dict(self.members)!r})"
