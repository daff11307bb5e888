#!/usr/bin/env bash
# veraPDF says whether a report and a design document are what they claim, PDF/A-2a and PDF/UA-1, hostile texts in them and on a damaged
# ledger too: COUNTERFOIL=path interop/report/run.sh; under a minute.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}"
libraries=${GOBIN_DIR:-$HOME/.cache/counterfoil}/verapdf
ls "$libraries"/validation-model-*.jar >/dev/null 2>&1 ||
  mvn -q -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libraries" >&2 ||
  { echo "veraPDF (org.verapdf:validation-model) could not be had from Maven" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$COUNTERFOIL" init ledger --origin bank.example/reported --segment-span 256 >/dev/null
for ((number = 0; number < 600; number++)); do
  printf '{"event_type":"%s","actor":"clerk-%d","entity_id":"INV-%d","outcome":"%s","context":{"model_version":"m-%d"}}\n' \
    "$([ $((number % 9)) = 0 ] && echo manual_override || echo invoice_approved)" $((number % 7)) $((number % 300)) \
    "$([ $((number % 11)) = 0 ] && echo denied || echo success)" $((number % 3))
done | "$COUNTERFOIL" append ledger - >/dev/null
printf '%s\n' '{"event_type":"#panic(1) <script> \u202e 名","actor":"*b* $x$","entity_id":"e","outcome":"denied"}' |
  "$COUNTERFOIL" append ledger - >/dev/null
"$COUNTERFOIL" seal ledger >/dev/null
report() { "$COUNTERFOIL" report ledger --from "$(date -u -d yesterday +%F)" --to "$(date -u -d tomorrow +%F)" --pdf "$1" 2>/dev/null; }
report report.pdf
"$COUNTERFOIL" document ledger --pdf document.pdf --contact 'Tampering=desk'
segment=$(ls ledger/segments/*.parquet | head -1)
chmod u+w "$segment"
printf 'x' | dd of="$segment" bs=1 seek=2000 conv=notrunc status=none
code=0
report damaged.pdf || code=$?
[ "$code" -eq 11 ] || { echo "a damaged ledger was reported with exit code $code" >&2; exit 1; }
javac -d . -cp "$libraries/*" "$here/Check.java"
java -cp "$libraries/*:." Check report.pdf document.pdf damaged.pdf
