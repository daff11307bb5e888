#!/usr/bin/env python3
"""SIGKILL under load over every protocol, and clients that are idle or slow: faults.py [--full] [--seed N] [--rounds N]

--full holds 10,000 connections instead of 1,000, waits until the service lets go of them, and kills more often.
"""
import argparse
import collections
import json
import logging
import random
import socket
import threading
import time

import requests
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from grpc import Compression as GrpcCompression
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace import TracerProvider

from running import PATIENCE, Checks, equal, expect, new_ledger, raise_open_files, wait_for

CHECKS = Checks("faults")
# How long an exporter may try; one that waits for a service that is gone holds up the round.
EXPORT_SECONDS = 2


class Sender(threading.Thread):
    """Records batch after batch over one protocol until the service is gone. A batch in doubt is sent again in the next round."""

    def __init__(self, rounds, number):
        super().__init__(daemon=True)
        self.rounds, self.number = rounds, number
        self.random = random.Random(f"{rounds.seed} {self.protocol} {number} {rounds.round}")

    def run(self):
        self.begin()
        while not self.rounds.killed.is_set():
            key = self.protocol, self.number
            batch = self.rounds.doubtful.pop(key, None) or self.make()
            acknowledged = self.send(batch)
            if acknowledged is None:
                self.rounds.doubtful[key] = batch
                if not self.rounds.killed.wait(0.01):
                    continue
                return
            self.rounds.acknowledge(self.protocol, acknowledged)

    def names(self):
        """Names that no other batch has."""
        return [f"{self.protocol} {self.number} {self.rounds.next()}" for _ in range(self.random.randrange(1, 20))]

    def post(self, path, data, headers):
        """The indices of what was acknowledged, if it was."""
        headers = {**headers, "Authorization": f"Bearer {self.rounds.token}"}
        try:
            answer = self.session.post(self.rounds.service.url + path, data=data, headers=headers, timeout=PATIENCE)
            if answer.status_code != 201:
                return self.rounds.note(f"{self.protocol}: {answer.status_code} {answer.text[:200]}", answer.status_code)
            return [receipt["index"] for receipt in answer.json()["receipts"]]
        except requests.RequestException:
            return None


class Ndjson(Sender):
    protocol = "NDJSON"

    def begin(self):
        self.session = requests.Session()

    def make(self):
        return self.names()

    def send(self, batch):
        lines = [json.dumps({"event_type": "load", "actor": "loader", "entity_id": "e", "id": name}) for name in batch]
        indices = self.post("/api/v1/entries", "\n".join(lines), {"Content-Type": "application/x-ndjson"})
        return indices and dict(zip(batch, indices))


class CloudEvents(Sender):
    protocol = "CloudEvents"

    def begin(self):
        self.session = requests.Session()

    def make(self):
        return [CloudEvent({"id": name.replace(" ", "-"), "source": "/load", "type": "load"}, {"new_value": name}) for name in self.names()]

    def send(self, batch):
        if len(batch) == 1:
            message = self.random.choice((to_binary_event, to_structured_event))(batch[0])
            indices = self.post("/api/v1/cloudevents", message.body, message.headers)
        else:
            body = b"[" + b",".join(to_structured_event(event).body for event in batch) + b"]"
            indices = self.post("/api/v1/cloudevents", body, {"Content-Type": "application/cloudevents-batch+json"})
        return indices and {f"/load {event.get_id()}": index for event, index in zip(batch, indices)}


class Otlp(Sender):
    """Spans of the SDK, by its own exporter."""

    def begin(self):
        self.tracer = TracerProvider(shutdown_on_exit=False).get_tracer("load")
        self.exporter = self.make_exporter(self.rounds.service, f"Bearer {self.rounds.token}")

    def make(self):
        spans = [self.tracer.start_span(name) for name in self.names()]
        for span in spans:
            span.end()
        return spans

    def send(self, batch):
        if self.exporter.export(batch).name != "SUCCESS":
            return None
        contexts = [span.get_span_context() for span in batch]
        return {f"otlp:{context.trace_id:032x}:{context.span_id:016x}": None for context in contexts}


class OtlpHttp(Otlp):
    protocol = "OTLP/HTTP"

    def make_exporter(self, service, bearer):
        return HttpSpanExporter(f"{service.url}/v1/traces", headers={"Authorization": bearer}, compression=HttpCompression.Gzip, timeout=EXPORT_SECONDS)


