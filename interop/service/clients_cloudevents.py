#!/usr/bin/env python3
"""The CloudEvents SDK for Python records events in the service: clients_cloudevents.py

The SDK writes the HTTP messages, `requests` sends them, and the API reads the entries back. The SDK (2.2) writes no batches: those are
made of the events that it wrote in structured mode.
"""
import base64
from datetime import datetime, timezone

import requests
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary as v1_to_binary, to_structured as v1_to_structured
from cloudevents.v1.http import CloudEvent as V1CloudEvent

from running import PATIENCE, Checks, equal, new_ledger

CHECKS = Checks("clients_cloudevents")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TIME = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=timezone.utc)
MODES = {"structured": to_structured_event, "binary": to_binary_event}


def to_batch(events):
    return HTTPMessage({"content-type": "application/cloudevents-batch+json"}, b"[" + b",".join(to_structured_event(event).body for event in events) + b"]")


def send(service, token, message):
    headers = {**message.headers, "Authorization": f"Bearer {token}"}
    return requests.post(f"{service.url}/api/v1/cloudevents", data=message.body, headers=headers, timeout=PATIENCE)


def record(service, token, message):
    """The receipts of what must be accepted."""
    answer = send(service, token, message)
    equal(answer.status_code, 201, f"the status ({answer.text[:300]})")
    return answer.json()["receipts"]


def decision(identity, source="/erp/ap", **more):
    """An event that speaks of an entry: what was decided, by whom, of what."""
    attributes = {
        "id": identity, "source": source, "type": "invoice_approved", "subject": "INV-2041 / Köln 100 %", "time": TIME,
        "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "partitionkey": "a \"quoted\" key",
    }
    data = {"actor": "m.lópez", "actor_type": "user", "old_value": "pending", "new_value": {"status": "approved", "amount_minor": 1204550},
            "reason": "three-way match", "context": {"model_version": "match-3"}, "batch": 7, **more}
    return CloudEvent(attributes, data)


def the_entry(service, reader, receipt):
    return service.json(f"/api/v1/entries/{receipt['index']}", reader)["entry"]


def expect_members(entry, wanted):
    for name, value in wanted.items():
        equal(entry.get(name), value, name)


def check_modes(service, writer, reader):
    for mode, write in MODES.items():
        with CHECKS.check(f"{mode}: an event with event fields is the entry that it speaks of"):
            [receipt] = record(service, writer, write(decision(f"{mode}-1")))
            entry = the_entry(service, reader, receipt)
            expect_members(entry, {
                "event_type": "invoice_approved", "actor": "m.lópez", "actor_type": "user", "entity_id": "INV-2041 / Köln 100 %",
                "old_value": "pending", "new_value": {"status": "approved", "amount_minor": 1204550}, "reason": "three-way match",
                "timestamp": "2026-11-24T10:00:00.123456Z", "trace_id": TRACE, "id": f"/erp/ap {mode}-1", "recorder": "bus",
            })
            equal(entry["context"]["model_version"], "match-3", "the model")
            equal(entry["context"]["data"], {"batch": 7}, "the rest of the data")
            event = entry["context"]["cloudevent"]
            equal((event["id"], event["source"], event["extensions"]["partitionkey"]), (f"{mode}-1", "/erp/ap", "a \"quoted\" key"), "the event")
        with CHECKS.check(f"{mode}: data of any kind is kept as it was sent"):
            kinds = {"application/json": {"payment": "PAY-7", "amount": 12.5, "big": 9007199254740993}, "text/plain": "bezahlt: 12,50 €",
                     "image/png": b"\x89PNG\r\n\x1a\n\x00\xff"}
            for kind, data in kinds.items():
                event = CloudEvent({"id": f"{mode}-{kind}", "source": "/bank", "type": "com.example.paid", "datacontenttype": kind}, data)
                entry = the_entry(service, reader, record(service, writer, write(event))[0])
                expect_members(entry, {"event_type": "com.example.paid", "actor": "/bank", "entity_id": "/bank"})
                if isinstance(data, bytes):
                    equal(base64.b64decode(entry["context"]["data_base64"]), data, "the bytes")
                else:
                    equal(entry["context"]["data"], data, f"the data of {kind}")
        with CHECKS.check(f"{mode}: an event that is sent again answers with its first receipt, one with other data is a conflict"):
            first = record(service, writer, write(decision(f"{mode}-again")))
            equal(record(service, writer, write(decision(f"{mode}-again"))), first, "the receipt of the repeat")
            answer = send(service, writer, write(decision(f"{mode}-again", reason="another")))
            equal((answer.status_code, answer.json()["kind"]), (409, "conflict"), "the answer")
    with CHECKS.check("both modes make the same entry of the same event"):
        [one], [two] = (record(service, writer, write(decision("either"))) for write in MODES.values())
        equal(one, two, "the receipts")


