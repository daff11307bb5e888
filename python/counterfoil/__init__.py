"""Counterfoil: an audit ledger for AI-driven finance workflows.

import counterfoil

trail = counterfoil.open("audit")                                  # the ledger in the process
trail = counterfoil.connect("https://audit.example", token=token)  # a service, by way of a durable spool
trail.record("invoice_approved", "INV-1042", actor="invoice-bot", new_value="approved")
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ._core import Receipt
from .entry import Entry
from .errors import (
    Busy,
    Closed,
    Conflict,
    Damaged,
    Denied,
    Error,
    Internal,
    Invalid,
    NotFound,
    Poisoned,
    Tampered,
    Unavailable,
)
from .evidence import check_bundle, check_proof
from .report import Finding, Report
from .scopes import reset_scope, scope, set_scope
from .trail import ABSENT, OnError, Trail

if TYPE_CHECKING:
    from .auditing import audited
    from .connected import Connected, Mode, WhenFull
    from .embedded import Embedded
    from .signer import Signer

__all__ = [
    "ABSENT",
    "Busy",
    "Closed",
    "Conflict",
    "Damaged",
    "Denied",
    "Entry",
    "Error",
    "Finding",
    "Internal",
    "Invalid",
    "NotFound",
    "Poisoned",
    "Receipt",
    "Report",
    "Signer",
    "Tampered",
    "Trail",
    "Unavailable",
    "audited",
    "check_bundle",
    "check_proof",
    "connect",
    "default_trail",
    "open",
    "reset_scope",
    "scope",
    "set_default_trail",
    "set_scope",
]

_default: Trail | None = None


def open(
    path: str | os.PathLike[str],
    *,
    origin: str | None = None,
    create: bool = True,
    actor: str | None = None,
    on_error: OnError = "record",
    signer: str | os.PathLike[str] | Signer | None = None,
    personal: Collection[str] = (),
) -> Embedded:
    """Opens the ledger in a folder, in this process; makes it if there is none and `create` is true.

    `origin` is a new ledger's name, best a URL without schema. One process has a ledger open: `Busy` for any other,
    which should use a service and `connect`. A forked child gets `Closed`.

    `signer` signs every entry: a key file that `counterfoil key new` wrote, or a `Signer`; `Denied` when the ledger
    does not know its key. `personal` names fields that are sealed under a key of the person whom the entry is about,
    which `forget` destroys; the keys are in the ledger's `state/vault`.
    """
    from .embedded import Embedded

    return Embedded(
        path, origin=origin, create=create, actor=actor, on_error=on_error, signer=signer, personal=personal
    )


def connect(
    url: str,
    *,
    token: str | None = None,
    read_token: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    source: str | None = None,
    mode: Mode = "spool",
    spool_limit: int = 200_000,
    when_full: WhenFull = "raise",
    full_timeout: float | None = None,
    sync_timeout: float = 30.0,
    exit_timeout: float = 2.0,
    ca_cert: str | None = None,
    actor: str | None = None,
    on_error: OnError = "record",
    signer: str | os.PathLike[str] | Signer | None = None,
    origin: str | None = None,
    personal: Collection[str] = (),
    vault: str | os.PathLike[str] | None = None,
) -> Connected:
    """Records in a service's ledger by way of a durable spool on this machine; works while the service does not.

    - `token`: of a writer; else `COUNTERFOIL_TOKEN`. `read_token`: of a reader, for `history`, `verify` and iteration.
    - `spool`: a folder on a local disk, shared by all processes that record in this service; the usual place is under
      `~/.local/state/counterfoil`. `source`: how this program is named in the entries' `source`.
    - `mode="spool"`: `record` returns after the local sync. `mode="sync"`: it waits for the ledger's own receipt, at
      most `sync_timeout` seconds, then `Unavailable`; the entry is in the spool even so and will be shipped. What the
      service refuses for good is raised; the other entries of a batch are recorded.
    - `spool_limit`: entries that may wait in this process's spool. Beyond it, `when_full="raise"` raises `Unavailable`
      and `"block"` waits for room, at most `full_timeout` seconds. Nothing is ever dropped.
    - `exit_timeout`: seconds that `close` and the end of the interpreter give to shipping; what is left is shipped by
      the next process that connects with the same spool.
    - `ca_cert`: a PEM file of authorities, where the system's do not know the service's certificate.
    - `signer`: signs every entry as it is spooled: a key file that `counterfoil key new` wrote, or a `Signer`. It signs
      for a ledger of this `origin`, which is asked of the service once and then kept in the spool: `Unavailable` if it
      is not known and the service does not answer. Entries of a key that the ledger does not know are refused there.
    - `personal`: names of fields that are sealed under a key of the person whom the entry is about, which `forget`
      destroys. The keys are in the folder `vault`, or else in the spool's `vault`.
    """
    from .connected import Connected

    return Connected(
        url,
        token=token or os.environ.get("COUNTERFOIL_TOKEN") or None,
        read_token=read_token,
        spool=spool,
        source=source,
        mode=mode,
        spool_limit=spool_limit,
        when_full=when_full,
        full_timeout=full_timeout,
        sync_timeout=sync_timeout,
        exit_timeout=exit_timeout,
        ca_cert=ca_cert or os.environ.get("COUNTERFOIL_CA_CERT") or None,
        actor=actor,
        on_error=on_error,
        signer=signer,
        origin=origin,
        personal=personal,
        vault=vault,
    )


def set_default_trail(trail: Trail | None) -> None:
    """The trail that decorators and log handlers use which were given none."""
    global _default
    _default = trail


def default_trail() -> Trail:
    """The trail set by `set_default_trail`; `Invalid` without one."""
    if _default is None:
        raise Invalid("no trail: give one, or call counterfoil.set_default_trail()")
    return _default


def __getattr__(name: str) -> Any:
    if name == "audited":
        from .auditing import audited

        return audited
    if name == "Signer":
        from .signer import Signer

        return Signer
    raise AttributeError(f"module 'counterfoil' has no attribute {name!r}")
