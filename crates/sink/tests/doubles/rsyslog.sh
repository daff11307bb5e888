#!/usr/bin/env bash
# rsyslog as a SIEM: rsyslog.sh DIR TLS_PORT PORT. RFC 5424 over TLS, over TCP and UDP on loopback; a JSON line a message in
# DIR/out.jsonl. Certificates of an authority of its own (DIR/ca.pem). Runs in the foreground; of this repository (Apache-2.0).
set -euo pipefail
dir=$1 tls=$2 port=$3
mkdir -p "$dir/spool"
[ -f "$dir/ca.pem" ] || "$(dirname "$0")/certificates.sh" "$dir"
cat >"$dir/rsyslog.conf" <<CONF
global(workDirectory="$dir/spool" maxMessageSize="64k" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="$dir/ca.pem"
       defaultNetstreamDriverCertFile="$dir/srv.pem" defaultNetstreamDriverKeyFile="$dir/srv.key")
main_queue(queue.type="Direct")
module(load="imudp") module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imptcp")
template(name="j" type="list" option.jsonf="on") {
  property(outname="pri" name="pri" format="jsonf") property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf") property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf") property(outname="msg" name="msg" format="jsonf") }
ruleset(name="r") { action(type="omfile" file="$dir/out.jsonl" template="j" flushOnTXEnd="on") }
input(type="imtcp" address="127.0.0.1" port="$tls" ruleset="r")
input(type="imptcp" address="127.0.0.1" port="$port" ruleset="r")
input(type="imudp" address="127.0.0.1" port="$port" ruleset="r")
CONF
exec rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/pid"
