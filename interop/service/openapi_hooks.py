"""What schemathesis cannot know from the document alone. Each exclusion says why it is one."""
import datetime
import hashlib
import io
import itertools
import json
import os
import re
import urllib.request

import pyarrow
import pyarrow.parquet
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core import NotSet

URL = os.environ["OPENAPI_URL"]
TOKEN = os.environ["OPENAPI_TOKEN"]

STATEMENTS = [
    "SELECT count(*) FROM audit_log",
    "SELECT * FROM audit_log ORDER BY index DESC LIMIT 20",
    "SELECT actor, outcome, context->>'model_version' AS model FROM audit_log WHERE event_type LIKE 'invoice%'",
    "SELECT make_array(1, 2) AS list, interval '1 day' AS span, 1.5::decimal(10, 2) AS money",
    "EXPLAIN SELECT 1",
]
CONDITIONS = ["event_type LIKE 'ledger.%'", "index < 3", "actor = 'nobody'", "new_value IS NOT NULL"]
ENTRY = '{"event_type":"invoice_paid","actor":"ap-agent","entity_id":"INV-2041","new_value":{"amount_minor":1204550}}\n'
# resourceSpans and resourceLogs are both field 1: nothing, and one resource without anything in it.
PROTOBUF = [b"", b"\x0a\x00"]


NUMBERS = itertools.count()


def fresh():
    """A name that was not used before in this run, and is the same in the next."""
    return f"openapi-{next(NUMBERS)}"


