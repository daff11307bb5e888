#!/usr/bin/env bash
# Runs an example on its real engine and shows the trail that it leaves: examples/run.sh NAME [--check]
# Starts a service on loopback with a new ledger, runs examples/NAME/run.sh against it, stops the service, verifies the ledger and prints
# its trail; --check also asserts what the trail must say. FULL=1 takes the long way where an example has one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
names=$(cd "$here" && for folder in */; do echo "${folder%/}"; done | paste -sd' ')
name=${1:-}
if [ -z "$name" ] || [ ! -e "$here/$name/run.sh" ]; then
  echo "usage: examples/run.sh NAME [--check], NAME being one of: $names" >&2
  exit 2
fi
cache=${COUNTERFOIL_CACHE:-$HOME/.cache/counterfoil}
target=${CARGO_TARGET_DIR:-$cache/target}
if [ -z "${COUNTERFOIL:-}" ]; then
  make --silent python COUNTERFOIL_CACHE="$cache"
  COUNTERFOIL=$target/debug/counterfoil
fi
scripts/pyenv.sh "$cache/py-$name" "$here/$name/requirements.txt"

WORK=$(mktemp -d "${TMPDIR:-/tmp}/counterfoil-$name.XXXXXX")
ledger=$WORK/ledger SPOOL=$WORK/spool
service= beside=
finish() {
  code=$?
  for pid in $service $beside; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  if [ "$code" -ne 0 ]; then echo "examples/$name failed (exit code $code); what it left is in $WORK" >&2; else rm -rf "$WORK"; fi
}
trap finish EXIT

"$COUNTERFOIL" init "$ledger" --origin "example.com/$name" >/dev/null
COUNTERFOIL_TOKEN=$("$COUNTERFOIL" token create "$ledger" --role writer --name "$name")
COUNTERFOIL_READ_TOKEN=$("$COUNTERFOIL" token create "$ledger" --role reader --name reader)
export COUNTERFOIL WORK PYTHON=$cache/py-$name/bin/python PYTHONDONTWRITEBYTECODE=1
serve=()
# What an example starts beside the service, and what the service is told of it.
[ ! -e "$here/$name/beside.sh" ] || . "$here/$name/beside.sh"
"$COUNTERFOIL" serve "$ledger" --listen 127.0.0.1:0 "${serve[@]}" </dev/null >"$WORK/serve.out" 2>"$WORK/serve.log" &
service=$!
for _ in $(seq 300); do
  COUNTERFOIL_URL=$(grep -o 'http://127.0.0.1:[0-9]*' "$WORK/serve.out" | head -1 || true)
  [ -z "$COUNTERFOIL_URL" ] || break
  kill -0 "$service" 2>/dev/null || { cat "$WORK/serve.log" >&2; exit 1; }
  sleep 0.1
done
export COUNTERFOIL_URL COUNTERFOIL_TOKEN COUNTERFOIL_READ_TOKEN SPOOL
"$here/$name/run.sh"

# What processes left in their spools is shipped by whoever connects next.
"$PYTHON" - <<'PYTHON'
import os, pathlib, time
import counterfoil

spool = pathlib.Path(os.environ["SPOOL"])
with counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=spool):
    for _ in range(300):
        left = [slot.parent for slot in spool.glob("*/slot.json") if not (slot.parent / "clean").exists()]
        if len(left) <= 1:  # the slot of this process itself
            break
        time.sleep(0.1)
    else:
        raise SystemExit(f"not everything was shipped: {left}")
PYTHON
[ ! -e "$here/$name/after.sh" ] || "$here/$name/after.sh"
kill "$service"
wait "$service" 2>/dev/null || true
service=
echo
"$COUNTERFOIL" verify "$ledger"
"$COUNTERFOIL" query "$ledger" "SELECT index, actor, event_type, entity_id, outcome FROM audit_log WHERE event_type NOT LIKE 'ledger.%' ORDER BY index"
[ "${2:-}" != --check ] || "$PYTHON" "$here/$name/check.py" "$ledger"
