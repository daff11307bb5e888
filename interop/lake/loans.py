#!/usr/bin/env python3
"""A whole real log in a bucket: loans.py COUNTERFOIL

The 262,200 events of the loan log are recorded, shipped, verified in the bucket and restored; three review queries give in the bucket and in
the restored ledger what they give in the folder, and DuckDB gives the same on the table. The log is in ../shared/datasets (or
$COUNTERFOIL_SHARED/datasets) and does not ship with the project. Without it this is left out, unless CI is set.
"""
import json
import os
import sys
import tempfile
from pathlib import Path

from reading import by_duckdb, rows
from store import Checks, Counterfoil, Store

counterfoil = Counterfoil(sys.argv[1])
check = Checks("loans")
COPY, TABLE = "s3://bank-audit/loans", "s3://bank-lake/loans"
EVENTS = 262_200
QUERIES = {
    "what people decided against in February 2012": """
        SELECT index, timestamp, actor, entity_id, event_type FROM {0}
        WHERE event_type IN ('loan_application_declined', 'loan_offer_declined', 'loan_application_cancelled') AND actor_type = 'user'
          AND timestamp >= '2012-02-01T00:00:00Z' AND timestamp < '2012-03-01T00:00:00Z' AND index < {1} ORDER BY index""",
    "one application's history": """
        SELECT index, timestamp, timestamp_nanos, event_type, actor, actor_type, source, sequence, context FROM {0}
        WHERE entity_id = '173688' AND index < {1} ORDER BY index""",
    "counts by type and month": """
        SELECT date_trunc('month', timestamp) AS month, event_type, count(*) AS entries, min(index) AS first, max(index) AS last FROM {0}
        WHERE index < {1} GROUP BY 1, 2 ORDER BY 1, 2""",
}


def recorded_and_shipped(events, ledger):
    counterfoil("init", ledger, "--origin", "bank.example/loans", "--segment-span", "65536")
    recorded = json.loads(counterfoil("import", ledger, events, "--map", "bpic2012-loan", "--json"))["recorded"]
    counterfoil("seal", ledger)
    shipped = json.loads(counterfoil("ship", ledger, COPY, "--retain", "compliance:1", "--json"))["size"]
    check(f"all {EVENTS} events are recorded and shipped", recorded == EVENTS and shipped > EVENTS, (recorded, shipped))
    counterfoil("lake", COPY, TABLE)
    return shipped


def verified(where, place, size):
    verdict = json.loads(counterfoil("verify", place, "--json"))
    checked = verdict["entries_checked"]
    check(f"verify finds nothing wrong with {checked} entries in {where}", verdict["verified"] and checked >= size, verdict["findings"][:3])


def answers(address, ledger, others, size):
    """The same from every place over the whole ledger, and from DuckDB over what is in segments."""
    sealed = json.loads(counterfoil("status", ledger, "--json"))["sealed_size"]
    for name, query in QUERIES.items():
        ours = rows(counterfoil.rows(ledger, query.format("audit_log", size)))
        for where, place in others.items():
            theirs = rows(counterfoil.rows(place, query.format("audit_log", size)))
            check.same(f"{name}: the same {len(ours)} rows from {where}", ours, theirs)
        ours = rows(counterfoil.rows(ledger, query.format("audit_log", sealed)))
        theirs = by_duckdb(address, query.format(f"iceberg_scan('{TABLE}')", sealed))
        check.same(f"{name}: the same {len(ours)} rows from DuckDB", ours, theirs)


shared = Path(os.environ.get("COUNTERFOIL_SHARED", Path(__file__).resolve().parents[3] / "shared"))
events = shared / "datasets/bpic2012-loan/events.csv.gz"
if not events.is_file():
    if "CI" in os.environ:
        check(f"{events} is needed", False)
    print("left out: the loan log in a bucket (no ../shared)", file=sys.stderr)
    sys.exit(check.failed)
with Store() as store, tempfile.TemporaryDirectory() as work:
    ledger, restored = Path(work) / "loans", Path(work) / "restored"
    size = recorded_and_shipped(events, ledger)
    verified("the bucket", COPY, size)
    counterfoil("restore", COPY, restored)
    verified("the restored ledger", restored, size)
    answers(store.address, ledger, {"the bucket": COPY, "the restored ledger": restored}, size)
sys.exit(check.failed)
