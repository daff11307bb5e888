#!/usr/bin/env python3
"""Ask DuckDB and Counterfoil the three review queries: three_queries.py COUNTERFOIL LEDGER ENTITY_ID

DuckDB reads the Parquet segments, Counterfoil the ledger, both up to the last sealed entry. Their answers must be the same,
cell for cell.
"""
import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import duckdb

counterfoil, ledger, entity = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
COLUMNS = (
    'index, timestamp, recorded_at, timestamp_nanos, event_type, actor, actor_type, on_behalf_of, entity_id, entity_type, outcome, '
    'reason, trace_id, id, source, recorder, sequence, old_value, new_value, old_value_type, new_value_type, context'
)
QUERIES = {
    "overrides of the last 24 hours": f"""
        SELECT {COLUMNS}, context->>'model_version' AS model_version FROM audit_log
        WHERE event_type = 'manual_override' AND timestamp > now() - interval '24 hours' AND index < $sealed ORDER BY index""",
    "one entity's history": f"""
        SELECT {COLUMNS} FROM audit_log WHERE entity_id = '{entity}' AND index < $sealed ORDER BY index""",
    "count per type per day": """
        SELECT date_trunc('day', timestamp) AS day, event_type, count(*) AS entries, min(index) AS first, max(index) AS last
        FROM audit_log WHERE index < $sealed GROUP BY 1, 2 ORDER BY 1, 2""",
}


def plain(value):
    """A cell as both can give it: an instant as text, to the microsecond."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if value.endswith("Z") else value
        except ValueError:
            return value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="microseconds")
    return value


def by_counterfoil(query):
    run = subprocess.run([counterfoil, "query", ledger, query, "--format", "json"], capture_output=True, text=True)
    if run.returncode != 0:
        print(f"FAIL  three_queries: counterfoil query: {run.stderr.strip()}")
        sys.exit(1)
    return [{name: plain(value) for name, value in row.items()} for row in json.loads(run.stdout)]


def by_duckdb(connection, query):
    answer = connection.execute(query)
    names = [column[0] for column in answer.description]
    return [{name: plain(value) for name, value in zip(names, row)} for row in answer.fetchall()]


connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
connection.execute(f"CREATE VIEW audit_log AS FROM read_parquet('{ledger}/segments/*.parquet')")
sealed = connection.execute("SELECT max(index) + 1 FROM audit_log").fetchone()[0]
failed = False
for name, query in QUERIES.items():
    query = query.replace("$sealed", str(sealed))
    ours, theirs = by_counterfoil(query), by_duckdb(connection, query)
    if ours == theirs and ours:
        print(f"ok    three_queries: {name}: the same {len(ours)} rows from DuckDB and from Counterfoil")
        continue
    failed = True
    differing = next((pair for pair in zip(theirs, ours) if pair[0] != pair[1]), "the rows they share are the same")
    print(f"FAIL  three_queries: {name}: {len(theirs)} rows from DuckDB, {len(ours)} from Counterfoil; first difference: {differing}")
sys.exit(failed)
