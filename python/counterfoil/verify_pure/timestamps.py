"""Timestamps of entries: RFC 3339 in, UTC without trailing zeros out (docs/formats/entry.md, "Timestamps")."""

from __future__ import annotations

import functools
import re
from datetime import datetime, timedelta, timezone

from .findings import Malformed

_FORM = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST = (datetime(1678, 1, 1, tzinfo=timezone.utc) - _EPOCH) // timedelta(seconds=1) * 10**9
_END = (datetime(2262, 1, 1, tzinfo=timezone.utc) - _EPOCH) // timedelta(seconds=1) * 10**9


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> int:
    """Nanoseconds since 1970-01-01T00:00:00Z."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise Malformed(f"{text!r} is no RFC 3339 timestamp with an offset")
    date, (fraction, sign, hours, minutes) = form.groups()[:6], form.groups()[6:]
    try:
        local = datetime(*map(int, date), tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError as error:
        raise Malformed(f"{text!r}: {error}") from error
    offset = 0
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise Malformed(f"{text!r} has no offset that exists")
        offset = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
    seconds = (local - _EPOCH) // timedelta(seconds=1) - offset
    nanos = seconds * 10**9 + int((fraction or "").ljust(9, "0"))
    check(nanos)
    return nanos


def check(nanos: int) -> None:
    """Refuses an instant outside the years 1678 to 2261."""
    if not _FIRST <= nanos < _END:
        raise Malformed("an instant outside the years 1678-2261")


def write(nanos: int) -> str:
    """The canonical text."""
    seconds, fraction = divmod(nanos, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"
