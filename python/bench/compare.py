"""Embedded batches against the hash chain that a Python program would write itself, on this machine.

    python bench/compare.py [ENTRIES]

The chain: each entry dumped with sorted names, hashed with the hash before it, written as a line; one fsync a batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def main() -> None:
    """Prints the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    made = entries(count)
    batches = [made[first : first + BATCH] for first in range(0, count, BATCH)]
    lines = [b"".join(json.dumps(entry).encode() + b"\n" for entry in batch) for batch in batches]
    size = len(lines[0]) // len(batches[0])
    print(f"{count} entries of {size} bytes as JSON, batches of {BATCH}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rates: dict[str, list[float]] = {}
        for turn in range(3):
            runs: dict[str, Callable[[], object]] = {
                "chain from dicts": lambda: chain(folder / "chain", batches),
                "chain from JSON lines": lambda: chain(
                    folder / "chain", [[json.loads(line) for line in batch.splitlines()] for batch in lines]
                ),
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
            print(f"{label:24} {statistics.median(found):12,.0f} entries/s")
        for form in ("dicts", "JSON lines"):
            ratio = statistics.median(rates[f"ledger from {form}"]) / statistics.median(rates[f"chain from {form}"])
            print(f"ledger / chain from {form}: {ratio:.1f}")
        with counterfoil.open(folder / "one") as trail:
            latency("record, embedded", trail)
        with counterfoil.connect("http://127.0.0.1:9", spool=folder / "spool", exit_timeout=0) as trail:
            latency("record, spool (service down)", trail)


def latency(label: str, trail: counterfoil.Trail) -> None:
    """Milliseconds of single calls."""
    times = []
    for number in range(2000):
        started = time.perf_counter()
        trail.record("kyc_check", f"CUST-{number}", actor="kyc", outcome="success", context={"confidence": 0.97})
        times.append((time.perf_counter() - started) * 1000)
    times.sort()
    print(f"{label:30} p50 {times[1000]:.3f} ms, p99 {times[1980]:.3f} ms")


if __name__ == "__main__":
    main()
