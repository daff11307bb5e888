"""Named fields of request bodies, from what the application itself reads of them."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Collection
from typing import Any

from .paths import at
from .redaction import SECRETS, redacted

MAX_BYTES = 65_536
"""Larger bodies are not kept, and no field of them is recorded."""


class Body:
    """A copy of a request's body, as far as it may hold fields: JSON or a URL-encoded form, at most `MAX_BYTES`.

    The application reads; what it reads is added here as it passes. Nothing is read ahead of it.
    """

    def __init__(self, header: Callable[[str], str | None]) -> None:
        kind = (header("content-type") or "").partition(";")[0].strip().lower()
        self._is_form = kind == "application/x-www-form-urlencoded"
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._missing: str | None = None
        if not self._is_form and kind != "application/json" and not kind.endswith("+json"):
            self._missing = f"{kind[:100] or 'a body without type'} is not read"
        elif header("content-encoding"):
            self._missing = "an encoded body is not read"
        elif _number(header("content-length")) > MAX_BYTES:
            self._missing = f"it has over {MAX_BYTES} bytes"

    def add(self, chunk: bytes) -> None:
        """What the application has read next."""
        self._bytes += len(chunk)
        if self._missing is None and self._bytes > MAX_BYTES:
            self._missing = f"it has over {MAX_BYTES} bytes"
            self._chunks.clear()
        if self._missing is None:
            self._chunks.append(chunk)

    def found(self, names: Collection[str]) -> dict[str, Any]:
        """`fields`, those of the names that the body has; or `fields_missing`, why it could not be looked at."""
        if not self._bytes:
            return {}
        if self._missing is not None:
            return {"fields_missing": self._missing}
        try:
            told = _form(b"".join(self._chunks)) if self._is_form else json.loads(b"".join(self._chunks))
        except (ValueError, RecursionError):
            return {"fields_missing": "it cannot be read"}
        fields = {}
        for name in names:
            try:
                value = at(told, name)
            except (LookupError, AttributeError, TypeError):
                continue
            fields[name] = redacted({name.rpartition(".")[2]: value}, SECRETS).popitem()[1]
        return {"fields": fields} if fields else {}


def _form(raw: bytes) -> dict[str, Any]:
    told = urllib.parse.parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=1000)
    return {name: values[0] if len(values) == 1 else values for name, values in told.items()}


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
