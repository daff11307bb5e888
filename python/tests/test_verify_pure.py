"""The second verifier against ledgers of the first implementation, whole and tampered with: both must agree."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from guides import run_examples
from running import Running, program

import counterfoil
from counterfoil import _core, verify_pure
from counterfoil.report import Report
from counterfoil.verify_pure import Malformed, VerifierKey, b64, canonical, journal, verify_bundle, verify_ledger

GOLDEN = Path(__file__).parents[2] / "testdata" / "golden" / "v1"
SEED = int(os.environ.get("COUNTERFOIL_SEED", "7"))
TURNS = int(os.environ.get("COUNTERFOIL_TAMPERINGS", "40"))
ORIGIN = "pure.example/ledger"

NOT_READ_FURTHER = {"file-truncated", "file-extended", "block-mismatch", "missing-file", "segment-metadata"}
"""The second verifier reads nothing of a file that is not the sealed one; the first goes on, and finds more."""


CAUSES = {"bundle-malformed", "key-mismatch", "checkpoint-malformed", "origin-mismatch", "checkpoint-signature"}
CAUSES |= {"duplicate-entry", "outside-checkpoint", "proof-invalid", "unexpected-entry"}
"""The kinds of findings in a bundle that follow from no others."""


class Verdicts(NamedTuple):
    """What both found: exit codes, and (kind, file)."""

    mine: int
    theirs: int
    my_findings: set[tuple[str, str | None]]
    their_findings: set[tuple[str, str | None]]


def verdicts(folder: Path, key: str | None = None, checkpoint: bytes | None = None) -> Verdicts:
    """Asserts that both call it good, or both bad, and bad in the same class unless one of them read no further."""
    mine = verify_ledger(folder, [VerifierKey.parse(key)] if key else [], checkpoint)
    theirs = Report.from_json(_core.verify_folder(folder, [key] if key else [], checkpoint))
    tampered = any(finding.class_ == "tampered" for finding in theirs.findings)
    their_code = 11 if tampered else 10 if theirs.findings else 0
    my_findings = {(finding.kind, finding.file) for finding in mine.findings}
    assert bool(mine.findings) == bool(theirs.findings), (mine.findings, theirs.findings)
    if not mine.findings:
        assert (mine.size, mine.root and mine.root.hex()) == (theirs.tree_size, theirs.root_hash)
        assert (mine.entries_checked, mine.signatures_checked) == (theirs.entries_checked, theirs.signatures_checked)
    their_findings = {(finding.kind, finding.file) for finding in theirs.findings}
    if mine.exit_code != their_code:
        kinds = {kind for kind, _ in my_findings}
        assert kinds <= NOT_READ_FURTHER | {"checkpoint-malformed"}, (my_findings, their_findings)
    return Verdicts(mine.exit_code, their_code, my_findings, their_findings)


def line(number: int, **more: object) -> bytes:
    entry = {"event_type": "invoice_approved", "actor": f"bot-{number % 5}", "entity_id": f"INV-{number // 3}", **more}
    if number % 4 == 0:
        entry |= {"context": {"confidence": number / 7, "ü": [None, {}, "\u2028"]}, "trace_id": f"t-{number // 9}"}
    if number % 5 == 0:
        entry |= {
            "old_value": [None, True, 2**70, "x", {"a": [1]}][number // 5 % 5],
            "new_value": "paid",
            "id": f"id-{number}",
        }
    if number % 7 == 0:
        sealed = {"$sealed": {"ciphertext": "YQ==", "key_id": "k", "nonce": "Yg=="}}
        entry |= {"source": "erp", "sequence": number // 7, "reason": ["line\nbreak", sealed][number // 7 % 2]}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def signed(pem: Path, key_id: str, number: int) -> bytes:
    entry = json.loads(line(number, actor="ana", timestamp="2026-11-24T09:00:04Z"))
    entry |= {"source": "ana", "sequence": number, "signature": {"algorithm": "ed25519", "key_id": key_id}}
    entry.pop("id", None)
    key = load_pem_private_key(pem.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    message = canonical.write(canonical.parse(json.dumps(entry).encode()))
    value = key.sign(f"counterfoil-entry/v1\n{ORIGIN}\n".encode() + message)
    entry["signature"]["value"] = b64.encode(value)
    return json.dumps(entry).encode() + b"\n"


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Ledgers: `journal` has no segment, `sealed` has two and a tail, `killed` has a tail that no checkpoint covers."""
    folder = tmp_path_factory.mktemp("ledgers")
    made = {}
    for name, entries in (("journal", 40), ("sealed", 600)):
        path = made[name] = folder / name
        _core.Ledger.create(path, ORIGIN, 256).close()
        pem = folder / f"{name}.pem"
        key_id = json.loads(first("key", "new", path, "--actor", "ana", "-o", pem, "--json"))["key_id"]
        (path / "attachments" / hashlib.sha256(b"scan").hexdigest()).write_bytes(b"scan")
        ledger = _core.Ledger.open(path)
        for start in range(0, entries, 16):
            ledger.append_lines(b"".join(line(number) for number in range(start, start + 16)))
            ledger.append_lines(signed(pem, key_id, start))
        ledger.publish()
        if name == "journal":
            ledger.append_lines(line(1_000))
            ledger.append_lines(line(1_002))
            made["killed"] = folder / "killed"
            shutil.copytree(path, made["killed"])
        else:
            ledger.seal()
            ledger.append_lines(line(1_001))
        ledger.close()
    return made


