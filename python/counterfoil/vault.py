"""The vault: one key for each person, under which what is personal of them is sealed.

    <vault>/names.key       the secret from which the names below are made, so that nobody can guess whose they are
    <vault>/<name>.key      a person's key: `{"key_id", "key"}`, 32 bytes for encryption and 32 for nonces, in base64
    <vault>/<name>.new      the same before its name is durable
    <vault>/<name>.gone     the same while it is destroyed

A key is durable before anything is sealed under it, and is never written over: whoever comes second takes the first
one's. It is read anew for each entry, so that no process goes on with a key that another has destroyed.
`docs/formats/entry.md` says how values are sealed.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import _core, encoding
from .disk import sync_folder
from .encoding import Converter
from .errors import Damaged, Invalid, Unavailable
from .redaction import is_named, replaced

SEALED = "$sealed"

_DOMAIN = b"counterfoil-sealed/v1\n"
_BLOCK = 32
_WHOLE = ("old_value", "new_value", "reason")


class _Key(NamedTuple):
    key_id: str
    encryption: bytes
    nonces: bytes


class Vault:
    """The keys in a folder. Any number of threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sealed(
        self, entry: Mapping[str, Any], names: frozenset[str], subject: str, convert: Converter
    ) -> dict[str, Any]:
        """The entry with its personal fields sealed under the subject's key. `Unavailable` when none can be made."""
        keys: list[_Key] = []
        entry_id = None if entry.get("id") is None else str(entry["id"])

        def stand_in(value: Any, path: str) -> Any:
            if isinstance(value, Mapping) and SEALED in value:
                return value
            if not keys:
                keys.append(self._key(_name(self._key("names"), subject)))
            return _seal(keys[0], value, path, entry_id, convert)

        made = dict(entry)
        for name in (*_WHOLE, "context"):
            if name not in made or (made[name] is None and name in ("reason", "context")):
                continue
            if name in _WHOLE and is_named(name, names):
                made[name] = stand_in(made[name], name)
            else:
                made[name] = replaced(made[name], names, stand_in, path=name, convert=convert)
        return made

    def unsealed(self, value: Any) -> Any:
        """A copy with what was sealed as it was before; what is under a key that is not here stays as it is."""
        if isinstance(value, Mapping):
            if isinstance(value.get(SEALED), Mapping):
                return self._unsealed(value)
            return {name: self.unsealed(member) for name, member in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.unsealed(member) for member in value]
        return value

    def forget(self, subject: str) -> str | None:
        """Destroys the subject's key, durably; its id, and `None` if there is none."""
        try:
            names = self._find("names")
            if names is None:
                return None
            name = _name(names, subject)
            key, gone = self._find(name), self._path(name, "gone")
            if key is None:
                with contextlib.suppress(FileNotFoundError, Damaged):
                    key = _read(gone)
            _destroy(gone)
            self._path(name, "new").unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._path(name, "key"), gone)
                sync_folder(self._folder)
                _destroy(gone)
            sync_folder(self._folder)
        except OSError as error:
            raise Unavailable(f"the vault {self._folder}: {error}") from error
        return None if key is None else key.key_id

    def _unsealed(self, value: Mapping[str, Any]) -> Any:
        told = value[SEALED]
        name = str(told.get("key_id")).partition(".")[0]
        try:
            key = self._find(name) if len(name) == 32 and name.isalnum() else None
        except OSError as error:
            raise Unavailable(f"the vault {self._folder}: {error}") from error
        if key is None or key.key_id != told["key_id"]:
            return dict(value)
        nonce, ciphertext = (base64.b64decode(told[part]) for part in ("nonce", "ciphertext"))
        return json.loads(_core.unseal(key.encryption, nonce, _DOMAIN + key.key_id.encode(), ciphertext))

    def _key(self, name: str) -> _Key:
        try:
            for _ in range(8):
                key = self._find(name)
                if key is not None:
                    return key
                self._make(name)
        except OSError as error:
            raise Unavailable(f"the vault {self._folder}: {error}") from error
        raise Unavailable(f"the vault {self._folder}: new keys are destroyed at once")

    def _find(self, name: str) -> _Key | None:
        """A key that is durable: it got its last name when it had one on disk."""
        path, new = self._path(name, "key"), self._path(name, "new")
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        if not new.exists():
            return None
        sync_folder(self._folder)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            # Whoever was quicker did the same.
            os.link(new, path)
        new.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return _read(path)
        return None

    def _make(self, name: str) -> None:
        if name == "names":
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._folder.parent)
        kept = {"key_id": f"{name}.{secrets.token_hex(8)}", "key": base64.b64encode(os.urandom(64)).decode()}
        temporary = self._folder / f".{name}.{secrets.token_hex(8)}"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
                json.dump(kept, file)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self._path(name, "new"))
            if self._path(name, "key").exists():
                # Somebody was quicker by far.
                self._path(name, "new").unlink(missing_ok=True)
        finally:
            temporary.unlink(missing_ok=True)

    def _path(self, name: str, state: str) -> Path:
        return self._folder / f"{name}.{state}"


def _name(names: _Key, subject: str) -> str:
    """The name of a subject's key."""
    return hmac.digest(names.nonces, subject.encode("utf-8", "backslashreplace"), hashlib.sha256)[:16].hex()


def _seal(key: _Key, value: Any, path: str, entry_id: str | None, convert: Converter) -> dict[str, Any]:
    try:
        plain = _core.encode_value(value, convert)
    except Invalid as error:
        if convert is encoding.convert_strictly:
            raise
        plain = _core.encode_value(encoding.unencoded(value, error.message), convert)
    # The length says less.
    plain = plain.ljust(-(-len(plain) // _BLOCK) * _BLOCK)
    nonce = os.urandom(12)
    if entry_id is not None:
        # What is recorded again under its id is the same to the letter.
        about = "\0".join((entry_id, path)).encode("utf-8", "backslashreplace")
        nonce = hmac.digest(key.nonces, about + b"\0" + plain, hashlib.sha256)[:12]
    sealed = _core.seal(key.encryption, nonce, _DOMAIN + key.key_id.encode(), plain)
    ciphertext, nonce_text = (base64.b64encode(part).decode() for part in (sealed, nonce))
    return {SEALED: {"ciphertext": ciphertext, "key_id": key.key_id, "nonce": nonce_text}}


def _read(path: Path) -> _Key | None:
    raw = path.read_bytes()
    if not raw.strip(b"\0"):
        # It is being destroyed.
        return None
    try:
        told = json.loads(raw)
        both = base64.b64decode(told["key"], validate=True)
        if len(both) == 64 and isinstance(told["key_id"], str):
            return _Key(told["key_id"], both[:32], both[32:])
    except (ValueError, KeyError, TypeError):
        pass
    raise Damaged(f"{path}: it is no key of a vault; restore it")


def _destroy(path: Path) -> None:
    """Overwrites a file and removes it."""
    with contextlib.suppress(FileNotFoundError):
        with open(path, "r+b") as file:
            file.write(bytes(os.fstat(file.fileno()).st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
