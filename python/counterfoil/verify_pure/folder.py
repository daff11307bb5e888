"""A whole ledger: its files, entries, tree, signatures and checkpoints (docs/formats/folder.md)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from . import ed25519, entry, journal, layout, tree
from .findings import Malformed, Report
from .journal import Frame, Journal
from .ledger import Ledger
from .note import Checkpoint, VerifierKey
from .seals import Seals

GIVEN = "the given checkpoint"


def verify_ledger(folder: Path, keys: Sequence[VerifierKey] = (), checkpoint: bytes | None = None) -> Report:
    """Everything that is wrong with the ledger in a folder.

    `keys` are those that may sign for it, and `checkpoint` is a signed one that it must extend: both from outside.
    `Malformed` if that is no checkpoint.
    """
    report = Report(anchored=bool(keys) or checkpoint is not None)
    given = Checkpoint.parse(checkpoint) if checkpoint is not None else None
    listed = layout.look(folder, report)
    raw = layout.read(folder, "ledger.toml", report)
    if raw is None:
        return report
    try:
        about = layout.About.parse(raw)
    except Malformed as error:
        report.found("ledger-file-changed", f"{error}; without it nothing else can be checked", "ledger.toml")
        return report
    report.origin = about.origin
    if keys and about.key not in keys:
        report.found("key-mismatch", f"the ledger names the key {about.key}", "ledger.toml")
    report.compared_against += [f"the given key {key}" for key in keys] or ["the key that the folder itself names"]
    ledger = Ledger(folder, about, keys or [about.key], report)
    published = layout.read(folder, "checkpoint", report)
    size = 0
    if published is not None:
        size = ledger.claim(published, "checkpoint", "root-mismatch")
        report.compared_against.append(f"the folder's checkpoint of {size} entries")
    if checkpoint is not None and given is not None:
        ledger.claim(checkpoint, GIVEN, "fork")
        report.compared_against.append(f"{GIVEN} of {given.size} entries")
    _check_entries(ledger, listed, size)
    ledger.check_claims()
    _check_attachments(ledger, listed)
    if ledger.end > size:
        report.notices.append(f"{ledger.end - size} entries are newer than the folder's checkpoint")
    if ledger.complete:
        report.size, report.root = len(ledger.tree), ledger.tree.root(len(ledger.tree))
    return report


def _check_entries(ledger: Ledger, listed: layout.Layout, published: int) -> None:
    journals = []
    for first in listed.journals:
        raw = layout.read(ledger.folder, layout.journal_file(first), ledger.report)
        if raw is not None:
            journals.append((first, raw, journal.read(raw)))
    seals = Seals()
    for _, _, read in journals:
        for frame in read.frames:
            for number, raw in enumerate(frame.entries):
                seals.add(frame.header.first + number, raw)
    if listed.segments:
        _check_segments(ledger, listed, seals)
    for first in sorted(seals.by_first.keys() - listed.segments.keys()):
        ledger.report.found("missing-file", "an entry seals this segment", f"segments/{first:020d}.*", index=first)
    for number, (first, raw, read) in enumerate(journals):
        last = number == len(journals) - 1
        if not last and not any(frame.whole for frame in read.frames):
            message = "it holds no entry, and a later journal file goes on"
            ledger.report.found("unexpected-file", message, layout.journal_file(first))
        _check_journal(ledger, first, raw, read, published if last else None)
    if not journals:
        ledger.report.found("missing-file", "there is no journal file", "journal")


def _check_segments(ledger: Ledger, listed: layout.Layout, seals: Seals) -> None:
    from . import sealed

    sealed.collect(seals, ledger, [first for first, parts in listed.segments.items() if "parquet" in parts])
    for first, parts in sorted(listed.segments.items()):
        awaits = any(start <= first for start in listed.journals)
        if first not in seals.by_first and len(parts) < len(layout.PARTS) and first >= ledger.end:
            ledger.report.notices.append(f"segments/{first:020d}: not all files are there; the writer was stopped")
            continue
        if first < ledger.end:
            ledger.report.found("segment-metadata", "it overlaps the segment before", f"segments/{first:020d}.parquet")
            continue
        if first > ledger.end:
            ledger.report.found("missing-file", f"no segment starts at {ledger.end}", "segments", index=ledger.end)
            ledger.lose()
        sealed.check_segment(ledger, first, seals.by_first.get(first, []), awaits)


def _check_journal(ledger: Ledger, first: int, raw: bytes, read: Journal, published: int | None) -> None:
    """Checks a file and adds the entries that are new. `published` is the checkpoint's size, for the last file."""
    name, end = layout.journal_file(first), first
    for frame in read.frames:
        at, begins = frame.header.offset, frame.header.first
        if not frame.whole:
            if published is not None and journal.is_torn(raw, at, published, end):
                _tell_torn(ledger, name, at)
                return
            ledger.report.found("frame-damaged", "the checksum is wrong", name, offset=at, index=end)
            if begins != end:
                return
        if begins != end:
            message = f"the frame starts at {begins}, not at {end}"
            ledger.report.found("frame-out-of-order", message, name, offset=at, index=begins)
            return
        end += len(frame.entries)
        _check_frame(ledger, frame, name)
    if read.rest is None:
        return
    if published is not None and journal.is_torn(raw, read.rest, published, end):
        _tell_torn(ledger, name, read.rest)
    else:
        ledger.report.found("frame-damaged", "this is no frame", name, offset=read.rest, index=end)


def _tell_torn(ledger: Ledger, name: str, offset: int) -> None:
    ledger.report.notices.append(f"{name}: a commit was cut off at byte {offset}")


def _check_frame(ledger: Ledger, frame: Frame, name: str) -> None:
    header = frame.header
    found = functools.partial(ledger.report.found, file=name, offset=header.offset)
    if header.first > ledger.end:
        ledger.report.found(
            "missing-file", f"the entries from {ledger.end} on are nowhere", "journal", index=ledger.end
        )
        ledger.lose()
    message = f"counterfoil-frame/v1\n{ledger.about.origin}\n".encode() + frame.signed
    if not any(ed25519.verify(key.key, header.signature, message) for key in ledger.keys):
        found("frame-signature", "the ledger's key did not sign it", index=header.first)
    own: list[bool] = []
    for number, (leaf, raw) in enumerate(zip(frame.leaves, frame.entries, strict=True)):
        index, actual = header.first + number, tree.leaf_hash(raw)
        if actual != leaf:
            found("leaf-mismatch", "not the leaf hash that the frame holds", index=index)
        if index < ledger.end:
            if index < len(ledger.tree) and ledger.tree.subtree(0, index) != actual:
                found("root-mismatch", "another entry than before stands here", index=index)
            continue
        members = ledger.add(index, raw, actual, name)
        if members is None:
            continue
        own.append(entry.is_own(members))
        if entry.instant(members, "recorded_at") != header.recorded_at_us * 1000:
            found("entry-malformed", "its recorded_at is not the frame's", index=index)
    if len(own) == len(frame.entries) and any(own) != header.flags:
        found("frame-damaged", "its flag is not what its entries are")
    end = header.first + len(frame.entries)
    if end <= len(ledger.tree) and ledger.tree.root(end) != header.root:
        found("root-mismatch", "not the root that the frame holds", index=header.first)


def _check_attachments(ledger: Ledger, listed: layout.Layout) -> None:
    for digest in listed.attachments:
        name = f"attachments/{digest}"
        content = layout.read(ledger.folder, name, ledger.report)
        if content is not None and hashlib.sha256(content).hexdigest() != digest:
            ledger.report.found("attachment-wrong", "its content does not have the digest that names it", name)
