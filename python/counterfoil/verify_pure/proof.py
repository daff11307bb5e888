"""Proofs as texts: C2SP tlog-proof, and the consistency proof of docs/guides/cli.md ("Proofs")."""

from __future__ import annotations

import dataclasses

from . import b64, tree
from .findings import Malformed, Report
from .note import Checkpoint, VerifierKey, number

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


@dataclasses.dataclass(frozen=True)
class InclusionProof:
    """That an entry is in a ledger; the checkpoint is the bytes of the signed note."""

    index: int
    hashes: list[bytes]
    checkpoint: bytes

    @classmethod
    def parse(cls, raw: bytes) -> InclusionProof:
        lines, checkpoint = _head(raw)
        if lines[:1] != [HEADER]:
            raise Malformed(f"the first line is not {HEADER}")
        del lines[0]
        if lines and lines[0].startswith("extra "):
            b64.decode(lines.pop(0)[6:])
        if not lines or not lines[0].startswith("index "):
            raise Malformed("there is no index")
        return cls(number(lines[0][6:]), _hashes(lines[1:]), checkpoint)


@dataclasses.dataclass(frozen=True)
class ConsistencyProof:
    """That a ledger extends the one of `old` entries."""

    old: int
    hashes: list[bytes]
    checkpoint: bytes

    @classmethod
    def parse(cls, raw: bytes) -> ConsistencyProof:
        lines, checkpoint = _head(raw)
        if not lines or not lines[0].startswith("old "):
            raise Malformed("the first line is not the older size")
        return cls(number(lines[0][4:]), _hashes(lines[1:]), checkpoint)


def check_proof(raw: bytes, entry: bytes, key: VerifierKey) -> Report:
    """Checks that a tlog-proof leads from an entry's bytes to a checkpoint that the key signed.

    `Malformed` where the proof or its checkpoint cannot be read.
    """
    proof = InclusionProof.parse(raw)
    report, checkpoint = _signed(proof.checkpoint, key)
    report.entries_checked = 1
    if proof.index >= checkpoint.size:
        report.found("outside-checkpoint", "the index is not below the checkpoint's size", index=proof.index)
    elif not tree.included(tree.leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root):
        report.found("proof-invalid", "the proof does not lead from the entry to the root", index=proof.index)
    return report


def check_consistency(raw: bytes, older: bytes, key: VerifierKey) -> Report:
    """Checks that a ledger extends the state of an older checkpoint; the key signed both. `Malformed` as above."""
    proof = ConsistencyProof.parse(raw)
    report, newer = _signed(proof.checkpoint, key)
    older_report, old = _signed(older, key)
    report.findings += older_report.findings
    if proof.old != old.size:
        raise Malformed(f"the proof is from size {proof.old}, the checkpoint is of {old.size}")
    if not tree.consistent(old.size, old.root, newer.size, newer.root, proof.hashes):
        report.found("fork", "the ledger does not extend the older checkpoint")
    return report


def check_checkpoint(raw: bytes, key: VerifierKey) -> Report:
    """Checks a checkpoint alone."""
    return _signed(raw, key)[0]


def _signed(raw: bytes, key: VerifierKey) -> tuple[Report, Checkpoint]:
    checkpoint = Checkpoint.parse(raw)
    report = Report(checkpoint.origin, checkpoint.size, checkpoint.root, anchored=True)
    report.compared_against.append(f"the key {key}")
    if checkpoint.origin != key.name:
        report.found("origin-mismatch", f"a checkpoint of {checkpoint.origin}, not of {key.name}")
    if checkpoint.note.signed_by([key]):
        report.signatures_checked = 1
    else:
        report.found("checkpoint-signature", f"no valid signature by {key}")
    return report, checkpoint


def _head(raw: bytes) -> tuple[list[str], bytes]:
    """The lines up to the first empty one, and the bytes after it."""
    head, parted, rest = raw.partition(b"\n\n")
    if not parted:
        raise Malformed("there is no empty line before the checkpoint")
    try:
        return head.decode("utf-8").split("\n"), rest
    except UnicodeDecodeError as error:
        raise Malformed("a proof is UTF-8") from error


def _hashes(lines: list[str]) -> list[bytes]:
    if len(lines) > MOST_HASHES:
        raise Malformed(f"more than {MOST_HASHES} hashes")
    return [b64.decode(line, 32) for line in lines]
