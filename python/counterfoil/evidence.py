"""Checking evidence offline: bundles and proofs, with nothing but the key that one trusts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from . import _core
from .entry import Entry
from .errors import Invalid, Tampered
from .report import Report

if TYPE_CHECKING:
    from .trail import Trail


def check_bundle(bundle: bytes | str, *, key: str | None = None) -> Report:
    """Verifies an evidence bundle. Without `key` the bundle's own is used, and the report is not anchored."""
    raw = bundle.encode() if isinstance(bundle, str) else bundle
    return Report.from_json(_core.verify_bundle(raw, [key] if key else []))


def check_proof(proof: bytes | str, entry: Entry | bytes | str, *, key: str) -> int:
    """Checks that a proof leads from an entry to a checkpoint signed with `key`. The entry's index.

    Raises `Tampered` when it does not, `Invalid` when something is no proof, entry or key.
    """
    if isinstance(entry, Entry):
        if entry.canonical is None:
            raise Invalid(f"this entry came without the bytes that were hashed: take trail.entry({entry.index})")
        entry = entry.canonical
    raw = [part.encode() if isinstance(part, str) else part for part in (proof, entry)]
    return _core.check_proof(raw[0], raw[1], key)[0]


def check_recorded(trail: Trail, receipt: _core.Receipt, key: str | None) -> Entry:
    """See `Trail.check`."""
    if receipt.index is None:
        raise Invalid("the receipt has no index")
    entry = trail.entry(receipt.index)
    index = check_proof(trail.proof(receipt.index), entry.canonical or b"", key=key or trail.verifier_key())
    if index != receipt.index:
        raise Tampered(f"the proof is of entry {index}, not of {receipt.index}")
    leaf = hashlib.sha256(b"\x00" + (entry.canonical or b"")).hexdigest()
    if receipt.leaf_hash is not None and leaf != receipt.leaf_hash:
        raise Tampered(f"entry {receipt.index} is not the one that the receipt is for")
    return entry