def asked(path):
    request = urllib.request.Request(URL + path, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


OWN = {name for token in json.loads(asked("/api/v1/tokens"))["tokens"] for name in (token["id"], token["name"])}
try:
    ASSETS = re.findall(r'/assets/([^"]+)"', asked("/").decode())
except urllib.error.HTTPError:
    # Built without its console.
    ASSETS = []

# Entries know the years 1678 to 2261, and no pattern says that so that a person could read it.
YEARS = {"min_value": datetime.datetime(1700, 1, 1), "max_value": datetime.datetime(2200, 1, 1)}
schemathesis.openapi.format("date-time", st.datetimes(**YEARS).map(lambda at: at.isoformat() + "Z"))
schemathesis.openapi.media_type("application/x-protobuf", st.sampled_from(PROTOBUF))


@schemathesis.serializer("application/x-ndjson", "application/jsonl", "application/sql")
def text(context, value):
    return value if isinstance(value, bytes) else str(value).encode()


# Answers that are no text are read by a program that knows them.
@schemathesis.deserializer("application/vnd.apache.arrow.stream")
def arrow(context, response):
    return pyarrow.ipc.open_stream(response.content).read_all().num_rows


@schemathesis.deserializer("application/vnd.apache.parquet")
def parquet(context, response):
    return pyarrow.parquet.read_table(io.BytesIO(response.content)).num_rows


@schemathesis.deserializer("application/octet-stream", "application/x-protobuf", "font/woff2", "image/png", "image/svg+xml")
def opaque(context, response):
    return "" if response.content is None else "bytes"


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # Only the holder of a registered key can make a signature. crates/cli/tests/it/client_key.rs does.
    entry = raw_schema["components"]["schemas"]["NewEntry"]
    del entry["properties"]["signature"], entry["dependentRequired"]["signature"]


def name_of(case):
    return case.operation.definition.raw["operationId"]


def is_valid(case):
    return case.meta is None or case.meta.generation.mode == GenerationMode.POSITIVE


def has_body(case):
    return not isinstance(case.body, NotSet)


def is_binary(case):
    return not (case.media_type or "").startswith("application/cloudevents")


@schemathesis.hook
def filter_case(context, case):
    match name_of(case):
        case "revokeToken":
            # Without its own token it could ask for nothing more.
            return (case.path_parameters or {}).get("id") not in OWN
        case "recordCloudEvents" if not is_valid(case) and not has_body(case):
            # An event may have no data, and without a body nothing tells which mode it is not.
            return False
        case "recordCloudEvents" if not is_binary(case):
            # The ce- headers mean something in binary mode only.
            return not any(header.lower().startswith("ce-") for header in case.headers or {})
    return True


@schemathesis.hook
def map_case(context, case):
    return adapted(case)


@schemathesis.hook
def before_add_examples(context, examples):
    for case in examples:
        adapted(case)


def adapted(case):
    """Makes true what the document cannot ask of a valid case."""
    if is_valid(case):
        ADAPT.get(name_of(case), lambda case: None)(case)
    return case


def ordered(low, high):
    """Two sizes of one ledger: that the one is not above the other."""

    def adapt(case):
        query = case.query or {}
        if low in query and high in query and int(query[low]) >= int(query[high]):
            query[high] = int(query[low]) + 1

    return adapt


def sql(case):
    """What SQL is. CSV and Parquet have no form for some columns, so only JSON and Arrow are asked for them."""
    statement = STATEMENTS[len(str(case.body)) % len(STATEMENTS)]
    case.body = {"sql": statement} if case.media_type == "application/json" else statement
    forms = ["application/json", "application/vnd.apache.arrow.stream"]
    if "make_array" not in statement:
        forms += ["text/csv", "application/vnd.apache.parquet"]
    case.headers["Accept"] = forms[len(str(case.headers)) % len(forms)]


def search(case):
    """What SQL is."""
    case.body["sql"] = STATEMENTS[len(case.body["sql"]) % len(STATEMENTS)]


def choice(case):
    """What a condition is; and that an index is written without a fraction, which JSON Schema takes for an integer."""
    if "where" in case.body:
        case.body["where"] = CONDITIONS[len(case.body["where"]) % len(CONDITIONS)]
    if "indices" in case.body:
        case.body["indices"] = [int(index) for index in case.body["indices"]]


def drill(case):
    """That something was tried, and that each failure has its name."""
    case.body["failed"] = len(case.body["failures"])
    case.body["held"] = max(int(case.body["held"]), 1)


def token(case):
    """What the time is."""
    if case.body.get("expires_at"):
        case.body["expires_at"] = "2100" + case.body["expires_at"][4:]


def printable(value):
    """The same JSON without U+0000, which an entry has nowhere; no schema says that of any JSON."""
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {printable(name): printable(member) for name, member in value.items()}
        case list():
            return [printable(item) for item in value]
    return value


def cleaned(case):
    # schemathesis takes a case for invalid when a body that is null or absent is set to what it was.
    if isinstance(case.body, (str, dict, list)):
        case.body = printable(case.body)


def entries(case):
    """That an id and a sequence number are recorded once, and what a line of JSON lines is."""
    cleaned(case)
    if case.media_type != "application/json":
        case.body = ENTRY * (1 + len(str(case.body)) % 3)
        return
    for entry in case.body if isinstance(case.body, list) else [case.body]:
        if "id" in entry:
            entry["id"] = fresh()
        if len({"source", "sequence"} & entry.keys()) == 1:
            # The coverage phase does not heed dependentRequired.
            entry.pop("source", None)
            entry.pop("sequence", None)
        if "sequence" in entry:
            entry["source"] = fresh()
            entry["sequence"] = int(entry["sequence"])


def session(case):
    """What a token is worth."""
    case.body["token"] = TOKEN


def key(case):
    """Which 32 bytes are a point of the curve."""
    seed = hashlib.sha256(case.body["public_key"].encode()).digest()
    case.body["public_key"] = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()


def events(case):
    """That binary mode needs its headers, that what they percent-encode is UTF-8, and that an event is recorded once."""
    cleaned(case)
    if is_binary(case) or not has_body(case):
        needed = {"ce-specversion": "1.0", "ce-id": fresh(), "ce-source": "/erp/ap", "ce-type": "invoice_paid"}
        told = {name: value.replace("%", "") for name, value in case.headers.items() if name.startswith("ce-")}
        case.headers.update({name: told.get(name) or value for name, value in {**told, **needed}.items()})
        if not is_binary(case):
            # No body: nothing but the headers can be the event.
            case.media_type = None
        return
    for event in case.body if isinstance(case.body, list) else [case.body]:
        event["id"] = fresh()


def otlp(case):
    """How numbers are written: a whole one without a fraction, and none that no double can hold."""
    if case.media_type == "application/json":
        case.body = whole(case.body)


def whole(value):
    match value:
        case int() | float() if abs(value) > 1e300:
            return 0
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole(member) for name, member in value.items()}
        case list():
            return [whole(item) for item in value]
    return value


def asset(case):
    """How the console's files are called."""
    if ASSETS:
        case.path_parameters["name"] = ASSETS[len(case.path_parameters["name"]) % len(ASSETS)]


ADAPT = {
    "saveSearch": search,
    "proveInclusion": ordered("index", "size"),
    "proveConsistency": ordered("from", "to"),
    "querySql": sql,
    "makeBundle": choice,
    "recordDrill": drill,
    "createToken": token,
    "recordEntries": entries,
    "openSession": session,
    "registerKey": key,
    "recordCloudEvents": events,
    "exportTraces": otlp,
    "exportLogs": otlp,
    "getAsset": asset,
}