def check_batches(service, writer, reader):
    with CHECKS.check("batch: all events are recorded, in their order"):
        receipts = record(service, writer, to_batch([decision(f"batch-{number}", number=number) for number in range(300)]))
        found = service.entries(reader, q='"batch-')
        equal([entry["context"]["data"]["number"] for entry in found], list(range(300)), "the numbers of the entries")
        first = receipts[0]["index"]
        equal([receipt["index"] for receipt in receipts], list(range(first, first + 300)), "the indices")
    with CHECKS.check("batch: with one event that cannot be an entry, none is recorded, and its position is named"):
        size = service.json("/api/v1/status", reader)["tree_size"]
        bad = decision("bad-1", outcome={"no": "text"})
        answer = send(service, writer, to_batch([decision("good-1"), bad, decision("good-2")]))
        equal((answer.status_code, answer.json()["position"]), (422, 1), "the answer")
        equal(service.json("/api/v1/status", reader)["tree_size"], size, "the size")


def check_first_generation(service, writer, reader):
    """The API of cloudevents 1.x, which the 2.x package still has and most programs still use."""
    for mode, write in {"structured": v1_to_structured, "binary": v1_to_binary}.items():
        with CHECKS.check(f"{mode}: the SDK's 1.x interface is understood, too"):
            attributes = {"id": f"v1-{mode}", "source": "/kyc", "type": "kyc_check", "subject": "C-1", "time": TIME.isoformat()}
            event = V1CloudEvent(attributes, {"actor": "kyc-agent-3", "actor_type": "ai_agent", "outcome": "success"})
            headers, body = write(event)
            entry = the_entry(service, reader, record(service, writer, HTTPMessage(headers, body))[0])
            expect_members(entry, {"event_type": "kyc_check", "actor": "kyc-agent-3", "entity_id": "C-1", "outcome": "success",
                                   "timestamp": "2026-11-24T10:00:00.123456Z"})


def check_refusals(service, reader):
    for mode, write in MODES.items():
        with CHECKS.check(f"{mode}: without a writer's token nothing is recorded"):
            message = write(decision(f"{mode}-refused"))
            for token, status, kind in (("cf_wrong", 401, "unauthenticated"), (reader, 403, "denied")):
                answer = send(service, token, message)
                equal((answer.status_code, answer.json()["kind"]), (status, kind), "the answer")
            equal(service.entries(reader, q=f"{mode}-refused"), [], "the entries")


def check_durability(ledger, writer, reader):
    writes = {**MODES, "batch": lambda event: to_batch([event, decision(event.get_id() + "-second")])}
    for mode, write in writes.items():
        with CHECKS.check(f"{mode}: what was acknowledged is there after SIGKILL, at its index, and once when sent again"):
            service = ledger.serve()
            message = write(decision(f"{mode}-killed"))
            receipts = record(service, writer, message)
            service.kill()
            service = ledger.serve()
            canonical = service.json(f"/api/v1/entries/{receipts[0]['index']}", reader)
            equal((canonical["entry"]["id"], canonical["leaf_hash"]), (f"/erp/ap {mode}-killed", receipts[0]["leaf_hash"]), "id and leaf hash")
            again = record(service, writer, message)
            equal([receipt["index"] for receipt in again], [receipt["index"] for receipt in receipts], "the indices of the repeat")
            equal(len(service.entries(reader, q=f"{mode}-killed")), len(receipts), "the number of entries")
            service.end()


def main():
    with new_ledger() as ledger:
        writer, reader = ledger.token("writer", "bus"), ledger.token("reader")
        service = ledger.serve()
        check_modes(service, writer, reader)
        check_batches(service, writer, reader)
        check_first_generation(service, writer, reader)
        check_refusals(service, reader)
        service.end()
        check_durability(ledger, writer, reader)
        with CHECKS.check("the ledger verifies"):
            ledger.verify()
    CHECKS.end()


main()