def names(folder: Path) -> list[str]:
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(("keys/", "state/")))


@pytest.mark.parametrize("name", ["journal", "sealed", "killed"])
def test_an_honest_ledger_is_verified(ledgers: dict[str, Path], name: str) -> None:
    found = verdicts(ledgers[name])
    assert (found.mine, found.theirs) == (0, 0)
    report = verify_ledger(ledgers[name])
    assert not report.anchored
    assert report.signatures_checked > 1


def tampered(random_: random.Random, folder: Path, name: str) -> bytes:
    raw = bytearray((folder / name).read_bytes())
    at = random_.randrange(max(1, min(len(raw), len(raw.rstrip(b"\0")) + 40)))
    act = random_.choice(["flip", "flip", "flip", "cut", "zero", "extend", "insert", "drop", "swap"])
    if act == "flip":
        raw[at] ^= 1 << random_.randrange(8)
    elif act == "cut":
        del raw[at:]
    elif act == "zero":
        raw[at : at + 600] = bytes(len(raw[at : at + 600]))
    elif act == "extend":
        raw += random_.randbytes(random_.choice([1, 30, 5_000]))
    elif act == "insert":
        raw[at:at] = raw[at : at + 50]
    elif act == "drop":
        del raw[at : at + random_.choice([1, 70])]
    else:
        raw = bytearray((folder / random_.choice(names(folder))).read_bytes())
    return bytes(raw)


@pytest.mark.parametrize("name", ["journal", "sealed", "killed"])
def test_both_agree_about_every_tampering(ledgers: dict[str, Path], tmp_path: Path, name: str) -> None:
    random_ = random.Random(f"{SEED} {name}")
    folder = tmp_path / "ledger"
    shutil.copytree(ledgers[name], folder)
    bad = 0
    for turn in range(TURNS):
        every = names(folder)
        file = every[turn % len(every)]
        genuine = (folder / file).read_bytes()
        changed = tampered(random_, folder, file)
        (folder / file).write_bytes(changed)
        found = verdicts(folder)
        if changed != genuine and name != "killed" and file != "journal":
            # Zeros behind the last frame, and a commit cut off behind the checkpoint, are no damage.
            same = changed.rstrip(b"\0") == genuine.rstrip(b"\0") and file.startswith("journal")
            torn = verify_ledger(folder).notices != verify_ledger(ledgers[name]).notices
            assert found.mine or same or torn, (file, turn)
        bad += bool(found.mine)
        (folder / file).write_bytes(genuine)
    assert bad > TURNS * 0.6
    assert verdicts(folder).mine == 0


