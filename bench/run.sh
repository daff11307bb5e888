#!/usr/bin/env bash
# Makes the load, runs the suite, draws the plot. BENCH_SIZES="small middle large" for other sizes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
read -r small middle large <<<"${BENCH_SIZES:-1000000 10000000 20000000}"
work=$BENCH_DIR/work
mkdir -p "$BENCH_DIR"
rm -rf "$work"
mkdir -p "$work"
load=$BENCH_DIR/w-$large.jsonl
if [ ! -s "$load" ]; then
  echo "… making the load: $large entries" >&2
  "$PYTHON" "$here/genload.py" --n "$large" --out "$load.part"
  mv "$load.part" "$load"
fi
out=$here/results/latest.json
copy=()
if source "$here/store.sh" "$work"; then
  copy=(copy=s3://bench/copy)
fi
"$BENCH" suite "work=$work" "load=$load" "small=$small" "middle=$middle" "large=$large" \
  "binary=$COUNTERFOIL" "python=$PYTHON" "scripts=$here" "out=$out" "${copy[@]}"
"$PYTHON" "$here/plot.py" "$out" "$here/results/latest.svg"
"$here/postgres.sh" "$BENCH" "$work" | tee "$here/results/postgres.json"
rm -rf "$work"
