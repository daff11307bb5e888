# A mailbox on loopback; the rule "Workflow failed" tells it, and so does the workflow itself.
free() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
SMTP_PORT=$(free) MAILBOX=http://127.0.0.1:$(free)
export SMTP_PORT MAILBOX
"$PYTHON" "$here/../crates/sink/tests/doubles/smtp_sink.py" "$SMTP_PORT" "${MAILBOX##*:}" </dev/null >"$WORK/mailbox.log" 2>&1 &
beside=$!
for _ in $(seq 300); do
  ! curl -fsS -o /dev/null "$MAILBOX/health" 2>/dev/null || break
  kill -0 "$beside" 2>/dev/null || { cat "$WORK/mailbox.log" >&2; exit 1; }
  sleep 0.1
done
"$COUNTERFOIL" rules init "$WORK/rules" >/dev/null
cat >"$WORK/sinks.toml" <<TOML
[[sink]]
name = "duty"
type = "smtp"
address = "smtp://127.0.0.1:$SMTP_PORT"
tls = "none"
from = "Counterfoil <ledger@bank.example>"
to = ["controlling@bank.example"]
alerts = "high"
group_s = 1
TOML
serve=(--rules "$WORK/rules" --sinks "$WORK/sinks.toml")
