import { instantsOf } from "../../text/day";

export interface Range {
  from: string;
  to: string;
}

/** As the finance rule "Approver approved what they had asked for" has them. */
const REQUESTS = [
  "invoice_approval_requested",
  "payment_initiated",
  "payment_beneficiary_changed",
  "override_proposed",
  "journal_entry_proposed",
  "model_registered",
];
const APPROVALS = [
  "invoice_approved",
  "payment_authorized",
  "payment_released",
  "override_approved",
  "journal_entry_posted",
  "model_approved",
];

export const MOST_ROWS = 1000;

function among(names: string[]): string {
  return `(${names.map((name) => `'${name}'`).join(", ")})`;
}

/** By the time of recording, like the review: what is recorded late is not overlooked. */
function within(column: string, range: Range): string {
  const { from, to } = instantsOf(range.from, range.to);
  return `${column} >= '${from}' AND ${column} < '${to}'`;
}

/** Each override with the model it names, or else the one that acted last on the same entity before it. */
export function overridesSql(range: Range, onlyUnexplained: boolean): string {
  const overridden = `event_type = 'manual_override' AND ${within("recorded_at", range)}`;
  const unexplained = onlyUnexplained ? " AND (reason IS NULL OR NOT regexp_like(reason, '\\w.*\\w.*\\w'))" : "";
  return `SELECT index, timestamp, actor, event_type, entity_id, model, reason, old_value, new_value, old_value_type, new_value_type
FROM (
  SELECT *, last_value(context->>'model_version') IGNORE NULLS OVER (PARTITION BY entity_id ORDER BY index) AS model
  FROM audit_log WHERE entity_id IN (SELECT entity_id FROM audit_log WHERE ${overridden})
)
WHERE ${overridden}${unexplained} ORDER BY index DESC LIMIT ${MOST_ROWS}`;
}

/** Approvals by people who asked for the same thing before, or are named as having asked for it. */
export function fourEyesSql(range: Range): string {
  return `SELECT approval.index, approval.timestamp, approval.actor, approval.event_type, approval.entity_id,
  max(request.index) AS request, last_value(request.event_type ORDER BY request.index) AS requested
FROM audit_log AS approval
LEFT JOIN audit_log AS request
  ON request.entity_id = approval.entity_id AND request.actor = approval.actor AND request.index < approval.index
  AND request.event_type IN ${among(REQUESTS)}
WHERE approval.event_type IN ${among(APPROVALS)} AND ${within("approval.recorded_at", range)}
  AND coalesce(approval.actor_type, 'user') = 'user' AND coalesce(approval.outcome, 'success') = 'success'
  AND (request.index IS NOT NULL OR approval.context->>'requested_by' = approval.actor)
GROUP BY approval.index, approval.timestamp, approval.actor, approval.event_type, approval.entity_id
ORDER BY approval.index DESC LIMIT ${MOST_ROWS}`;
}
