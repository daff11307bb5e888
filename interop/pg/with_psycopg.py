"""psycopg 3 asks a running service: parameters, prepared statements, server-side cursors, cancelling, refusals.

Run: pip install 'psycopg[binary]'; start `counterfoil serve LEDGER --pg 127.0.0.1:7412` over a ledger of at least 1,000
entries; then TOKEN=cf_… python with_psycopg.py 127.0.0.1 7412
Each line of the output is one check, `ok` or `FAIL`; the exit code is 1 if any failed.
"""

import datetime
import decimal
import os
import sys
import threading
import time

import psycopg

HOST, PORT = sys.argv[1], int(sys.argv[2])
failed = False


def check(what, holds):
    global failed
    failed |= not holds
    print(f"{'ok  ' if holds else 'FAIL'}  psycopg: {what}")


def connect(**more):
    options = dict(host=HOST, port=PORT, dbname="audit", user="anyone", password=os.environ["TOKEN"])
    return psycopg.connect(**{**options, **more})


def refused(what, sqlstate, ask):
    try:
        ask()
        check(f"{what}: {sqlstate}", False)
    except psycopg.Error as error:
        found = error.sqlstate
        if found != sqlstate:
            print(f"      {type(error).__name__} {found}: {error}")
        check(f"{what}: {sqlstate}", found == sqlstate)


UTC = datetime.timezone.utc

with connect(autocommit=True) as db:
    size = db.execute("SELECT count(*) FROM audit_log").fetchone()[0]
    check("count(*) is an int", isinstance(size, int) and size >= 1000)

    row = db.execute("SELECT index, timestamp, actor, reason, context FROM audit_log WHERE index = %s", [7]).fetchone()
    check("an int parameter", row[0] == 7)
    check("a timestamp comes as a datetime in UTC", row[1].tzinfo is not None and row[1].utcoffset().seconds == 0)

    for binary in (False, True):
        how = "binary" if binary else "text"
        with db.cursor(binary=binary) as cursor:
            found = cursor.execute("SELECT index, timestamp, actor FROM audit_log WHERE index = %s", [7]).fetchone()
            check(f"the same row in {how}", found == row[:3])
            both = cursor.execute(
                "SELECT count(*), min(timestamp) FROM audit_log WHERE timestamp <= %s AND actor = %s", [row[1], row[2]]
            ).fetchone()
            check(f"timestamp and text parameters, rows in {how}", both[0] >= 1 and both[1] <= row[1])

    for value in ["it's", "a''b", "back\\slash", "\\'; DROP TABLE x; --", 'dou"ble', "ünïcödé €", "", "$1", "%"]:
        check(f"the text {value!r} comes back", db.execute("SELECT %s::text", [value]).fetchone()[0] == value)
        none = db.execute("SELECT count(*) FROM audit_log WHERE actor = %s", [value]).fetchone()[0]
        check(f"the text {value!r} is compared as it is", none == 0)
    for value in [0, 1, -1, 2**15, -(2**31), 2**40, 2**63 - 1, -(2**63)]:
        check(f"the int {value} comes back", db.execute("SELECT %s::bigint", [value]).fetchone()[0] == value)
    for value in [1.5, -0.25, 1e300, float("inf")]:
        check(f"the float {value} comes back", db.execute("SELECT %s::float8", [value]).fetchone()[0] == value)
    for value in ["1.50", "-0.0001", "12345678901234567890.123"]:
        number = decimal.Decimal(value)
        found = db.execute("SELECT %b::numeric(38,4)", [number]).fetchone()[0]
        check(f"the decimal {value} comes back", found == number)
    check("a bool comes back", db.execute("SELECT %s::bool", [True]).fetchone()[0] is True)
    check("NULL comes back", db.execute("SELECT %s::text", [None]).fetchone()[0] is None)
    at = datetime.datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    for placeholder in ("%t", "%b"):
        found = db.execute(f"SELECT {placeholder}::timestamptz", [at]).fetchone()[0]
        check(f"a datetime comes back ({placeholder})", found == at)

    actors = [row[2], "nobody"]
    some = db.execute("SELECT count(*) FROM audit_log WHERE actor = ANY(%s)", [actors]).fetchone()[0]
    check("= ANY(list)", some == db.execute("SELECT count(*) FROM audit_log WHERE actor = %s", [row[2]]).fetchone()[0])
    rest = db.execute("SELECT count(*) FROM audit_log WHERE index <> ALL(%b)", [[1, 2, 3]]).fetchone()[0]
    check("<> ALL(list)", rest == db.execute("SELECT count(*) FROM audit_log").fetchone()[0] - 3)
    check("= ANY(empty list)", db.execute("SELECT count(*) FROM audit_log WHERE actor = ANY(%s)", [[]]).fetchone()[0] == 0)

    same = [db.execute("SELECT actor FROM audit_log WHERE index = %s", [i], prepare=True).fetchone() for i in range(10)]
    check("a prepared statement with ten values", len(same) == 10 and all(same))
    limited = db.execute("SELECT index FROM audit_log ORDER BY index LIMIT %s OFFSET %s", [5, 10]).fetchall()
    check("LIMIT and OFFSET as parameters", [index for (index,) in limited] == [10, 11, 12, 13, 14])

    with db.pipeline():
        answers = [db.execute("SELECT index FROM audit_log WHERE index = %s", [i]) for i in range(20)]
    check("a pipeline of twenty", [answer.fetchone()[0] for answer in answers] == list(range(20)))

    streamed = list(db.cursor().stream("SELECT index FROM audit_log ORDER BY index"))
    check("rows are streamed one by one", len(streamed) >= size)

    refused("INSERT", "25006", lambda: db.execute("INSERT INTO audit_log (actor) VALUES (%s)", ["x"]))
    refused("a column that is none", "42703", lambda: db.execute("SELECT nope FROM audit_log"))
    refused("no SQL", "42601", lambda: db.execute("SELEC 1"))
    refused("a table that is none", "42P01", lambda: db.execute("SELECT * FROM nope"))
    refused("COPY", "25006", lambda: db.execute("COPY audit_log TO STDOUT"))
    refused("a text for an int", "22P02", lambda: db.execute("SELECT 1 FROM audit_log WHERE index = %s", ["x"]))

