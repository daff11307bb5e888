from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import hashlib
import ipaddress
import json
import pathlib
import threading
import uuid
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import counterfoil
from counterfoil import _core, encoding
from counterfoil.salvage import salvaged

ENTRY = {"event_type": "e", "actor": "a", "entity_id": "x"}


def encoded(value: Any) -> Any:
    return json.loads(_core.check_entry({**ENTRY, "new_value": value}, encoding.convert))["new_value"]


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Invoice:
    id: str
    amount: decimal.Decimal


class Point(NamedTuple):
    x: int
    y: int


UTC = datetime.timezone.utc
TABLE = [
    (None, None),
    (True, True),
    (2**63, 2**63),
    (-(2**200), -(2**200)),
    (1.1, 1.1),
    (-0.0, 0),
    (1e300, 1e300),
    (5e-324, 5e-324),
    ("é😂", "é😂"),
    (decimal.Decimal("12.50"), "12.50"),
    (fractions.Fraction(1, 3), "1/3"),
    (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
    (datetime.date(2026, 1, 2), "2026-01-02"),
    (datetime.time(3, 4), "03:04:00"),
    (datetime.timedelta(seconds=90.5), "PT90.5S"),
    (datetime.timedelta(days=1), "PT86400S"),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Invoice("I", decimal.Decimal("1.0")), {"id": "I", "amount": "1.0"}),
    (Point(1, 2), {"x": 1, "y": 2}),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    (collections.deque([1]), [1]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (range(3), [0, 1, 2]),
    ((1, (2,)), [1, [2]]),
    (b"\x00\xff", {"$bytes": "AP8="}),
    ({1: "a", "1": "b", None: "c"}, {"1": "a", "1#2": "b", "None": "c"}),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
    (ValueError("no"), {"type": "ValueError", "message": "no"}),
]


@pytest.mark.parametrize(
    ("value", "expected"), TABLE, ids=[f"{type(v).__name__}-{i}" for i, (v, _) in enumerate(TABLE)]
)
def test_the_table(value: Any, expected: Any) -> None:
    assert encoded(value) == expected


def cycle() -> list[Any]:
    around: list[Any] = [1]
    around.append({"in": around})
    return around


def deep() -> Any:
    value: Any = 0
    for _ in range(500):
        value = [value]
    return value


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Endless(collections.UserDict[str, Any]):
    def items(self) -> Any:
        return {"more": Endless()}.items()


UNENCODABLE = [
    (float("nan"), "finite", "nan"),
    (float("-inf"), "finite", "-inf"),
    (10**64, "digits", "1" + "0" * 64),
    (10**5000, "digits", "an integer of about 5001 digits"),
    ("a\ud800", "surrogate", "a\\ud800"),
    ("a\x00b", "U+0000", "a\\x00b"),
    (threading.Lock(), "no form", None),
    (Hostile(), "no form", "str() raised RuntimeError"),
    (print, "code", None),
    (Hostile, "code", None),
]


@pytest.mark.parametrize(("value", "reason", "text"), UNENCODABLE, ids=range(len(UNENCODABLE)))
def test_what_cannot_be_encoded_is_recorded_as_such(
    trail: counterfoil.Trail, value: Any, reason: str, text: str | None
) -> None:
    trail.record("e", "x", actor="a", new_value={"good": 1, "bad": value})
    kept = trail.history("x")[0]["new_value"]
    assert kept["good"] == 1
    marker = kept["bad"]["$unencoded"]
    assert reason in marker["reason"]
    assert text is None or marker["text"] == text


def test_cycles_and_depth_end(trail: counterfoil.Trail) -> None:
    around: dict[Any, Any] = {}
    around[1] = [around]
    for value in (cycle(), deep(), Endless(), around):
        trail.record("e", "x", actor="a", new_value=value)
    texts = [json.dumps(entry["new_value"]) for entry in trail.history("x")]
    assert "contains itself" in texts[0]
    assert "nested too deeply" in texts[1]
    assert "nested too deeply" in texts[2]
    assert "contains itself" in texts[3]


def test_numpy_and_pydantic(trail: counterfoil.Trail) -> None:
    numpy = pytest.importorskip("numpy")
    pydantic = pytest.importorskip("pydantic")
    assert encoded(numpy.float64(1.5)) == 1.5
    assert encoded(numpy.int64(7)) == 7
    assert encoded(numpy.bool_(True)) is True
    assert encoded(numpy.array([[1, 2]])) == [[1, 2]]
    assert encoded(numpy.datetime64("2026-01-02")) == "2026-01-02"
    assert "$unencoded" in encoded(numpy.zeros(2000))
    assert "$unencoded" in encoded(numpy.float64("nan"))

    class Model(pydantic.BaseModel):  # type: ignore[name-defined, misc]
        when: datetime.date
        amount: decimal.Decimal

    assert encoded(Model(when=datetime.date(2026, 1, 2), amount=decimal.Decimal("1.20"))) == {
        "when": "2026-01-02",
        "amount": "1.20",
    }


def test_strict_trails_raise(tmp_path: pathlib.Path) -> None:
    with counterfoil.open(tmp_path / "strict", on_error="raise") as trail:
        with pytest.raises(counterfoil.Invalid, match="finite"):
            trail.record("e", "x", actor="a", new_value=float("nan"))
        with pytest.raises(counterfoil.Invalid, match="actor"):
            trail.record("e", "x", actor="a" * 300)
        with pytest.raises(counterfoil.Invalid):
            trail.record("ledger.sealed", "x", actor="a")
        with pytest.raises(counterfoil.Invalid) as refused:
            trail.record_many([{**ENTRY}, {**ENTRY, "outcome": "maybe"}])
        assert refused.value.position == 1
        assert trail.size() == 1


BROKEN: list[dict[str, Any]] = [
    {},
    {"event_type": "ledger.sealed", "entity_id": "x", "actor": "a"},
    {**ENTRY, "actor": "a" * 1000},
    {**ENTRY, "entity_id": "x\ny"},
    {**ENTRY, "entity_id": 42},
    {**ENTRY, "entity_id": ""},
    {**ENTRY, "outcome": "maybe", "actor_type": "robot"},
    {**ENTRY, "timestamp": "yesterday"},
    {**ENTRY, "timestamp": "1066-01-01T00:00:00Z"},
    {**ENTRY, "amount": 5},
    {**ENTRY, "context": [1, 2]},
    {**ENTRY, "context": "text"},
    {**ENTRY, "new_value": "x" * 100_000},
    {**ENTRY, "new_value": ["x" * 40_000], "old_value": ["y" * 40_000], "context": {"z": "z" * 40_000}},
    {**ENTRY, "new_value": {"$sealed": 1}},
    {**ENTRY, "reason": {"not": "sealed"}},
    {**ENTRY, "reason": 5},
    {**ENTRY, "reason": "r" * 100_000},
    {**ENTRY, "source": "s"},
    {**ENTRY, "source": "s", "sequence": -1},
    {**ENTRY, "id": "i" * 100},
    {**ENTRY, 5: 6},  # type: ignore[dict-item]
    {**ENTRY, "signature": {"value": "x"}},
    {**ENTRY, "recorded_at": "2026-01-01T00:00:00Z"},
]


CONVERTED = [("entity_id", 42), ("context", [1, 2]), ("context", "text"), ("reason", 5)]


@pytest.mark.parametrize("entry", BROKEN, ids=range(len(BROKEN)))
def test_no_entry_is_lost(trail: counterfoil.Trail, entry: dict[str, Any]) -> None:
    receipts = trail.record_many([{**ENTRY, "new_value": 1}, entry, {**ENTRY, "new_value": 2}])
    kept = trail.entry(receipts[1].index or 0)
    assert len(receipts) == 3
    if not any(entry.get(name) == value for name, value in CONVERTED):
        assert "unencoded" in json.dumps(kept.members)
    assert trail.verify()


def in_json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def noted_of(trail: counterfoil.Trail, **members: Any) -> tuple[Any, dict[str, Any]]:
    entry = trail.entry(trail.record("e", "x", actor="a", **members).index or 0)
    (note,) = entry["context"]["$unencoded"]
    return entry, note


def test_a_large_value_is_known_by_its_own_digest(trail: counterfoil.Trail) -> None:
    digests = set()
    for value in ({"doc": "A" * 100_000}, {"doc": "B" * 100_000}, ["é" * 70_000], "t" * 100_000):
        entry, note = noted_of(trail, new_value=value)
        raw = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        assert (note["member"], note["bytes"]) == ("new_value", len(raw))
        assert note["sha256"] == hashlib.sha256(raw).hexdigest()
        assert entry["new_value"]["$unencoded"]["text"] == raw.decode()[:200]
        digests.add(note["sha256"])
    assert len(digests) == 4


def test_a_large_context_loses_only_what_is_large(trail: counterfoil.Trail) -> None:
    entry, note = noted_of(trail, new_value="n", context={"model_version": "m-2.11", "document": "A" * 100_000, "n": 1})
    assert (entry["context"]["model_version"], entry["context"]["n"], entry["new_value"]) == ("m-2.11", 1, "n")
    assert (note["member"], note["bytes"]) == ("context.document", 100_002)
    assert note["sha256"] == hashlib.sha256(in_json("A" * 100_000)).hexdigest()
    # None is too large by itself.
    pages = {f"page-{number}": str(number) * 30_000 for number in range(3)}
    entry, note = noted_of(trail, context={"model_version": "m-2.11", **pages})
    assert entry["context"]["model_version"] == "m-2.11"
    assert note["sha256"] == hashlib.sha256(in_json(pages[note["member"].removeprefix("context.")])).hexdigest()
    # All together they are many, and none of them is large: they are told as one.
    many = {f"line-{number}": "x" * 100 for number in range(2_000)}
    entry, note = noted_of(trail, context=many)
    assert (note["member"], note["bytes"]) == ("context", len(in_json(many)))
    assert note["sha256"] == hashlib.sha256(in_json(many)).hexdigest()
    # A member that the ledger does not know.
    entry = trail.entry(trail.record_many([{**ENTRY, "amounts": [1] * 50_000}])[0].index or 0)
    assert entry["context"]["$unencoded"][0]["sha256"] == hashlib.sha256(in_json([1] * 50_000)).hexdigest()


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(JSON_LIKE)
def test_any_value_can_be_recorded(value: Any) -> None:
    made = {**ENTRY, "new_value": value, "context": {"value": value}}
    try:
        _core.check_entry(made, encoding.convert)
    except counterfoil.Invalid:
        _core.check_entry(salvaged(made), encoding.convert)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=97)), inner),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(PLAIN)
def test_what_json_has_comes_back_as_it_was(value: Any) -> None:
    assert same(encoded(value), value)


def same(found: Any, value: Any) -> bool:
    """Whether JSON holds the value: a whole `float` comes back as an `int` with its shortest digits."""
    if isinstance(value, float):
        return float(found) == value
    if isinstance(value, dict):
        return found.keys() == value.keys() and all(same(found[name], value[name]) for name in value)
    if isinstance(value, (list, tuple)):
        return len(found) == len(value) and all(map(same, found, value))
    return bool(found == value) and type(found) is type(value)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from([*ENTRY, "outcome", "timestamp", "context", "id", "source", "sequence", "?"]), JSON_LIKE
    )
)
def test_any_entry_can_be_salvaged(entry: dict[str, Any]) -> None:
    _core.check_entry(salvaged(entry), encoding.convert)
