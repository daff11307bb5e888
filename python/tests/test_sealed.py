from __future__ import annotations

import base64
import collections
import dataclasses
import functools
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guides import run_examples
from running import Running, wait_for

import counterfoil
from counterfoil.vault import Vault

IBAN = "DE02 1203 0000 0000 2020 51"


@pytest.fixture
def private(tmp_path: Path) -> Iterator[counterfoil.Trail]:
    with counterfoil.open(tmp_path / "audit", origin="test.example/private", personal=["iban", "name"]) as trail:
        yield trail


def written(folder: Path) -> bytes:
    """All bytes of all files in a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"$sealed"}


@dataclasses.dataclass
class Customer:
    name: str
    tier: int


Payee = collections.namedtuple("Payee", "iban, amount")


def test_what_is_personal_is_never_written_in_the_clear(private: counterfoil.Trail, tmp_path: Path) -> None:
    private.record(
        "e",
        "CUST-7",
        actor="crm",
        old_value={"IBAN": IBAN, "tier": 1},
        new_value=Customer("Erika Mustermann", 2),
        context={"payees": [{"iban": IBAN, "amount": 5}], "payee": Payee(IBAN, 6), "note": "seen"},
    )
    entry = private.history("CUST-7")[0]
    assert is_sealed(entry["old_value"]["IBAN"])
    assert is_sealed(entry["new_value"]["name"])
    assert is_sealed(entry["context"]["payees"][0]["iban"])
    assert is_sealed(entry["context"]["payee"]["iban"])
    assert entry["context"]["note"] == "seen"
    found = written(tmp_path / "audit")
    assert b"2020 51" not in found
    assert b"Mustermann" not in found
    again = private.unseal(entry)
    assert again["old_value"] == {"IBAN": IBAN, "tier": 1}
    assert again["new_value"] == {"name": "Erika Mustermann", "tier": 2}
    assert again["context"]["payee"] == {"iban": IBAN, "amount": 6}
    assert private.unseal(entry["old_value"]["IBAN"]) == IBAN
    assert private.verify()


def test_values_of_all_kinds_come_back(private: counterfoil.Trail) -> None:
    values: list[Any] = [None, True, 0, 1 << 60, 1.5, "", "ü", [1, {"a": None}], {"x": {"iban": "inner"}}]
    for value in values:
        private.record("e", "kinds", actor="a", new_value={"name": value})
    assert [private.unseal(entry)["new_value"]["name"] for entry in private.history("kinds")] == values
    lengths = {len(entry["new_value"]["name"]["$sealed"]["ciphertext"]) for entry in private.history("kinds")}
    assert len(lengths) == 1, "true, false and short texts have one length"


def test_no_value_makes_record_raise(private: counterfoil.Trail, tmp_path: Path) -> None:
    circle: dict[str, Any] = {"name": "x"}
    circle["self"] = [circle, circle]
    deep: Any = {"name": "far below"}
    for _ in range(50):
        deep = {"in": deep}
    private.record("e", "odd", actor="a", new_value=circle, context={"name": object(), "deep": deep})
    private.record("e", "odd", actor="a", new_value={"name": "x" * 100_000})
    private.record("e", "\ud800", actor="a", new_value={"name": "x"})
    private.record("e", "odd" * 200, actor="a", new_value={"name": float("nan"), "iban": IBAN})
    assert b"far below" not in written(tmp_path / "audit")
    entry = private.entry(private.size() - 1)
    assert private.unseal(entry)["new_value"]["iban"] == IBAN
    assert private.unseal(entry)["new_value"]["name"]["$unencoded"]["text"] == "nan"
    assert "$unencoded" in private.unseal(private.history("odd")[0])["context"]["name"]
    assert private.verify()


def test_strict_trails_raise_for_what_cannot_be_encoded(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit", personal="name", on_error="raise") as trail:
        with pytest.raises(counterfoil.Invalid):
            trail.record("e", "x", actor="a", new_value={"name": object()})
        with pytest.raises(counterfoil.Invalid, match="pseudonym"):
            trail.record("e", "x", actor="a", personal=["actor"])
    with pytest.raises(counterfoil.Invalid, match="pseudonym"):
        counterfoil.open(tmp_path / "audit", personal=["entity_id"])


def test_forgetting_erases_one_person_in_the_whole_ledger(private: counterfoil.Trail, tmp_path: Path) -> None:
    for number in range(600):
        private.record("e", f"CUST-{number % 2}", actor="a", new_value={"iban": f"{IBAN} {number}"})
    private.seal()  # type: ignore[attr-defined]
    key = private.history("CUST-0")[0]["new_value"]["iban"]["$sealed"]["key_id"]
    kept = [base64.b64decode(json.loads(path.read_bytes())["key"]) for path in vault(tmp_path).glob(f"{key[:32]}*")]
    assert len(kept) == 1
    receipt = private.forget("CUST-0", reason="request 2026-118", actor="dpo")
    said = private.entry(receipt.index or 0)
    assert (said["event_type"], said["actor"], said["reason"]) == ("data_deleted", "dpo", "request 2026-118")
    assert said["context"]["key_id"] == key
    assert said["outcome"] == "success"
    mine = [private.unseal(entry) for entry in private.history("CUST-0") if entry["event_type"] == "e"]
    assert len(mine) == 300
    assert all(is_sealed(entry["new_value"]["iban"]) for entry in mine)
    others = [private.unseal(entry)["new_value"]["iban"] for entry in private.history("CUST-1")]
    assert others == [f"{IBAN} {number}" for number in range(1, 600, 2)]
    assert private.verify()
    assert base64.b64encode(kept[0]) not in written(tmp_path)
    private.record("e", "CUST-0", actor="a", new_value={"iban": "new"})
    newest = private.history("CUST-0")[-1]
    assert private.unseal(newest)["new_value"]["iban"] == "new"
    assert newest["new_value"]["iban"]["$sealed"]["key_id"] != key
    assert is_sealed(private.unseal(private.history("CUST-0")[0])["new_value"]["iban"])


def vault(folder: Path) -> Path:
    return folder / "audit" / "state" / "vault"


def test_forgetting_twice_or_somebody_unknown_says_so(private: counterfoil.Trail, tmp_path: Path) -> None:
    receipt = private.forget("NOBODY", reason="request", actor="dpo")
    assert private.entry(receipt.index or 0)["context"]["key_id"] is None
    assert not vault(tmp_path).exists()
    private.record("e", "CUST-1", actor="a", new_value={"name": "x"})
    assert private.forget("CUST-1", reason="request", actor="dpo").recorded
    receipt = private.forget("CUST-1", reason="request", actor="dpo")
    assert private.entry(receipt.index or 0)["context"]["key_id"] is None


def test_a_reason_that_is_personal_makes_no_key_for_who_is_forgotten(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit", personal=["reason", "name"]) as trail:
        trail.record("e", "CUST-1", actor="a", reason="she said so", new_value={"name": "x"})
        assert is_sealed(trail.history("CUST-1")[0]["reason"])
        assert trail.unseal(trail.history("CUST-1")[0])["reason"] == "she said so"
        trail.forget("CUST-1", reason="request 7", actor="dpo")
        assert trail.history("CUST-1")[-1]["reason"] == "request 7"
        assert [path.name for path in vault(tmp_path).iterdir()] == ["names.key"]


def test_subjects_scopes_steps_and_decorators(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit") as trail:
        trail.record("e", "INV-1", actor="a", context={"iban": IBAN}, personal=["iban"], subject="CUST-1")
        with counterfoil.scope(personal=["email"], subject="CUST-1"):
            trail.record("e", "INV-2", actor="a", context={"email": "a@example.com", "iban": "x"}, personal=["iban"])

        @trail.audited("call", entity_id="customer", arguments=["passport"], personal=["passport"], actor="a")
        def call(customer: str, passport: str) -> None:
            return None

        call("CUST-1", passport="C01X")
        before, after = {"address": {"city": "Bonn"}}, {"address": {"city": "Köln"}}
        trail.change("CUST-1", before, after, actor="a", personal=["city"])
        with trail.step("step", "INV-3", actor="a", personal=["iban"], subject="CUST-1") as step:
            step.set(new_value={"iban": IBAN})
        entries = [entry for entry in trail if not entry["event_type"].startswith("ledger.")]
        text = json.dumps([dict(entry) for entry in entries])
        for personal in ("DE02", "a@example.com", "C01X", "Bonn", "Köln"):
            assert personal not in text
        assert '"subject"' not in text
        clear = json.dumps([trail.unseal(entry) for entry in entries], ensure_ascii=False)
        for personal in ("DE02", "a@example.com", "C01X", "Bonn", "Köln"):
            assert personal in clear
        trail.forget("CUST-1", reason="request", actor="dpo")
        assert json.dumps([trail.unseal(entry) for entry in entries]) == text


def test_a_changed_value_is_noticed(private: counterfoil.Trail) -> None:
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    private.record("e", "D", actor="a", new_value={"iban": IBAN})
    sealed = private.history("C")[0]["new_value"]["iban"]["$sealed"]
    other = private.history("D")[0]["new_value"]["iban"]["$sealed"]
    raw = bytearray(base64.b64decode(sealed["ciphertext"]))
    raw[3] ^= 1
    with pytest.raises(counterfoil.Tampered):
        private.unseal({"$sealed": {**sealed, "ciphertext": base64.b64encode(raw).decode()}})
    with pytest.raises(counterfoil.Tampered):
        private.unseal({"$sealed": {**sealed, "key_id": other["key_id"]}})
    for key_id in ("../../x.y", "names", "", f"{sealed['key_id'][:32]}.0"):
        stranger = {"$sealed": {**sealed, "key_id": key_id}}
        assert private.unseal(stranger) == stranger


def test_a_repeat_under_an_id_is_the_same_to_the_letter(private: counterfoil.Trail) -> None:
    members: dict[str, Any] = {"actor": "a", "id": "run-1", "context": {"iban": IBAN, "p": [{"name": 1}, {"name": 1}]}}
    first = private.record("e", "C", **members)
    assert private.record("e", "C", **members).index == first.index
    with pytest.raises(counterfoil.Conflict):
        private.record("e", "C", **{**members, "context": {"iban": "other"}})
    context = private.history("C")[0]["context"]
    nonces = [one["$sealed"]["nonce"] for one in (context["iban"], *(payee["name"] for payee in context["p"]))]
    assert len(set(nonces)) == 3
    for _ in range(2):
        private.record("e", "D", actor="a", context={"iban": IBAN})
    assert len({entry["context"]["iban"]["$sealed"]["nonce"] for entry in private.history("D")}) == 2


def test_as_the_page_says(private: counterfoil.Trail, tmp_path: Path) -> None:
    """Another implementation, from docs/formats/entry.md."""
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    sealed = private.history("C")[0]["new_value"]["iban"]["$sealed"]
    (key,) = (json.loads(path.read_bytes()) for path in vault(tmp_path).glob(f"{sealed['key_id'][:32]}.key"))
    bound_to = b"counterfoil-sealed/v1\n" + sealed["key_id"].encode()
    nonce, ciphertext = (base64.b64decode(sealed[name]) for name in ("nonce", "ciphertext"))
    plain = aead.AESGCM(base64.b64decode(key["key"])[:32]).decrypt(nonce, ciphertext, bound_to)
    assert plain == json.dumps(IBAN).encode().ljust(32)


def test_lines_are_not_recorded_in_the_clear(private: counterfoil.Trail) -> None:
    with pytest.raises(counterfoil.Invalid):
        private.record_lines(b"{}")  # type: ignore[attr-defined]


def test_a_vault_that_cannot_be_written_records_nothing(tmp_path: Path) -> None:
    with counterfoil.open(tmp_path / "audit", personal=["iban"]) as trail:
        vault(tmp_path).write_text("in the way")
        with pytest.raises(counterfoil.Unavailable, match="vault"):
            trail.record("e", "x", actor="a", new_value={"iban": IBAN})
        assert trail.history("x") == []
        trail.record("e", "x", actor="a", new_value="nothing personal")


def test_a_damaged_key_is_no_reason_to_make_another(private: counterfoil.Trail, tmp_path: Path) -> None:
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    (path,) = (path for path in vault(tmp_path).glob("*.key") if path.stem != "names")
    path.write_text('{"key_id":')
    with pytest.raises(counterfoil.Damaged):
        private.record("e", "C", actor="a", new_value={"iban": IBAN})
    assert path.read_text() == '{"key_id":'


def test_a_key_whose_name_was_not_durable_is_found_again(private: counterfoil.Trail, tmp_path: Path) -> None:
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    for path in vault(tmp_path).glob("*.key"):
        path.rename(path.with_suffix(".new"))
    assert private.unseal(private.history("C")[0])["new_value"]["iban"] == IBAN
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    first, second = private.history("C")
    assert first["new_value"]["iban"]["$sealed"]["key_id"] == second["new_value"]["iban"]["$sealed"]["key_id"]


def test_a_forgetting_that_was_broken_off_is_finished(private: counterfoil.Trail, tmp_path: Path) -> None:
    private.record("e", "C", actor="a", new_value={"iban": IBAN})
    (path,) = (path for path in vault(tmp_path).glob("*.key") if path.stem != "names")
    path.rename(path.with_suffix(".gone"))
    assert is_sealed(private.unseal(private.history("C")[0])["new_value"]["iban"])
    receipt = private.forget("C", reason="again", actor="dpo")
    assert private.entry(receipt.index or 0)["context"]["key_id"].startswith(path.stem)
    assert [path.name for path in vault(tmp_path).iterdir()] == ["names.key"]


def _keys(folder: str, start: Any, said: Any) -> None:
    vault = Vault(Path(folder))
    start.wait()
    for number in range(40):
        entry = {"new_value": {"iban": "x"}, "entity_id": f"C-{number}"}
        sealed = vault.sealed(entry, frozenset(("iban",)), f"C-{number}", lambda value, why: value)
        said.put((number, sealed["new_value"]["iban"]))


def test_processes_agree_on_one_key_for_each_person(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, said = context.Barrier(6), context.Queue()
    children = [context.Process(target=_keys, args=(str(tmp_path / "vault"), start, said)) for _ in range(6)]
    for child in children:
        child.start()
    found = [said.get(timeout=60) for _ in range(6 * 40)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    key_ids = collections.defaultdict(set)
    for number, sealed in found:
        key_ids[number].add(sealed["$sealed"]["key_id"])
        assert Vault(tmp_path / "vault").unsealed(sealed) == "x"
    assert [len(ids) for ids in key_ids.values()] == [1] * 40
    assert all(path.suffix == ".key" for path in (tmp_path / "vault").iterdir())


def test_forgetting_while_others_record(tmp_path: Path) -> None:
    """Each value is readable under the key that is there, or under none any more; nothing is damaged."""
    folder, stop = tmp_path / "vault", threading.Event()
    errors: list[BaseException] = []

    def record() -> None:
        vault = Vault(folder)
        try:
            while not stop.is_set():
                entry = vault.sealed({"new_value": {"iban": "x"}}, frozenset(("iban",)), "C", lambda value, why: value)
                assert vault.unsealed(entry["new_value"])["iban"] in ("x", entry["new_value"]["iban"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        Vault(folder).forget("C")
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


def _record_until_killed(folder: str, acknowledged: Path) -> None:
    trail = counterfoil.open(folder, personal=["iban"])
    with open(acknowledged, "ab", buffering=0) as file:
        for number in range(1_000_000):
            trail.record("e", f"C-{number}", actor="a", new_value={"iban": f"iban {number}"})
            file.write(b"%d\n" % number)


def _holds_some(said: Path) -> bool:
    return said.exists() and said.read_bytes().count(b"\n") > 10


def test_a_killed_process_loses_no_key(tmp_path: Path) -> None:
    for turn in range(3):
        child = multiprocessing.get_context("fork").Process(
            target=_record_until_killed, args=(str(tmp_path / "audit"), tmp_path / f"said-{turn}")
        )
        child.start()
        said = tmp_path / f"said-{turn}"
        wait_for("entries", functools.partial(_holds_some, said))
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
    with counterfoil.open(tmp_path / "audit") as trail:
        clear = [trail.unseal(entry)["new_value"]["iban"] for entry in trail if entry["event_type"] == "e"]
    assert len(clear) > 30
    assert all(value.startswith("iban ") for value in clear)


def test_a_service_never_sees_it(service: Running, tmp_path: Path) -> None:
    with service.connect(personal=["iban"], actor="crm") as trail:
        trail.record("customer_changed", "CUST-7", new_value={"iban": IBAN})
        service.kill()
        trail.record("customer_changed", "CUST-7", new_value={"iban": IBAN + "!"})
        assert b"2020 51" not in written(tmp_path / "spool")
        service.start()
        trail.flush(30)
        assert b"2020 51" not in written(service.ledger)
        entries = trail.history("CUST-7")
        assert [trail.unseal(entry)["new_value"]["iban"] for entry in entries] == [IBAN, IBAN + "!"]
        trail.forget("CUST-7", reason="request 1", actor="dpo")
        trail.flush(30)
        assert [entry["event_type"] for entry in trail.history("CUST-7")][2:] == ["data_deleted"] * 2
        assert all(is_sealed(trail.unseal(entry)["new_value"]["iban"]) for entry in entries)
        assert trail.verify()
        assert (tmp_path / "spool" / "vault").is_dir()


def test_a_vault_of_ones_own_and_signed_entries(service: Running, tmp_path: Path) -> None:
    service.run("key", "new", str(service.ledger), "--any-actor", "-o", str(tmp_path / "key.pem"))
    options: dict[str, Any] = {"personal": ["iban"], "vault": tmp_path / "keys", "signer": tmp_path / "key.pem"}
    for _ in range(2):
        with service.connect(**options) as trail:
            trail.record("e", "C", actor="a", id="run-1", new_value={"iban": IBAN})
            trail.flush(30)
            assert trail.status()["refused"] == 0
    with service.connect(**options) as trail:
        (entry,) = trail.history("C")
        assert trail.unseal(entry)["new_value"]["iban"] == IBAN
        assert entry["signature"]
    assert not (tmp_path / "spool" / "vault").exists()


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_examples("integrations/personal-data.md", {}, examples=3)