with connect() as db:
    with db.cursor(name="some") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT index FROM audit_log WHERE index >= %s ORDER BY index", [3])
        check("a server-side cursor, by hundreds", len(list(cursor)) >= size - 3)
    with db.cursor(name="other") as cursor:
        cursor.execute("SELECT index, timestamp FROM audit_log ORDER BY index")
        check("fetchmany of a server-side cursor", [i for i, _ in cursor.fetchmany(3)] == [0, 1, 2])
        check("and fetchone after it", cursor.fetchone()[0] == 3)
    db.rollback()
    refused("a failing statement", "42703", lambda: db.execute("SELECT nope FROM audit_log"))
    refused("one after it in the same transaction", "25P02", lambda: db.execute("SELECT 1"))
    db.rollback()
    check("and after ROLLBACK", db.execute("SELECT 1").fetchone()[0] == 1)

with connect(autocommit=True) as db:
    timer = threading.Timer(1, db.cancel)
    timer.start()
    began = time.monotonic()
    refused("cancel", "57014", lambda: db.execute("SELECT count(*) FROM audit_log a, audit_log b, audit_log c, audit_log d"))
    check("a cancelled query ends soon", time.monotonic() - began < 5)
    check("and the connection goes on", db.execute("SELECT 1").fetchone()[0] == 1)
    db.execute("SET statement_timeout = '500ms'")
    refused("statement_timeout", "57014", lambda: db.execute("SELECT count(*) FROM audit_log a, audit_log b, audit_log c"))



def turned_away(what, message, **more):
    # The driver has no SQLSTATE for a connection that did not come about, only the message.
    try:
        connect(**more).close()
        check(what, False)
    except psycopg.OperationalError as error:
        check(what, message in str(error))


turned_away("a wrong password", "no valid token", password="cf_wrong")
turned_away("another database", 'the one database is "audit"', dbname="other")
sys.exit(failed)
