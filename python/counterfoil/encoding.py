"""How Python values become JSON.

| Python | JSON |
|---|---|
| `None`, `bool`, `int`, `str`, `list`, `tuple`, `dict` | as they are; an integer keeps all its digits, up to 64 |
| `float` | its shortest digits |
| `Decimal`, `Fraction`, `complex`, `UUID`, paths, IP addresses | text, as `str` writes it |
| `datetime`, `date`, `time` | ISO 8601, with the offset it has |
| `timedelta` | ISO 8601 in seconds: `PT90.5S` |
| `Enum` | its value |
| dataclass, pydantic model, attrs class, named tuple, mapping | object of its fields |
| `set`, `frozenset` | array, sorted |
| other iterables with a length: `deque`, `range`, views | array |
| `bytes`, `bytearray`, `memoryview` | `{"$bytes": base64}` |
| exception | `{"type": …, "message": …}` |
| numpy scalar, numpy array of at most 1,000 elements | as its Python values |
| name in a dict that is no text | text; a second one that reads the same gets `#2` |
| NaN, infinities, integers of more than 64 digits, cycles, U+0000, lone surrogates, anything else | a marker |

The marker is `{"$unencoded": {"type", "reason", "text"}}`, with at most 256 characters of `text`.
"""

from __future__ import annotations

import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import sys
import uuid
from collections.abc import Callable
from typing import Any

from .errors import Invalid

Plain = Any
"""What JSON has."""

MAX_TEXT = 256
"""Characters of `text` in a marker."""

MAX_ARRAY = 1000
"""Elements of a numpy array that is written out."""

_AS_TEXT = (decimal.Decimal, fractions.Fraction, complex, uuid.UUID)
_AS_TEXT_BY_NAME = {
    "pathlib": ("PurePath",),
    "ipaddress": ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"),
}


def unencoded(value: object, reason: str) -> dict[str, Plain]:
    """The marker that stands for a value that cannot be encoded."""
    return {"$unencoded": {"type": _type_name(value), "reason": reason, "text": _text_of(value)}}


def convert(value: Any, why: str) -> Plain:
    """What stands for a value that JSON lacks; `why` says why it may not stand as it is. Never raises."""
    try:
        if why:
            return _cleaned(value, why)
        return _converted(value)
    except RecursionError:
        return unencoded(value, "it is nested too deeply")
    except Exception as error:
        return unencoded(value, f"encoding it raised {_type_name(error)}")


def convert_strictly(value: Any, why: str) -> Plain:
    """As `convert`, but raises `Invalid` where that would answer with a marker."""
    converted = convert(value, why)
    if isinstance(converted, dict) and "$unencoded" in converted:
        marker = converted["$unencoded"]
        raise Invalid(f"a value of the type {marker['type']} cannot be encoded: {marker['reason']}")
    return converted


def identifier(value: Any) -> str:
    """The text of a value that names something: an `int`, a `UUID` or an `Enum` as well as a `str`."""
    if type(value) is str:
        return value
    plain = value.value if isinstance(value, enum.Enum) else value
    return str.__str__(plain) if isinstance(plain, str) else _text_of(plain)


def moment(value: Any) -> str:
    """RFC 3339 of a `datetime`, of seconds since 1970 or of a text. A time without an offset is local time.

    Raises `Invalid` for what is no time.
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            if len(text) > 10 and (text[-1] in "zZ" or text[-6] in "+-"):
                return text if text[10] in "Tt" else text[:10] + "T" + text[11:]
            value = datetime.datetime.fromisoformat(text)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            value = datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        if isinstance(value, datetime.datetime):
            return (value if value.tzinfo else value.astimezone()).isoformat()
    except (ValueError, OverflowError, OSError, IndexError):
        pass
    raise Invalid(f"timestamp: {_text_of(value)!r} is no time")


def _converted(value: Any) -> Plain:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"PT{value.total_seconds():f}".rstrip("0").rstrip(".") + "S"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, BaseException):
        return {"type": _type_name(value), "message": _text_of(value)}
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return _of_its_parts(value)


def _of_its_parts(value: Any) -> Plain:
    if isinstance(value, type) or callable(value):
        return unencoded(value, "it is code")
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    kind = type(value)
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    if hasattr(kind, "model_dump") and hasattr(kind, "model_fields"):
        return value.model_dump()
    if isinstance(value, tuple):
        return dict(zip(value._fields, value, strict=True)) if hasattr(value, "_fields") else list(value)
    if isinstance(value, collections.abc.Mapping):
        return dict(value.items())
    if isinstance(value, collections.abc.Set):
        return _sorted(value)
    if kind.__module__.split(".")[0] == "numpy":
        return _of_numpy(value)
    if isinstance(value, collections.abc.Collection):
        return list(value)
    for module, names in _AS_TEXT_BY_NAME.items():
        loaded = sys.modules.get(module)
        if loaded and isinstance(value, tuple(getattr(loaded, name) for name in names)):
            return str(value)
    return unencoded(value, "JSON has no form for this type")


def _of_numpy(value: Any) -> Plain:
    if getattr(value, "size", 0) > MAX_ARRAY:
        return unencoded(value, f"an array of more than {MAX_ARRAY} elements")
    if value.dtype.kind in "Mm":
        return str(value) if value.ndim == 0 else [str(one) for one in value.ravel()]
    plain = value.tolist() if hasattr(value, "tolist") else value.item()
    return plain if type(plain) is not type(value) else str(value)


def _sorted(values: collections.abc.Set[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=lambda value: (_type_name(value), _text_of(value)))


def _cleaned(value: Any, why: str) -> Plain:
    """A dict with names that are texts, else a marker."""
    if not isinstance(value, dict) or why != "a name in it is no text":
        return unencoded(value, why)
    cleaned: dict[str, Any] = {}
    for name, member in value.items():
        text = _printable(identifier(name)).replace("\x00", "\\x00")
        free, number = text, 2
        while free in cleaned:
            free, number = f"{text}#{number}", number + 1
        cleaned[free] = member
    return cleaned


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _text_of(value: object) -> str:
    """What `str` makes of a value, cut and free of what the ledger refuses; never raises."""
    try:
        if isinstance(value, int) and value.bit_length() > 4096:
            text = f"an integer of about {math.floor(value.bit_length() * math.log10(2)) + 1} digits"
        elif isinstance(value, (dict, list, set, frozenset, tuple)):
            text = f"{len(value)} elements"
        else:
            text = str(value)
    except Exception as error:
        text = f"str() raised {_type_name(error)}"
    return _printable(text[:MAX_TEXT]).replace("\x00", "\\x00")


Converter = Callable[[Any, str], Plain]
