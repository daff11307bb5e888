import { Code } from "./Copy";
import { Empty } from "./Notice";

function curlLine(origin: string): string {
  return `curl ${origin}/api/v1/entries \\
  -H "Authorization: Bearer $COUNTERFOIL_TOKEN" -H "Content-Type: application/json" \\
  -d '{"event_type": "invoice_approved", "actor": "invoice-bot", "actor_type": "ai_agent",
       "entity_id": "INV-1042", "outcome": "success",
       "old_value": {"status": "received"}, "new_value": {"status": "approved"},
       "context": {"model_version": "invoice-match-2.11.0"}}'`;
}

function pythonLines(origin: string): string {
  return `import json, os, urllib.request

entry = {"event_type": "invoice_approved", "actor": "invoice-bot", "actor_type": "ai_agent", "entity_id": "INV-1042"}
request = urllib.request.Request("${origin}/api/v1/entries", json.dumps(entry).encode(), {
    "Authorization": "Bearer " + os.environ["COUNTERFOIL_TOKEN"], "Content-Type": "application/json"})
print(urllib.request.urlopen(request).read().decode())`;
}

export function FirstEntry() {
  return (
    <Empty title="Nothing has been recorded yet">
      <p className="quiet">
        The ledger is ready. Record the first event from a program with a writer's token (
        <code>counterfoil token create LEDGER --role writer</code>); it appears here the moment it is durable.
      </p>
      <h3 className="spaced">With curl</h3>
      <Code value={curlLine(location.origin)} />
      <h3 className="spaced">With Python</h3>
      <Code value={pythonLines(location.origin)} />
    </Empty>
  );
}
