from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from running import program

import counterfoil


def test_three_lines_give_a_verifiable_trail(tmp_path: Path) -> None:
    trail = counterfoil.open(tmp_path / "audit")
    receipt = trail.record("invoice_approved", "INV-1042", actor="invoice-bot", old_value="pending", new_value=None)
    trail.close()
    assert receipt.recorded
    assert receipt.index == 1
    assert receipt.checkpoint is not None
    with counterfoil.open(tmp_path / "audit") as again:
        entry = again.entry(1)
        assert entry["new_value"] is None
        assert "outcome" not in entry
        report = again.verify(key=again.verifier_key(), checkpoint=receipt.checkpoint)
        assert report.verified
        assert report.anchored
    subprocess.run([program(), "verify", str(tmp_path / "audit")], check=True, capture_output=True)


def test_receipts_are_checked_against_the_ledger(trail: counterfoil.Trail) -> None:
    receipt = trail.record("kyc_check", "CUST-3", actor="kyc-model")
    assert trail.check(receipt, key=trail.verifier_key())["entity_id"] == "CUST-3"
    other = counterfoil.Receipt(index=receipt.index, leaf_hash="0" * 64)
    with pytest.raises(counterfoil.Tampered, match="not the one"):
        trail.check(other)
    changed = trail.entry(1).canonical.replace(b"CUST-3", b"CUST-4")  # type: ignore[union-attr]
    with pytest.raises(counterfoil.Tampered):
        counterfoil.check_proof(trail.proof(1), changed, key=trail.verifier_key())
    assert counterfoil.check_proof(trail.proof(1), trail.entry(1), key=trail.verifier_key()) == 1
    (without_bytes,) = [counterfoil.Entry(1, None, trail.entry(1).members)]
    with pytest.raises(counterfoil.Invalid, match=r"trail\.entry\(1\)"):
        counterfoil.check_proof(trail.proof(1), without_bytes, key=trail.verifier_key())


def test_batches_stay_together_and_in_order(trail: counterfoil.Trail) -> None:
    batch = [{"event_type": "row", "entity_id": f"E-{n % 3}", "actor": "a", "new_value": n} for n in range(3000)]
    receipts = trail.record_many(batch)
    assert [receipt.index for receipt in receipts] == list(range(1, 3001))
    assert [entry["new_value"] for entry in trail.history("E-1")] == list(range(1, 3000, 3))
    assert [entry["new_value"] for entry in trail.entries(1)] == list(range(3000))
    assert trail.record_many([]) == []


def test_another_process_is_told_to_connect(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit"):
        code = (
            "import counterfoil,sys\n"
            f"try: counterfoil.open({str(tmp_path / 'audit')!r})\n"
            "except counterfoil.Busy as e: assert 'connect' in str(e), e; sys.exit(7)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


def test_a_forked_child_is_refused_and_keeps_no_lock(tmp_path: Path) -> None:
    trail = counterfoil.open(tmp_path / "audit")
    child = os.fork()
    if child == 0:
        try:
            trail.record("e", "x", actor="a")
        except counterfoil.Closed:
            signal.pause()
        os._exit(1)
    try:
        trail.record("e", "y", actor="a")
        trail.close()
        counterfoil.open(tmp_path / "audit").close()
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_threads_share_a_trail(trail: counterfoil.Trail) -> None:
    def work(number: int) -> None:
        for turn in range(50):
            trail.record("turn", f"T-{number}", actor="a", new_value=turn)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert [entry["new_value"] for entry in trail.history(f"T-{number}")] == list(range(50))
    assert trail.verify()


def test_a_closed_trail_says_so(tmp_path: Path) -> None:
    trail = counterfoil.open(tmp_path / "audit")
    trail.close()
    trail.close()
    with pytest.raises(counterfoil.Closed):
        trail.record("e", "x", actor="a")
    with pytest.raises(counterfoil.NotFound):
        counterfoil.open(tmp_path / "none", create=False)
    (tmp_path / "flows.py").write_text("")
    with pytest.raises(counterfoil.Invalid, match=r"flows\.py: it is a file"):
        counterfoil.open(tmp_path / "flows.py")


def test_what_was_changed_on_disk_is_found(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit") as trail:
        trail.record("payment", "P-1", actor="a", new_value="100")
    journal = next((tmp_path / "audit" / "journal").iterdir())
    journal.write_bytes(journal.read_bytes().replace(b'"P-1"', b'"P-2"'))
    from counterfoil import _core
    from counterfoil.report import Report

    report = Report.from_json(_core.verify_folder(tmp_path / "audit", []))
    assert not report
    with pytest.raises(counterfoil.Tampered):
        report.raise_for_findings()


def test_an_id_makes_repeats_harmless(trail: counterfoil.Trail) -> None:
    first = trail.record("e", "x", actor="a", id="run-1")
    assert trail.record("e", "x", actor="a", id="run-1").index == first.index
    with pytest.raises(counterfoil.Conflict):
        trail.record("e", "other", actor="a", id="run-1")


def test_import_is_quick() -> None:
    code = "import time; t=time.perf_counter(); import counterfoil; print(time.perf_counter()-t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    assert min(times) < 0.5, "the target is 0.1 s on an idle machine"
    code = "import counterfoil, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"ssl", "asyncio", "structlog", "pydantic", "numpy"} & set(loaded)


def _spawned(path: str) -> None:
    with counterfoil.open(path) as trail:
        trail.record("e", "x", actor="a")


def test_a_spawned_process_opens_its_own(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_spawned, args=(str(tmp_path / "audit"),))
    process.start()
    process.join()
    assert process.exitcode == 0
    with counterfoil.open(tmp_path / "audit") as trail:
        assert [entry["entity_id"] for entry in trail][-1] == "x"
