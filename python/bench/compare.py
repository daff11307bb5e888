"""The package's figures on this machine: batches against the hash chain that a Python program would write itself,
single calls against a line of structlog.

    OUT=results.json python bench/compare.py [ENTRIES]

The chain: each entry dumped with sorted names, hashed with the hash before it, written as a line; one fsync a batch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

import counterfoil

BATCH = 5000


def entries(count: int) -> list[dict[str, Any]]:
    """The usual audit events, near 400 bytes each."""
    return [
        {
            "timestamp": f"2026-11-24T10:{number // 60 % 60:02}:{number % 60:02}.{number % 1000000:06}Z",
            "event_type": "invoice_approved",
            "actor": f"invoice-bot-{number % 7}",
            "actor_type": "ai_agent",
            "entity_id": f"INV-{number}",
            "old_value": {"status": "pending", "amount_minor": number},
            "new_value": {"status": "approved", "amount_minor": number},
            "outcome": "success",
            "context": {"model_version": "invoice-match-2.11.0", "confidence": 0.9731, "ip_address": "10.0.0.7"},
            "trace_id": f"run-{number // 100}",
        }
        for number in range(count)
    ]


def chain(path: Path, batches: list[list[dict[str, Any]]]) -> None:
    """The hash chain."""
    last = b""
    with open(path, "wb") as file:
        for batch in batches:
            for entry in batch:
                line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
                last = hashlib.sha256(last + line).hexdigest().encode()
                file.write(line + b" " + last + b"\n")
            file.flush()
            os.fsync(file.fileno())


def per_second(count: int, work: Callable[[], object]) -> float:
    """Entries a second."""
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def batches_compared(count: int, folder: Path, out: dict[str, float]) -> None:
    """Entries a second, the median of three turns each."""
    made = entries(count)
    batches = [made[first : first + BATCH] for first in range(0, count, BATCH)]
    lines = [b"".join(json.dumps(entry).encode() + b"\n" for entry in batch) for batch in batches]
    size = len(lines[0]) // len(batches[0])
    print(f"{count} entries of {size} bytes as JSON, batches of {BATCH}, {os.cpu_count()} cores")
    rates: dict[str, list[float]] = {}

    def from_lines() -> list[list[dict[str, Any]]]:
        return [[json.loads(line) for line in batch.splitlines()] for batch in lines]

    for turn in range(3):
        runs: dict[str, Callable[[], object]] = {
            "json.dumps alone": lambda: [json.dumps(entry) for batch in batches for entry in batch],
            "chain from dicts": lambda: chain(folder / "chain", batches),
            "chain from JSON lines": lambda: chain(folder / "chain", from_lines()),
        }
        for label, run in runs.items():
            rates.setdefault(label, []).append(per_second(count, run))
        with counterfoil.open(folder / f"d{turn}") as trail:
            rate = per_second(count, lambda: [trail.record_many(batch) for batch in batches])
            rates.setdefault("ledger from dicts", []).append(rate)
        with counterfoil.open(folder / f"l{turn}") as trail:
            rate = per_second(count, lambda: [trail.record_lines(batch) for batch in lines])
            rates.setdefault("ledger from JSON lines", []).append(rate)
    for label, found in rates.items():
        out[f"{label}, entries/s"] = round(statistics.median(found))
    for one, other in (
        ("ledger from dicts", "chain from dicts"),
        ("ledger from JSON lines", "chain from JSON lines"),
        ("ledger from dicts", "json.dumps alone"),
    ):
        out[f"{one} / {other}"] = round(statistics.median(rates[one]) / statistics.median(rates[other]), 2)


def calls_compared(folder: Path, out: dict[str, float]) -> None:
    """Single calls against one line of structlog's JSON."""
    with open(folder / "log", "w") as file:

        def synced(_logger: Any, _method: str, event: Any) -> Any:
            file.flush()
            os.fsync(file.fileno())
            return event

        renderer = structlog.processors.JSONRenderer()
        for label, processors in (
            ("structlog line", [renderer]),
            ("structlog line, fsync", [renderer, synced]),
        ):
            logger = structlog.wrap_logger(structlog.PrintLogger(file), processors=processors)
            latency(label, lambda number, logger=logger: logger.info("audit_event", **event_of(number)), out)
    with counterfoil.open(folder / "one") as embedded:
        latency("record, embedded", lambda number: embedded.record(**event_of(number)), out)
    nowhere = counterfoil.connect("http://127.0.0.1:9", spool=folder / "spool", exit_timeout=0)
    with nowhere as spooled:
        latency("record, spool", lambda number: spooled.record(**event_of(number)), out)
    with counterfoil.open(folder / "idle") as idle:
        receipt = idle.record("kyc_check", "CUST-1")
        idle._append = lambda entries: [receipt] * len(entries)  # type: ignore[method-assign]

        @idle.audited("kyc_check", entity_id="customer", arguments=["customer"])
        def checked(customer: str) -> str:
            return customer

        latency("@audited without I/O, both entries", lambda number: checked(f"CUST-{number}"), out)


def event_of(number: int) -> dict[str, Any]:
    """One event, as the calls take it."""
    return {
        "event_type": "kyc_check",
        "entity_id": f"CUST-{number}",
        "actor": "kyc",
        "outcome": "success",
        "context": {"confidence": 0.97},
    }


def latency(label: str, call: Callable[[int], object], out: dict[str, float]) -> None:
    """Microseconds of single calls."""
    times = []
    for number in range(3000):
        started = time.perf_counter()
        call(number)
        times.append((time.perf_counter() - started) * 1e6)
    times.sort()
    out[f"{label}, p50 us"], out[f"{label}, p99 us"] = round(times[1500], 1), round(times[2970], 1)


def import_ms() -> float:
    """What the first `import counterfoil` adds to the start of Python, the median of nine."""

    def start(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return (time.perf_counter() - started) * 1000

    pairs = [(start("import counterfoil"), start("pass")) for _ in range(9)]
    return round(statistics.median(one - bare for one, bare in pairs), 1)


def main() -> None:
    """Prints the figures, and writes them where `OUT` says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    out: dict[str, float] = {"import counterfoil, ms": import_ms()}
    logging.getLogger("counterfoil").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        batches_compared(count, Path(name), out)
        calls_compared(Path(name), out)
    for label, figure in out.items():
        print(f"{label:52} {figure:12,}")
    if "OUT" in os.environ:
        Path(os.environ["OUT"]).write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
