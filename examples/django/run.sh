#!/usr/bin/env bash
# The application under gunicorn with three forked workers, then under uvicorn, and people who use it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export APP_KEY=${APP_KEY:-$("$PYTHON" -c 'import secrets; print(secrets.token_hex(32))')}
export APP_PASSWORD=${APP_PASSWORD:-$("$PYTHON" -c 'import secrets; print(secrets.token_hex(8))')}
cd "$here"
"$PYTHON" prepare.py
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

# Starts a server, has people use it, and ends it.
use() {
  "$@" </dev/null >>"$WORK/server.log" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null && break
    sleep 0.2
  done
  "$PYTHON" client.py "http://127.0.0.1:$port"
  kill -TERM "$server"
  wait "$server" || true
  server=
}

free='import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
port=$("$PYTHON" -c "$free")
use "$PYTHON" -m gunicorn --preload --workers 3 --bind "127.0.0.1:$port" --no-control-socket served:application
port=$("$PYTHON" -c "$free")
use "$PYTHON" -m uvicorn --host 127.0.0.1 --port "$port" --lifespan off served:asgi
"$PYTHON" -c 'from served import trail; trail.flush(30)'
