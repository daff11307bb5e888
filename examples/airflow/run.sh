#!/usr/bin/env bash
# A three-task DAG runs twice in Airflow: once a person approves, once the model is missing and the run fails.
# Usually each run is `airflow dags test` beside Airflow's API server, where the person answers; with FULL=1 a real scheduler
# (`airflow standalone`) runs them in processes of their own, and a person triggers them, too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export PATH=$(dirname "$PYTHON"):$PATH
port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

export AIRFLOW_HOME=$WORK/airflow AIRFLOW_URL=http://127.0.0.1:$port AIRFLOW_PASSWORD=for-this-example-only
export AIRFLOW__COUNTERFOIL__URL=$COUNTERFOIL_URL AIRFLOW__COUNTERFOIL__TOKEN=$COUNTERFOIL_TOKEN
export AIRFLOW__COUNTERFOIL__READ_TOKEN=$COUNTERFOIL_READ_TOKEN AIRFLOW__COUNTERFOIL__SPOOL=$SPOOL
export AIRFLOW__CORE__DAGS_FOLDER=$here/dags AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__PARALLELISM=2
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL=$AIRFLOW_URL/execution/
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=t.berg:op,m.huber:op
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=$WORK/passwords.json
export AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__PORT=$port AIRFLOW__API__BASE_URL=$AIRFLOW_URL AIRFLOW__API__WORKERS=1
AIRFLOW__API_AUTH__JWT_SECRET=$(head -c 48 /dev/urandom | base64)
export AIRFLOW__API_AUTH__JWT_SECRET AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
printf '{"t.berg": "%s", "m.huber": "%s"}' "$AIRFLOW_PASSWORD" "$AIRFLOW_PASSWORD" >"$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
export AIRFLOW_CONN_SMTP_DEFAULT="smtp://127.0.0.1:$SMTP_PORT?disable_tls=true&disable_ssl=true&from_email=airflow%40bank.example"
mkdir -p "$AIRFLOW_HOME"

good='{"loan": "LOAN-1"}' bad='{"loan": "LOAN-2", "model": "credit-9.9"}'

airflow db migrate >"$WORK/migrate.log" 2>&1
server=$([ "${FULL:-0}" = 1 ] && echo standalone || echo api-server)
setsid airflow $server >"$WORK/airflow.log" 2>&1 </dev/null &
airflow=$!
stop() { kill -TERM -- "-$airflow" 2>/dev/null || true; wait "$airflow" 2>/dev/null || true; }
trap stop EXIT
until curl -fsS -o /dev/null "$AIRFLOW_URL/api/v2/monitor/health" 2>/dev/null; do
  kill -0 "$airflow" 2>/dev/null || { tail -20 "$WORK/airflow.log" >&2; exit 1; }
  sleep 0.5
done
echo "airflow $(airflow version): $server"

"$PYTHON" "$here/people.py" approve m.huber "salary letter seen" &
person=$!
if [ "$server" = standalone ]; then
  until airflow dags details loan_approval >/dev/null 2>&1; do sleep 1; done
  "$PYTHON" "$here/people.py" trigger t.berg "$good"
  wait "$person"
  "$PYTHON" "$here/people.py" trigger t.berg "$bad"
else
  airflow dags test loan_approval --conf "$good" >"$WORK/first.log" 2>&1
  wait "$person"
  echo "first run: success"
  ! airflow dags test loan_approval --conf "$bad" >"$WORK/second.log" 2>&1
  echo "second run: failed, as it should"
fi
