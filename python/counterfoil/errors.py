"""The errors: one class for each kind of the ledger's errors, named after what the caller should do."""

from __future__ import annotations


class Error(Exception):
    """Any error of Counterfoil.

    `kind` is the kind's name as the service and the command line use it; `position` counts from 0 and is there when one
    entry of a batch is meant.
    """

    kind = "internal"

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position

    def __reduce__(self) -> tuple[type[Error], tuple[str, int | None]]:
        return type(self), (self.message, self.position)


class Invalid(Error):
    """The call or its data is wrong: fix it."""

    kind = "invalid"


class Conflict(Error):
    """The same idempotency key was used with other content: never retry."""

    kind = "conflict"


class Busy(Error):
    """Somebody else holds it, or a queue is full: retry now."""

    kind = "busy"


class Unavailable(Error):
    """It cannot be done at present: retry later."""

    kind = "unavailable"


class Denied(Error):
    """No right to do this."""

    kind = "denied"


class NotFound(Error):
    """There is no such thing."""

    kind = "not-found"


class Poisoned(Error):
    """A write may or may not have reached the disk: reopen the ledger."""

    kind = "poisoned"


class Damaged(Error):
    """Bytes cannot be read: restore them."""

    kind = "damaged"


class Tampered(Error):
    """Bytes can be read, but a hash, proof or signature disagrees: raise the alarm and keep the evidence."""

    kind = "tampered"


class Closed(Error):
    """The ledger was closed, or belongs to another process."""

    kind = "closed"


class Internal(Error):
    """A defect in Counterfoil."""

    kind = "internal"


_KINDS: dict[str, type[Error]] = {
    kind.kind: kind
    for kind in (Invalid, Conflict, Busy, Unavailable, Denied, NotFound, Poisoned, Damaged, Tampered, Closed, Internal)
}
_KINDS["unauthenticated"] = Denied


def of_kind(kind: str, message: str, position: int | None = None) -> Error:
    """The exception for a kind by name; `Internal` for a name that is none."""
    return _KINDS.get(kind, Internal)(message, position)
