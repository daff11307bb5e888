"""What all parts of a ledger's verification share: the tree so far, the history so far, and what was signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import entry
from .findings import Malformed, Report
from .history import KEY_TYPES, History
from .layout import About
from .note import Checkpoint, VerifierKey
from .tree import Tree


class Ledger:
    """The entries of a folder as they are read, in order.

    `complete` says whether every entry so far could be read. If one could not, that is a finding; the tree ends in
    front of it, and what rests on all entries (roots, indexes, whether a key is registered) is not judged any more.
    """

    def __init__(self, folder: Path, about: About, keys: Sequence[VerifierKey], report: Report) -> None:
        self.folder = folder
        self.about = about
        self.keys = keys
        self.report = report
        self.tree = Tree()
        self.history = History(about.origin, report)
        self.complete = True
        self.end = 0
        """The index after the last entry that was looked at."""
        self._claims: list[tuple[Checkpoint, str, str]] = []

    def add(self, index: int, raw: bytes, leaf: bytes, file: str) -> dict[str, Any] | None:
        """The entry with this index, which is `end`; its members, if it is a valid one."""
        self.end = index + 1
        self.report.entries_checked += 1
        if self.complete:
            self.tree.append(leaf)
        try:
            members, is_canonical = entry.parse(raw)
        except Malformed as error:
            self.report.found("entry-malformed", str(error), file, index=index)
            return None
        if not is_canonical:
            self.report.found("entry-not-canonical", "not the canonical form of the entry", file, index=index)
        self.history.add(index, members, file)
        if members["event_type"] in KEY_TYPES:
            self.history.add_key(index, members, file)
        if index == 0:
            self._check_created(members, file)
        return members

    def lose(self) -> None:
        """From here on entries are missing."""
        self.complete = self.history.complete = False

    def claim(self, raw: bytes, file: str, kind: str) -> int:
        """A signed checkpoint, to be compared with the whole tree; its size, or 0.

        `kind` is the finding where the root is another one.
        """
        try:
            checkpoint = Checkpoint.parse(raw)
        except Malformed as error:
            self.report.found("checkpoint-malformed", str(error), file)
            return 0
        if checkpoint.origin != self.about.origin:
            self.report.found("origin-mismatch", f"a checkpoint of {checkpoint.origin}", file)
        elif not checkpoint.note.signed_by(self.keys):
            self.report.found("checkpoint-signature", "no valid signature of the ledger's key", file)
        else:
            self._claims.append((checkpoint, file, kind))
        return checkpoint.size

    def check_claims(self) -> None:
        """Compares the signed checkpoints with the tree, once all entries are read."""
        for checkpoint, file, kind in self._claims:
            size = checkpoint.size
            if size <= len(self.tree):
                if self.tree.root(size) != checkpoint.root:
                    self.report.found(kind, f"the first {size} entries do not have the root that it signs", file)
            elif size > self.end:
                message = f"it covers {size} entries, the folder holds {self.end}"
                self.report.found("checkpoint-ahead", message, file, index=self.end)

    def _check_created(self, members: dict[str, Any], file: str) -> None:
        if members["event_type"] != "ledger.created":
            self.report.found("unexpected-entry", "the first entry is ledger.created", file, index=0)
        context, about = members.get("context", {}), self.about
        if context.get("ledger_toml_sha256") != about.sha256:
            self.report.found("ledger-file-changed", "not the file whose digest entry 0 holds", "ledger.toml")
        if context.get("verifier_key") != str(about.key):
            self.report.found("key-mismatch", "entry 0 names another key than ledger.toml", "ledger.toml")
        if context.get("origin") != about.origin:
            self.report.found("origin-mismatch", "entry 0 names another origin than ledger.toml", "ledger.toml")
