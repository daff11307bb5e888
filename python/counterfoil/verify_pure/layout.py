"""The files of a ledger's folder (docs/formats/folder.md)."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

from .findings import Malformed, Report
from .note import VerifierKey

FOLDERS = ("attachments", "journal", "segments")
FILES = ("ledger.toml", "checkpoint")
OUTSIDE = ("keys", "state")
PARTS = ("parquet", "tiles", "index")
ALIGNMENT = 256
BLOCK = 65_536
_TOML = re.compile(
    r"(?:#[^\n]*\n)*format_version = 1\n"
    r'origin = "(?P<origin>[^"\\\n]+)"\n'
    r'created = "[^"\\\n]+"\n'
    r"segment_span = (?P<segment_span>[0-9]{1,7})\n"
    r'retention_class = "(?P<retention_class>[^"\\\n]+)"\n'
    r'verifier_key = "(?P<verifier_key>[^"\\\n]+)"\n'
)


class About(NamedTuple):
    """What ledger.toml says."""

    origin: str
    segment_span: int
    retention_class: str
    key: VerifierKey
    sha256: str

    @classmethod
    def parse(cls, raw: bytes) -> About:
        form = _TOML.fullmatch(raw.decode("utf-8", "replace"))
        if form is None:
            raise Malformed("not laid out as a ledger.toml of format 1")
        span, key = int(form["segment_span"]), VerifierKey.parse(form["verifier_key"])
        if not ALIGNMENT <= span <= 2**20 or span & (span - 1):
            raise Malformed(f"a segment span of {span}")
        if key.name != form["origin"]:
            raise Malformed("the key's name is not the origin")
        return cls(form["origin"], span, form["retention_class"], key, hashlib.sha256(raw).hexdigest())


class Layout(NamedTuple):
    """The first entries of segments, each with the parts that are there, and of journal files."""

    segments: dict[int, set[str]]
    journals: list[int]
    attachments: list[str]


def look(folder: Path, report: Report) -> Layout:
    """Lists the folder; what has no place in it is a finding."""
    segments: dict[int, set[str]] = {}
    layout = Layout(segments, [], [])
    for name in _names(folder, "", report):
        if name not in (*FOLDERS, *FILES, *OUTSIDE, "checkpoint.tmp"):
            report.found("unexpected-file", "no ledger makes a file of this name", name)
    for name in _names(folder, "segments", report):
        form = re.fullmatch(rf"([0-9]{{20}})\.({'|'.join(PARTS)})(\.tmp)?", name)
        if form is None or int(form[1]) % ALIGNMENT:
            report.found("unexpected-file", "no ledger makes a file of this name", f"segments/{name}")
        elif form[3] is None:
            segments.setdefault(int(form[1]), set()).add(form[2])
    for name in _names(folder, "journal", report):
        form = re.fullmatch(r"([0-9]{20})\.journal", name)
        if form is None or int(form[1]) % ALIGNMENT:
            report.found("unexpected-file", "no ledger makes a file of this name", f"journal/{name}")
        else:
            layout.journals.append(int(form[1]))
    for name in _names(folder, "attachments", report):
        if re.fullmatch("[0-9a-f]{64}", name):
            layout.attachments.append(name)
        else:
            report.found("unexpected-file", "no ledger makes a file of this name", f"attachments/{name}")
    return layout


def read(folder: Path, name: str, report: Report) -> bytes | None:
    """A file's bytes; a finding, and None, where there are none to be had. Links are not followed."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileNotFoundError("no file")
            return file.read()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) or (folder / name).is_symlink()
        kind = "missing-file" if missing else "file-unreadable"
        report.found(kind, f"it cannot be read: {error.strerror or error}", name)
        return None


def segment_file(first: int, part: str) -> str:
    return f"segments/{first:020d}.{part}"


def journal_file(first: int) -> str:
    return f"journal/{first:020d}.journal"


def _names(folder: Path, name: str, report: Report) -> list[str]:
    try:
        return sorted(os.listdir(folder / name))
    except OSError as error:
        report.found("missing-file", f"the folder cannot be listed: {error.strerror}", name or ".")
        return []
