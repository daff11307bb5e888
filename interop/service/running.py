"""Runs the real service for checks with other people's clients: a ledger in a folder of its own, ports chosen by the system."""
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PATIENCE = 30


class Checks:
    """The lines of one program: what held and what did not."""

    def __init__(self, program):
        self.program = program
        self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        """One check: it fails when its block raises."""
        try:
            yield
        except Exception as error:
            self.failed += 1
            said = " ".join(f"{type(error).__name__}: {error}".removeprefix("AssertionError: ").split())
            print(f"FAIL  {self.program}: {name}: {said[:1000]}")
        else:
            print(f"ok    {self.program}: {name}")

    def end(self):
        sys.exit(1 if self.failed else 0)


def expect(held, otherwise="it does not hold"):
    if not held:
        raise AssertionError(otherwise)


def equal(found, wanted, what="a value"):
    expect(found == wanted, f"{what} is {found!r}, not {wanted!r}")


def wait_for(what, ask, patience=PATIENCE):
    """Asks again until the answer is true; fails after a time that no machine needs."""
    until = time.monotonic() + patience
    while True:
        if answer := ask():
            return answer
        expect(time.monotonic() < until, f"waited {patience} s in vain for {what}")
        time.sleep(0.02)


def counterfoil(*arguments, exit_codes=(0,)):
    """Runs the command and returns what it printed."""
    done = subprocess.run([os.environ["COUNTERFOIL"], *map(str, arguments)], capture_output=True, text=True, check=False)
    said = f"counterfoil {arguments[0]} ended with exit code {done.returncode}: {done.stderr.strip() or done.stdout.strip()[-500:]}"
    expect(done.returncode in exit_codes, said)
    return done.stdout


@contextlib.contextmanager
def new_ledger(span=1024):
    """A fresh ledger in a temporary folder; services that still run on it are killed at the end."""
    with tempfile.TemporaryDirectory(prefix="counterfoil-interop-") as folder:
        ledger = Ledger(Path(folder) / "audit")
        counterfoil("init", ledger.path, "--origin", "bank.example/interop", "--segment-span", span)
        try:
            yield ledger
        finally:
            for service in ledger.services:
                service.kill()


class Ledger:
    """A ledger's folder, and the services that were started on it one after the other."""

    def __init__(self, path):
        self.path = path
        self.services = []

    def serve(self, *arguments):
        """Starts a service; one that a failed check left behind is killed first."""
        for service in self.services:
            service.kill()
        service = Service(self, arguments)
        self.services.append(service)
        return service

    def token(self, role, name=None):
        """A token of a new principal."""
        return counterfoil("token", "create", self.path, "--role", role, *(["--name", name] if name else [])).strip()

    def entries(self):
        """All entries as the command exports them, without the service: index to canonical bytes."""
        exported = counterfoil("export", self.path, "--format", "jsonl")
        return exported.removesuffix("\n").split("\n")

    def verify(self):
        """The exit code of `verify` must be 0. What a killed writer left is finished first, as the next one would."""
        counterfoil("seal", self.path)
        counterfoil("verify", self.path)


class Service:
    """A running `counterfoil serve`."""

    def __init__(self, ledger, arguments):
        self.ledger = ledger
        self.log = ledger.path.parent / f"service-{len(ledger.services)}.log"
        command = [os.environ["COUNTERFOIL"], "serve", str(ledger.path), "--listen", "127.0.0.1:0", *arguments]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = self.grpc = None
        for line in self.process.stdout:
            label, _, value = line.partition("  ")
            match label.strip():
                case "API":
                    self.url = value.strip().removesuffix("/api/v1/openapi.json")
                case "OTLP gRPC":
                    self.grpc = value.strip()
                case "tokens":
                    break
        if self.url is None:
            self.kill()
            raise AssertionError(f"the service did not start: {self.log.read_text().strip()}")

    def end(self):
        """Ends it as an operator does."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        expect(code == 0, f"the service ended with exit code {code}: {self.log.read_text()[-500:]}")

    def kill(self):
        """Ends it as a power cut would end it: SIGKILL."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def get(self, path, token=None, status=200, **query):
        """Asks the API; the answer's bytes."""
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                found, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            found, body = error.code, error.read()
        expect(found == status, f"GET {path} answered {found}: {body[:500]!r}")
        return body

    def json(self, path, token, **query):
        return json.loads(self.get(path, token, **query))

    def entries(self, token, **filters):
        """All entries that a filter finds, oldest first."""
        found, cursor = [], None
        while True:
            page = self.json("/api/v1/entries", token, limit=500, **filters, **({"cursor": cursor} if cursor else {}))
            found += [placed["entry"] for placed in page["entries"]]
            cursor = page["next_cursor"]
            if not cursor:
                return found[::-1]

    def resident_mib(self):
        return self._memory("VmRSS")

    def peak_mib(self):
        return self._memory("VmHWM")

    def _memory(self, name):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) // 1024


def raise_open_files(wanted):
    """Lets this process and the services that it starts open so many files; says no when the machine does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return False
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return True
