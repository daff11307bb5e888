"""What a verification found: the same names and classes as `counterfoil verify` (docs/guides/cli.md, "Verdicts")."""

from __future__ import annotations

import dataclasses

DAMAGED = frozenset(
    {
        "missing-file",
        "file-unreadable",
        "file-truncated",
        "frame-damaged",
        "checkpoint-malformed",
        "segment-unreadable",
        "bundle-malformed",
    }
)
"""Kinds that ask for a copy; all others ask for an alarm."""


class Malformed(Exception):
    """Bytes do not have the form that their format asks for."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `file` is relative to the ledger, `offset` counts bytes in it, `index` is an entry's."""

    kind: str
    message: str
    file: str | None = None
    offset: int | None = None
    index: int | None = None

    @property
    def class_(self) -> str:
        """`damaged` or `tampered`."""
        return "damaged" if self.kind in DAMAGED else "tampered"


@dataclasses.dataclass
class Report:
    """What was looked at, what it was compared against, and everything that is wrong."""

    origin: str = ""
    size: int = 0
    root: bytes | None = None
    entries_checked: int = 0
    signatures_checked: int = 0
    anchored: bool = False
    compared_against: list[str] = dataclasses.field(default_factory=list)
    notices: list[str] = dataclasses.field(default_factory=list)
    findings: list[Finding] = dataclasses.field(default_factory=list)

    def found(
        self, kind: str, message: str, file: str | None = None, *, offset: int | None = None, index: int | None = None
    ) -> None:
        """Adds a finding."""
        self.findings.append(Finding(kind, message, file, offset, index))

    @property
    def exit_code(self) -> int:
        """0 nothing wrong, 10 damaged, 11 tampered."""
        if not self.findings:
            return 0
        return 11 if any(finding.class_ == "tampered" for finding in self.findings) else 10
