from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from guides import run_examples, set_constants
from running import Running, program, wait_for

import counterfoil
from counterfoil import _core
from counterfoil.service import Service


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """A ledger's folder."""
    counterfoil.open(tmp_path / "audit", origin="test.example/signed").close()
    return tmp_path / "audit"


@pytest.fixture
def key(service: Running, tmp_path: Path) -> Path:
    """A key that the service's ledger knows, for the actor `bot`."""
    return new_key(service, tmp_path / "bot.pem", "--actor", "bot")


def new_key(service: Running, path: Path, *more: str) -> Path:
    service.run("key", "new", str(service.ledger), *(more or ("--any-actor",)), "-o", str(path))
    return path


def known_key(ledger: Path, path: Path) -> Path:
    run("key", "new", str(ledger), "--any-actor", "-o", str(path))
    return path


def run(*arguments: str) -> str:
    return subprocess.run([program(), *arguments], check=True, capture_output=True, text=True).stdout


def verified(folder: Path) -> dict[str, Any]:
    """The report of another program."""
    report: dict[str, Any] = json.loads(run("verify", str(folder), "--json"))
    return report


class Device:
    """A key that this process does not hold."""

    def __init__(self, path: Path) -> None:
        self._key = _core.KeyFile(path)
        self.public_key = self._key.public_key
        self.fails = False

    def sign(self, message: bytes) -> bytes:
        if self.fails:
            raise TimeoutError("the device does not answer")
        return self._key.sign(message)


def test_every_entry_is_signed_and_numbered(embedded: Path, tmp_path: Path) -> None:
    key = known_key(embedded, tmp_path / "key.pem")
    with counterfoil.open(embedded, signer=key) as trail:
        receipt = trail.record("invoice_approved", "INV-1", actor="bot", new_value={"n": 1.10})
        assert receipt.recorded
        assert receipt.sequence == 0
        batch = [{"event_type": "row", "entity_id": "R", "actor": "bot", "new_value": n} for n in range(700)]
        assert [one.sequence for one in trail.record_many(batch)] == list(range(1, 701))
        trail.record_lines(b'{"event_type":"line","entity_id":"L","actor":"bot"}\n')
        assert trail.check(receipt)["signature"]["algorithm"] == "ed25519"
        report = trail.verify()
        assert report
        assert report.signatures_checked == 702
    with counterfoil.open(embedded, signer=key) as trail:
        assert trail.record("e", "x", actor="bot").sequence == 702
    assert verified(embedded)["signatures_checked"] == 703


def test_the_time_that_is_signed_is_the_clients(embedded: Path, tmp_path: Path) -> None:
    key = known_key(embedded, tmp_path / "key.pem")
    with counterfoil.open(embedded, signer=key) as trail:
        trail.record("e", "given", actor="a", timestamp="2026-11-24T12:00:00+02:00")
        trail.record("e", "now", actor="a")
        assert trail.history("given")[0]["timestamp"] == "2026-11-24T10:00:00Z"
        entry = trail.history("now")[0]
        assert entry["timestamp"] <= entry["recorded_at"]
        assert trail.verify()


def test_a_key_that_the_ledger_does_not_know(embedded: Path, tmp_path: Path) -> None:
    key = known_key(embedded, tmp_path / "key.pem")
    other = tmp_path / "other"
    with counterfoil.open(other, origin="test.example/other"):
        pass
    with pytest.raises(counterfoil.Denied, match="counterfoil key register"):
        counterfoil.open(other, signer=key)
    counterfoil.open(other).close()
    with counterfoil.open(embedded, signer=key) as trail:
        trail.record("e", "x", actor="a")
    run("key", "revoke", str(embedded), _id_of(key))
    with pytest.raises(counterfoil.Denied):
        counterfoil.open(embedded, signer=key)


def test_a_key_signs_only_for_its_actors(embedded: Path, tmp_path: Path) -> None:
    run("key", "new", str(embedded), "--actor", "bot", "-o", str(tmp_path / "bot.pem"))
    with counterfoil.open(embedded, signer=tmp_path / "bot.pem") as trail:
        trail.record("e", "x", actor="bot")
        with pytest.raises(counterfoil.Denied, match="may not sign for actor"):
            trail.record("e", "x", actor="somebody else")
        assert trail.record("e", "x", actor="bot").sequence == 1


def test_files_that_are_no_good_keys(tmp_path: Path, embedded: Path) -> None:
    with pytest.raises(counterfoil.NotFound, match="no such key file"):
        counterfoil.open(embedded, signer=tmp_path / "none.pem")
    key = known_key(embedded, tmp_path / "key.pem")
    key.chmod(0o640)
    with pytest.raises(counterfoil.Denied, match="chmod 600"):
        counterfoil.open(embedded, signer=key)
    (tmp_path / "text.pem").write_text("no key")
    (tmp_path / "text.pem").chmod(0o600)
    with pytest.raises(counterfoil.Invalid, match="PKCS#8"):
        counterfoil.open(embedded, signer=tmp_path / "text.pem")
    with pytest.raises(counterfoil.Invalid, match="public_key"):
        counterfoil.open(embedded, signer=object())  # type: ignore[arg-type]


