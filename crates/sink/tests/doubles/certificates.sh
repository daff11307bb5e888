#!/usr/bin/env bash
# An authority and a server's certificate for localhost and 127.0.0.1: certificates.sh DIR writes ca.pem, srv.pem, srv.key.
set -euo pipefail
dir=$1
ec="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $ec -keyout "$dir/ca.key" -out "$dir/ca.pem" -days 30 -subj /CN=test-authority 2>/dev/null
openssl req $ec -keyout "$dir/srv.key" -out "$dir/srv.csr" -subj /CN=localhost 2>/dev/null
openssl x509 -req -in "$dir/srv.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -out "$dir/srv.pem" \
  -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) 2>/dev/null
