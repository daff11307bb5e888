#!/usr/bin/env bash
# The application under uvicorn with three worker processes, and people who use it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export APP_KEY=${APP_KEY:-$("$PYTHON" -c 'import secrets; print(secrets.token_hex(32))')}
export APP_PASSWORD=${APP_PASSWORD:-$("$PYTHON" -c 'import secrets; print(secrets.token_hex(8))')}
port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

"$PYTHON" -m uvicorn --app-dir "$here" app:app --workers 3 --host 127.0.0.1 --port "$port" \
  </dev/null >"$WORK/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  "$PYTHON" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/openapi.json')" 2>/dev/null && break
  sleep 0.2
done
"$PYTHON" "$here/client.py" "http://127.0.0.1:$port"
kill -TERM "$server"
wait "$server" || true
trap - EXIT