def test_a_key_in_a_device(embedded: Path, tmp_path: Path) -> None:
    device = Device(known_key(embedded, tmp_path / "key.pem"))
    with counterfoil.open(embedded, signer=device) as trail:
        trail.record("e", "x", actor="a")
        device.fails = True
        with pytest.raises(counterfoil.Unavailable, match="the device does not answer"):
            trail.record("e", "lost", actor="a")
        device.fails = False
        assert trail.record("e", "x", actor="a").sequence == 1
        assert trail.history("lost") == []
        threads = [threading.Thread(target=trail.record, args=("e", "t"), kwargs={"actor": "a"}) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert trail.verify().signatures_checked == 10


def test_a_device_that_signs_something_else(embedded: Path, tmp_path: Path) -> None:
    device = Device(known_key(embedded, tmp_path / "key.pem"))
    device.sign = lambda message: b"x" * 64  # type: ignore[method-assign]
    with counterfoil.open(embedded, signer=device) as trail, pytest.raises(counterfoil.Denied):
        trail.record("e", "x", actor="a")


def test_a_repeat_of_an_id_is_known_again(embedded: Path, tmp_path: Path) -> None:
    key = known_key(embedded, tmp_path / "key.pem")
    with counterfoil.open(embedded, signer=key) as trail:
        first = trail.record("e", "x", actor="a", id="run-1", new_value={"n": 1})
        assert trail.record("e", "x", actor="a", id="run-1", new_value={"n": 1}).index == first.index
        with pytest.raises(counterfoil.Conflict):
            trail.record("e", "x", actor="a", id="run-1", new_value={"n": 2})
        twice = [{"event_type": "e", "entity_id": "y", "actor": "a", "id": "run-2"}] * 2
        assert len({receipt.index for receipt in trail.record_many(twice)}) == 1
        assert trail.record("e", "z", actor="a").sequence == 2
        threads = [
            threading.Thread(target=trail.record, args=("e", "t"), kwargs={"actor": "a", "id": "run-3"})
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(trail.history("t")) == 1
        assert trail.verify()


def test_large_entries_still_find_room(embedded: Path, tmp_path: Path) -> None:
    key = known_key(embedded, tmp_path / "key.pem")
    with counterfoil.open(embedded, signer=key) as trail:
        for length in range(64_000, 65_000, 50):
            trail.record("e", "large", actor="a", new_value="x" * length)
        assert all("signature" in entry for entry in trail.history("large"))
        assert trail.verify()


def test_signed_when_spooled_and_shipped_once(service: Running, key: Path) -> None:
    with service.connect(signer=key, source="invoices") as trail:
        receipt = trail.record("invoice_approved", "INV-1", actor="bot")
        assert receipt.sequence == 0
        service.kill()
        for number in range(300):
            trail.record("row", f"R-{number}", actor="bot")
        (generation,) = Path(trail.status()["spool"]).glob("*/0*-0*")
        service.start()
        trail.flush(30)
        assert trail.check(receipt)["signature"]["key_id"] == _id_of(key)
        entries = [entry for entry in trail if not entry["event_type"].startswith("ledger.")]
        assert [entry["sequence"] for entry in entries] == list(range(301))
        assert trail.status()["refused"] == 0
    assert verified(generation)["signatures_checked"] == 301
    assert verified(service.ledger)["signatures_checked"] == 301


def test_a_spool_that_was_changed_is_noticed(service: Running, key: Path) -> None:
    """Whoever changes it can build a spool anew, and ship it with the token: without the key it is refused."""
    with service.connect(signer=key) as trail:
        trail.record("payment", "P-1", actor="bot", new_value="100")
        trail.flush(30)
        line = json.dumps({k: v for k, v in trail.history("P-1")[0].items() if k not in ("recorded_at", "recorder")})
    forged = line.replace('"100"', '"999"').replace('"sequence": 0', '"sequence": 1')
    with pytest.raises(counterfoil.Denied, match="does not hold"):
        Service(service.url, service.writer).post("/api/v1/entries", forged.encode(), "application/json")


def test_the_first_use_needs_the_service_or_the_origin(service: Running, key: Path, tmp_path: Path) -> None:
    service.kill()
    with pytest.raises(counterfoil.Unavailable, match="origin="):
        service.connect(signer=key)
    with service.connect(signer=key, origin="test.example/audit", exit_timeout=0) as trail:
        trail.record("e", "x", actor="bot")
    with service.connect(signer=key, exit_timeout=0) as trail:
        trail.record("e", "y", actor="bot")
    service.start()
    with service.connect(signer=key) as trail:
        trail.flush(30)
        assert [entry["entity_id"] for entry in service.recorded()] == ["x", "y"]
        assert trail.status()["refused"] == 0


def test_the_origin_is_asked_for_once(service: Running, key: Path) -> None:
    service.connect(signer=key).close()
    service.kill()
    with service.connect(signer=key, exit_timeout=0) as trail:
        trail.record("e", "x", actor="bot")
    service.start()


def test_an_unknown_key_is_refused_by_the_service_and_kept(service: Running, tmp_path: Path) -> None:
    other = tmp_path / "other"
    counterfoil.open(other).close()
    stranger = known_key(other, tmp_path / "stranger.pem")
    with service.connect(signer=stranger) as trail:
        trail.record("e", "one", actor="bot")
        with pytest.raises(counterfoil.Denied, match="not registered"):
            trail.flush(30)
        trail.record_many([{"event_type": "e", "entity_id": f"x-{n}", "actor": "bot"} for n in range(3)])
        with pytest.raises(counterfoil.Denied, match="2 more"):
            trail.flush(30)
        assert trail.status()["refused"] == 4
    refused = [json.loads(line) for line in (service.folder / "spool" / "refused.jsonl").read_text().splitlines()]
    assert [one["kind"] for one in refused] == ["denied"] * 4
    assert "not registered" in refused[0]["detail"]
    assert service.recorded() == []


def test_a_spool_changes_hands_between_those_who_sign_and_those_who_do_not(
    service: Running, key: Path, tmp_path: Path
) -> None:
    second = new_key(service, tmp_path / "second.pem")
    for signer in (None, key, None, second, key):
        with service.connect(signer=signer) as trail:
            for number in range(3):
                trail.record("e", f"x-{number}", actor="bot")
            trail.flush(30)
            assert trail.status()["refused"] == 0
    entries = service.recorded()
    assert [bool("signature" in entry) for entry in entries] == [False] * 3 + [True] * 3 + [False] * 3 + [True] * 6
    assert [entry["sequence"] for entry in entries] == list(range(15))
    assert len({entry["source"] for entry in entries}) == 1


def test_children_sign_too(service: Running, key: Path) -> None:
    with service.connect(signer=key) as trail:
        trail.record("e", "parent", actor="bot")
        service.kill()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                trail.record("e", "child", actor="bot")
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        service.start()
        wait_for("both", lambda: len(service.recorded()) == 2)
    assert all("signature" in entry for entry in service.recorded())


def test_a_retried_task_records_once(service: Running, key: Path, tmp_path: Path) -> None:
    for number in range(3):
        with service.connect(signer=key, spool=tmp_path / f"spool-{number}", mode="sync") as trail:
            receipt = trail.record("task_done", "T-1", actor="bot", id="task-1", new_value={"rows": 3})
            assert receipt.index == trail.history("T-1")[0].index
            assert trail.status()["refused"] == 0
    assert len(service.recorded()) == 1
    with service.connect(signer=key, spool=tmp_path / "spool-3") as trail:
        trail.record("task_done", "T-1", actor="bot", id="task-1", new_value={"rows": 4})
        with pytest.raises(counterfoil.Conflict, match="task-1"):
            trail.flush(30)
        assert trail.status()["refused"] == 1


def test_what_was_shipped_twice_is_there_once(service: Running, key: Path) -> None:
    with service.connect(signer=key) as trail:
        trail.record_many([{"event_type": "e", "entity_id": f"x-{n}", "actor": "bot"} for n in range(20)])
        trail.flush(30)
    (cursor,) = (service.folder / "spool").glob("*/shipped")
    cursor.write_text("0")
    (cursor.parent / "clean").unlink()
    with service.connect(signer=key) as trail:
        trail.record("e", "last", actor="bot")
        trail.flush(30)
        assert trail.status()["refused"] == 0
    assert [entry["sequence"] for entry in service.recorded()] == list(range(21))


def test_the_guide(tmp_path: Path, service: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    counterfoil.open("audit").close()
    run("key", "new", "audit", "--actor", "invoice-bot", "-o", "invoice-bot.pem")
    device = Device(new_key(service, Path("device.pem"), "--actor", "invoice-bot"))
    set_constants(monkeypatch, service)
    names: dict[str, Any] = {"PUBLIC_KEY": device.public_key, "ask_the_device": device.sign}
    run_examples("integrations/signing.md", names, examples=2)


def _id_of(key: Path) -> str:
    return hashlib.sha256(_core.KeyFile(key).public_key).hexdigest()
