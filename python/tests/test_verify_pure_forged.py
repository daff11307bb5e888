"""Ledgers that somebody rewrote who knows the formats and has the ledger's key: both verifiers must agree."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from test_verify_pure import ORIGIN, Verdicts, line, verdicts

from counterfoil import _core
from counterfoil.verify_pure import VerifierKey, b64, canonical, journal, tree, verify_ledger

Change = Callable[[list[bytes]], None]


class Forger:
    """A ledger's only journal file, taken apart: the entries of each frame, and its time in microseconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal" / f"{0:020d}.journal"
        frames = journal.read(self.path.read_bytes()).frames
        self.frames = [(frame.header.recorded_at_us, list(frame.entries)) for frame in frames]
        key = load_pem_private_key((folder / "keys" / "signing-key.pem").read_bytes(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.key = key

    def write(self, flags: int | None = None) -> None:
        """Puts it together again with checksums, leaves, roots, signatures and a checkpoint that fit."""
        whole, grown = b"", tree.Tree()
        for recorded_at, entries in self.frames:
            first = len(grown)
            for raw in entries:
                grown.append(tree.leaf_hash(raw))
            is_own = any(b'"event_type":"ledger.' in raw for raw in entries)
            length = sum(36 + len(raw) for raw in entries)
            flag = int(is_own) if flags is None else flags
            head = b"CFJ1" + struct.pack("<HHQI", flag, 0, first, len(entries))
            tail = struct.pack("<Qq", length, recorded_at) + grown.root(len(grown))
            tail += self.key.sign(f"counterfoil-frame/v1\n{ORIGIN}\n".encode() + head + bytes(4) + tail)
            tail += b"".join(tree.leaf_hash(raw) + struct.pack("<I", len(raw)) for raw in entries) + b"".join(entries)
            whole += head + struct.pack("<I", journal.crc32c(head + tail)) + tail
        self.path.write_bytes(whole)
        text = f"{ORIGIN}\n{len(grown)}\n{b64.encode(grown.root(len(grown)))}\n"
        key = VerifierKey(ORIGIN, 1, self.key.public_key().public_bytes_raw())
        signature = b64.encode(key.id + self.key.sign(text.encode()))
        (self.folder / "checkpoint").write_text(f"{text}\n— {ORIGIN} {signature}\n")


@pytest.fixture
def forger(tmp_path: Path) -> Forger:
    ledger = _core.Ledger.create(tmp_path / "ledger", ORIGIN, 1024)
    for number in (1, 4, 5, 7, 10, 14):
        ledger.append_lines(line(number))
    ledger.append_lines(b"".join(map(line, (20, 21, 22))))
    ledger.close()
    return Forger(tmp_path / "ledger")


def test_the_forger_can_write(forger: Forger) -> None:
    genuine = forger.path.read_bytes().rstrip(b"\0"), (forger.folder / "checkpoint").read_bytes()
    forger.write()
    assert (forger.path.read_bytes(), (forger.folder / "checkpoint").read_bytes()) == genuine
    assert verdicts(forger.folder).mine == 0


def changed(forger: Forger, at: int, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The last entry of a frame with its members changed, in canonical form."""
    members = canonical.parse(forger.frames[at][1][-1])
    members = change(members) or members
    return canonical.write(members)


def set_(**members: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda entry: entry.update(canonical.read(json.dumps(members).encode()))


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda entry: entry.pop(name) and None


SEALED = {"$sealed": {"ciphertext": "YQ==", "key_id": "k", "nonce": "Yg=="}}
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str | None]] = {
    "another actor, all made to fit": (set_(actor="eve"), None),
    "no actor": (without("actor"), "entry-malformed"),
    "no timestamp": (without("timestamp"), "entry-malformed"),
    "no recorded_at": (without("recorded_at"), "entry-malformed"),
    "another recorded_at": (set_(recorded_at="2020-01-01T00:00:00Z"), ""),
    "nanoseconds in recorded_at": (set_(recorded_at="2026-01-01T00:00:00.000000001Z"), ""),
    "an unknown member": (set_(x=1), "entry-malformed"),
    "a control character": (set_(actor="a\x01"), "entry-malformed"),
    "U+0000": (set_(new_value=["\x00"]), "entry-malformed"),
    "a text that is too long": (set_(entity_id="x" * 257), "entry-malformed"),
    "an entry that is too long": (set_(new_value="x" * 65_500), "entry-malformed"),
    "a sealed reason": (set_(reason=SEALED), None),
    "a text that reads like a sealed reason": (
        set_(reason=json.dumps(SEALED, separators=(",", ":"))),
        "entry-malformed",
    ),
    "a sealed value of another shape": (set_(new_value={"$sealed": {}}), "entry-malformed"),
    "an actor_type that is none": (set_(actor_type="robot"), "entry-malformed"),
    "a salt": (set_(salt="AAAAAAAAAAAAAAAAAAAAAA=="), None),
    "a short salt": (set_(salt="AAAA"), "entry-malformed"),
    "a recorder": (set_(recorder="svc"), None),
    "an empty recorder": (set_(recorder=""), "entry-malformed"),
    "a source without sequence": (set_(source="s"), "entry-malformed"),
    "a source": (set_(source="s", sequence=3), None),
    "a sequence that was used": (set_(source="erp", sequence=1), "sequence-repeat"),
    "an id that was used": (set_(id="id-5"), "duplicate-id"),
    "an own act with a source": (set_(event_type="ledger.x", source="s", sequence=1), "entry-malformed"),
    "an own act that nobody knows": (set_(event_type="ledger.x"), None),
    "a second ledger.created": (set_(event_type="ledger.created"), ""),
    "a seal of nothing": (set_(event_type="ledger.sealed", entity_id="segment/0"), ""),
    "a seal of what is not there": (
        set_(
            event_type="ledger.sealed",
            entity_id="segment/0",
            context={
                "count": 256,
                "files": {part: {"block_root": "0" * 64, "length": 1} for part in ("index", "parquet", "tiles")},
                "first": 0,
                "root": "0" * 64,
            },
        ),
        "",
    ),
    "a signature by nobody": (
        set_(
            source="s",
            sequence=1,
            signature={"algorithm": "ed25519", "key_id": "0" * 64, "value": b64.encode(bytes(64))},
        ),
        "key-unregistered",
    ),
    "a signature by another algorithm": (
        set_(
            source="s", sequence=1, signature={"algorithm": "rsa", "key_id": "0" * 64, "value": b64.encode(bytes(64))}
        ),
        "entry-malformed",
    ),
    "a signature without a source": (
        set_(signature={"algorithm": "ed25519", "key_id": "0" * 64, "value": b64.encode(bytes(64))}),
        "entry-malformed",
    ),
    "an array": (lambda entry: [entry], "entry-malformed"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_entry(forger: Forger, name: str) -> None:
    """The kind is what both must find; an empty one leaves it to them which, None is what nobody can find."""
    change, kind = CHANGES[name]
    forger.frames[-1][1][-1] = changed(forger, -1, change)
    forger.write()
    found = verdicts(forger.folder)
    if kind is None:
        assert found.mine == 0
    elif kind:
        assert kind in {one for one, _ in found.my_findings} & {one for one, _ in found.their_findings}, found


@pytest.mark.parametrize(
    ("event_type", "kind"), [("ledger.key_registered", "entry-malformed"), ("ledger.key_revoked", "key-unregistered")]
)
def test_an_act_about_a_key_that_is_none(forger: Forger, event_type: str, kind: str) -> None:
    """The first verifier finds this in a bundle, and not in a ledger."""
    forger.frames[-1][1][-1] = changed(forger, -1, set_(event_type=event_type))
    forger.write()
    assert [one.kind for one in verify_ledger(forger.folder).findings] == [kind]


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        (lambda raw: raw.replace(b",", b", ", 1), "entry-not-canonical"),
        (lambda raw: raw.replace(b'"actor"', rb'"\u0061ctor"', 1), "entry-not-canonical"),
        (lambda raw: raw + b"\n", "entry-not-canonical"),
        (lambda raw: raw.replace(b"Z", b"+00:00", 1), "entry-not-canonical"),
        (lambda raw: raw.replace(b'"entity_id"', b'"actor":"x","entity_id"', 1), "entry-malformed"),
        (lambda raw: raw[:-1], "entry-malformed"),
        (lambda raw: b"\xef\xbb\xbf" + raw, "entry-malformed"),
        (lambda raw: raw.replace(b"bot", b"\xff", 1), "entry-malformed"),
        (lambda raw: b"", "entry-malformed"),
        (lambda raw: b"null", "entry-malformed"),
    ],
)
def test_other_bytes(forger: Forger, written: Callable[[bytes], bytes], kind: str) -> None:
    forger.frames[3][1][-1] = written(forger.frames[3][1][-1])
    forger.write()
    found = verdicts(forger.folder)
    assert kind in {one for one, _ in found.my_findings}, found
    assert found.their_findings
    assert {one for one, _ in found.their_findings} <= {"entry-malformed", "entry-not-canonical"}


def test_frames_that_lie(forger: Forger) -> None:
    def told(change: Callable[[Forger], None]) -> Verdicts:
        copy = forger.folder.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(forger.folder, copy)
        other = Forger(copy)
        change(other)
        return verdicts(copy)

    def backwards(other: Forger) -> None:
        for at in range(6, len(other.frames)):
            entries = [canonical.parse(raw) for raw in other.frames[at][1]]
            for entry in entries:
                entry["recorded_at"] = "2020-01-01T00:00:00Z"
            other.frames[at] = 1_577_836_800_000_000, [canonical.write(entry) for entry in entries]
        other.write()

    assert "recorded-at-backwards" in {kind for kind, _ in told(backwards).my_findings}

    def other_time(other: Forger) -> None:
        other.frames[4] = 5, other.frames[4][1]
        other.write()

    def empty(other: Forger) -> None:
        other.frames[5][1].clear()
        other.write()

    def without_first(other: Forger) -> None:
        del other.frames[0]
        other.write()

    def twice(other: Forger) -> None:
        other.frames.insert(3, other.frames[3])
        other.write()

    def shorter(other: Forger) -> None:
        other.frames.pop()
        other.write()

    for change in (other_time, empty, without_first, twice):
        assert told(change).mine, change
    assert told(lambda other: other.write(flags=1)).mine == 10
    assert told(lambda other: other.write(flags=0)).mine == 10
    assert told(lambda other: other.write(flags=2)).mine == 11
    assert told(shorter).mine == 0, "a shorter ledger agrees with itself"


def test_another_ledger_file(forger: Forger) -> None:
    path = forger.folder / "ledger.toml"
    genuine = path.read_text()
    for text, other in (
        ("segment_span = 1024", "segment_span = 512"),
        ("segment_span = 1024", "segment_span = 0"),
        ("segment_span = 1024", "segment_span = 1000"),
        (ORIGIN, "pure.example/another"),
        ("format_version = 1", "format_version = 2"),
        ("# A Counterfoil", "#  A Counterfoil"),
        ("verifier_key", "# verifier_key"),
        ("\n", "\r\n"),
        ("retention_class", "more = 1\nretention_class"),
    ):
        path.write_text(genuine.replace(text, other))
        found = verdicts(forger.folder)
        assert ("ledger-file-changed", "ledger.toml") in found.my_findings | found.their_findings
        assert found.mine == 11
    path.write_text(genuine)
    assert verdicts(forger.folder).mine == 0
