"""Signing of entries: whose key it is, and for which ledger."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

from . import _core
from .errors import Denied, Invalid


class Signer(Protocol):
    """An Ed25519 key, wherever it is kept: in a file, a hardware module, a cloud's key service."""

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""

    def sign(self, message: bytes, /) -> bytes:
        """The 64 bytes of the signature (RFC 8032). What it raises becomes `Unavailable`, and nothing is recorded."""


class Signing(NamedTuple):
    """A signer and the origin of the ledger for which it signs."""

    signer: Signer
    origin: str


def this_program() -> str:
    """How this program is named in the `source` of entries."""
    return f"{socket.gethostname()}/{Path(sys.argv[0] or 'python').name}"


def signer_of(given: str | os.PathLike[str] | Signer) -> Signer:
    """The signer itself, or the one with the key in a file that `counterfoil key new` wrote.

    Raises `NotFound` without the file, `Denied` when others may read it, `Invalid` when it holds no such key.
    """
    if isinstance(given, (str, os.PathLike)):
        return _core.KeyFile(given)
    if not isinstance(getattr(given, "public_key", None), bytes) or not callable(getattr(given, "sign", None)):
        raise Invalid("a signer is a key file, or an object with public_key (32 bytes) and sign(message)")
    return given


def key_id(signer: Signer) -> str:
    """How entries name the key."""
    return hashlib.sha256(signer.public_key).hexdigest()


def is_registered(ledger: _core.Ledger, signer: Signer) -> bool:
    """Whether a ledger takes what the signer's key signs."""
    types = [json.loads(canonical)["event_type"] for _, canonical in ledger.history(key_id(signer))]
    acts = [one for one in types if one.startswith("ledger.key_")]
    return bool(acts) and acts[-1] == "ledger.key_registered"


def check_registered(ledger: _core.Ledger, signer: Signer) -> None:
    """Raises `Denied` when the ledger does not know the signer's key."""
    if not is_registered(ledger, signer):
        raise Denied(
            f"key {key_id(signer)} is not registered, or was revoked: "
            f"counterfoil key register LEDGER {signer.public_key.hex()} --actor ACTOR"
        )
