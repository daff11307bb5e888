"""Canonical JSON: RFC 8785, except that an integer keeps its digits (docs/formats/entry.md, "Canonical bytes")."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

from .findings import Malformed

MOST_CONTAINERS = 64
MOST_NUMBER_BYTES = 64
MOST_DIGITS = 17


class Number(NamedTuple):
    """A number, as its canonical text."""

    text: str


def read(raw: bytes) -> Any:
    """The value of a JSON text: None, bool, str, `Number`, list, dict. `Malformed` if it is none."""
    try:
        return _decoder.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"no JSON: {error}") from error


def parse(raw: bytes) -> Any:
    """The same; `Malformed` also for what an entry may not hold."""
    value = read(raw)
    _check(value, 1)
    return value


def write(value: Any) -> bytes:
    """The canonical bytes of a value that `read` gave."""
    return _text(value).encode("utf-8")


def string(text: str) -> str:
    """A JSON string literal as RFC 8785, 3.2.2.2, writes it."""
    return '"' + text.translate(_ESCAPES) + '"'


_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_ESCAPES = str.maketrans({chr(code): f"\\u{code:04x}" for code in range(0x20)} | _SHORT)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return string(value)
    if isinstance(value, Number):
        return value.text
    if isinstance(value, list):
        return "[" + ",".join(_text(one) for one in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(f"{string(name)}:{_text(value[name])}" for name in names) + "}"


def _check(value: Any, depth: int) -> None:
    """Refuses U+0000, lone surrogates and too many containers one inside the other."""
    if isinstance(value, str):
        if "\0" in value or re.search("[\ud800-\udfff]", value):
            raise Malformed("a text holds U+0000 or half a surrogate pair")
    elif isinstance(value, (list, dict)):
        if depth > MOST_CONTAINERS:
            raise Malformed(f"more than {MOST_CONTAINERS} containers one inside the other")
        if isinstance(value, dict):
            for name in value:
                _check(name, depth + 1)
        for one in value.values() if isinstance(value, dict) else value:
            _check(one, depth + 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("an object holds a name twice")
    return members


def _no_constant(text: str) -> Any:
    raise Malformed(f"{text} is no JSON")


def _integer(literal: str) -> Number:
    _check_length(literal)
    return Number("0" if literal == "-0" else literal)


def _fraction(literal: str) -> Number:
    """A literal with a fraction or an exponent: written as ECMAScript writes the double, if that keeps its value."""
    _check_length(literal)
    digits = re.sub("[eE].*|[-.]", "", literal).strip("0")
    if not digits:
        return Number("0")
    double = float(literal)
    if double in (0, float("inf"), float("-inf")):
        raise Malformed(f"no double holds {literal}")
    written, given = Decimal(repr(double)), Decimal(literal)
    whole = "." in literal and given == given.to_integral_value()
    if written != given and (len(digits) > MOST_DIGITS or whole):
        raise Malformed(f"a double changes {literal}")
    return Number(_ecmascript(written))


_decoder = json.JSONDecoder(
    parse_int=_integer, parse_float=_fraction, parse_constant=_no_constant, object_pairs_hook=_object
)


def _check_length(literal: str) -> None:
    if len(literal) > MOST_NUMBER_BYTES:
        raise Malformed(f"a number of more than {MOST_NUMBER_BYTES} bytes")


def _ecmascript(shortest: Decimal) -> str:
    """`Number::toString` of ECMA-262; `shortest` has the fewest digits that give the double again."""
    negative, digits, exponent = shortest.normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = f"{text[:point]}.{text[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{text}"
    else:
        mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
        text = f"{mantissa}e{point - 1:+d}"
    return f"-{text}" if negative else text
