#!/usr/bin/env python3
"""Clients of transparency logs crawl /tlog while the ledger grows: clients_tlog.py CRAWLER FSCK [SEED]

CRAWLER is the program of clients_tlog/, FSCK that of github.com/transparency-dev/tessera/cmd/fsck.
"""
import json
import random
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from running import PATIENCE, Checks, counterfoil, equal, expect, new_ledger

CHECKS = Checks("clients_tlog")
CRAWLER, FSCK = sys.argv[1:3]
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
SPAN = 1024
RANDOM = random.Random(SEED)


def lines(first, count):
    return "".join(
        json.dumps({"event_type": "payment_released", "actor": f"teller-{number % 7}", "entity_id": f"PAY-{number}",
                    "context": {"note": "ä€😀" * (number % 40)}}, ensure_ascii=False) + "\n"
        for number in range(first, first + count))


class Growing:
    """Entries that a writer records, in batches that the API takes."""

    def __init__(self, token):
        self.token, self.number = token, 0

    def record(self, service, count):
        while count > 0:
            batch = min(count, 10_000)
            body = lines(self.number, batch).encode()
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
            answer = requests.post(f"{service.url}/api/v1/entries", data=body, headers=headers, timeout=2 * PATIENCE)
            equal(answer.status_code, 201, f"the status ({answer.text[:200]})")
            self.number += batch
            count -= batch


def size_of(service):
    return int(service.get("/tlog/checkpoint").split(b"\n")[1])


def crawl(service, key, memory, token, name):
    """One visit of the crawler; its exit code and lines."""
    command = [CRAWLER, "-url", service.url, "-key", key, "-folder", str(memory), "-token", token, "-seed", str(SEED), "-name", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def visit(service, key, memory, token, name):
    """A visit that must succeed; its lines are checks."""
    code, said, why = crawl(service, key, memory, token, name)
    print(said, end="")
    if code != 0:
        CHECKS.failed += 1
        if "FAIL" not in said:
            print(f"FAIL  clients_tlog: {name}: the crawler ended with exit code {code}: {why}")


def fsck(service, key_file):
    """What tessera's fsck says. It ends with 0 whatever it finds."""
    command = [FSCK, "-storage_url", f"{service.url}/tlog/", "-public_key", str(key_file), "-ui=false", "-N", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * PATIENCE)
    return done.stdout + done.stderr


def check_growth(ledger, memory, writer, key, key_file):
    growing = Growing(writer)
    service = ledger.serve()
    for wanted in (255, 256, 257):
        growing.record(service, wanted - size_of(service))
        visit(service, key, memory, writer, f"{wanted} entries")
    growing.record(service, 1500)
    visit(service, key, memory, writer, "segments")
    service.end()
    service = ledger.serve()
    with CHECKS.check("a writer records meanwhile"), ThreadPoolExecutor() as pool:
        ended, before = threading.Event(), growing.number
        writing = pool.submit(write_until, ended, growing, service)
        visit(service, key, memory, writer, "restarted, while a writer records")
        visit(service, key, memory, writer, "again, while a writer records")
        ended.set()
        writing.result()
        expect(growing.number > before + 50, f"{growing.number - before} entries")
    growing.record(service, 66_000)
    visit(service, key, memory, writer, "three levels of tiles")
    with CHECKS.check("the bundles that were crawled hold the bytes that `counterfoil export` gives"):
        crawled = crawled_entries(memory)
        expect(len(crawled) > 65_536, f"only {len(crawled)} entries were crawled")
        expect(crawled == ledger.entries()[: len(crawled)], "an entry is another")
    with CHECKS.check("tessera's fsck reads the whole log and accepts it"):
        said = fsck(service, key_file)
        expect("Successfully fsck'd log" in said, said[-500:])
    service.end()


def write_until(ended, growing, service):
    while not ended.is_set():
        growing.record(service, 7)


def crawled_entries(memory):
    return (memory / "entries").read_text().removesuffix("\n").split("\n")


def bundle_of(entries, number):
    """The bundle that must be served: each entry behind its length in two bytes."""
    encoded = [entry.encode() for entry in entries[256 * number:256 * (number + 1)]]
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in encoded)


class Flipped:
    """A file with a bit of one byte changed, as long as it lasts."""

    def __init__(self, path, at):
        self.path, self.at = path, at

    def _flip(self):
        mode = self.path.stat().st_mode
        self.path.chmod(mode | 0o200)
        with self.path.open("r+b") as file:
            file.seek(self.at)
            [byte] = file.read(1)
            file.seek(self.at)
            file.write(bytes([byte ^ 1 << self.at % 8]))
        self.path.chmod(mode)

    def __enter__(self):
        self._flip()

    def __exit__(self, *_):
        self._flip()


