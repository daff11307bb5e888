#!/usr/bin/env bash
# Programs that are not ours verify what Counterfoil wrote: COUNTERFOIL=path PYTHON=path interop/run.sh (`make interop`).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}" "${PYTHON:?the path of a Python that has interop/requirements.txt}"
command -v go >/dev/null || { echo "interop needs Go 1.26 or later on the PATH: https://go.dev/dl" >&2; exit 1; }
"$PYTHON" -c 'import cryptography, duckdb, pyarrow, pytz' || { echo "interop needs Python packages: make deps" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ledger=$work/audit
results=$work/results
kept=$work/kept
mkdir "$kept"
touch "$results"

# Runs one program; its lines are the checks. One that fails without saying why counts as a failed check.
check() {
  local name=$1 code=0
  shift
  "$@" >"$work/said" || code=$?
  if [ "$code" -ne 0 ] && ! grep -q '^FAIL' "$work/said"; then
    echo "FAIL  $name: it ended with exit code $code" >>"$work/said"
  fi
  tee -a "$results" <"$work/said"
}

# Keeps what an auditor might have asked for at this point: checkpoint, growth since a size, proof that an entry is in.
keep() {
  local name=$1 since=$2 index=$3
  "$COUNTERFOIL" checkpoint "$ledger" >"$kept/$name.checkpoint"
  "$COUNTERFOIL" prove "$ledger" --from "$since" >"$kept/$name.growth"
  "$COUNTERFOIL" prove "$ledger" "$index" >"$kept/$name.inclusion"
}

size_of() { sed -n 2p "$kept/$1.checkpoint"; }

# A ledger of real payments and of entries with every kind of value: segments, two of them closed early, and a tail.
make_ledger() {
  "$COUNTERFOIL" init "$ledger" --origin bank.example/interop --segment-span 1024 >/dev/null
  { cat "$here/entries.ndjson"; logins 1 300; } | "$COUNTERFOIL" append "$ledger" - >/dev/null
  keep 1-appended 1 7
  "$COUNTERFOIL" seal "$ledger" >/dev/null
  keep 2-sealed-early "$(size_of 1-appended)" 255
  gzip -dc "$here/../demo/RequestForPayment.csv.gz" | sed -n 1,4501p >"$work/payments.csv"
  "$COUNTERFOIL" import "$ledger" "$work/payments.csv" --map bpic2020-payments >/dev/null
  keep 3-imported "$(size_of 1-appended)" 4000
  "$COUNTERFOIL" seal "$ledger" >/dev/null
  # 270 more stay below the next multiple of the span, so that no segment is being sealed while it is checked.
  logins 301 570 | "$COUNTERFOIL" append "$ledger" - >/dev/null
}

logins() {
  for ((number = $1; number <= $2; number++)); do
    printf '{"event_type":"login","actor":"teller-%d","entity_id":"desk-%d","outcome":"success","context":{"ip_address":"10.0.0.%d"}}\n' \
      $((number % 7)) $((number % 40)) $((number % 250))
  done
}

# The bundle of one entity, by the stand-alone script; and the same with an entry changed.
check_bundle() {
  local vkey entries
  vkey=$("$COUNTERFOIL" key "$ledger")
  "$COUNTERFOIL" bundle "$ledger" --entity INV-2041 -o "$work/bundle" 2>"$work/verdict"
  entries=$("$COUNTERFOIL" query "$ledger" "SELECT count(*) AS n FROM audit_log WHERE entity_id = 'INV-2041'" --format csv | tail -1)
  if "$PYTHON" "$here/verify_bundle.py" "$work/bundle" "$vkey" >"$work/verdict" 2>&1 && grep -q "^verified $entries entries" "$work/verdict"; then
    echo "ok    verify_bundle: $(grep '^verified' "$work/verdict")"
  else
    echo "FAIL  verify_bundle: $(tail -1 "$work/verdict")"
  fi
  sed 's/maria.santos/maria.santoz/' "$work/bundle" >"$work/forged"
  if cmp -s "$work/bundle" "$work/forged" || "$PYTHON" "$here/verify_bundle.py" "$work/forged" "$vkey" >/dev/null 2>&1; then
    echo "FAIL  verify_bundle: a bundle with another name in it is accepted"
  else
    echo "ok    verify_bundle: a bundle with another name in it is refused"
  fi
}

make_ledger
"$COUNTERFOIL" export "$ledger" --format jsonl >"$work/export.jsonl"
go -C "$here/go" build -o "$work/verify-with-go" . || { echo "the Go module of interop/go could not be built" >&2; exit 1; }
check go "$work/verify-with-go" -counterfoil "$COUNTERFOIL" -ledger "$ledger" -kept "$kept"
check recompute_root "$PYTHON" "$here/recompute_root.py" "$ledger" "$work/export.jsonl"
check three_queries "$PYTHON" "$here/three_queries.py" "$COUNTERFOIL" "$ledger" INV-2041
check verify_bundle check_bundle
check real_input "$PYTHON" "$here/real_input.py" "$COUNTERFOIL" "$work/real"
if [ -d "$work/real/bpic2012-loan" ]; then
  "$COUNTERFOIL" seal "$work/real/bpic2012-loan" >/dev/null
  "$COUNTERFOIL" export "$work/real/bpic2012-loan" --format jsonl >"$work/loans.jsonl"
  check go "$work/verify-with-go" -counterfoil "$COUNTERFOIL" -ledger "$work/real/bpic2012-loan"
  check recompute_root "$PYTHON" "$here/recompute_root.py" "$work/real/bpic2012-loan" "$work/loans.jsonl"
fi

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
echo "interop: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
