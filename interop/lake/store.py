"""versitygw, an S3 server, for as long as a check runs; and the counterfoil binary beside it."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEY, SECRET = "test", "test-secret"
VERSION = "v1.8.0"


def versitygw():
    places = [os.environ.get("VERSITYGW"), shutil.which("versitygw"), Path.home() / "go/bin/versitygw"]
    found = next((place for place in places if place and Path(place).is_file()), None)
    if not found:
        print(f"versitygw is missing: go install github.com/versity/versitygw/cmd/versitygw@{VERSION}", file=sys.stderr)
        sys.exit(1)
    return found


class Store:
    """A server with the buckets of docs/guides/lake.md: bank-audit under Object Lock, bank-lake without."""

    def __enter__(self):
        program = versitygw()
        self.folder = Path(tempfile.mkdtemp())
        for name in ("data", "versions", "iam"):
            (self.folder / name).mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [program, "--port", f"127.0.0.1:{port}", "--quiet", "--iam-dir", self.folder / "iam", "posix"]
        command += ["--versioning-dir", self.folder / "versions", self.folder / "data"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        keys = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
        self.server = subprocess.Popen(command, env=os.environ | keys, **quiet)
        self.address = f"127.0.0.1:{port}"
        endpoint = f"http://{self.address}"
        settings = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
        os.environ.update(settings)
        self.wait(port)
        self.curl("bank-audit", "-X", "PUT", "-H", "x-amz-bucket-object-lock-enabled: true")
        self.curl("bank-lake", "-X", "PUT")
        return self

    def wait(self, port):
        for _ in range(300):
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                time.sleep(0.1)
        raise SystemExit("versitygw does not come up")

    def curl(self, path, *arguments):
        command = ["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{KEY}:{SECRET}", *arguments]
        command += ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", f"http://{self.address}/{path}"]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def __exit__(self, *_):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder)


class Counterfoil:
    """The binary under test."""

    def __init__(self, program):
        self.program = program

    def __call__(self, *arguments, given=None):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, input=given)
        if done.returncode != 0:
            print(f"FAIL  counterfoil {' '.join(map(str, arguments))[:200]} ended with {done.returncode}: {done.stderr.strip()[:500]}")
            sys.exit(1)
        return done.stdout

    def rows(self, ledger, query):
        return json.loads(self("query", ledger, query, "--format", "json"))


class Checks:
    """Says what holds and what does not, a line each."""

    failed = False

    def __init__(self, name):
        self.name = name

    def __call__(self, what, holds, otherwise=""):
        print(f"ok    {self.name}: {what}" if holds else f"FAIL  {self.name}: {what}: {otherwise}", flush=True)
        self.failed |= not holds

    def same(self, what, ours, theirs):
        """Two lists of rows are equal, and there are some."""
        differing = next((pair for pair in zip(ours, theirs) if pair[0] != pair[1]), "the rows they share are the same")
        self(what, bool(ours) and ours == theirs, f"{len(ours)} rows of ours, {len(theirs)} of theirs; first difference: {differing}")
