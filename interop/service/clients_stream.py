#!/usr/bin/env python3
"""A client of server-sent events follows the ledger over restarts and kills of the service: clients_stream.py

httpx and httpx-sse read the stream as any program would: with the id of the last event that they saw, after every break.
"""
import http.client
import itertools
import json
import sys
import threading
import time

import httpx
import httpx_sse
import requests

from running import PATIENCE, Checks, equal, expect, new_ledger, wait_for

CHECKS = Checks("clients_stream")
FULL = "--full" in sys.argv
BROKEN = (httpx.TransportError, requests.RequestException, http.client.HTTPException)


class Place:
    """Where the service answers at present; clients ask again after every break."""

    def __init__(self, ledger):
        self.ledger, self.service = ledger, ledger.serve()

    def restart(self):
        self.service.end()
        self.service = self.ledger.serve()

    def kill(self):
        self.service.kill()
        self.service = self.ledger.serve()


class Writer(threading.Thread):
    """Records entry after entry, each with an id; sends again what was not acknowledged, over every break."""

    def __init__(self, place, token):
        super().__init__(daemon=True)
        self.place, self.token = place, token
        self.acknowledged = {}
        self.ended = threading.Event()

    def run(self):
        for number in itertools.count():
            batch = [{"event_type": "tick", "actor": "writer", "entity_id": "clock", "id": f"tick-{number}-{part}"} for part in range(number % 5 + 1)]
            body = "\n".join(map(json.dumps, batch))
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-ndjson"}
            while True:
                try:
                    answer = requests.post(f"{self.place.service.url}/api/v1/entries", data=body, headers=headers, timeout=PATIENCE)
                    answer.raise_for_status()
                    break
                except requests.RequestException:
                    time.sleep(0.02)
            for entry, receipt in zip(batch, answer.json()["receipts"]):
                self.acknowledged[entry["id"]] = receipt["index"]
            if self.ended.is_set():
                return


class Follower(threading.Thread):
    """Follows the stream from one index on, and keeps what came, in the order that it came."""

    def __init__(self, place, token, first=0):
        super().__init__(daemon=True)
        self.place, self.token, self.first = place, token, first
        self.seen = []
        self.connections = 0
        self.failure = None
        self.ended = threading.Event()

    def run(self):
        last = None
        while not self.ended.is_set():
            headers = {"Authorization": f"Bearer {self.token}", **({"Last-Event-ID": last} if last else {})}
            try:
                # A long read timeout would outlive the end of the check: the service says something every 15 s at the latest.
                with httpx.Client(timeout=httpx.Timeout(PATIENCE)) as client, httpx_sse.connect_sse(
                        client, "GET", f"{self.place.service.url}/api/v1/stream", params={"from": self.first}, headers=headers) as source:
                    self.connections += 1
                    for event in source.iter_sse():
                        if event.event != "message":
                            self.failure = f"{event.event}: {event.data}"
                            return
                        last = event.id
                        self.seen.append((int(event.id), json.loads(event.data)))
                        if self.ended.is_set():
                            return
            except BROKEN:
                time.sleep(0.02)
            except httpx_sse.SSEError as error:
                self.failure = str(error)
                return


def check_following(ledger, writer_token, reader):
    place = Place(ledger)
    writer, follower, late = Writer(place, writer_token), Follower(place, reader), Follower(place, reader, 40)
    writer.start()
    follower.start()
    wait_for("200 events", lambda: len(follower.seen) >= 200 or follower.failure)
    late.start()
    for breaking in (place.restart, place.kill, place.restart, place.kill):
        wanted = len(follower.seen) + 150
        wait_for(f"{wanted} events", lambda: all(one.failure or len(one.seen) >= wanted - one.first for one in (follower, late)))
        breaking()
    writer.ended.set()
    writer.join(PATIENCE)
    size = place.service.json("/api/v1/status", reader)["tree_size"]
    wait_for("the rest of the streams", lambda: all(one.failure or one.seen[-1][0] >= size - 1 for one in (follower, late)))
    for one in (follower, late):
        with CHECKS.check(f"from {one.first} on, over {one.connections} connections, every entry came once and in order"):
            equal(one.failure, None, "a problem in the stream")
            expect(one.connections >= 5, "the breaks did not cut it")
            for wanted, (index, data) in enumerate(one.seen, one.first):
                equal((index, data["index"]), (wanted, wanted), "the id of an event and the index in its data")
            expect(len(one.seen) >= size - one.first, f"{len(one.seen)} events came")
    with CHECKS.check(f"each of {len(writer.acknowledged)} acknowledged entries came at the index of its receipt"):
        came = {data["entry"].get("id"): index for index, data in follower.seen if data["entry"].get("id")}
        equal([name for name, index in writer.acknowledged.items() if came.get(name) != index], [], "what did not")
    follower.ended.set()
    late.ended.set()
    place.service.end()
    with CHECKS.check("what came is what `counterfoil export` gives"):
        exported = ledger.entries()
        for index, data in follower.seen:
            equal(data["entry"], json.loads(exported[index]), f"entry {index}")


def check_newest(ledger, writer_token, reader):
    """Without `from` only what is new comes; a quiet stream says that it lives."""
    service = ledger.serve()
    headers = {"Authorization": f"Bearer {reader}"}
    with CHECKS.check("without `from`, the stream begins with what is recorded next"):
        with httpx.Client(timeout=PATIENCE) as client, client.stream("GET", f"{service.url}/api/v1/stream", headers=headers) as answer:
            equal((answer.status_code, answer.headers["content-type"]), (200, "text/event-stream"), "the answer")
            body = json.dumps({"event_type": "tick", "actor": "writer", "entity_id": "clock", "id": "the next"})
            requests.post(f"{service.url}/api/v1/entries", data=body, timeout=PATIENCE,
                          headers={"Authorization": f"Bearer {writer_token}", "Content-Type": "application/json"}).raise_for_status()
            event = next(httpx_sse.EventSource(answer).iter_sse())
            equal(json.loads(event.data)["entry"]["id"], "the next", "the first event")
    with CHECKS.check("a stream needs a reader's token"):
        for token, status in (("cf_wrong", 401), (writer_token, 403)):
            equal(httpx.get(f"{service.url}/api/v1/stream", headers={"Authorization": f"Bearer {token}"}).status_code, status, "the status")
    if FULL:
        with CHECKS.check("a quiet stream sends a comment every 15 s"):
            with httpx.Client(timeout=20) as client, client.stream("GET", f"{service.url}/api/v1/stream", headers=headers) as answer:
                equal(next(line for line in answer.iter_lines() if line)[:1], ":", "the beginning of the line")
    service.end()


def main():
    with new_ledger(256) as ledger:
        writer, reader = ledger.token("writer"), ledger.token("reader")
        check_following(ledger, writer, reader)
        check_newest(ledger, writer, reader)
        with CHECKS.check("the ledger verifies"):
            ledger.verify()
    CHECKS.end()


main()
