#!/usr/bin/env python3
"""Import whole real logs and count them again from their source: real_input.py COUNTERFOIL WORK

The logs are in ../shared/datasets (or $COUNTERFOIL_SHARED/datasets) and do not ship with the project. Without them this is left
out, unless CI is set. WORK is a folder to make the ledgers in.
"""
import collections
import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

counterfoil, work = sys.argv[1], Path(sys.argv[2])
shared = Path(os.environ.get("COUNTERFOIL_SHARED", Path(__file__).resolve().parents[2] / "shared"))
datasets = shared / "datasets"
failed = False


def report(name, holds, otherwise):
    global failed
    print(f"ok    real_input: {name}" if holds else f"FAIL  real_input: {name}: {otherwise}", flush=True)
    failed |= not holds


def give_up(reason):
    print(f"FAIL  real_input: {reason}")
    sys.exit(1)


def run(command, *arguments):
    """What a command printed, as JSON; a command that fails ends the whole check."""
    done = subprocess.run([counterfoil, command, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        give_up(f"counterfoil {command} ended with {done.returncode}: {done.stderr.strip()[:500]}")
    return json.loads(done.stdout)


def counts(ledger, expression):
    """How many client entries have each value of an SQL expression."""
    query = f"SELECT {expression} AS value, count(*) AS entries FROM audit_log WHERE event_type NOT LIKE 'ledger.%' GROUP BY 1"
    return {row["value"]: row["entries"] for row in run("query", ledger, query, "--format", "json")}


def check_log(name, files, shipped_map, sources):
    """Imports files into one ledger, counts what `sources` counts in them by SQL too, and verifies."""
    ledger = work / name
    subprocess.run([counterfoil, "init", ledger, "--origin", f"bank.example/{name}", "--segment-span", "65536"], check=True, capture_output=True)
    imported = [run("import", ledger, file, "--map", shipped_map, "--json") for file in files]
    rows, recorded = (sum(summary[member] for summary in imported) for member in ("rows", "recorded"))
    expected = sum(next(iter(sources.values())).values())
    report(f"{name}: all {expected} records are recorded", rows == recorded == expected, f"read {rows}, recorded {recorded}")
    for expression, source in sources.items():
        counted = counts(ledger, expression)
        differing = {key: (source.get(key), counted.get(key)) for key in source.keys() | counted.keys() if source.get(key) != counted.get(key)}
        report(f"{name}: counts by {expression} are the source's ({len(source)} values)", not differing, f"(source, ledger) {list(differing.items())[:3]}")
    verdict = run("verify", ledger, "--json")
    checked = verdict["entries_checked"]
    report(f"{name}: verify finds nothing wrong with {checked} entries", verdict["verified"] and checked > expected, verdict["findings"][:3])


def loans():
    file = datasets / "bpic2012-loan" / "events.csv.gz"
    activity, actor, case = (collections.Counter() for _ in range(3))
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            activity[f"{row['concept:name']} {row['lifecycle:transition']}"] += 1
            actor[row["org:resource"] or "unassigned"] += 1
            case[row["case:concept:name"]] += 1
    check_log("bpic2012-loan", [file], "bpic2012-loan", {
        "concat(context->>'activity', ' ', context->>'transition')": activity, "actor": actor, "entity_id": case,
    })


def trail(name, files, records):
    service, error = collections.Counter(), collections.Counter()
    for record in records:
        service[f"aws.{record['eventSource'].removesuffix('.amazonaws.com')}.{record['eventName']}"] += 1
        error[record.get("errorMessage")] += 1
    check_log(name, files, name, {"event_type": service, "reason": error})


def lines(file):
    with gzip.open(file, "rt", encoding="utf-8") as text:
        return [json.loads(line) for line in text if line.strip()]


def trails():
    for name in ("cloudtrail-invictus", "cloudtrail-otrf-bank-breach"):
        files = sorted((datasets / name).glob("*.jsonl.gz"))
        trail(name, files, [record for file in files for record in lines(file)])
    files = sorted((datasets / "cloudtrail-stratus-labelled").glob("*.json"))
    trail("cloudtrail-stratus-labelled", files, [record for file in files for record in json.loads(file.read_text("utf-8"))])


if not datasets.is_dir():
    if "CI" in os.environ:
        give_up(f"{datasets} is needed")
    print("left out: real logs (no ../shared)", file=sys.stderr)
    sys.exit()
work.mkdir(parents=True, exist_ok=True)
loans()
trails()
sys.exit(failed)
