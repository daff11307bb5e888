#!/usr/bin/env bash
# Engines that know nothing of ledgers read a copy in a real S3 server as an Iceberg table: COUNTERFOIL=path PYTHON=path interop/lake/run.sh
# With --spark JARS and a Python that has pyspark, Spark reads it: a minute more, and half a gigabyte of packages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${COUNTERFOIL:?the path of the counterfoil binary}" "${PYTHON:?the path of a Python that has interop/requirements.txt}"
export PYTHONDONTWRITEBYTECODE=1
programs=(engines loans)
if [ "${1:-}" = --spark ]; then
  programs=(spark)
  [ -d "$2" ] || mvn -q -f "$here/spark-pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2" >&2 ||
    { echo "the packages of interop/lake/spark-pom.xml could not be had" >&2; exit 1; }
  set -- "$2"
else
  "$PYTHON" -c 'import duckdb_extensions, pyiceberg' || { echo "the lake checks need Python packages: make deps" >&2; exit 1; }
  set --
fi

code=0
for program in "${programs[@]}"; do
  "$PYTHON" "$here/$program.py" "$COUNTERFOIL" "$@" || code=1
done
exit "$code"
