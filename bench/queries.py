"""Puts the three review queries to DuckDB over a ledger's segments; prints rows and times as JSON.

  queries.py SEGMENTS_FOLDER
"""
import json
import statistics
import sys
import time

import duckdb

ROUNDS = 7
NOW = "SELECT max(timestamp)::VARCHAR FROM audit_log WHERE event_type NOT LIKE 'ledger.%'"
QUERIES = {
    "overrides": "SELECT * FROM audit_log WHERE event_type = 'manual_override' "
    "AND timestamp > TIMESTAMPTZ '{now}' - INTERVAL '24 hours'",
    "history": "SELECT * FROM audit_log WHERE entity_id = 'INV-050000' ORDER BY index",
    "per_day": "SELECT event_type, date_trunc('day', timestamp) AS day, count(*) AS entries FROM audit_log "
    "WHERE event_type NOT LIKE 'ledger.%' GROUP BY 1, 2 ORDER BY 1, 2",
}


def main() -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE VIEW audit_log AS SELECT * FROM read_parquet('{sys.argv[1]}/*.parquet')")
    now = connection.execute(NOW).fetchone()[0]
    answers = {}
    for name, sql in QUERIES.items():
        sql = sql.replace("{now}", now)
        times = []
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            rows = connection.execute(sql).arrow()
            times.append((time.perf_counter() - start) * 1e3)
        table = rows.read_all() if hasattr(rows, "read_all") else rows
        answers[name] = {"rows": table.num_rows, "first_ms": times[0], "p50_ms": statistics.median(times[1:])}
    answers["version"] = duckdb.__version__
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
