from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from running import Running, wait_for

import counterfoil
from counterfoil import spool


def clients(service: Running) -> list[dict[str, Any]]:
    return service.recorded()


def test_recorded_first_here_then_there(service: Running) -> None:
    with service.connect(source="invoices") as trail:
        receipt = trail.record("invoice_approved", "INV-1", actor="bot", new_value={"amount": 5})
        assert not receipt.recorded
        assert receipt.sequence == 0
        there = trail.wait(receipt, 30)
        assert there.recorded
        assert trail.check(receipt)["new_value"] == {"amount": 5}
        assert [entry["event_type"] for entry in trail.history("INV-1")] == ["invoice_approved"]
        report = trail.verify(key=trail.verifier_key(), checkpoint=trail.checkpoint())
        assert report.anchored
        assert report.verified
        status = trail.status()
        assert status["unshipped"] == 0
        assert status["source"].startswith("invoices/")
        assert trail.entry(there.index or 0)["source"] == status["source"]


def test_sync_waits_for_the_ledgers_own_receipt(service: Running) -> None:
    with service.connect(mode="sync", sync_timeout=1) as trail:
        receipt = trail.record("e", "x", actor="a")
        assert receipt.recorded
        assert receipt.index is not None
        service.kill()
        started = time.monotonic()
        with pytest.raises(counterfoil.Unavailable, match="safe in the spool"):
            trail.record("e", "y", actor="a")
        assert time.monotonic() - started < 5
        service.start()
        trail.flush(30)
    assert [entry["entity_id"] for entry in clients(service)] == ["x", "y"]


def test_a_dead_service_blocks_nobody(service: Running) -> None:
    service.kill()
    with service.connect(exit_timeout=0) as trail:
        trail.record("warm", "x", actor="a")
        times = []
        for number in range(100):
            started = time.perf_counter()
            trail.record("e", f"x-{number}", actor="a")
            times.append(time.perf_counter() - started)
        assert sorted(times)[50] < 0.25
        assert trail.status()["unshipped"] >= 101
        with pytest.raises(counterfoil.Unavailable):
            trail.flush(0.2)
    service.start()
    with service.connect() as trail:
        trail.flush(30)
    assert len(clients(service)) == 101


def test_a_full_spool_raises_or_blocks_and_drops_nothing(service: Running) -> None:
    service.kill()
    kept = 0
    with service.connect(spool_limit=20, exit_timeout=0) as trail:
        while trail.status()["unshipped"] < 20:
            trail.record("raise", f"x-{kept}", actor="a")
            kept += 1
        with pytest.raises(counterfoil.Unavailable, match="limit is 20"):
            trail.record("raise", "too much", actor="a")
    assert 10 < kept <= 20
    with service.connect(spool=service.folder / "second", spool_limit=20, when_full="block", exit_timeout=20) as trail:
        done: list[int] = []
        numbers = (trail.record("b", "x", actor="a").sequence or 0 for _ in range(40))
        thread = threading.Thread(target=done.extend, args=(numbers,))
        thread.start()
        wait_for("a full spool", lambda: len(done) >= 15)
        time.sleep(0.3)
        assert len(done) <= 20
        service.start()
        thread.join(30)
        assert done == list(range(40))
    with service.connect() as trail:
        trail.flush(30)
    entries = clients(service)
    assert sum(entry["event_type"] == "raise" for entry in entries) == kept
    assert [entry["sequence"] for entry in entries if entry["event_type"] == "b"] == list(range(40))


def test_a_full_spool_with_a_limit_of_time(service: Running) -> None:
    service.kill()
    with service.connect(spool_limit=5, when_full="block", full_timeout=0.3, exit_timeout=0) as trail:
        while trail.status()["unshipped"] < 5:
            trail.record("e", "x", actor="a")
        with pytest.raises(counterfoil.Unavailable, match="limit is 5"):
            trail.record("e", "x", actor="a")
    service.start()


