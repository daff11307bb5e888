import { createKept } from "../../state/store";

export interface SavedQuery {
  name: string;
  sql: string;
}

export const COLUMNS: [string, string][] = [
  ["index", "position in the ledger, from 0"],
  ["timestamp", "when it happened, UTC"],
  ["recorded_at", "when the ledger committed it, UTC"],
  ["timestamp_nanos", "digits of timestamp below a microsecond"],
  ["event_type", "what happened"],
  ["actor", "who acted"],
  ["entity_id", "what it happened to"],
  ["actor_type", "user, service or ai_agent"],
  ["on_behalf_of", "for whom the actor acted"],
  ["entity_type", "kind of entity"],
  ["outcome", "success, failure or denied"],
  ["reason", "why"],
  ["trace_id", "workflow run or trace"],
  ["id", "idempotency key"],
  ["source", "recording program"],
  ["sequence", "the source's gapless counter"],
  ["recorder", "credential that submitted the entry"],
  ["old_value", "value before, text or JSON"],
  ["new_value", "value after, text or JSON"],
  ["old_value_type", "JSON type of old_value"],
  ["new_value_type", "JSON type of new_value"],
  ["context", "JSON object with anything more"],
  ["signature_key_id", "the client's key"],
  ["signature_algorithm", "ed25519"],
  ["signature", "the client's signature"],
  ["salt", "random bytes"],
];

export const FUNCTIONS: [string, string][] = [
  ["count", "(*) number of rows"],
  ["sum", "(number)"],
  ["avg", "(number)"],
  ["min", "(value)"],
  ["max", "(value)"],
  ["median", "(number)"],
  ["approx_distinct", "(value)"],
  ["now", "() the time of the query"],
  ["date_bin", "(interval '1 hour', timestamp)"],
  ["date_trunc", "('day', timestamp)"],
  ["date_part", "('hour', timestamp)"],
  ["coalesce", "(value, otherwise)"],
  ["lower", "(text)"],
  ["upper", "(text)"],
  ["regexp_like", "(text, pattern)"],
  ["row_number", "() OVER (…)"],
  ["lag", "(value) OVER (…)"],
  ["json_get_str", "(json, 'member', …)"],
  ["json_get_int", "(json, 'member', …)"],
  ["json_get_float", "(json, 'member', …)"],
  ["json_get_bool", "(json, 'member', …)"],
  ["json_get_array", "(json, 'member', …)"],
  ["json_length", "(json)"],
  ["json_object_keys", "(json)"],
  ["json_contains", "(json, 'member')"],
];

export const SHIPPED: SavedQuery[] = [
  {
    name: "Overrides in the last 24 hours",
    sql: "SELECT * FROM audit_log WHERE event_type = 'manual_override' AND timestamp > now() - interval '24 hours';",
  },
  {
    name: "How often each model was overridden",
    sql: `SELECT context->>'model_version' AS model, count(*) AS decisions,
       count(*) FILTER (WHERE event_type = 'manual_override') AS overridden
FROM audit_log GROUP BY 1 ORDER BY decisions DESC;`,
  },
  {
    name: "Denied acts, by who tried",
    sql: "SELECT actor, count(*) AS denied, max(timestamp) AS last\nFROM audit_log WHERE outcome = 'denied' GROUP BY 1 ORDER BY denied DESC;",
  },
  {
    name: "Events by type",
    sql: "SELECT event_type, count(*) AS n FROM audit_log GROUP BY 1 ORDER BY n DESC;",
  },
  {
    name: "Events per day",
    sql: "SELECT date_bin(interval '1 day', timestamp) AS day, count(*) AS events\nFROM audit_log GROUP BY 1 ORDER BY 1;",
  },
  {
    name: "Overrides without a reason",
    sql: "SELECT index, timestamp, actor, entity_id\nFROM audit_log WHERE event_type = 'manual_override' AND reason IS NULL;",
  },
  {
    name: "Acts by people outside 07–19 h UTC",
    sql: "SELECT index, timestamp, actor, event_type, entity_id\nFROM audit_log WHERE actor_type = 'user' AND (date_part('hour', timestamp) < 7 OR date_part('hour', timestamp) >= 19);",
  },
  {
    name: "What the ledger itself recorded",
    sql: "SELECT index, timestamp, event_type, context\nFROM audit_log WHERE event_type LIKE 'ledger.%' ORDER BY index DESC LIMIT 100;",
  },
];

function isSaved(value: unknown): value is SavedQuery[] {
  return Array.isArray(value) && value.every((item) => typeof item?.name === "string" && typeof item?.sql === "string");
}

export const savedStore = createKept<SavedQuery[]>("counterfoil.queries", [], isSaved);
