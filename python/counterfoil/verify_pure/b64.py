"""Base64 as every format here has it: RFC 4648, section 4, padded, one form for each value."""

from __future__ import annotations

import base64
import binascii

from .findings import Malformed


def decode(text: str, length: int | None = None) -> bytes:
    """The bytes; `Malformed` unless the text is their one form and there are `length` of them."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{text[:80]!r} is no base64") from error
    if encode(value) != text:
        raise Malformed(f"{text[:80]!r} is not how base64 writes its bytes")
    if length is not None and len(value) != length:
        raise Malformed(f"{len(value)} bytes in base64, not {length}")
    return value


def encode(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