def test_a_killed_process_loses_nothing_and_another_ships_it(service: Running) -> None:
    service.kill()
    code = f"""
import counterfoil, os, sys
trail = counterfoil.connect({service.url!r}, token={service.writer!r}, spool={str(service.folder / "spool")!r})
for number in range(30):
    trail.record("e", "x", actor="a", new_value=number)
    print(number, flush=True)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(killed.stdout.split()) == 30
    service.start()
    with service.connect() as trail:
        own = trail.record("e", "mine", actor="b")
        trail.wait(own, 30)
    entries = clients(service)
    assert [entry["new_value"] for entry in entries if entry["actor"] == "a"] == list(range(30))
    assert len({entry["source"] for entry in entries}) == 1, "the dead process's slot was taken over"
    assert entries[-1]["sequence"] == 30


def test_forked_children_have_slots_of_their_own(service: Running) -> None:
    with service.connect() as trail:
        trail.record("parent", "p", actor="a")
        context = multiprocessing.get_context("fork")

        def work(number: int) -> None:
            for turn in range(20):
                trail.record("child", f"c-{number}", actor="a", new_value=turn)

        children = [context.Process(target=work, args=(number,)) for number in range(4)]
        for child in children:
            child.start()
        for turn in range(20):
            trail.record("parent", "p", actor="a", new_value=turn)
        for child in children:
            child.join()
            assert child.exitcode == 0
        wait_for("the children's entries", lambda: len(clients(service)) == 101)
    entries = clients(service)
    for number in range(4):
        assert [entry["new_value"] for entry in entries if entry["entity_id"] == f"c-{number}"] == list(range(20))
    assert in_order_per_source(entries)


def in_order_per_source(entries: list[dict[str, Any]]) -> bool:
    numbers: dict[str, list[int]] = {}
    for entry in entries:
        numbers.setdefault(entry["source"], []).append(entry["sequence"])
    return all(found == list(range(len(found))) for found in numbers.values())


def test_asyncio_tasks_record(service: Running) -> None:
    async def work(number: int, trail: counterfoil.Trail) -> None:
        with counterfoil.scope(actor=f"task-{number}"):
            for turn in range(10):
                await asyncio.to_thread(trail.record, "turn", f"t-{number}", new_value=turn)

    async def main() -> None:
        with service.connect() as trail:
            await asyncio.gather(*(work(number, trail) for number in range(5)))
            await asyncio.to_thread(trail.flush, 30)

    asyncio.run(main())
    entries = clients(service)
    assert len(entries) == 50
    assert all(entry["actor"] == entry["entity_id"].replace("t-", "task-") for entry in entries)


def test_an_id_is_known_again_in_the_service(service: Running) -> None:
    with service.connect() as trail:
        first = trail.wait(trail.record("e", "x", actor="a", id="task-7"), 30)
    with service.connect(spool=service.folder / "elsewhere") as trail:
        again = trail.wait(trail.record("e", "x", actor="a", id="task-7"), 30)
        assert again.index == first.index
        assert trail.status()["refused"] == 0


def test_what_the_service_refuses_is_kept(service: Running) -> None:
    narrow = service.token("writer", "--name", "narrow", "--prefix", "invoice_")
    spool_folder = service.folder / "spool"
    with counterfoil.connect(service.url, token=narrow, spool=spool_folder) as trail:
        trail.record("invoice_seen", "1", actor="a")
        trail.record("payment_seen", "2", actor="a")
        trail.record("invoice_seen", "3", actor="a")
        with pytest.raises(counterfoil.Denied, match=r"payment_seen.*refused\.jsonl"):
            trail.flush(30)
        trail.flush(30)
        assert trail.status()["refused"] == 1
    assert [entry["entity_id"] for entry in clients(service)] == ["1", "3"]
    kept = json.loads((spool_folder / "refused.jsonl").read_text())
    assert kept["entry"]["entity_id"] == "2"
    assert kept["kind"] == "denied"


def test_a_refusal_is_raised_as_what_it_is(service: Running) -> None:
    narrow = service.token("writer", "--name", "narrow", "--prefix", "invoice_")
    told = r"narrow.*payment_seen.*; kept in .*spool/refused\.jsonl"
    with counterfoil.connect(service.url, token=narrow, spool=service.folder / "spool", mode="sync") as trail:
        with pytest.raises(counterfoil.Denied, match=told):
            trail.record("payment_seen", "1", actor="a")
        trail.flush(30)
        batch = [{"event_type": kind, "entity_id": "2", "actor": "a"} for kind in ("invoice_seen", "payment_seen")]
        with pytest.raises(counterfoil.Denied, match=told) as refused:
            trail.record_many(batch)
        assert refused.value.position == 1
        elsewhere = service.folder / "elsewhere"
        with counterfoil.connect(service.url, token=narrow, spool=elsewhere, mode="sync") as other:
            other.record("invoice_seen", "3", actor="a", id="known")
        with pytest.raises(counterfoil.Conflict, match="refused"):
            trail.record("invoice_seen", "other", actor="a", id="known")
        assert trail.status()["refused"] == 3, "each was sent and set aside once"
    with counterfoil.connect(service.url, token=narrow, spool=service.folder / "spool") as trail:
        receipt = trail.record("payment_seen", "4", actor="a")
        for _ in range(2):
            with pytest.raises(counterfoil.Denied, match=told):
                trail.wait(receipt, 30)
        trail.flush(30)
        for number in range(3):
            trail.record("payment_seen", f"5-{number}", actor="a")
        with pytest.raises(counterfoil.Denied, match="2 more"):
            trail.flush(30)
    assert [entry["entity_id"] for entry in clients(service)] == ["2", "3"]


def test_without_a_token_it_says_where_one_goes(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTERFOIL_TOKEN", raising=False)
    with counterfoil.connect(service.url, spool=service.folder / "spool", exit_timeout=0) as trail:
        with pytest.raises(counterfoil.Denied, match=r"connect\(token=…\) or COUNTERFOIL_TOKEN"):
            trail.history("x")
        trail.record("e", "x", actor="a")
        wait_for("trouble", lambda: "COUNTERFOIL_TOKEN" in (trail.status()["trouble"] or ""))


def test_receipts_say_where_the_entry_is(service: Running) -> None:
    with service.connect(source="invoices") as trail:
        numbered = trail.record("e", "x", actor="a")
        known = trail.record("e", "y", actor="a", id="task-7")
        assert repr(numbered) == f"Receipt(spooled=1, source='{numbered.source}', sequence=0)"
        assert repr(known) == f"Receipt(spooled=2, source='{known.source}')"


def test_a_revoked_token_keeps_entries_in_the_spool(service: Running) -> None:
    with counterfoil.connect(service.url, token="cf_wrong", spool=service.folder / "spool", exit_timeout=0) as trail:
        trail.record("e", "x", actor="a")
        wait_for("trouble", lambda: (trail.status()["trouble"] or "").startswith("denied"))
        assert trail.status()["unshipped"] > 0
    with service.connect() as trail:
        trail.flush(30)
    assert len(clients(service)) == 1


def test_the_spool_gives_its_space_back(service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "ROLL_EMPTY_AT", 50)
    monkeypatch.setattr(spool, "ROLL_AT", 100)
    with service.connect() as trail:
        for turn in range(12):
            trail.record_many([{"event_type": "e", "entity_id": "x", "actor": "a", "new_value": turn}] * 40)
            if turn == 4:
                service.kill()
            if turn == 8:
                service.start()
        trail.flush(30)
        slot = next(spool.slots(service.folder / "spool"))
        wait_for("few ledgers", lambda: sum(path.is_dir() for path in slot.iterdir()) <= 2)
    entries = clients(service)
    assert [entry["new_value"] for entry in entries] == [turn for turn in range(12) for _ in range(40)]
    assert in_order_per_source(entries)


def test_a_lost_cursor_ships_again_and_records_once(service: Running) -> None:
    with service.connect() as trail:
        for number in range(10):
            trail.record("e", "x", actor="a", new_value=number)
        trail.flush(30)
    slot = next(spool.slots(service.folder / "spool"))
    for name in ("shipped", "clean"):
        (slot / name).unlink()
    with service.connect() as trail:
        trail.record("e", "x", actor="a", new_value=10)
        trail.flush(30)
    assert [entry["new_value"] for entry in clients(service)] == list(range(11))


def test_a_full_disk_is_told_and_loses_nothing_acknowledged(service: Running) -> None:
    service.kill()
    options = {"token": service.writer, "spool": str(service.folder / "spool"), "exit_timeout": 0}
    code = f"""