class OtlpGrpc(Otlp):
    protocol = "OTLP/gRPC"

    def make_exporter(self, service, bearer):
        return GrpcSpanExporter(f"http://{service.grpc}", insecure=True, headers={"authorization": bearer},
                                compression=GrpcCompression.Gzip, timeout=EXPORT_SECONDS)


PROTOCOLS = (Ndjson, CloudEvents, OtlpHttp, OtlpGrpc)


class Rounds:
    """Rounds of load that end with SIGKILL, all on one ledger."""

    def __init__(self, ledger, seed):
        self.ledger, self.seed = ledger, seed
        self.token = ledger.token("writer", "loader")
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.round = self.counter = 0
        self.acknowledged, self.doubtful, self.refusals = {}, {}, []

    def next(self):
        with self.lock:
            self.counter += 1
            return self.counter

    def note(self, refusal, status):
        """Only a busy service may refuse what is right."""
        if status != 429:
            self.refusals.append(refusal)

    def acknowledge(self, protocol, indices):
        with self.lock:
            self.acknowledged.update(indices)
            self.counts[protocol] += len(indices)

    def run(self):
        """One round: load over all protocols, a kill at a random moment, and then what the ledger holds."""
        self.round += 1
        self.service = self.ledger.serve("--otlp-grpc", "127.0.0.1:0")
        self.killed, self.counts = threading.Event(), collections.Counter()
        senders = [protocol(self, number) for protocol in PROTOCOLS for number in range(2)]
        for sender in senders:
            sender.start()
        wait_for("acknowledged entries over every protocol", lambda: all(self.counts[one.protocol] > 40 for one in PROTOCOLS))
        time.sleep(self.random.uniform(0, 0.5))
        self.service.kill()
        self.killed.set()
        for sender in senders:
            sender.join(2 * PATIENCE)
        counts = ", ".join(f"{count} over {protocol}" for protocol, count in sorted(self.counts.items()))
        with CHECKS.check(f"round {self.round}: nothing acknowledged is lost to SIGKILL ({counts})"):
            self.check()

    def check(self):
        self.ledger.verify()
        found, doubled = {}, []
        for index, line in enumerate(self.ledger.entries()):
            name = json.loads(line).get("id")
            if name in found:
                doubled.append(name)
            if name:
                found[name] = index
        lost = [name for name in self.acknowledged if name not in found]
        equal(lost, [], "what was acknowledged and is not there")
        equal(doubled, [], "what is there twice")
        moved = [name for name, index in self.acknowledged.items() if index is not None and found[name] != index]
        equal(moved, [], "what is at another index than its receipt says")
        equal(self.refusals, [], "what was refused")


def check_kills(seed, rounds):
    with new_ledger(256) as ledger:
        load = Rounds(ledger, seed)
        for _ in range(rounds):
            load.run()


class Crowd:
    """Connections that do nothing, and some that send a byte a second."""

    HEAD = b"POST /api/v1/entries HTTP/1.1\r\nHost: audit\r\nX-Slow: "
    BODY = "POST /api/v1/entries HTTP/1.1\r\nHost: audit\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nContent-Length: 33554432\r\n\r\n"

    def __init__(self, service, token, count):
        self.silent, self.heads, self.bodies, self.http2 = [], [], [], []
        self.first = {id(self.heads): self.HEAD, id(self.bodies): self.BODY.format(token).encode()}
        for number in range(count):
            kind = (self.silent, self.silent, self.heads, self.bodies, self.http2)[number % 5]
            address = service.grpc if kind is self.http2 else service.url.removeprefix("http://")
            host, port = address.split(":")
            connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
            connection.sendall(self.first.get(id(kind), b""))
            connection.setblocking(False)
            kind.append(connection)
        self.answers = {}

    def all(self):
        return self.silent + self.heads + self.bodies + self.http2

    def trickle(self):
        """One byte more from each slow one that the service still listens to."""
        for connection in self.heads + self.bodies:
            try:
                connection.send(b"x")
            except OSError:
                pass

    def closed(self, connections):
        """How many the service has closed; what it answered before is kept."""
        count = 0
        for connection in connections:
            try:
                while piece := connection.recv(4096):
                    self.answers[connection] = self.answers.get(connection, b"") + piece
                count += 1
            except BlockingIOError:
                pass
            except OSError:
                count += 1
        return count

    def leave(self):
        for connection in self.all():
            connection.close()


