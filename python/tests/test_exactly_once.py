"""A server that is killed and started again at random while workers fork, record and are killed."""

from __future__ import annotations

import collections
import os
import random
import signal
import threading
import time
from pathlib import Path

from running import Running, wait_for
from test_connected import in_order_per_source

import counterfoil

KILLS = int(os.environ.get("COUNTERFOIL_KILLS", "6"))
WORKERS = 4


def _work(trail: counterfoil.Trail, name: str, journal: Path, stop: Path, seed: int) -> None:
    """Records until told to stop, and notes each number once `record` has returned."""
    chance = random.Random(seed)
    with open(journal, "ab", buffering=0) as acknowledged:
        number = 0
        while not stop.exists():
            if chance.random() < 0.2:
                batch = [
                    {"event_type": "work", "entity_id": name, "actor": "a", "new_value": number + offset}
                    for offset in range(5)
                ]
                trail.record_many(batch)
                acknowledged.write(b"".join(b"%d\n" % (number + offset) for offset in range(5)))
                number += 5
            else:
                trail.record("work", name, actor="a", new_value=number)
                acknowledged.write(b"%d\n" % number)
                number += 1
            time.sleep(chance.random() * 0.01)


def _fork(trail: counterfoil.Trail, name: str, folder: Path, stop: Path, seed: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _work(trail, name, folder / name, stop, seed)
            code = 0
        finally:
            os._exit(code)
    return child


def _all_there(service: Running, acknowledged: dict[str, list[int]]) -> bool:
    """Whether as many entries of each worker are recorded as were acknowledged; others may be on their way."""
    found = collections.Counter(entry["entity_id"] for entry in service.recorded())
    return all(found[name] >= len(numbers) for name, numbers in acknowledged.items())


def test_every_record_that_returned_is_there_once_and_in_order(service: Running, tmp_path: Path) -> None:
    seed = int(os.environ.get("COUNTERFOIL_SEED", str(random.randrange(1 << 32))))
    print(f"COUNTERFOIL_SEED={seed}")
    chance = random.Random(seed)
    stop, journals = tmp_path / "stop", tmp_path / "acknowledged"
    journals.mkdir()
    trail = service.connect()
    inside = threading.Thread(target=_work, args=(trail, "parent", journals / "parent", stop, seed))
    inside.start()
    names = iter(range(1_000_000))
    alive = {_fork(trail, f"worker-{next(names)}", journals, stop, chance.randrange(1 << 32)) for _ in range(WORKERS)}
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.6))
        service.kill()
        time.sleep(chance.uniform(0.0, 0.4))
        victim = chance.choice(sorted(alive))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        alive.remove(victim)
        alive.add(_fork(trail, f"worker-{next(names)}", journals, stop, chance.randrange(1 << 32)))
        service.start()
    time.sleep(0.5)
    stop.touch()
    inside.join()
    for child in alive:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    acknowledged = {path.name: [int(line) for line in path.read_text().split()] for path in journals.iterdir()}
    total = sum(len(numbers) for numbers in acknowledged.values())
    trail.flush(60)
    wait_for("all entries", lambda: _all_there(service, acknowledged), 60)
    trail.close()
    entries = service.recorded()
    for name, numbers in acknowledged.items():
        there = [entry["new_value"] for entry in entries if entry["entity_id"] == name]
        assert there == list(range(len(there))), f"{name}: once and in order"
        assert there[: len(numbers)] == numbers, f"{name}: what was acknowledged is there"
        assert len(there) <= len(numbers) + 5, f"{name}: at most the call under way beyond that"
    assert in_order_per_source(entries)
    print(f"{total} acknowledged, {len(entries)} recorded, {KILLS} kills of service and worker")