import resource, signal, counterfoil
trail = counterfoil.connect({service.url!r}, **{options!r})
trail.record("e", "x", actor="a", new_value=-1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (17 << 20, 17 << 20))
done = 0
try:
    for done in range(2000):
        trail.record("e", "x", actor="a", new_value=[done, "z" * 30000])
except (counterfoil.Unavailable, counterfoil.Poisoned) as error:
    print(done, type(error).__name__, flush=True)
import os; os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    done, kind = ended.stdout.split()
    assert kind in ("Unavailable", "Poisoned")
    service.start()
    with service.connect() as trail:
        trail.flush(60)
    kept = [entry["new_value"] for entry in clients(service)][1:]
    assert [value[0] for value in kept][: int(done)] == list(range(int(done)))


def test_mistakes_in_the_call_are_told(tmp_path: Path) -> None:
    for url in ("ftp://x", "http://", "http://x/path", "x"):
        with pytest.raises(counterfoil.Invalid, match="address alone"):
            counterfoil.connect(url, spool=tmp_path)
    with pytest.raises(counterfoil.Invalid):
        counterfoil.connect("http://x", spool=tmp_path, spool_limit=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(counterfoil.Unavailable, match="spool"):
        counterfoil.connect("http://127.0.0.1:1", spool=tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]
