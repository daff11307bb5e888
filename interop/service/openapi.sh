#!/usr/bin/env bash
# schemathesis asks a running service all that its OpenAPI document says, and much that it forbids:
# COUNTERFOIL=path PYTHON=path interop/service/openapi.sh; under a minute. More arguments go to `st run`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}" "${PYTHON:?the path of a Python that has interop/requirements.txt}"
st=$(dirname "$PYTHON")/st
[ -x "$st" ] || { echo "the OpenAPI checks need schemathesis: make deps" >&2; exit 1; }

work=$(mktemp -d)
service=
end() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null && wait "$service" 2>/dev/null; } || true
  rm -rf "$work"
}
trap end EXIT

# Where schemathesis keeps what it remembers, so that nothing is left behind.
cd "$work"
"$COUNTERFOIL" init ledger --origin bank.example/openapi --segment-span 256 >/dev/null
touch said
"$COUNTERFOIL" serve ledger --listen 127.0.0.1:0 >said 2>log &
service=$!

for ((tries = 0; tries < 300; tries++)); do
  ! grep -q '^tokens' said || break
  kill -0 "$service" 2>/dev/null || { cat log >&2; exit 1; }
  sleep 0.1
done
OPENAPI_URL=$(sed -n 's|^API  *\(http://[0-9.:]*\)/.*|\1|p' said)
OPENAPI_TOKEN=$("$COUNTERFOIL" token create ledger --role admin --name openapi-checks)
export OPENAPI_URL OPENAPI_TOKEN PYTHONPATH=$here PYTHONDONTWRITEBYTECODE=1

code=0
"$st" --no-color --config-file "$here/openapi.toml" run "$OPENAPI_URL/api/v1/openapi.json" \
  -H "Authorization: Bearer $OPENAPI_TOKEN" "$@" >report 2>&1 || code=$?
if [ "$code" -eq 0 ]; then
  echo "ok    openapi: $(sed -n 's/^ *Tested: \([0-9]*\).*/\1 operations/p' report), $(sed -n 's/^ *\([0-9]*\) generated.*/\1 requests/p' report): all as documented"
else
  cut -c1-600 report >&2
  echo "FAIL  openapi: schemathesis ended with exit code $code; its report is above"
fi

# Whatever was sent: the service ends as told, nothing broke off, and the ledger is whole.
kill -TERM "$service"
ended=0
wait "$service" || ended=$?
service=
if [ "$ended" -eq 0 ] && ! grep -qE 'panicked|broke off' log && "$COUNTERFOIL" verify ledger >verdict 2>&1; then
  echo "ok    openapi: after it the service ends as told and the ledger verifies"
else
  { tail -20 log; cat verdict; } >&2 || true
  echo "FAIL  openapi: after it the service ended with exit code $ended, broke off, or left a ledger that does not verify"
  code=1
fi
exit "$code"
