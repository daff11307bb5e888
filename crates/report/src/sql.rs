//! The statements over `audit_log` that gather a report's figures.
//!
//! A period is a span of `recorded_at`, which never goes back: so it is one unbroken span of indices, and every other
//! statement says `index >= :first AND index < :end`. All of them run over one snapshot.

use crate::moment::Moment;

/// Rows that a statement answers at most where there may be many; the total stands in each row as `total`.
pub const MAX_LISTED: u64 = 1_000;

/// The span of indices of a period: `first`, `end`; both NULL when it has no entry.
pub const PERIOD: &str = "\
SELECT min(index) AS first, max(index) + 1 AS end FROM audit_log \
WHERE recorded_at >= ':from' AND recorded_at < ':to'";

/// How many entries came before a period without entries: `first`, NULL for none.
pub const BEFORE: &str = "SELECT max(index) + 1 AS first FROM audit_log WHERE recorded_at < ':from'";

/// [`Activity`](crate::report::Activity): one row.
pub const ACTIVITY: &str = "\
SELECT count(*) FILTER (WHERE NOT starts_with(event_type, 'ledger.')) AS entries, \
count(*) FILTER (WHERE starts_with(event_type, 'ledger.')) AS own, \
count(DISTINCT actor) AS actors, count(DISTINCT entity_id) AS entities, \
count(*) FILTER (WHERE signature IS NOT NULL) AS signed, \
count(*) FILTER (WHERE source IS NULL AND NOT starts_with(event_type, 'ledger.')) AS unnumbered \
FROM audit_log WHERE index >= :first AND index < :end";

/// `event_types` of [`Activity`](crate::report::Activity): [`Count`](crate::report::Count)s.
pub const EVENT_TYPES: &str = "\
SELECT event_type AS name, count(*) AS entries, count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end GROUP BY event_type ORDER BY entries DESC, name LIMIT 1000";

/// `actor_types` of [`Activity`](crate::report::Activity): [`Count`](crate::report::Count)s.
pub const ACTOR_TYPES: &str = "\
SELECT coalesce(actor_type, '') AS name, count(*) AS entries, count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end GROUP BY 1 ORDER BY entries DESC, name LIMIT 1000";

/// `volume` of [`Activity`](crate::report::Activity): [`Volume`](crate::report::Volume); `:step` is a
/// [`Step`](crate::report::Step). Steps without entries may be left out.
pub const VOLUME: &str = "\
SELECT date_trunc(':step', recorded_at) AS start, count(*) AS entries FROM audit_log \
WHERE index >= :first AND index < :end GROUP BY 1 ORDER BY 1";

/// `by_model` of [`Overrides`](crate::report::Overrides): [`ModelRate`](crate::report::ModelRate).
pub const OVERRIDES_BY_MODEL: &str = "\
SELECT context->>'model_version' AS model, \
count(*) FILTER (WHERE event_type <> 'manual_override') AS decisions, \
count(*) FILTER (WHERE event_type = 'manual_override') AS overridden, \
count(*) FILTER (WHERE event_type = 'manual_override' AND coalesce(reason, '') = '') AS unreasoned, \
count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end AND context->>'model_version' IS NOT NULL \
GROUP BY 1 ORDER BY overridden DESC, decisions DESC, model LIMIT 1000";

/// `by_actor` of [`Overrides`](crate::report::Overrides): [`Overrider`](crate::report::Overrider).
pub const OVERRIDES_BY_ACTOR: &str = "\
SELECT actor, count(*) AS overrides, count(*) FILTER (WHERE coalesce(reason, '') = '') AS unreasoned, \
count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'manual_override' \
GROUP BY actor ORDER BY overrides DESC, actor LIMIT 1000";

/// The figures of [`Overrides`](crate::report::Overrides): one row.
pub const OVERRIDES: &str = "\
SELECT count(*) FILTER (WHERE overriding) AS overrides, count(*) FILTER (WHERE overriding AND NOT reasoned) AS unreasoned, \
count(*) FILTER (WHERE overriding AND NOT modelled) AS unattributed, \
count(*) FILTER (WHERE NOT overriding AND modelled) AS decisions FROM \
(SELECT event_type = 'manual_override' AS overriding, coalesce(reason, '') <> '' AS reasoned, \
context->>'model_version' IS NOT NULL AS modelled FROM audit_log WHERE index >= :first AND index < :end)";

/// `denials` of [`Overrides`](crate::report::Overrides): [`Denial`](crate::report::Denial). What the ledger itself refused is
/// in [`ACCESS`].
pub const DENIALS: &str = "\
SELECT event_type, outcome, count(*) AS entries, count(DISTINCT actor) AS actors, count(*) OVER () AS total \
FROM audit_log WHERE index >= :first AND index < :end AND outcome IN ('denied', 'failure') \
AND NOT starts_with(event_type, 'ledger.') GROUP BY event_type, outcome ORDER BY entries DESC, event_type LIMIT 1000";

