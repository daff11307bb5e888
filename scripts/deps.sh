#!/usr/bin/env bash
# Installs what the tests need beyond Rust, Go and Node: VENV=folder GOBIN_DIR=folder AZURITE_DIR=folder scripts/deps.sh (`make deps`). As
# root with apt it installs programs too; elsewhere it says what is missing. With CI set, anything missing is an error.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
missing=()

# Debian keeps the programs of a PostgreSQL server out of the PATH.
has() { command -v "$1" || compgen -G "/usr/lib/postgresql/*/bin/$1"; } >/dev/null

# program, Debian package, what it is for
need() {
  has "$1" && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    [ -n "${updated:-}" ] || { apt-get update -qq >/dev/null; updated=1; }
    apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 || true
  fi
  has "$1" || missing+=("$1 (package $2): $3")
}

need python3 python3 'interop checks'
need go golang 'the Go tlog clients'
need node nodejs 'the web console and its tests'
need npm npm 'the web console'
need psql postgresql-client 'SQL over the PostgreSQL protocol'
need initdb postgresql 'a PostgreSQL server: postgres install, follow and check'
need javac default-jdk-headless 'the JDBC client'
need mvn maven 'the JDBC driver'
need chromium chromium 'the browser tests of the console'
need openssl openssl 'certificates for the TLS tests'
need curl curl 'the TLS tests'
need rsyslogd rsyslog-openssl 'the syslog sink'
need prometheus-alertmanager prometheus-alertmanager 'the Alertmanager sink'
need zstd zstd 'compressed bodies'

# An S3 server with Object Lock.
versitygw=github.com/versity/versitygw/cmd/versitygw@v1.8.0
PATH=$PATH:$GOBIN_DIR
if ! has versitygw; then
  has go && GOBIN=$GOBIN_DIR go install "$versitygw" || missing+=("versitygw (go install $versitygw): ship, restore and verify s3://")
fi

# Emulators of Google's and Azure's stores.
gcs=github.com/fsouza/fake-gcs-server@v1.56.1
if ! has fake-gcs-server; then
  has go && GOBIN=$GOBIN_DIR go install "$gcs" || missing+=("fake-gcs-server (go install $gcs): copies at gs://")
fi
azurite=azurite@3.37.0
PATH=$PATH:$AZURITE_DIR/node_modules/.bin
if ! has azurite-blob; then
  npm install --prefix "$AZURITE_DIR" --no-audit --no-fund --loglevel=error "$azurite" >/dev/null || true
  has azurite-blob || missing+=("azurite-blob (npm install $azurite): copies at az://")
fi

if [ ! -e "$VENV/.ready" ] || [ "$root/interop/requirements.txt" -nt "$VENV/.ready" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check -r "$root/interop/requirements.txt"
  touch "$VENV/.ready"
fi

if [ ${#missing[@]} -gt 0 ]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  [ -z "${CI:-}" ] || exit 1
fi
