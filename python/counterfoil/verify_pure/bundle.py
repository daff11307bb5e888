"""Evidence bundles (docs/formats/bundle.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import b64, canonical, entry, tree
from .canonical import Number
from .findings import Malformed, Report
from .history import KEY_TYPES, History
from .note import Checkpoint, VerifierKey, number

FORMAT = "counterfoil-bundle/v1"
MEMBERS = ("format", "origin", "vkey", "checkpoint", "scope", "entries", "keys")
MOST_BYTES = 1 << 30
MOST_ENTRIES = 1_000_000
MOST_HASHES = 63

Part = list[tuple[int, bytes, list[bytes]]]
"""Elements of `entries` or `keys`: index, canonical bytes, proof."""


def verify_bundle(raw: bytes, keys: Sequence[VerifierKey] = ()) -> Report:
    """Everything that is wrong with a bundle; without `keys` its own is believed, and the report is not anchored."""
    report = Report(anchored=bool(keys))
    try:
        bundle = _read(raw)
        vkey = VerifierKey.parse(bundle["vkey"])
        parts = [_part(bundle[name]) for name in ("entries", "keys")]
    except Malformed as error:
        report.found("bundle-malformed", str(error))
        return report
    report.origin = bundle["origin"]
    if keys:
        report.compared_against += [f"the key {key}" for key in keys]
        if vkey not in keys:
            report.found("key-mismatch", f"the bundle names the key {vkey}")
    else:
        report.compared_against.append(f"the bundle's own key {vkey}, for which nobody vouches")
    try:
        checkpoint = Checkpoint.parse(bundle["checkpoint"].encode())
    except Malformed as error:
        report.found("checkpoint-malformed", str(error))
        return report
    report.size, report.root = checkpoint.size, checkpoint.root
    if checkpoint.origin != bundle["origin"]:
        report.found("origin-mismatch", f"the checkpoint is of {checkpoint.origin}")
    elif not checkpoint.note.signed_by(keys or [vkey]):
        report.found("checkpoint-signature", "the checkpoint has no valid signature of the key")
    _check_parts(parts[0], parts[1], checkpoint, report)
    return report


def _check_parts(entries: Part, keys: Part, checkpoint: Checkpoint, report: Report) -> None:
    valid: dict[int, dict[str, Any]] = {}
    registrations: dict[int, dict[str, Any]] = {}
    for part, members in ((entries, valid), (keys, registrations)):
        last = -1
        for index, raw, proof in part:
            if index <= last:
                report.found("duplicate-entry", "the index does not ascend", index=index)
            last = index
            read = _check_element(index, raw, proof, checkpoint, report)
            if read is not None:
                members[index] = read
    report.entries_checked = len(entries)
    for index in [index for index, members in registrations.items() if members["event_type"] not in KEY_TYPES]:
        report.found("unexpected-entry", "not an entry about a key", index=index)
        del registrations[index]
    history = History(report.origin, report)
    for index in sorted(valid.keys() | registrations.keys()):
        if index in valid:
            history.add(index, valid[index])
        if index in registrations:
            history.add_key(index, registrations[index])


def _check_element(
    index: int, raw: bytes, proof: list[bytes], checkpoint: Checkpoint, report: Report
) -> dict[str, Any] | None:
    if index >= checkpoint.size:
        report.found("outside-checkpoint", "the index is not below the checkpoint's size", index=index)
    elif not tree.included(tree.leaf_hash(raw), index, checkpoint.size, proof, checkpoint.root):
        report.found("proof-invalid", "the proof does not lead from the entry to the root", index=index)
    try:
        members, is_canonical = entry.parse(raw)
    except Malformed as error:
        report.found("entry-malformed", str(error), index=index)
        return None
    if not is_canonical:
        report.found("entry-not-canonical", "not the canonical form of the entry", index=index)
    return members


def _read(raw: bytes) -> dict[str, Any]:
    """The outer object, if the file is laid out as the format asks for."""
    if len(raw) > MOST_BYTES:
        raise Malformed("a bundle of more than 1 GiB")
    bundle = canonical.read(raw)
    if not isinstance(bundle, dict) or tuple(bundle) != MEMBERS:
        raise Malformed(f"a bundle has the members {', '.join(MEMBERS)}")
    if bundle["format"] != FORMAT:
        raise Malformed(f"not of the format {FORMAT}")
    if not all(isinstance(bundle[name], str) for name in MEMBERS[:5]):
        raise Malformed("format, origin, vkey, checkpoint and scope are texts")
    for name in MEMBERS[5:]:
        if not isinstance(bundle[name], list) or not all(_is_element(element) for element in bundle[name]):
            raise Malformed(f"{name} is a list of entries, each with index, canonical and proof")
        if len(bundle[name]) > MOST_ENTRIES:
            raise Malformed(f"more than {MOST_ENTRIES} entries")
    if _layout(bundle) != raw:
        raise Malformed("not laid out as a bundle is")
    return bundle


def _is_element(element: Any) -> bool:
    return (
        isinstance(element, dict)
        and tuple(element) == ("index", "canonical", "proof")
        and isinstance(element["index"], Number)
        and isinstance(element["canonical"], str)
        and isinstance(element["proof"], list)
        and all(isinstance(one, str) for one in element["proof"])
    )


def _layout(bundle: dict[str, Any]) -> bytes:
    members = [f'"{name}":{canonical.string(bundle[name])}' for name in MEMBERS[:5]]
    for name in MEMBERS[5:]:
        elements = [
            f'{{"index":{element["index"].text},"canonical":{canonical.string(element["canonical"])},'
            f'"proof":[{",".join(map(canonical.string, element["proof"]))}]}}'
            for element in bundle[name]
        ]
        members.append(f'"{name}":[\n' + ",\n".join(elements) + "\n]" if elements else f'"{name}":[]')
    return ("{\n" + ",\n".join(members) + "\n}\n").encode("utf-8", "surrogatepass")


def _part(elements: list[dict[str, Any]]) -> Part:
    part = []
    for element in elements:
        if len(element["proof"]) > MOST_HASHES:
            raise Malformed(f"a proof of more than {MOST_HASHES} hashes")
        hashes = [b64.decode(one, 32) for one in element["proof"]]
        part.append((number(element["index"].text), element["canonical"].encode(), hashes))
    return part