def test_both_agree_about_what_is_torn(ledgers: dict[str, Path], tmp_path: Path) -> None:
    """A commit behind the checkpoint that was cut off is told; anything else that is no frame is damage."""
    folder = tmp_path / "ledger"
    shutil.copytree(ledgers["killed"], folder)
    path = next((folder / "journal").iterdir())
    raw = path.read_bytes()
    last = journal.read(raw).frames[-1].header
    torn = [raw[: last.offset + kept] for kept in (1, 3, 4, 5, 100, 135, 136, 137, 300)]
    torn += [raw[: last.offset + kept] + bytes(len(raw) - last.offset - kept) for kept in (4, 30, 136, 300)]
    torn += [raw[: last.end - 1] + bytes(len(raw) - last.end + 1)]
    damaged = [raw[: last.offset] + b"X" + raw[last.offset + 1 : last.offset + 90]]
    damaged += [raw[: last.end] + b"x" + raw[last.end + 1 :]]
    damaged += [raw[: last.offset + 200] + b"x" + raw[last.offset + 201 :]]
    damaged += [raw[: last.offset] + bytes(20) + raw[last.offset + 20 :]]
    for content, code in [(one, 0) for one in torn] + [(one, 10) for one in damaged]:
        path.write_bytes(content)
        found = verdicts(folder)
        assert bool(found.mine) == bool(code)
        assert any("cut off" in notice for notice in verify_ledger(folder).notices) == (not code)


def test_both_agree_about_files_that_are_gone_or_new(ledgers: dict[str, Path], tmp_path: Path) -> None:
    source = ledgers["sealed"]
    for number, name in enumerate(names(source)):
        folder = tmp_path / str(number)
        shutil.copytree(source, folder)
        (folder / name).unlink()
        found = verdicts(folder)
        assert bool(found.mine) == (not name.startswith("attachments/")), name
    for number, name in enumerate(
        (
            "notes.txt", "checkpoint.tmp", "ledger.toml.tmp", "keys.tmp", "lock", "segments/x.parquet",
            "segments/0.parquet",
            "segments/00000000000000000256.parquet.tmp", "segments/00000000000000000005.parquet.tmp",
            "segments/00000000000000001024.parquet", "segments/00000000000000000005.parquet", "journal/x",
            "journal/00000000000000000000.journal", "journal/00000000000000000512.journal",
            "journal/00000000000000004096.journal", "journal/00000000000000000700.journal",
            "journal/00000000000000000512.journal.tmp", "attachments/x", "attachments/" + "0" * 64, "keys2",
        )
    ):  # fmt: skip
        for content in (b"", b"x"):
            folder = tmp_path / f"new {number} {len(content)}"
            shutil.copytree(source, folder)
            (folder / name).write_bytes(content)
            verdicts(folder)
    for number, name in enumerate(("journal", "segments", "attachments", "keys")):
        folder = tmp_path / f"folder {number}"
        shutil.copytree(source, folder)
        shutil.rmtree(folder / name)
        verdicts(folder)
    folder = tmp_path / "link"
    shutil.copytree(source, folder)
    (folder / "checkpoint").rename(tmp_path / "elsewhere")
    (folder / "checkpoint").symlink_to(tmp_path / "elsewhere")
    verdicts(folder)