/// `segments` of [`Integrity`](crate::report::Integrity): [`Segment`](crate::report::Segment), newest first.
pub const SEGMENTS: &str = "\
SELECT coalesce(json_get_int(context, 'first'), 0) AS first, coalesce(json_get_int(context, 'count'), 0) AS count, \
coalesce(json_get_str(context, 'root'), '') AS root, recorded_at AS sealed_at, count(*) OVER () AS total FROM audit_log \
WHERE index < :end AND event_type = 'ledger.sealed' ORDER BY index DESC LIMIT 1000";

/// `runs` of [`Verification`](crate::report::Verification): [`Run`](crate::report::Run), those with findings first.
pub const VERIFICATIONS: &str = "\
SELECT recorded_at AS ended_at, coalesce(json_get_bool(context, 'verified'), false) AS verified, \
coalesce(json_get_bool(context, 'anchored'), false) AS anchored, coalesce(json_get_int(context, 'tree_size'), 0) AS size, \
coalesce(json_get_int(context, 'findings_total'), 0) AS findings, json_get_str(context, 'fault') AS fault, \
count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'ledger.verified' \
ORDER BY coalesce(json_get_bool(context, 'verified'), false), index DESC LIMIT 1000";

/// The figures of [`Verification`](crate::report::Verification): one row. `longest_pause_micros` is the longest time without a
/// run that ended clean, the period's edges aside.
pub const VERIFICATION: &str = "\
SELECT count(*) AS runs, count(*) FILTER (WHERE verified) AS clean, count(*) FILTER (WHERE faulty) AS unfinished, \
count(*) FILTER (WHERE anchored) AS anchored, max(pause) AS longest_pause_micros FROM \
(SELECT verified, anchored, faulty, at - lag(at) OVER (PARTITION BY verified ORDER BY index) AS pause FROM \
(SELECT index, coalesce(json_get_bool(context, 'verified'), false) AS verified, \
coalesce(json_get_bool(context, 'anchored'), false) AS anchored, \
json_get_str(context, 'fault') IS NOT NULL AS faulty, recorded_at::bigint AS at FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'ledger.verified'))";

/// `drills` of a [`Report`](crate::report::Report): [`Drill`](crate::report::Drill), newest first.
pub const DRILLS: &str = "\
SELECT recorded_at AS ended_at, coalesce(json_get_bool(context, 'passed'), false) AS passed, \
coalesce(json_get_int(context, 'checks'), 0) AS checks, coalesce(json_get_int(context, 'failed'), 0) AS failed, actor, count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'ledger.drilled' ORDER BY index DESC LIMIT 1000";

/// `listed` of [`Alerts`](crate::report::Alerts): [`Alert`](crate::report::Alert), as they stood at the end of the period: those that
/// are open, oldest first, then those raised in the period.
pub const ALERTS: &str = "\
SELECT raised.index AS index, raised.recorded_at AS raised_at, coalesce(raised.context->>'title', '') AS title, \
coalesce(raised.context->>'level', '') AS level, coalesce(json_length(raised.context, 'indices'), 0) AS entries, \
min(state.recorded_at) FILTER (WHERE state.event_type = 'ledger.alert_acknowledged') AS acknowledged_at, \
min(state.recorded_at) FILTER (WHERE state.event_type = 'ledger.alert_resolved') AS resolved_at, \
count(*) OVER () AS total \
FROM audit_log AS raised LEFT JOIN audit_log AS state ON state.entity_id = raised.entity_id AND state.index < :end \
AND state.event_type IN ('ledger.alert_acknowledged', 'ledger.alert_resolved') \
WHERE raised.index < :end AND raised.event_type = 'ledger.alert_raised' \
GROUP BY raised.index, raised.recorded_at, raised.context \
HAVING raised.index >= :first \
OR min(state.recorded_at) FILTER (WHERE state.event_type = 'ledger.alert_resolved') IS NULL \
ORDER BY (min(state.recorded_at) FILTER (WHERE state.event_type = 'ledger.alert_resolved')) NULLS FIRST, raised.index LIMIT 1000";

/// The figures of [`Alerts`](crate::report::Alerts): one row.
pub const ALERT_FIGURES: &str = "\
SELECT count(*) FILTER (WHERE index >= :first) AS raised, count(*) FILTER (WHERE index >= :first AND acknowledged > 0) AS acknowledged, \
count(*) FILTER (WHERE index >= :first AND resolved > 0) AS resolved, count(*) FILTER (WHERE resolved = 0) AS open FROM \
(SELECT min(index) FILTER (WHERE event_type = 'ledger.alert_raised') AS index, \
count(*) FILTER (WHERE event_type = 'ledger.alert_acknowledged') AS acknowledged, \
count(*) FILTER (WHERE event_type = 'ledger.alert_resolved') AS resolved FROM audit_log \
WHERE index < :end AND event_type IN ('ledger.alert_raised', 'ledger.alert_acknowledged', 'ledger.alert_resolved') \
GROUP BY entity_id) WHERE index IS NOT NULL";

