#!/usr/bin/env bash
# Shows what Counterfoil does on a real payments log: COUNTERFOIL=path scripts/demo.sh (`make demo`). Needs neither root nor network.
set -euo pipefail
demo=$(cd "$(dirname "$0")/../demo" && pwd)
binary=$(realpath "${COUNTERFOIL:?the path of the counterfoil binary}")
work=$(mktemp -d "${TMPDIR:-/tmp}/counterfoil-demo.XXXXXX")
trap '[ $? -eq 0 ] || echo "the demo failed; what it left is in $work" >&2' EXIT

bold='' dim='' cyan='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' cyan=$'\e[1;36m' plain=$'\e[0m'
  export CLICOLOR_FORCE=1 # the output of some commands is shortened here, on its way to the terminal
fi

width=80
if [ -t 1 ]; then
  width=$(tput cols 2>/dev/null || echo 80)
fi

counterfoil() { "$binary" "$@"; }
folded() { fold -s -w "$width"; }
step() { printf '\n%s%s%s\n' "$cyan" "$1" "$plain"; }
show() { printf '%s$%s %s%s%s\n' "$dim" "$plain" "$bold" "$1" "$plain"; }
lines() { sed -n "$1p"; }

# Lays out the one row of a JSON answer: two columns where values are short, and without what is null.
laid_out() {
  sed -E 's/^\[\{//; s/\}\]$//; s/"[a-z_]+":null,?//g; s/,("[a-z_]+":)/\n\1/g' | awk -v name="$cyan" -v plain="$plain" '
    function cell(key, value, width) { return sprintf("  %s%-15s%s %-" width "s", name, key, plain, value) }
    function flush_pending() { if (pending != "") { sub(/ +$/, "", pending); print pending; pending = "" } }
    {
      key = value = $0
      sub(/^"/, "", key); sub(/":.*/, "", key)
      sub(/^"[a-z_]+":/, "", value); sub(/,$/, "", value); gsub(/^"|"$/, "", value); gsub(/\\"/, "\"", value)
      if (length(value) > 22) { flush_pending(); print cell(key, value, 1) }
      else if (pending == "") pending = cell(key, value, 22)
      else { print pending cell(key, value, 1); pending = "" }
    }
    END { flush_pending() }'
}

# Runs a command that must find tampering, and shows its verdict and the finding of the kind that is expected.
convict() {
  local kind=$1 code=0
  shift
  counterfoil "$@" >verdict || code=$?
  if [ "$code" -ne 11 ] || ! grep -q "$kind" verdict; then
    cat verdict >&2
    echo "expected exit code 11 and $kind, got exit code $code" >&2
    return 1
  fi
  lines 1 <verdict
  if lines 1 <verdict | grep -q ' findings '; then
    printf '%sone of them:%s\n' "$dim" "$plain"
  fi
  sed 1d verdict | sed -n "/$kind/,+1p" | lines 1,2 | folded
}

