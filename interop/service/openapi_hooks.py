"""What schemathesis cannot know from the schema alone. Each exclusion says why it is one."""
import io
import os
import uuid

import pyarrow
import pyarrow.csv
import pyarrow.parquet
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

OWN_NAME = os.environ["OPENAPI_NAME"]
OWN_TOKEN = os.environ["OPENAPI_TOKEN"]

# schemathesis: what violates the schema was accepted.
ACCEPTED = "ST201"

STATEMENTS = [
    "SELECT count(*) FROM audit_log",
    "SELECT * FROM audit_log ORDER BY index DESC LIMIT 20",
    "SELECT actor, outcome, context->>'model_version' AS model FROM audit_log WHERE event_type LIKE 'invoice%'",
    "SELECT make_array(1, 2) AS list, interval '1 day' AS span, 1.5::decimal(10, 2) AS money",
    "EXPLAIN SELECT 1",
]
CONDITIONS = ["event_type LIKE 'ledger.%'", "index < 3", "actor = 'nobody'", "new_value IS NOT NULL"]
ENTRY = b'{"event_type":"invoice_paid","actor":"ap-agent","entity_id":"INV-2041","new_value":{"amount_minor":1204550}}'
# resourceSpans and resourceLogs are both field 1: one resource without anything in it.
PROTOBUF = [b"", b"\x0a\x00"]

schemathesis.openapi.media_type("application/x-protobuf", st.sampled_from(PROTOBUF))

# The document's date-time is that of RFC 3339; entries know the years 1678 to 2261 only, and no pattern says that readably.
schemathesis.openapi.format("date-time", st.datetimes(min_value=__import__("datetime").datetime(1700, 1, 1), max_value=__import__("datetime").datetime(2200, 1, 1)).map(lambda at: at.isoformat() + "Z"))


@schemathesis.serializer("application/x-ndjson", "application/jsonl", "application/sql")
def text(context, value):
    return {"data": value.encode() if isinstance(value, str) else value}


# Answers that are no text are read by a program that knows them.
@schemathesis.deserializer("application/vnd.apache.arrow.stream")
def arrow(context, response):
    return pyarrow.ipc.open_stream(response.content).read_all().num_rows


@schemathesis.deserializer("application/vnd.apache.parquet")
def parquet(context, response):
    return pyarrow.parquet.read_table(io.BytesIO(response.content)).num_rows


@schemathesis.deserializer("application/octet-stream", "application/x-protobuf", "font/woff2", "image/png")
def opaque(context, response):
    return len(response.content)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # Only the holder of a registered key can make a signature. crates/cli/tests/it/client_key.rs does.
    entry = raw_schema["components"]["schemas"]["NewEntry"]
    del entry["properties"]["signature"], entry["dependentRequired"]["signature"]


def is_valid(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


@schemathesis.hook
def filter_case(context, case):
    name = case.operation.definition.raw["operationId"]
    if name == "revokeToken":
        # Else nothing could be asked after it.
        return case.path_parameters.get("id") not in (OWN_NAME, own_id())
    if name == "recordCloudEvents" and not is_binary(case):
        # The ce- headers mean something in binary mode only.
        return not any(header.lower().startswith("ce-") for header in case.headers or {})
    return True


def own_id():
    return os.environ["OPENAPI_ID"]


def is_binary(case):
    return not (case.media_type or "").startswith("application/cloudevents")


@schemathesis.hook
def map_case(context, case):
    return adapted(case) if is_valid(case) else case


@schemathesis.hook
def before_add_examples(context, examples):
    for case in examples:
        if case.operation.definition.raw["operationId"] in ("openSession", "recordCloudEvents"):
            adapted(case)


def adapted(case):
    """A valid case with what no schema can say made true."""
    ADAPT.get(case.operation.definition.raw["operationId"], lambda case: None)(case)
    return case


@schemathesis.hook
def filter_failure(context, failure, case, response):
    name = case.operation.definition.raw["operationId"]
    if failure.code == ACCEPTED and name in ("exportTraces", "exportLogs"):
        # OTLP/JSON is ProtoJSON: null is an absent member, a list's too. The document shows the usual form.
        return "null" not in str(response.request.body)
    return True


def ordered(low, high):
    """Two sizes of one ledger: a schema cannot say that the one is not above the other."""
    def adapt(case):
        query = case.query or {}
        if low in query and high in query and int(query[low]) >= int(query[high]):
            query[high] = str(int(query[low]) + 1)
    return adapt


def sql(case):
    """No schema says what SQL is."""
    statement = STATEMENTS[len(str(case.body)) % len(STATEMENTS)]
    case.body = {"sql": statement} if case.media_type == "application/json" else statement


def condition(case):
    if isinstance(case.body, dict) and "where" in case.body:
        case.body["where"] = CONDITIONS[len(case.body["where"]) % len(CONDITIONS)]


def future(case):
    """No schema knows what the time is."""
    if isinstance(case.body, dict) and case.body.get("expires_at"):
        case.body["expires_at"] = "2100" + case.body["expires_at"][4:]


def fresh(case):
    """An id, or source and sequence, is recorded once: to record something, it must be a new one. JSON lines have no schema."""
    if case.media_type != "application/json":
        case.body = ENTRY + b"\n" + ENTRY + b"\n\n"
        return
    for entry in case.body if isinstance(case.body, list) else [case.body]:
        if isinstance(entry, dict) and "id" in entry:
            entry["id"] = str(uuid.uuid4())[: max(len(entry["id"]), 12)]
        if isinstance(entry, dict) and {"source", "sequence"} <= entry.keys():
            entry["source"] = str(uuid.uuid4())


def known_token(case):
    """Nobody guesses a token."""
    if isinstance(case.body, dict):
        case.body["token"] = OWN_TOKEN


def whole_event(case):
    """Binary mode needs these headers; in the other modes there are none, so the document cannot require them."""
    if is_binary(case):
        case.headers = {**{"ce-id": str(uuid.uuid4()), "ce-source": "/erp/ap", "ce-type": "invoice_paid"}, **(case.headers or {}), "ce-specversion": "1.0"}
    else:
        for event in case.body if isinstance(case.body, list) else [case.body]:
            if isinstance(event, dict) and "id" in event:
                event["id"] = str(uuid.uuid4())


ADAPT = {
    "proveInclusion": ordered("index", "size"),
    "proveConsistency": ordered("from", "to"),
    "querySql": sql,
    "makeBundle": condition,
    "createToken": future,
    "recordEntries": fresh,
    "openSession": known_token,
    "recordCloudEvents": whole_event,
}
