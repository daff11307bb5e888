#!/usr/bin/env python3
"""Spark reads the table over the shipped segments: spark.py COUNTERFOIL JARS (`make test-full`)

JARS is the folder with what spark-pom.xml names. The counts and the cells must be those of Counterfoil's own SQL.
"""
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from guide import snippet
from store import Checks, Counterfoil, Store

counterfoil, jars = Counterfoil(sys.argv[1]), Path(sys.argv[2])
check = Checks("spark")
COPY, TABLE = "s3://bank-audit/payments", "s3://bank-lake/payments"
COUNTS = "SELECT event_type, count(*) AS entries, min(index) AS first, max(index) AS last FROM {} GROUP BY event_type ORDER BY event_type"
CELLS = "SELECT index, event_type, actor, entity_id, reason, old_value, new_value_type, context, timestamp_nanos FROM {} ORDER BY index"
TIMES = "SELECT index, unix_micros(timestamp) AS happened, unix_micros(recorded_at) AS recorded FROM {} ORDER BY index"
OUR_TIMES = (
    "SELECT index, CAST(timestamp AS bigint) AS happened, CAST(recorded_at AS bigint) AS recorded FROM audit_log WHERE index < {} ORDER BY index"
)


def session(address):
    spark = SparkSession.builder.master("local[2]").config("spark.jars", ",".join(map(str, jars.glob("*.jar"))))
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": f"http://{address}",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        "spark.hadoop.fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    }
    for name, value in settings.items():
        spark = spark.config(name, value)
    spark = spark.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def entries(first, count):
    for number in range(first, first + count):
        kind = "manual_override" if number % 9 == 0 else "invoice_approved"
        reason = f',"reason":"supplier {number}","old_value":{{"status":"open"}}' if number % 9 == 0 else ""
        yield f'{{"event_type":"{kind}","actor":"teller-{number % 7}","entity_id":"INV-{number % 900}","context":{{"model_version":"m-{number % 3}"}}{reason}}}\n'


def grow(first, count):
    counterfoil("append", ledger, "-", given="".join(entries(first, count)))
    counterfoil("seal", ledger)
    counterfoil("ship", ledger, COPY, "--retain", "compliance:1")
    counterfoil("lake", COPY, TABLE)


with Store() as store, tempfile.TemporaryDirectory() as work:
    ledger = Path(work) / "payments"
    counterfoil("init", ledger, "--origin", "bank.example/payments", "--segment-span", "256")
    grow(0, 3_000)
    spark = session(store.address)
    names = {}
    exec(snippet("Spark"), names)  # it names the table `lake.payments` and ends with the answer in `overrides`
    check("the guide's snippet answers", names["overrides"].count() > 0)
    rows = lambda query: [row.asDict() for row in spark.sql(query).collect()]
    grow(10_000, 36_000)
    spark.sql("REFRESH TABLE lake.payments")
    size = int(dict(spark.sql("SHOW TBLPROPERTIES lake.payments").collect())["counterfoil.last-index"]) + 1
    ours = f"(SELECT * FROM audit_log WHERE index < {size})"
    check.same(f"Spark counts {size} entries as we do", counterfoil.rows(COPY, COUNTS.format(ours)), rows(COUNTS.format("lake.payments")))
    check.same("the cells are the same in Spark", counterfoil.rows(COPY, CELLS.format(ours)), rows(CELLS.format("lake.payments")))
    check.same("the times are the same in Spark", counterfoil.rows(COPY, OUR_TIMES.format(size)), rows(TIMES.format("lake.payments")))
    files = spark.sql("SELECT count(*) FROM lake.payments.files").first()[0]
    check(f"its {files} files are known to Spark", files > 128, files)
    history = spark.sql("SELECT count(*) FROM lake.payments.history").first()[0]
    check("both commits are in its history", history == 2, history)
    try:
        spark.sql("CALL lake.system.expire_snapshots(table => 'payments', older_than => TIMESTAMP '2100-01-01 00:00:00')").collect()
        refused = ""
    except Exception as error:
        refused = str(error)
    check("Spark may not expire snapshots and their files", "gc.enabled" in refused or "GC is disabled" in refused, refused[:300])
    spark.stop()
sys.exit(check.failed)
