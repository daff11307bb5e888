"""What a verification found."""

from __future__ import annotations

import dataclasses
import json

from .errors import Damaged, Error, Tampered


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a verification found wrong; `kind` is a stable name, `class_` is `damaged` or `tampered`."""

    kind: str
    class_: str
    message: str
    file: str | None = None
    offset: int | None = None
    index: int | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """What a verification looked at, what it compared that against, and everything it found wrong.

    `anchored` says whether the result rests on a key or checkpoint from outside; if not, it says only that the parts
    agree with one another. A report is true when nothing was found.
    """

    origin: str
    tree_size: int
    root_hash: str | None
    entries_checked: int
    signatures_checked: int
    anchored: bool
    compared_against: tuple[str, ...]
    notices: tuple[str, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Reads the native part's report."""
        told = json.loads(text)
        findings = tuple(
            Finding(one["kind"], one["class"], one["message"], one["file"], one["offset"], one["index"])
            for one in told["findings"]
        )
        return cls(
            origin=told["origin"],
            tree_size=told["tree_size"],
            root_hash=told["root_hash"],
            entries_checked=told["entries_checked"],
            signatures_checked=told["signatures_checked"],
            anchored=told["anchored"],
            compared_against=tuple(told["compared_against"]),
            notices=tuple(told["notices"]),
            findings=findings,
        )

    @property
    def verified(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.verified

    def raise_for_findings(self) -> None:
        """Raises `Tampered` or `Damaged`, whichever is the gravest, if anything was found."""
        if not self.findings:
            return
        tampered = any(finding.class_ == "tampered" for finding in self.findings)
        kind: type[Error] = Tampered if tampered else Damaged
        first = self.findings[0]
        more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
        raise kind(f"{first.kind}: {first.message}{more}")