def test_a_segment_that_awaits_its_seal(tmp_path: Path) -> None:
    """The states that a crash leaves while it seals: some or all files of the segment, and the journal as it was."""
    ledger = _core.Ledger.create(tmp_path / "ledger", ORIGIN, 1024)
    ledger.append_lines(b"".join(map(line, range(300))))
    ledger.publish()
    shutil.copytree(tmp_path / "ledger", tmp_path / "before")
    ledger.seal()
    ledger.close()
    parts = sorted((tmp_path / "ledger" / "segments").iterdir())
    assert len(parts) == 3
    for chosen in (parts, parts[:1], parts[1:2], parts[:2]):
        folder = tmp_path / f"crash {[part.suffix for part in chosen]}"
        shutil.copytree(tmp_path / "before", folder)
        for part in chosen:
            shutil.copy(part, folder / "segments")
        assert verdicts(folder).mine == 0
        assert any("segments/" in notice for notice in verify_ledger(folder).notices)
    # The first verifier does not look at everything in here: what is not sealed is written anew by the next sealing.
    folder = tmp_path / f"crash {[part.suffix for part in parts]}"
    for part in parts:
        raw = bytearray(part.read_bytes())
        for at in range(0, len(raw), len(raw) // 3):
            raw[at] ^= 1
            (folder / "segments" / part.name).write_bytes(raw)
            raw[at] ^= 1
            assert verify_ledger(folder).findings, (part.name, at)
        (folder / "segments" / part.name).write_bytes(raw)
    assert verdicts(folder).mine == 0


def spliced(rows: list[dict[str, Any]]) -> None:
    """The reason's column moved to the end of `old_value`: the bytes and the leaf stay as they are."""
    row = next(row for row in rows if row["reason"] == "asked" and row["old_value_type"] == "boolean")
    row["old_value"] += ',"reason":"asked"'
    row["reason"] = None


def another_kind(rows: list[dict[str, Any]]) -> None:
    row = next(row for row in rows if row["old_value_type"] == "boolean")
    row["old_value_type"] = "number"


def other_index(rows: list[dict[str, Any]]) -> None:
    rows[7]["index"] = 8


def other_actor(rows: list[dict[str, Any]]) -> None:
    rows[7]["actor"] = "eve"


def half_a_signature(rows: list[dict[str, Any]]) -> None:
    rows[7]["signature_algorithm"] = "ed25519"


def type_without_value(rows: list[dict[str, Any]]) -> None:
    next(row for row in rows if row["new_value"] is None)["new_value_type"] = "string"


def too_many_nanos(rows: list[dict[str, Any]]) -> None:
    rows[7]["timestamp_nanos"] = 1_000


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (spliced, "cell-disagrees"),
        (another_kind, "cell-disagrees"),
        (other_index, "index-mismatch"),
        (other_actor, "segment-metadata"),
        (half_a_signature, "cell-disagrees"),
        (type_without_value, "cell-disagrees"),
        (too_many_nanos, "cell-disagrees"),
    ],
)
def test_cells_that_say_something_else(
    tmp_path: Path, change: Callable[[list[dict[str, Any]]], None], kind: str
) -> None:
    """A segment that awaits its seal, written again with other cells."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    ledger = _core.Ledger.create(tmp_path / "ledger", ORIGIN, 1024)
    asked = [line(number, reason="asked", old_value=number % 2 == 0) for number in range(1, 4 * 256, 4)]
    ledger.append_lines(b"".join(asked) + line(1_002))
    ledger.publish()
    shutil.copytree(tmp_path / "ledger", tmp_path / "before")
    ledger.seal()
    ledger.close()
    folder = tmp_path / "before"
    for part in (tmp_path / "ledger" / "segments").iterdir():
        shutil.copy(part, folder / "segments")
    path = next((folder / "segments").glob("*.parquet"))
    table = pq.read_table(path)
    for changes in ([], [change]):
        rows = table.to_pylist()
        for one in changes:
            one(rows)
        written = pa.Table.from_pylist(rows, table.schema)
        with pq.ParquetWriter(path, table.schema, store_schema=False, coerce_timestamps="us") as writer:
            writer.write_table(written)
            writer.add_key_value_metadata(table.schema.metadata)
        kinds = {one.kind for one in verify_ledger(folder).findings}
        if changes:
            assert kind in kinds
            assert not Report.from_json(_core.verify_folder(folder, [])).verified
        else:
            assert kinds == {"tile-wrong"}, "only the digests of its blocks are other ones"


def test_an_anchor_tells_a_rollback_a_fork_and_another_key(ledgers: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "old"
    shutil.copytree(ledgers["sealed"], folder)
    ledger = _core.Ledger.open(folder)
    key, before = ledger.verifier_key(), ledger.checkpoint().encode()
    ledger.close()
    shutil.copytree(folder, tmp_path / "new")
    ledger = _core.Ledger.open(tmp_path / "new")
    ledger.append_lines(line(5_000))
    after = ledger.checkpoint().encode()
    ledger.close()
    ledger = _core.Ledger.open(folder)
    ledger.append_lines(line(6_000) + line(6_001))
    ledger.close()
    assert verdicts(tmp_path / "new", key, before).mine == 0
    assert verify_ledger(tmp_path / "new", [VerifierKey.parse(key)], before).anchored
    assert ("fork", "the given checkpoint") in verdicts(folder, key, after).my_findings
    assert ("checkpoint-ahead", "the given checkpoint") in verdicts(ledgers["sealed"], key, after).my_findings
    _core.Ledger.create(tmp_path / "other", ORIGIN).close()
    other = _core.Ledger.open(tmp_path / "other")
    other_key = other.verifier_key()
    other.close()
    assert {kind for kind, _ in verdicts(folder, other_key).my_findings} >= {"key-mismatch", "checkpoint-signature"}
    with pytest.raises(Malformed):
        verify_ledger(folder, [], b"nothing\n")


def test_the_golden_ledger_and_its_twins(tmp_path: Path) -> None:
    key, kept = (GOLDEN / "vkey").read_text().strip(), (GOLDEN / "checkpoint").read_bytes()
    assert verdicts(GOLDEN / "ledger", key, kept).mine == 0
    for twin in json.loads((GOLDEN / "twins.json").read_text()):
        folder = tmp_path / hashlib.sha256(twin["why"].encode()).hexdigest()
        shutil.copytree(GOLDEN / "ledger", folder)
        path = folder / twin["file"]
        raw = bytearray(path.read_bytes())
        path.unlink()
        if twin["act"] == "flip":
            raw[twin["at"]] ^= 1
            path.write_bytes(raw)
        elif twin["act"] == "cut":
            path.write_bytes(raw[: twin["at"]])
        elif twin["act"] == "copy":
            shutil.copy(folder / twin["from"], path)
        found = verdicts(folder, key, kept)
        assert found.mine, twin
        expected = {(one["kind"], one["file"]) for one in twin["findings"]}
        if not twin["file"].endswith(".parquet"):
            assert found.my_findings >= expected, (twin, found)
        else:
            assert found.my_findings & expected, (twin, found)


def test_both_agree_about_bundles() -> None:
    raw, key = (GOLDEN / "bundle").read_bytes(), (GOLDEN / "vkey").read_text().strip()
    keys = [VerifierKey.parse(key)]
    assert verify_bundle(raw, keys).findings == []
    own = verify_bundle(raw)
    assert (own.findings, own.anchored) == ([], False)
    random_ = random.Random(SEED)
    for _ in range(TURNS * 4):
        changed = bytearray(raw)
        at = random_.randrange(len(raw))
        if random_.random() < 0.8:
            changed[at] ^= 1 << random_.randrange(8)
        else:
            del changed[at : at + random_.randrange(1, 200)]
        check_bundle(bytes(changed), key)
    told = json.loads(raw)
    changes: tuple[dict[str, object], ...] = (
        {"entries": []}, {"keys": []}, {"entries": [], "keys": []}, {"entries": told["entries"][::-1]},
        {"entries": told["entries"] * 2}, {"origin": "else.example/x"}, {"scope": "\0"}, {"checkpoint": ""},
        {"keys": told["entries"]}, {"format": "counterfoil-bundle/v2"},
        {"entries": [{**told["entries"][0], "index": 100_000}]},
        {"entries": [{**told["entries"][0], "canonical": "{}"}]},
        {"entries": [{**told["entries"][0], "proof": told["entries"][0]["proof"] * 9}]},
    )  # fmt: skip
    for change in changes:
        check_bundle(laid_out({**told, **change}), key)


def check_bundle(raw: bytes, key: str) -> None:
    """Both find the same in a bundle, but for what follows from a part that is wrong already."""
    mine = verify_bundle(raw, [VerifierKey.parse(key)]).findings
    try:
        report = counterfoil.check_bundle(raw, key=key)
        theirs = {(one.kind, one.index) for one in report.findings}
    except counterfoil.Invalid:
        theirs = {("bundle-malformed", None)}
    assert bool(mine) == bool(theirs)
    mine_too = {(one.kind, one.index) for one in mine}
    assert {one for one in mine_too if one[0] in CAUSES} == {one for one in theirs if one[0] in CAUSES}


def laid_out(bundle: dict[str, object]) -> bytes:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    members = []
    for name, value in bundle.items():
        if isinstance(value, list) and value:
            members.append(f'"{name}":[\n' + ",\n".join(map(text, value)) + "\n]")
        else:
            members.append(f'"{name}":{text(value)}')
    return ("{\n" + ",\n".join(members) + "\n}\n").encode()


def test_what_a_service_recorded_is_verified(service: Running) -> None:
    """Entries with a recorder, which sources, ids and the index are counted by."""
    with counterfoil.connect(service.url, token=service.writer, spool=service.folder / "spool", actor="a") as trail:
        for number in range(300):
            trail.record("e", f"E-{number % 7}", id=f"id-{number}")
        trail.flush(timeout=60)
    service.end()
    ledger = _core.Ledger.open(service.ledger)
    ledger.seal()
    ledger.close()
    assert verdicts(service.ledger).mine == 0
    assert list((service.ledger / "segments").iterdir())


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command, in a copy of its folder alone."""
    command = [sys.executable, "-m", "verify_pure", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def first(*arguments: object) -> str:
    """What the first implementation's command prints."""
    command = [program(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_copied_folder_is_a_command(tmp_path: Path) -> None:
    shutil.copytree(
        Path(verify_pure.__file__).parent, tmp_path / "verify_pure", ignore=shutil.ignore_patterns("__pyc*")
    )
    key = GOLDEN / "vkey"
    for arguments in (
        (GOLDEN / "ledger", "--key", key, "--checkpoint", GOLDEN / "checkpoint", "--require-anchor"),
        (GOLDEN / "bundle", "--key", key),
        (GOLDEN / "proof", "--key", key, "--entry", GOLDEN / "entry.json"),
        (GOLDEN / "checkpoint", "--key", key),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 0, done
        assert done.stdout.startswith("verified golden.example/v1"), done.stdout
        assert "not anchored" not in done.stdout
    loaded = subprocess.run(
        [sys.executable, "-c", "import verify_pure.sealed, sys; print(*sys.modules)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not any(name.split(".")[0] == "counterfoil" for name in loaded.stdout.split())
    assert run(tmp_path, GOLDEN / "ledger", "--require-anchor").returncode == 2
    assert run(tmp_path, tmp_path / "nothing").returncode == 7
    assert run(tmp_path, GOLDEN / "ledger", "--key", "nonsense").returncode == 2
    assert run(tmp_path, GOLDEN / "proof", "--key", key, "--entry", GOLDEN / "vkey").returncode == 11
    assert run(tmp_path, GOLDEN / "consistency", "--key", key, "--checkpoint", GOLDEN / "checkpoint").returncode == 2
    mine = json.loads(run(tmp_path, GOLDEN / "ledger", "--json").stdout)
    theirs = json.loads(first("verify", GOLDEN / "ledger", "--json"))
    for name in mine.keys() & theirs.keys() - {"notices"}:
        assert mine[name] == theirs[name], name


def test_consistency_proofs(ledgers: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(ledgers["journal"], tmp_path / "ledger")
    key, kept = first("key", tmp_path / "ledger"), first("checkpoint", tmp_path / "ledger").encode()
    ledger = _core.Ledger.open(tmp_path / "ledger")
    ledger.append_lines(line(7_000))
    ledger.close()
    proof = first("prove", tmp_path / "ledger", "--from", kept.split(b"\n")[1].decode()).encode()
    vkey = VerifierKey.parse(key.strip())
    assert verify_pure.check_consistency(proof, kept, vkey).findings == []
    lines = proof.split(b"\n")
    lines[1], lines[2] = lines[2], lines[1]
    found = verify_pure.check_consistency(b"\n".join(lines), kept, vkey).findings
    assert [one.kind for one in found] == ["fork"]


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    monkeypatch.chdir(tmp_path / "golden")
    run_examples("integrations/verify-pure.md", {}, examples=1)
