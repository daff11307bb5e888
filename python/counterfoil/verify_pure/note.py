"""C2SP signed notes, verifier keys and checkpoints (docs/formats/checkpoint.md)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from . import b64, ed25519
from .findings import Malformed

ED25519 = 1
COSIGNATURES = (4, 6)
MOST_SIGNATURES = 100


class VerifierKey(NamedTuple):
    """A C2SP verifier key: its name, its type (1 is Ed25519), the public key, and the 4 bytes that name it in notes."""

    name: str
    type: int
    key: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Reads `<name>+<key id, 8 hex digits>+<base64 of type and key>`."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Malformed("a verifier key has three parts with a + between them")
        name, key_id, encoded = parts
        check_name(name)
        key = b64.decode(encoded)
        if len(key) != 33 or key[0] != ED25519:
            raise Malformed("no Ed25519 verifier key")
        read = cls(name, key[0], key[1:])
        if read.id.hex() != key_id:
            raise Malformed("the key id is not the one of name and key")
        return read

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64.encode(bytes([self.type]) + self.key)}"


class Note(NamedTuple):
    """A signed note: its text, with the line feed at its end, and (name, key id, signature) for each line."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def parse(cls, raw: bytes) -> Note:
        try:
            whole = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a note is UTF-8") from error
        if re.search(r"[\x00-\x09\x0b-\x1f]", whole):
            raise Malformed("a note holds no control character but line feeds")
        text, parted, lines = whole.rpartition("\n\n")
        if not parted or not lines.endswith("\n"):
            raise Malformed("a note has a text, an empty line, and lines of signatures, each with its line feed")
        signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
        if len(signatures) > MOST_SIGNATURES:
            raise Malformed(f"a note of more than {MOST_SIGNATURES} signatures")
        return cls(text + "\n", signatures)

    def signed_by(self, keys: Iterable[VerifierKey]) -> bool:
        """Whether one of the keys signed it, and no signature in the name of one of them is false."""
        verdicts = [
            ed25519.verify(key.key, signature, self.text.encode())
            for key in keys
            for name, key_id, signature in self.signatures
            if (name, key_id) == (key.name, key.id)
        ]
        return bool(verdicts) and all(verdicts)


class Checkpoint(NamedTuple):
    """A signed tree head."""

    origin: str
    size: int
    root: bytes
    note: Note

    @classmethod
    def parse(cls, raw: bytes) -> Checkpoint:
        note = Note.parse(raw)
        lines = note.text[:-1].split("\n")
        if len(lines) < 3 or not all(lines):
            raise Malformed("a checkpoint has three lines or more, none of them empty")
        return cls(lines[0], number(lines[1]), b64.decode(lines[2], 32), note)


def check_name(name: str) -> None:
    """Refuses what cannot be the name of a key."""
    if not name or "+" in name or re.search(r"\s", name):
        raise Malformed(f"{name!r} is no key name")


def number(text: str) -> int:
    """A size or an index: decimal, without a leading zero, below 2^63."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,18}", text) or int(text) >= 2**63:
        raise Malformed(f"{text[:40]!r} is no size")
    return int(text)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    form = re.fullmatch(r"— (\S+) (\S+)", line)
    if form is None:
        raise Malformed("a line of a signature is a dash, a name and base64")
    check_name(form[1])
    blob = b64.decode(form[2])
    if len(blob) < 5:
        raise Malformed("a signature has a key id and more")
    return form[1], blob[:4], blob[4:]
