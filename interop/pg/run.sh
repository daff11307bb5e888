#!/usr/bin/env bash
# PostgreSQL's own clients ask a running service: COUNTERFOIL=path PYTHON=path interop/pg/run.sh; under a minute.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}" "${PYTHON:?the path of a Python that has interop/requirements.txt}"
driver=postgresql-42.7.7.jar
drivers=${GOBIN_DIR:-$HOME/.cache/counterfoil}/jdbc
"$PYTHON" -c 'import psycopg' || { echo "the PostgreSQL checks need Python packages: make deps" >&2; exit 1; }
[ -e "$drivers/$driver" ] ||
  mvn -q dependency:copy -Dartifact=org.postgresql:postgresql:42.7.7 -DoutputDirectory="$drivers" >&2 ||
  { echo "the JDBC driver org.postgresql:postgresql:42.7.7 could not be had" >&2; exit 1; }

work=$(mktemp -d)
service=
end() {
  # It closes its ledger in the folder first.
  [ -z "$service" ] || { kill "$service" 2>/dev/null && wait "$service" 2>/dev/null; } || true
  rm -rf "$work"
}
trap end EXIT
cd "$work"
"$COUNTERFOIL" init ledger --origin bank.example/pg >/dev/null
for ((number = 0; number < 1500; number++)); do
  printf '{"event_type":"%s","actor":"teller-%d","entity_id":"INV-%d","outcome":"success","context":{"model_version":"m-%d"}}\n' \
    "$([ $((number % 9)) = 0 ] && echo manual_override || echo invoice_approved)" $((number % 7)) $((number % 300)) $((number % 3))
done | "$COUNTERFOIL" append ledger - >/dev/null
"$COUNTERFOIL" serve ledger --listen 127.0.0.1:0 --pg 127.0.0.1:0 >said 2>log </dev/null &
service=$!
for ((tries = 0; tries < 300; tries++)); do
  ! grep -q '^tokens' said || break
  sleep 0.1
done
port=$(sed -n 's/^SQL .* -p \([0-9]*\) .*/\1/p' said)
TOKEN=$("$COUNTERFOIL" token create ledger --role reader)
export TOKEN PGPASSWORD=$TOKEN

code=0
check() {
  local what=$1 wanted=$2
  shift 2
  if "$@" >answer 2>&1 && grep -q -- "$wanted" answer; then
    echo "ok    psql: $what"
  else
    echo "FAIL  psql: $what: $(head -3 answer | tr '\n' ' ')"
    code=1
  fi
}
sql=(psql -h 127.0.0.1 -p "$port" -U anyone -d audit -v ON_ERROR_STOP=1)
check 'counts' '1500' "${sql[@]}" -tc "SELECT count(*) FROM audit_log WHERE event_type NOT LIKE 'ledger.%'"
check 'the review query as written' 'manual_override' "${sql[@]}" -c \
  "SELECT * FROM audit_log WHERE event_type = 'manual_override' AND timestamp > now() - interval '24 hours';"
check '\d audit_log' 'model_version\|context' "${sql[@]}" -c '\d audit_log'
check '\dt' 'audit_log' "${sql[@]}" -c '\dt'
check 'information_schema' 'entity_id' "${sql[@]}" -c \
  "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'audit_log'"
if "${sql[@]}" -c "DELETE FROM audit_log" >answer 2>&1; then
  echo "FAIL  psql: DELETE is refused"
  code=1
else
  echo "ok    psql: DELETE is refused: $(head -1 answer)"
fi
"$PYTHON" "$here/with_psycopg.py" 127.0.0.1 "$port" || code=1
"$PYTHON" "$here/as_grafana.py" 127.0.0.1 "$port" || code=1
java -cp "$drivers/$driver" "$here/Jdbc.java" 127.0.0.1 "$port" || code=1
exit "$code"
