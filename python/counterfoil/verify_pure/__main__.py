"""The command: python -m counterfoil.verify_pure PATH [--key VKEY] [--entry FILE] [--checkpoint FILE] [--json]"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import proof
from .bundle import verify_bundle
from .findings import Malformed, Report
from .folder import verify_ledger
from .note import VerifierKey

INVALID, UNAVAILABLE, NOT_FOUND = 2, 5, 7


def main() -> int:
    """Exit codes are those of `counterfoil verify`: 0 verified, 2 invalid, 7 nothing there, 10 damaged, 11 tampered."""
    parser = argparse.ArgumentParser(prog="verify_pure", description=__doc__)
    parser.add_argument("path", type=Path, help="a ledger's folder, a bundle, a proof or a checkpoint")
    parser.add_argument("--key", action="append", default=[], help="the verifier key to trust, or a file with it")
    parser.add_argument("--entry", type=Path, help="the entry that a proof is about, in its canonical form")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that was kept elsewhere, which must be extended")
    parser.add_argument("--require-anchor", action="store_true", help="fail without --key and --checkpoint")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    try:
        report = _verify(options.path, [_key(text) for text in options.key], options.entry, options.checkpoint)
    except Malformed as error:
        print(f"verify_pure: {error}", file=sys.stderr)
        return INVALID
    except FileNotFoundError as error:
        print(f"verify_pure: {error}", file=sys.stderr)
        return NOT_FOUND
    except ModuleNotFoundError as error:
        print(f"verify_pure: {error}: a ledger with segments needs pyarrow", file=sys.stderr)
        return UNAVAILABLE
    print(_as_json(report) if options.json else _as_text(report))
    if report.exit_code == 0 and options.require_anchor and not report.anchored:
        return INVALID
    return report.exit_code


def _verify(path: Path, keys: list[VerifierKey], entry: Path | None, checkpoint: Path | None) -> Report:
    kept = checkpoint.read_bytes() if checkpoint else None
    if path.is_dir():
        return verify_ledger(path, keys, kept)
    raw = path.read_bytes()
    if raw.startswith(b"{"):
        return verify_bundle(raw, keys)
    if len(keys) != 1:
        raise Malformed("a proof or a checkpoint needs one --key")
    if raw.startswith(proof.HEADER.encode()):
        if entry is None:
            raise Malformed("an inclusion proof needs --entry")
        return proof.check_proof(raw, entry.read_bytes().removesuffix(b"\n"), keys[0])
    if raw.startswith(b"old "):
        if kept is None:
            raise Malformed("a consistency proof needs --checkpoint")
        return proof.check_consistency(raw, kept, keys[0])
    return proof.check_checkpoint(raw, keys[0])


def _key(text: str) -> VerifierKey:
    file = Path(text)
    return VerifierKey.parse((file.read_text() if file.is_file() else text).strip())


def _as_json(report: Report) -> str:
    told = {
        "verified": not report.findings,
        "class": {0: None, 10: "damaged", 11: "tampered"}[report.exit_code],
        "anchored": report.anchored,
        "origin": report.origin,
        "size": report.size,
        "root": report.root.hex() if report.root else None,
        "entries_checked": report.entries_checked,
        "signatures_checked": report.signatures_checked,
        "compared_against": report.compared_against,
        "notices": report.notices,
        "findings": [
            {
                "kind": one.kind,
                "class": one.class_,
                "file": one.file,
                "offset": one.offset,
                "index": one.index,
                "message": one.message,
            }
            for one in report.findings
        ],
    }
    return json.dumps(told, indent=2)


def _as_text(report: Report) -> str:
    """For people; what comes from the ledger is escaped."""
    verdict = {0: "verified", 10: "DAMAGED", 11: "TAMPERED"}[report.exit_code]
    checked = f"{report.entries_checked} entries, {report.signatures_checked} signatures checked"
    lines = [f"{verdict} {report.origin}: {checked}"]
    if report.root:
        lines.append(f"  size {report.size}, root {report.root.hex()}")
    lines += [f"  compared against {what}" for what in report.compared_against]
    if not report.anchored:
        lines.append("  self-consistent, not anchored: give --key and --checkpoint")
    lines += [f"  note: {notice}" for notice in report.notices]
    for one in report.findings:
        place = ", ".join(
            f"{name} {value}" for name, value in (("byte", one.offset), ("entry", one.index)) if value is not None
        )
        lines.append(f"  {one.kind}: {one.file or ''} {f'({place}) ' if place else ''}{one.message}")
    return "\n".join(line.encode("unicode_escape").decode() if not line.isprintable() else line for line in lines)


if __name__ == "__main__":
    sys.exit(main())