# The workflow with real times: "@-20" is 20 minutes ago.
played() {
  local now line minutes
  now=$(date +%s)
  while IFS= read -r line; do
    minutes=${line#*'"@-'}
    minutes=${minutes%%'"'*}
    printf '%s\n' "${line/@-$minutes/$(date -u -d "@$((now - 60 * minutes))" +%Y-%m-%dT%H:%M:%SZ)}"
  done <"$demo/ai-workflow.ndjson"
}

cp "$demo/RequestForPayment.csv.gz" "$work/payments.csv.gz"
cd "$work"
played >ai-workflow.ndjson

step "1  A real payments log: BPI Challenge 2020 (B. van Dongen, 4TU, CC BY 4.0)."
show 'counterfoil init payments --origin bank.example/payments'
counterfoil init payments --origin bank.example/payments >/dev/null
show 'counterfoil import payments payments.csv.gz --map bpic2020-payments'
counterfoil import payments payments.csv.gz --map bpic2020-payments | folded
show 'counterfoil seal payments'
counterfoil seal payments | folded
cp -a payments before

step '2  An AI workflow on top: a model blocks a supplier, a person overrules it.'
show 'counterfoil append payments ai-workflow.ndjson --strict'
counterfoil append payments ai-workflow.ndjson --strict | folded
show 'counterfoil checkpoint payments > remembered   # for the auditor'
show 'counterfoil key payments > vkey                # for the auditor, too'
counterfoil checkpoint payments >remembered
counterfoil key payments >vkey

step '3  The auditor: where did people override a model in the last 24 hours?'
select="SELECT * FROM audit_log"
where="WHERE event_type = 'manual_override'"
and="AND timestamp > now() - interval '24 hours';"
show "counterfoil query payments --format json \"$select
    $where
    $and\"   # laid out"
counterfoil query payments "$select $where $and" --format json | laid_out | folded

step '4  What happened to this supplier? Who, what, old → new, why, which model.'
show 'counterfoil history payments SUP-318'
counterfoil history payments SUP-318 | sed '/^$/d' | folded

index=$(counterfoil query payments "SELECT index FROM audit_log WHERE event_type = 'manual_override'" --format csv | lines 2)
step '5  A proof of the override, checked offline: with the key, not the ledger.'
show "counterfoil prove payments $index > proof"
show "counterfoil entry payments $index --canonical > entry"
counterfoil prove payments "$index" >proof
counterfoil entry payments "$index" --canonical >entry
show 'counterfoil check proof --entry entry --key vkey'
counterfoil check proof --entry entry --key vkey | folded

step '6  Verify each byte, hash and signature. Then three attacks, each on a copy.'
show 'counterfoil verify payments --key vkey --checkpoint remembered'
counterfoil verify payments --key vkey --checkpoint remembered | lines 1

cp -a payments changed
segment=changed/segments/00000000000000000000.parquet
chmod u+w "$segment"
byte=$(od -An -tu1 -j 700000 -N 1 "$segment")
printf "%b" "\\x$(printf %x $((byte ^ 1)))" | dd of="$segment" bs=1 seek=700000 conv=notrunc status=none
show 'counterfoil verify changed …   # one bit of a sealed file changed on disk'
convict block-mismatch verify changed --key vkey --checkpoint remembered

cp -a before rolled-back
show 'counterfoil verify rolled-back …   # a copy from before the override'
convict checkpoint-ahead verify rolled-back --key vkey --checkpoint remembered

cp -a before rewritten
sed 's/"m.keller","actor_type":"user"/"kyc-model","actor_type":"ai_agent"/' ai-workflow.ndjson >rewritten.ndjson
counterfoil append rewritten rewritten.ndjson >/dev/null
show 'counterfoil verify rewritten …   # the model blamed, with a stolen key'
convict fork verify rewritten --key vkey --checkpoint remembered

step '7  A drill: all of it on a scratch copy, with rules and a sink.'
show 'counterfoil rules init rules'
counterfoil rules init rules >/dev/null
printf '[[sink]]\nname = "siem"\ntype = "file"\naddress = "%s/alerts.jsonl"\n' "$work" >sinks.toml
show 'counterfoil drill payments --rules rules --sinks sinks.toml --html drill.html'
counterfoil drill payments --rules rules --sinks sinks.toml --html drill.html 2>/dev/null | tail -2 | folded
from=$(date -u -d yesterday +%F)
to=$(date -u -d tomorrow +%F)
step '8  For the file: the compliance report, and a bundle that proves what it says.'
show "counterfoil report payments --from $from --to $to
    --pdf report.pdf --html report.html --bundle report.bundle.json"
counterfoil report payments --from "$from" --to "$to" --pdf report.pdf --html report.html --bundle report.bundle.json 2>&1 | folded
show 'counterfoil verify --bundle report.bundle.json --key vkey   # offline'
counterfoil verify --bundle report.bundle.json --key vkey | lines 1

step "The ledger is in $work. Next:"
printf '  %s\n' "cd $work; export PATH=$(dirname "$binary"):\$PATH" \
  "xdg-open $work/report.pdf" \
  'counterfoil serve payments                             # the console: it prints a link' \
  'counterfoil history payments requestforpayment148214   # sent in again' \
  'counterfoil bundle payments --entity SUP-318 -o evidence   # entries, proofs'
