"""What Grafana's PostgreSQL data source sends, to a running service: its query builder's questions and panels' queries.

Run: pip install 'psycopg[binary]'; start `counterfoil serve LEDGER --pg 127.0.0.1:7412`; then
TOKEN=cf_… python as_grafana.py 127.0.0.1 7412
Each line of the output is one check, `ok` or `FAIL`; the exit code is 1 if any failed.
"""

import os
import sys

import psycopg

HOST, PORT = sys.argv[1], int(sys.argv[2])
failed = False

SEARCH_PATH = """
  SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
  FROM generate_series(
    array_lower(string_to_array(current_setting('search_path'),','),1),
    array_upper(string_to_array(current_setting('search_path'),','),1)
  ) as i,
  string_to_array(current_setting('search_path'),',') s
"""
# The macros $__timeFilter, $__timeGroup and $__timeGroupAlias as they are expanded before they are sent.
FILTER = "timestamp BETWEEN '2015-01-01T00:00:00Z' AND '2030-01-01T00:00:00.999Z'"
GROUP = "floor(extract(epoch from timestamp)/300)*300"


def check(what, holds):
    global failed
    failed |= not holds
    print(f"{'ok  ' if holds else 'FAIL'}  Grafana: {what}")


def ask(what, sql, holds):
    try:
        with db.cursor() as cursor:
            rows = cursor.execute(sql).fetchall()
            names = [column.name for column in cursor.description]
        check(what, holds(rows, names))
    except psycopg.Error as error:
        print(f"      {error.sqlstate}: {error}")
        check(what, False)


with psycopg.connect(
    host=HOST, port=PORT, dbname="audit", user="grafana", password=os.environ["TOKEN"], autocommit=True,
    cursor_factory=psycopg.ClientCursor,
) as db:
    ask("saves and tests the data source", "SELECT 1", lambda rows, _: rows == [(1,)])
    ask("asks for the version", "SELECT current_setting('server_version_num')::int/100 as version", lambda rows, _: rows == [(1600,)])
    ask("looks for TimescaleDB", "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", lambda rows, _: rows == [])
    ask(
        "lists tables",
        f"""SELECT CASE WHEN quote_ident(table_schema) IN ({SEARCH_PATH})
              THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
            FROM information_schema.tables
            WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache')
            ORDER BY CASE WHEN quote_ident(table_schema) IN ({SEARCH_PATH}) THEN 0 ELSE 1 END, 1""",
        lambda rows, _: any("audit_log" in table for (table,) in rows),
    )
    ask(
        "lists columns",
        """SELECT quote_ident(column_name) AS "column", data_type AS "type"
           FROM information_schema.columns
           WHERE quote_ident(table_name) = 'audit_log'""",
        lambda rows, _: ("timestamp", "timestamp with time zone") in [(name.strip('"'), of) for name, of in rows],
    )
    ask(
        "draws a time series",
        f"""SELECT {GROUP} AS time, event_type AS metric, count(*) AS value
            FROM audit_log WHERE {FILTER} GROUP BY time, event_type ORDER BY time""",
        lambda rows, names: names == ["time", "metric", "value"] and rows and isinstance(rows[0][0], float)
        and all(one[0] <= other[0] for one, other in zip(rows, rows[1:])),
    )
    ask(
        "draws one by columns, grouped by place",
        f"""SELECT {GROUP} AS "time", count(*) AS "entries", count(distinct actor) AS "actors"
            FROM audit_log WHERE {FILTER} GROUP BY 1 ORDER BY 1""",
        lambda rows, names: names == ["time", "entries", "actors"] and rows,
    )
    ask(
        "buckets by day",
        f"SELECT date_trunc('day', timestamp) AS time, count(*) FROM audit_log WHERE {FILTER} GROUP BY 1 ORDER BY 1 LIMIT 50",
        lambda rows, names: names == ["time", "count"] and rows and hasattr(rows[0][0], "year"),
    )
    ask(
        "fills a table",
        f"SELECT timestamp, actor, event_type, reason FROM audit_log WHERE {FILTER} ORDER BY timestamp DESC LIMIT 50",
        lambda rows, _: len(rows) == 50,
    )
    ask(
        "fills a variable",
        "SELECT DISTINCT event_type FROM audit_log ORDER BY event_type",
        lambda rows, _: len(rows) >= 1,
    )
    ask(
        "filters by epoch",
        "SELECT count(*) FROM audit_log WHERE extract(epoch from timestamp) >= 1420070400 AND extract(epoch from timestamp) <= 1893456000",
        lambda rows, _: rows[0][0] > 0,
    )

sys.exit(failed)
