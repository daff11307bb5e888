#!/usr/bin/env bash
# The figures of an audit table in PostgreSQL, on a server of its own with fsync on: bench/postgres.sh BENCH FOLDER. Prints JSON.
set -euo pipefail
bench=$1 work=$2/postgres
programs=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1)
[ -n "$programs" ] || { echo "left out: PostgreSQL 15 or later is missing (make deps)" >&2; echo '{}'; exit 0; }
mkdir -p "$work"
# The server refuses to run as root.
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
server=$(as mktemp -d)
cd /
trap 'as "$programs/pg_ctl" -D "$server/data" -m immediate stop >/dev/null; rm -rf "$server"' EXIT
as "$programs/initdb" -D "$server/data" -U postgres --auth=trust -E UTF8 --locale=C.UTF-8 >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as "$programs/pg_ctl" -D "$server/data" -l "$server/log" -w -t 60 \
  -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$server -c wal_level=logical -c shared_buffers=256MB" start >/dev/null
"$bench" postgres "dsn=postgres://postgres@127.0.0.1:$port/postgres" "rows=${BENCH_ROWS:-40000}" "ledger=$work"