def check_flips(ledger, memory, kind, tries):
    """A bit changed anywhere in a sealed file: what is served is right, or it is an error, never something else.

    Returns the file and the places that were answered with errors."""
    entries = crawled_entries(memory)
    files = sorted((ledger.path / "segments").glob(f"*.{kind}"))
    file = files[RANDOM.randrange(len(files) // 2)]
    first = int(file.stem) // 256
    paths = {}
    for number in range(first, first + SPAN // 256):
        paths[f"tile/entries/{number:03d}"] = bundle_of(entries, number)
        paths[f"tile/0/{number:03d}"] = (memory / f"tile_0_{number:03d}").read_bytes()
    caught = []
    with CHECKS.check(f"a bit changed at {tries} places of a .{kind} file is never served: the answer is right, or it is an error"):
        for number in range(tries):
            at = RANDOM.randrange(file.stat().st_size)
            running = ledger.serve() if number % 2 else None  # changed under a running service, or before it starts
            with Flipped(file, at):
                service = running or ledger.serve()
                if any(not is_right(service, path, wanted, f"byte {at} of {file.name}") for path, wanted in paths.items()):
                    caught.append(at)
                service.kill()
        expect(caught, f"no byte of {file.name} mattered")
    return file, caught


def is_right(service, path, wanted, changed):
    """Whether the answer is what it was; false when it is an error that tells of tampering."""
    answer = requests.get(f"{service.url}/tlog/{path}", timeout=PATIENCE)
    if answer.status_code == 200:
        expect(answer.content == wanted, f"{path} has other bytes with {changed} changed")
        return True
    said = answer.status_code, answer.json()["kind"]
    expect(said in ((500, "tampered"), (500, "damaged")), f"{path} with {changed} changed: {answer.text}")
    expect("immutable" not in answer.headers["Cache-Control"], f"{path}: an error that caches keep for ever")
    return False


def check_signing(ledger, writer):
    """The ledger's key must never sign two roots of one size, whatever became of the stored hashes."""
    file = sorted((ledger.path / "segments").glob("*.tiles"))[1]
    size = int(file.stem) + SPAN // 2 - 1
    asked = {"headers": {"Authorization": f"Bearer {writer}"}, "params": {"size": size}, "timeout": PATIENCE}
    service = ledger.serve()
    with CHECKS.check(f"with a bit of a .tiles file changed, no other root is signed for an earlier size ({size})"):
        wanted = requests.get(f"{service.url}/api/v1/checkpoint", **asked).text
        for at in [file.stat().st_size - 1 - RANDOM.randrange(file.stat().st_size * 3 // 4) for _ in range(20)]:
            with Flipped(file, at):
                answer = requests.get(f"{service.url}/api/v1/checkpoint", **asked)
                said = f"with byte {at} of {file.name} changed it signs {answer.text.split()[2]}, not {wanted.split()[2]}"
                expect(answer.status_code == 500 or answer.text == wanted, said)
    service.kill()


def check_tampering(ledger, memory, writer, key, key_file):
    check_signing(ledger, writer)
    check_flips(ledger, memory, "tiles", 6)
    file, caught = check_flips(ledger, memory, "parquet", 12)
    if not caught:
        return
    size = file.stat().st_size
    with Flipped(file, caught[-1]):
        service = ledger.serve()
        with CHECKS.check(f"with byte {caught[-1]} of {size} of a sealed Parquet file changed, the crawler's visit fails"):
            code, said, _ = crawl(service, key, memory, writer, "tampered")
            expect(code == 1 and "FAIL" in said and "500" in said, f"exit code {code}: {said[-500:]}")
        with CHECKS.check("and tessera's fsck does not accept the log"):
            expect("Successfully fsck'd log" not in fsck(service, key_file), "it did")
        service.kill()
    service = ledger.serve()
    with CHECKS.check("once the byte is back, fsck accepts the log again"):
        expect("Successfully fsck'd log" in fsck(service, key_file), "it does not")
    service.end()


def main():
    print(f"clients_tlog: seed {SEED}")
    with new_ledger(SPAN) as ledger, tempfile.TemporaryDirectory() as folder:
        memory, key_file = Path(folder) / "memory", Path(folder) / "key"
        memory.mkdir()
        key = counterfoil("key", ledger.path).strip()
        key_file.write_text(key)
        writer = ledger.token("writer")
        check_growth(ledger, memory, writer, key, key_file)
        check_tampering(ledger, memory, writer, key, key_file)
        with CHECKS.check("the ledger verifies"):
            ledger.verify()
    CHECKS.end()


main()
