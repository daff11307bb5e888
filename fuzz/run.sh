#!/usr/bin/env bash
# Fuzzes every target for FUZZ_SECONDS (60), starting from its corpus; new inputs stay outside the project.
set -euo pipefail
cd "$(dirname "$0")"
found=${FUZZ_FOUND:-$HOME/.cache/counterfoil/fuzz}
for target in fuzz_targets/*.rs; do
  name=$(basename "$target" .rs)
  mkdir -p "$found/$name" "corpus/$name"
  seeds=("corpus/$name")
  [ "$name" != rules ] || seeds+=(../rules/finance)
  echo "… $name"
  cargo +nightly fuzz run --fuzz-dir . "$name" "$found/$name" "${seeds[@]}" -- \
    -max_total_time="${FUZZ_SECONDS:-60}" -max_len=65536 -timeout=10 -print_final_stats=1
done
