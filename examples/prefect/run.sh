#!/usr/bin/env bash
# Two runs of a flow in Prefect: one that a person approves, after a retry, and one whose retries are in vain.
# Usually Prefect's temporary servers do; with FULL=1 a real one (`prefect server start`) has its own process, and entries link to its UI.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PREFECT_HOME=$WORK/prefect DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=300
mkdir -p "$PREFECT_HOME"
server= flows= reviewer=
# Whole groups: each process may have a temporary server of its own.
stop() { for one in $flows $reviewer $server; do kill -- "-$one" 2>/dev/null || true; wait "$one" 2>/dev/null || true; done; }
trap stop EXIT

if [ "${FULL:-0}" = 1 ]; then
  port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  setsid "$PYTHON" -m prefect server start --host 127.0.0.1 --port "$port" </dev/null >"$WORK/server.log" 2>&1 &
  server=$!
  export PREFECT_API_URL=http://127.0.0.1:$port/api
  until curl -fsS -o /dev/null "$PREFECT_API_URL/health" 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { tail -20 "$WORK/server.log" >&2; exit 1; }
    sleep 0.5
  done
fi
echo "Prefect $("$PYTHON" -c 'import prefect; print(prefect.__version__)'), ${PREFECT_API_URL:-temporary servers}"

setsid "$PYTHON" "$here/flows.py" </dev/null 2>"$WORK/flows.log" &
flows=$!
until grep -qs "Pausing flow" "$WORK/flows.log"; do
  kill -0 "$flows" 2>/dev/null || { tail -20 "$WORK/flows.log" >&2; exit 1; }
  sleep 0.5
done
setsid "$PYTHON" "$here/reviewer.py" </dev/null 2>"$WORK/reviewer.log" &
reviewer=$!
wait "$flows" || { tail -20 "$WORK/flows.log" >&2; exit 1; }
