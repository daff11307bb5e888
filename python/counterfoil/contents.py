"""What may be recorded of prompts, answers, arguments and results, and how much of it.

They stand in attributes of the OpenTelemetry conventions for generative AI, and of older instrumentations.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from . import encoding
from .errors import Invalid
from .redaction import REDACTED, SECRETS, digest, is_named, redacted

_log = logging.getLogger("counterfoil")

Content = Literal["digest", "text", "none"]

INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
INSTRUCTIONS = "gen_ai.system_instructions"
ARGUMENTS = "gen_ai.tool.call.arguments"
RESULT = "gen_ai.tool.call.result"
DOCUMENTS = "gen_ai.retrieval.documents"

_CONTENTS = frozenset(
    (
        *(INPUT, OUTPUT, INSTRUCTIONS, ARGUMENTS, RESULT, DOCUMENTS),
        *("gen_ai.completion", "gen_ai.output", "gen_ai.prompt", "gen_ai.tool.args", "gen_ai.tool.definitions"),
        *("gen_ai.retrieval.query.text", "gen_ai.event.content", "input.value", "output.value"),
        *("traceloop.entity.input", "traceloop.entity.output"),
    )
)
_CONTENT_PREFIXES = ("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages", "llm.output_messages", "llm.prompts")
_MOST_CONTENT = 45_000
"""Bytes of JSON that the contents of one entry may take; an entry has room for 64,928."""


class Contents:
    """What is recorded of prompts, answers, arguments and results.

    `"digest"`: their SHA-256 and length; `"text"`: themselves; `"none"`: nothing. In texts the values of fields that
    `redact` names, and of passwords and the like, are replaced, also where a text holds JSON; `scrub` is a function of
    a text that answers with the text to record, for what has no field name.
    """

    def __init__(
        self, content: Content = "digest", redact: Collection[str] = (), scrub: Callable[[str], str] | None = None
    ) -> None:
        if content not in ("digest", "text", "none"):
            raise Invalid(f"content is 'digest', 'text' or 'none', not {content!r}")
        self._content, self._scrub = content, scrub
        self._hidden = SECRETS | frozenset(name.lower() for name in redact)

    def applied(self, attributes: Mapping[str, Any], *, everything: bool = False) -> dict[str, Any]:
        """The attributes that may be recorded; `everything` says that those of other vocabularies are content, too."""
        kept: dict[str, Any] = {}
        for name, value in attributes.items():
            if is_named(name, self._hidden):
                kept[name] = REDACTED
            elif not (is_content(name) or (everything and not name.startswith("gen_ai."))):
                kept[name] = redacted(value, self._hidden)
            elif self._content == "text":
                kept[name] = self.text(value)
            elif self._content == "digest":
                kept[name] = _digest(value)
        return kept

    def text(self, value: Any, depth: int = 0) -> Any:
        """A value without what must not be recorded."""
        if depth == 0:
            value = redacted(value, self._hidden)
        if isinstance(value, Mapping) and depth < 32:
            return {name: self.text(member, depth + 1) for name, member in value.items()}
        if isinstance(value, list) and depth < 32:
            return [self.text(member, depth + 1) for member in value]
        return self._scrubbed(self._in_json(value)) if isinstance(value, str) else value

    def _in_json(self, text: str) -> str:
        if text.lstrip()[:1] not in ("{", "["):
            return text
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return text
        kept = redacted(parsed, self._hidden)
        return text if kept == parsed else json.dumps(kept, ensure_ascii=False)

    def _scrubbed(self, text: str) -> Any:
        if self._scrub is None:
            return text
        try:
            return self._scrub(text)
        except Exception as error:
            _log.error("counterfoil: scrub failed, a digest stands for the text: %s", type(error).__name__)
            return digest(text)


def is_content(name: str) -> bool:
    """Whether an attribute holds prompts, answers, documents, arguments or results."""
    return name in _CONTENTS or (name.startswith(_CONTENT_PREFIXES) and name != "gen_ai.prompt.name")


def fitted(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry, its largest contents replaced by `{"omitted": {"bytes", "sha256"}}` until there is room for all."""
    places: list[tuple[int, dict[str, Any], str]] = []
    _gather(entry, places, 0)
    places.sort(key=lambda place: -place[0])
    total = sum(length for length, _, _ in places)
    for length, holder, name in places:
        if total <= _MOST_CONTENT:
            break
        holder[name] = {"omitted": _omitted(holder[name])}
        total -= length
    return entry


def _gather(holder: dict[str, Any], places: list[tuple[int, dict[str, Any], str]], depth: int) -> None:
    for name, value in holder.items():
        if is_content(name) or name == "messages" or (name == "new_value" and isinstance(value, (str, list))):
            places.append((len(_json(value)), holder, name))
        elif isinstance(value, dict) and depth < 4:
            _gather(value, places, depth + 1)


def _omitted(value: Any) -> dict[str, Any]:
    raw = _json(value)
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}


def _json(value: Any) -> bytes:
    try:
        text = json.dumps(
            value,
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            default=lambda one: encoding.convert(one, ""),
        )
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    return text.encode("utf-8", "backslashreplace")


def _digest(value: Any) -> dict[str, Any]:
    try:
        return digest(value)
    except (TypeError, ValueError, RecursionError):
        return digest(repr(value))