class Appending(threading.Thread):
    """A writer that goes on among them."""

    def __init__(self, service, token):
        super().__init__(daemon=True)
        self.service, self.token = service, token
        self.took, self.failures = [], []
        self.ended = threading.Event()

    def run(self):
        session = requests.Session()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while not self.ended.wait(0.01):
            since = time.monotonic()
            try:
                body = json.dumps({"event_type": "tick", "actor": "writer", "entity_id": "clock"})
                answer = session.post(f"{self.service.url}/api/v1/entries", data=body, headers=headers, timeout=PATIENCE)
                if answer.status_code != 201:
                    self.failures.append(f"{answer.status_code} {answer.text[:200]}")
            except requests.RequestException as error:
                self.failures.append(str(error))
            self.took.append(time.monotonic() - since)


def check_crowd(full):
    count = 10_000 if full else 1_000
    with CHECKS.check(f"this machine lets a process open {count + 1_000} files"):
        expect(raise_open_files(count + 1_000), f"it does not: raise the hard limit (ulimit -Hn) to {count + 1_000}")
    with new_ledger() as ledger:
        token = ledger.token("writer")
        service = ledger.serve("--otlp-grpc", "127.0.0.1:0", "--drain-seconds", "3")
        writer = Appending(service, token)
        writer.start()
        wait_for("the first appends", lambda: len(writer.took) >= 20)
        before, alone = service.resident_mib(), len(writer.took)
        crowd = Crowd(service, token, count)
        for _ in range(3):
            crowd.trickle()
            time.sleep(1)
        if full:
            check_time_limits(crowd)
        writer.ended.set()
        writer.join(PATIENCE)
        among = writer.took[alone:]
        with CHECKS.check(f"a writer's {len(among)} appends go on among {count} idle and slow connections, none over 5 s"):
            equal(writer.failures, [], "what failed")
            expect(len(among) >= 50 and max(among) < 5, f"{len(among)} appends, the slowest in {max(among):.2f} s")
        grown, allowed = service.peak_mib() - before, 64 + count * 32 // 1024
        with CHECKS.check(f"memory stays bounded, with {len(crowd.bodies)} bodies of 32 MiB promised: {grown} MiB more than without, of {allowed}"):
            expect(grown <= allowed, f"it was {before} MiB before")
        since = time.monotonic()
        with CHECKS.check("the service ends in order although they are still there"):
            service.end()
            expect(time.monotonic() - since < 15, f"it took {time.monotonic() - since:.0f} s")
        crowd.leave()
        with CHECKS.check("the ledger verifies"):
            ledger.verify()


def check_time_limits(crowd):
    """The service lets go of slow heads and silent connections after 30 s, of slow bodies after 60 s."""
    limits = (("heads that come a byte a second", crowd.heads, 45), ("connections that say nothing", crowd.silent, 45),
              ("gRPC connections that say nothing", crowd.http2, 45), ("bodies that come a byte a second", crowd.bodies, 75))
    since, let_go = time.monotonic(), {}
    while time.monotonic() - since < 80 and len(let_go) < len(limits):
        crowd.trickle()
        for name, connections, _ in limits:
            if name not in let_go and crowd.closed(connections) == len(connections):
                let_go[name] = time.monotonic() - since
        time.sleep(1)
    for name, connections, seconds in limits:
        with CHECKS.check(f"{name} are let go of within {seconds} s"):
            expect(let_go.get(name, 1e9) <= seconds, f"{crowd.closed(connections)} of {len(connections)} were, in {let_go.get(name, 80):.0f} s")
    with CHECKS.check("a body that comes too slowly is answered with 408"):
        answers = {crowd.answers.get(connection, b"")[:12] for connection in crowd.bodies}
        equal(answers, {b"HTTP/1.1 408"}, "the answers")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # exporters complain of the service that is gone
    print(f"faults: seed {chosen.seed}", flush=True)
    check_kills(chosen.seed, chosen.rounds or (20 if chosen.full else 4))
    check_crowd(chosen.full)
    CHECKS.end()


main()