/// Whether rules were in force: `rules` is how often a rule set came into force up to the end of the period.
pub const RULES: &str =
    "SELECT count(*) AS rules FROM audit_log WHERE index < :end AND event_type = 'ledger.rules_loaded'";

/// `holds` of [`Retention`](crate::report::Retention): [`Hold`](crate::report::Hold)s that were placed and not released.
pub const HOLDS: &str = "\
SELECT entity_id AS scope, min(recorded_at) AS placed_at, min(actor) AS actor, count(*) OVER () AS total FROM audit_log \
WHERE index < :end AND event_type IN ('ledger.hold_placed', 'ledger.hold_released') GROUP BY entity_id \
HAVING count(*) FILTER (WHERE event_type = 'ledger.hold_placed') > count(*) FILTER (WHERE event_type = 'ledger.hold_released') \
ORDER BY placed_at LIMIT 1000";

/// `removals` of [`Retention`](crate::report::Retention): [`Removal`](crate::report::Removal), newest first.
pub const REMOVALS: &str = "\
SELECT recorded_at AS at, event_type, actor, entity_id AS scope, coalesce(reason, '') AS reason, count(*) OVER () AS total \
FROM audit_log WHERE index >= :first AND index < :end \
AND event_type IN ('ledger.pruned', 'ledger.subject_erased', 'ledger.restored') ORDER BY index DESC LIMIT 1000";

/// `acts` of [`Access`](crate::report::Access): [`AccessCount`](crate::report::AccessCount). One entry of `ledger.access_denied` may
/// stand for many requests.
pub const ACCESS: &str = "\
SELECT event_type AS act, actor, sum(coalesce(json_get_int(context, 'count'), 1)) AS times, max(recorded_at) AS last_at, \
count(*) OVER () AS total FROM audit_log WHERE index >= :first AND index < :end AND event_type IN \
('ledger.access_denied', 'ledger.query_run', 'ledger.export_made', 'ledger.token_created', 'ledger.token_revoked') \
GROUP BY event_type, actor ORDER BY event_type, times DESC, actor LIMIT 1000";

/// `tokens` of [`Access`](crate::report::Access): [`TokenAct`](crate::report::TokenAct), newest first.
pub const TOKENS: &str = "\
SELECT recorded_at AS at, event_type AS act, entity_id AS name, coalesce(context->>'role', '') AS role, actor, \
count(*) OVER () AS total FROM audit_log WHERE index >= :first AND index < :end \
AND event_type IN ('ledger.token_created', 'ledger.token_revoked') ORDER BY index DESC LIMIT 1000";

/// Every statement that asks for a span of indices, by its name.
pub const SPANNING: [(&str, &str); 20] = [
    ("activity", ACTIVITY),
    ("event_types", EVENT_TYPES),
    ("actor_types", ACTOR_TYPES),
    ("volume", VOLUME),
    ("overrides", OVERRIDES),
    ("overrides_by_model", OVERRIDES_BY_MODEL),
    ("overrides_by_actor", OVERRIDES_BY_ACTOR),
    ("denials", DENIALS),
    ("segments", SEGMENTS),
    ("verification", VERIFICATION),
    ("verifications", VERIFICATIONS),
    ("drills", DRILLS),
    ("alerts", ALERTS),
    ("alert_figures", ALERT_FIGURES),
    ("rules", RULES),
    ("holds", HOLDS),
    ("removals", REMOVALS),
    ("access", ACCESS),
    ("tokens", TOKENS),
    ("clock", CLOCK),
];

/// `clock` of [`Sources`](crate::report::Sources): one row. How far `timestamp` and `recorded_at` lie apart at most.
pub const CLOCK: &str = "\
SELECT max(recorded - happened) AS late_micros, max(happened - recorded) AS early_micros FROM \
(SELECT recorded_at::bigint AS recorded, timestamp::bigint AS happened \
FROM audit_log WHERE index >= :first AND index < :end)";

/// A statement over a period of time.
pub fn between(statement: &str, from: Moment, to: Moment) -> String {
    statement.replace(":from", &from.rfc3339()).replace(":to", &to.rfc3339())
}

/// A statement over a span of indices, volumes by this step.
pub fn over(statement: &str, first: u64, end: u64, step: crate::report::Step) -> String {
    statement.replace(":first", &first.to_string()).replace(":end", &end.to_string()).replace(":step", step.name())
}
