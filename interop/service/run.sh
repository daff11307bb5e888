#!/usr/bin/env bash
# Clients that are not ours use the running service: COUNTERFOIL=path PYTHON=path interop/service/run.sh [--full]
# Each program starts the real binary, on loopback, on ports that the system chooses. --full takes minutes and 10,000 connections.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}" "${PYTHON:?the path of a Python that has interop/requirements.txt}"
GOBIN_DIR=${GOBIN_DIR:-$HOME/.cache/counterfoil/go}
full=()
if [ "${1:-}" = --full ]; then
  full=(--full)
fi
command -v go >/dev/null || { echo "the interop checks of the service need Go 1.26 or later on the PATH: https://go.dev/dl" >&2; exit 1; }
"$PYTHON" -c 'import cloudevents.core, httpx_sse, opentelemetry.exporter.otlp.proto.grpc, opentelemetry.exporter.otlp.proto.http
import opentelemetry.instrumentation.logging, opentelemetry.sdk, requests' 2>/dev/null ||
  { echo "the interop checks of the service need Python packages: make deps" >&2; exit 1; }

# The log checker of tessera, at one version; its name tells which is there.
fsck=$GOBIN_DIR/fsck-1.0.4
if [ ! -x "$fsck" ]; then
  mkdir -p "$GOBIN_DIR"
  GOBIN=$GOBIN_DIR go install github.com/transparency-dev/tessera/cmd/fsck@v1.0.4 && mv "$GOBIN_DIR/fsck" "$fsck" ||
    { echo "tessera's fsck could not be had: go install github.com/transparency-dev/tessera/cmd/fsck@v1.0.4" >&2; exit 1; }
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
results=$work/results
touch "$results"
export PYTHONDONTWRITEBYTECODE=1
go -C "$here/clients_tlog" build -o "$work/crawl" . || { echo "the Go module of interop/service/clients_tlog could not be built" >&2; exit 1; }

# Runs one program; its lines are the checks. One that fails without saying why counts as a failed check.
check() {
  local name=$1 code=0
  shift
  "$PYTHON" "$here/$name.py" "$@" >"$work/said" 2>"$work/errors" || code=$?
  if [ "$code" -ne 0 ] && ! grep -q '^FAIL' "$work/said"; then
    echo "FAIL  $name: it ended with exit code $code: $(tail -1 "$work/errors")" >>"$work/said"
  fi
  tee -a "$results" <"$work/said"
}

check clients_otel
check clients_cloudevents
check clients_tlog "$work/crawl" "$fsck"
check clients_stream "${full[@]}"
check faults "${full[@]}"

passed=$(grep -c '^ok ' "$results" || true)
failed=$(grep -c '^FAIL ' "$results" || true)
echo "interop/service: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
