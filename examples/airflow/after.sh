#!/usr/bin/env bash
# Waits for the mails about the run that failed, and keeps them: one from the workflow, one from the rule.
set -euo pipefail
for _ in $(seq 300); do
  curl -fsS "$MAILBOX/messages" >"$WORK/mails.json"
  ! "$PYTHON" -c 'import json, sys
subjects = [mail["subject"] for mail in json.load(open(sys.argv[1]))]
sys.exit(not all(any(part in subject for subject in subjects) for part in ("Workflow failed", "loan_approval failed")))' "$WORK/mails.json" || exit 0
  sleep 0.1
done
echo "the mails did not come within 30 s: $(cat "$WORK/mails.json")" >&2
exit 1
