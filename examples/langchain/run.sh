#!/usr/bin/env bash
# An invoice agent on a fake model with real tools, then recorded conversations of gpt-4o once more: two that are here, and all 200 where
# the data set is there (TRANSCRIPTS, a file; the usual place is shared/datasets beside the repository).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usual=$here/../../../shared/datasets/ai-agent-tau-bench/gpt-4o-airline.json.gz
if [ -z "${TRANSCRIPTS:-}" ] && [ -e "$usual" ]; then TRANSCRIPTS=$usual; fi
"$PYTHON" "$here/invoice_agent.py"
"$PYTHON" "$here/replay.py" "${TRANSCRIPTS:-$here/transcripts/excerpt.json}"
