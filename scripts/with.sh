#!/usr/bin/env bash
# Runs a check that needs programs: scripts/with.sh PROGRAM… -- COMMAND… Where one is missing the check is left out, and that is said;
# with CI set it fails.
set -euo pipefail
missing=()
while [ "$1" != -- ]; do
  command -v "$1" >/dev/null || missing+=("$1")
  shift
done
shift
if [ ${#missing[@]} -gt 0 ]; then
  echo "LEFT OUT: $* (it needs ${missing[*]}; make deps)" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 0
fi
exec "$@"
