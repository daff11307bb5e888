#!/usr/bin/env python3
"""DuckDB and PyIceberg read the table over the shipped segments: engines.py COUNTERFOIL

A ledger is shipped to a real S3 server and made a table; both engines must give the counts and the cells that Counterfoil's own SQL
gives, while the table grows, too.
"""
import sys
import tempfile
from pathlib import Path

import reading
from guide import snippet
from reading import rows
from store import Checks, Counterfoil, Store

counterfoil = Counterfoil(sys.argv[1])
check = Checks("lake")
COPY, TABLE = "s3://bank-audit/payments", "s3://bank-lake/payments"
# Every column but the two that have no JSON form.
COLUMNS = (
    "index, timestamp, recorded_at, timestamp_nanos, event_type, actor, actor_type, on_behalf_of, entity_id, entity_type, outcome, reason, "
    "trace_id, id, source, recorder, sequence, old_value, new_value, old_value_type, new_value_type, context"
).split(", ")
COUNTS = "SELECT event_type, count(*) AS entries, min(index) AS first, max(index) AS last FROM {} GROUP BY 1 ORDER BY 1"


def by_duckdb(query):
    return reading.by_duckdb(store.address, query)


def iceberg():
    return reading.iceberg(store.address, TABLE)


def entries(first, count):
    for number in range(first, first + count):
        kind = "manual_override" if number % 9 == 0 else "invoice_approved"
        reason = f',"reason":"supplier {number}","old_value":{{"status":"open"}},"new_value":"held"' if number % 9 == 0 else ""
        yield f'{{"event_type":"{kind}","actor":"teller-{number % 7}","entity_id":"INV-{number % 900}","context":{{"model_version":"m-{number % 3}"}}{reason}}}\n'


def grow(first, count):
    """Records, seals and ships; the entries that the table has then."""
    counterfoil("append", ledger, "-", given="".join(entries(first, count)))
    counterfoil("seal", ledger)
    counterfoil("ship", ledger, COPY, "--retain", "compliance:1")
    counterfoil("lake", COPY, TABLE)
    return int(iceberg().properties["counterfoil.last-index"]) + 1


def same_as_ours(size):
    """Counts and cells of both engines against our SQL up to the last entry of the table."""
    ours = counterfoil.rows(COPY, COUNTS.format(f"(SELECT * FROM audit_log WHERE index < {size})"))
    check.same(f"DuckDB counts {size} entries as we do", ours, by_duckdb(COUNTS.format(f"iceberg_scan('{TABLE}')")))
    names = ", ".join(COLUMNS)
    # The last segments: in DuckDB and PyIceberg the answer comes out of the files that the bounds leave.
    from_index = max(0, size - 5_000)
    ours = rows(counterfoil.rows(COPY, f"SELECT {names} FROM audit_log WHERE index >= {from_index} AND index < {size} ORDER BY index"))
    theirs = by_duckdb(f"SELECT {names} FROM iceberg_scan('{TABLE}') WHERE index >= {from_index} ORDER BY index")
    check.same("every cell is the same in DuckDB", ours, theirs)
    scan = iceberg().scan(row_filter=f"index >= {from_index}", selected_fields=tuple(COLUMNS))
    theirs = rows(scan.to_arrow().sort_by("index").select(COLUMNS).to_pylist())
    check.same("every cell is the same in PyIceberg", ours, theirs)
    # The files have no field ids: columns are found by the table's name mapping, also alone.
    few, other = f"index >= {size - 300}", []
    for column in COLUMNS:
        ours = [{column: row[column]} for row in theirs[-300:]]
        wanted = tuple(dict.fromkeys((column, "index")))
        scan = iceberg().scan(row_filter=few, selected_fields=wanted).to_arrow().sort_by("index")
        duck = by_duckdb(f"SELECT {column} FROM iceberg_scan('{TABLE}') WHERE {few} ORDER BY index")
        if rows(scan.select([column]).to_pylist()) != ours or duck != ours:
            other.append(column)
    check("every column alone is the same in both engines", not other, other)
    total = iceberg().scan().count()
    check(f"PyIceberg counts {size} entries", total == size, total)


def bounds_leave_out_files():
    table = iceberg()
    everything = len(list(table.scan().plan_files()))
    by_index = len(list(table.scan(row_filter="index < 100").plan_files()))
    future = len(list(table.scan(row_filter="timestamp > '2100-01-01T00:00:00+00:00'").plan_files()))
    recorded = len(list(table.scan(row_filter="recorded_at < '2000-01-01T00:00:00+00:00'").plan_files()))
    found = (everything, by_index, future, recorded)
    check(f"of {everything} files a condition on index leaves {by_index}, on times {future} and {recorded}", everything > 128 and found[1:] == (1, 0, 0), found)


def grows_while_it_is_read(size):
    answer = reading.duck(store.address).execute(f"SELECT index FROM iceberg_scan('{TABLE}')")
    read = len(answer.fetchmany(100))
    opened = iceberg()
    grown = grow(60_000, 600)
    while batch := answer.fetchmany(5_000):
        read += len(batch)
    check("a reader in DuckDB ends with the table that it began with", read == size, (read, size))
    check("a table that was open in PyIceberg stays as it was", opened.scan().count() == size, size)
    check("a new reader sees what came", grown > size and iceberg().scan().count() == grown, grown)
    before = iceberg().scan(snapshot_id=opened.current_snapshot().snapshot_id)
    check("an older snapshot can be read by its id", before.count() == size, size)
    return grown


def as_the_guide_says():
    shown = by_duckdb(snippet("DuckDB"))
    check("the guide's DuckDB snippet answers", bool(shown), shown)
    names = {}
    here = snippet("PyIceberg").replace("https://s3.eu-central-1.amazonaws.com", f"http://{store.address}")
    exec(here.replace("eu-central-1", "us-east-1"), names)  # it ends with the answer in `overrides`
    check("the guide's PyIceberg snippet answers", names["overrides"].num_rows > 0, names["overrides"])


def what_has_a_segments_key_is_not_read(size):
    store.curl(f"bank-audit/payments/segments/{size:020}.parquet", "-X", "PUT", "-d", "somebody")
    same_as_ours(grow(80_000, 600))


with Store() as store, tempfile.TemporaryDirectory() as work:
    ledger = Path(work) / "payments"
    counterfoil("init", ledger, "--origin", "bank.example/payments", "--segment-span", "256")
    same_as_ours(grow(0, 3_000))
    # More segments than one manifest names.
    size = grow(10_000, 36_000)
    same_as_ours(size)
    bounds_leave_out_files()
    size = grows_while_it_is_read(size)
    same_as_ours(size)
    as_the_guide_says()
    check("nothing of the copy was touched", "verified" in counterfoil("verify", COPY), "")
    what_has_a_segments_key_is_not_read(size)
sys.exit(check.failed)
