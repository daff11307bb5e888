//! The statements over `audit_log` that gather a report's figures.
//!
//! A period is a span of `recorded_at`, which never goes back: so it is one unbroken span of indices, from [`BEFORE`] to
//! [`AFTER`], and every other statement says `index >= :first AND index < :end`. All of them run over one snapshot.

use crate::moment::Moment;

/// Rows that a statement answers at most where there may be many; the total stands in each row as `total`.
pub const MAX_LISTED: u64 = 1_000;

/// How many entries came before the period: `first`, NULL for none.
pub const BEFORE: &str = "SELECT max(index) + 1 AS first FROM audit_log WHERE recorded_at < ':from'";

/// The first entry after the period: `end`, NULL where there is none.
pub const AFTER: &str = "SELECT min(index) AS end FROM audit_log WHERE recorded_at >= ':to'";

/// When the ledger recorded its first entry: `at`.
pub const BEGUN: &str = "SELECT recorded_at AS at FROM audit_log WHERE index = 0";

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

macro_rules! runs {
    ($which:literal) => {
        concat!(
            "SELECT recorded_at AS ended_at, coalesce(json_get_bool(context, 'verified'), false) AS verified, \
             coalesce(json_get_bool(context, 'anchored'), false) AS anchored, \
             coalesce(json_get_int(context, 'tree_size'), 0) AS size, \
             coalesce(json_get_str(context, 'of'), 'ledger') AS subject, \
             coalesce(json_get_str(context, 'extent'), 'whole') AS extent, \
             coalesce(json_get_int(context, 'findings_total'), 0) AS findings, json_get_str(context, 'fault') AS fault, \
             count(*) OVER () AS total FROM audit_log WHERE index < :end AND event_type = 'ledger.verified' ",
            $which
        )
    };
}

/// `listed` of [`Verification`](crate::report::Verification): [`Run`](crate::report::Run), those with findings first.
pub const VERIFICATIONS: &str =
    runs!("AND index >= :first ORDER BY coalesce(json_get_bool(context, 'verified'), false), index DESC LIMIT 1000");

/// The newest [`Run`](crate::report::Run), and how many there are.
pub const LAST_VERIFICATION: &str = runs!("ORDER BY index DESC LIMIT 1");

/// The figures of [`Verification`](crate::report::Verification): one row. Those of the whole ledger are counted apart from those of
/// a part of it, of the copy and of a table; `longest_pause_micros` is the longest time without a clean run over the whole ledger,
/// the period's edges aside.
pub const VERIFICATION: &str = "\
SELECT count(*) FILTER (WHERE whole) AS runs, count(*) FILTER (WHERE whole AND verified) AS clean, \
count(*) FILTER (WHERE whole AND faulty) AS unfinished, count(*) FILTER (WHERE whole AND anchored) AS anchored, \
count(*) FILTER (WHERE NOT whole) AS others, count(*) FILTER (WHERE NOT whole AND verified) AS others_clean, \
count(*) FILTER (WHERE NOT whole AND faulty) AS others_unfinished, \
max(at) FILTER (WHERE whole AND verified) AS last_clean_micros, max(pause) FILTER (WHERE whole AND verified) AS longest_pause_micros \
FROM (SELECT verified, anchored, faulty, whole, at, \
at - lag(at) OVER (PARTITION BY whole AND verified ORDER BY index) AS pause FROM \
(SELECT index, coalesce(json_get_bool(context, 'verified'), false) AS verified, \
coalesce(json_get_str(context, 'extent'), 'whole') = 'whole' AND coalesce(json_get_str(context, 'of'), 'ledger') = 'ledger' AS whole, \
coalesce(json_get_bool(context, 'anchored'), false) AS anchored, \
json_get_str(context, 'fault') IS NOT NULL AS faulty, recorded_at::bigint AS at FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'ledger.verified'))";

/// `drills` of a [`Report`](crate::report::Report): [`Drill`](crate::report::Drill), those that failed first.
pub const DRILLS: &str = "\
SELECT recorded_at AS ended_at, coalesce(json_get_bool(context, 'passed'), false) AS passed, \
coalesce(json_get_int(context, 'checks'), 0) AS checks, coalesce(json_get_int(context, 'failed'), 0) AS failed, actor, count(*) OVER () AS total FROM audit_log \
WHERE index >= :first AND index < :end AND event_type = 'ledger.drilled' \
ORDER BY coalesce(json_get_bool(context, 'passed'), false), index DESC LIMIT 1000";

/// `listed` of [`Alerts`](crate::report::Alerts): [`Alert`](crate::report::Alert), as they stood at the end of the period: those that
/// are open, oldest first, then those raised in the period. The newest change of an alert is its state.
pub const ALERTS: &str = "\
SELECT raised.index AS index, raised.recorded_at AS raised_at, coalesce(json_get_str(raised.context, 'title'), '') AS title, \
coalesce(json_get_str(raised.context, 'level'), 'critical') AS level, \
coalesce(json_length(raised.context, 'indices'), 0) AS entries, \
coalesce(json_get_bool(raised.context, 'drill'), false) AS drill, acknowledged_at, \
CASE WHEN state = 'ledger.alert_resolved' THEN closed_at END AS resolved_at, \
coalesce(state = 'ledger.alert_resolved' AND said = 'false_positive', false) AS false_positive, count(*) OVER () AS total \
FROM audit_log AS raised LEFT JOIN (SELECT entity_id AS changed, \
min(recorded_at) FILTER (WHERE event_type = 'ledger.alert_acknowledged') AS acknowledged_at, \
max(recorded_at) FILTER (WHERE event_type = 'ledger.alert_resolved') AS closed_at, \
last_value(event_type ORDER BY index) AS state, \
last_value(coalesce(json_get_str(context, 'state'), '') ORDER BY index) AS said FROM audit_log WHERE index < :end \
AND event_type IN ('ledger.alert_acknowledged', 'ledger.alert_resolved', 'ledger.alert_reopened') GROUP BY entity_id) \
AS changes ON changed = raised.entity_id \
WHERE raised.index < :end AND raised.event_type = 'ledger.alert_raised' \
AND (raised.index >= :first OR state IS NULL OR state <> 'ledger.alert_resolved') \
ORDER BY coalesce(state = 'ledger.alert_resolved', false), raised.index LIMIT 1000";

/// The figures of [`Alerts`](crate::report::Alerts): one row.
pub const ALERT_FIGURES: &str = "\
SELECT count(*) FILTER (WHERE raised >= :first) AS raised, count(*) FILTER (WHERE raised >= :first AND taken) AS acknowledged, \
count(*) FILTER (WHERE raised >= :first AND state = 'ledger.alert_resolved') AS resolved, \
count(*) FILTER (WHERE raised >= :first AND state = 'ledger.alert_resolved' AND said = 'false_positive') AS false_positives, \
count(*) FILTER (WHERE raised >= :first AND drill) AS drills, \
count(*) FILTER (WHERE state <> 'ledger.alert_resolved') AS open FROM \
(SELECT min(index) FILTER (WHERE event_type = 'ledger.alert_raised') AS raised, \
bool_or(event_type = 'ledger.alert_acknowledged') AS taken, \
bool_or(event_type = 'ledger.alert_raised' AND coalesce(json_get_bool(context, 'drill'), false)) AS drill, \
last_value(event_type ORDER BY index) AS state, \
last_value(coalesce(json_get_str(context, 'state'), '') ORDER BY index) AS said FROM audit_log \
WHERE index < :end AND event_type IN \
('ledger.alert_raised', 'ledger.alert_acknowledged', 'ledger.alert_resolved', 'ledger.alert_reopened') \
GROUP BY entity_id) WHERE raised IS NOT NULL";

/// `reviews` of a [`Report`](crate::report::Report): [`Review`](crate::report::Review), a row a day that somebody signed. A day is
/// signed when it is over, so `:end` is the size of the ledger; `:from` and `:to` are its first and last day.
pub const REVIEWS: &str = "\
SELECT entity_id AS day, first_value(actor ORDER BY index) AS actor, min(recorded_at) AS signed_at, count(*) AS signatures, \
first_value(coalesce(json_get_int(context, 'open_alerts'), 0) ORDER BY index) AS open_alerts, \
first_value(coalesce(reason, '') ORDER BY index) AS note, count(*) OVER () AS total FROM audit_log \
WHERE index < :end AND event_type = 'ledger.review_signed' AND entity_id >= ':from' AND entity_id <= ':to' \
GROUP BY entity_id ORDER BY day LIMIT 1000";

/// Whether rules were in force: `rules` is how often a rule set came into force up to the end of the period.
pub const RULES: &str =
    "SELECT count(*) AS rules FROM audit_log WHERE index < :end AND event_type = 'ledger.rules_loaded'";

/// `holds` of [`Retention`](crate::report::Retention): [`Hold`](crate::report::Hold)s that were placed and not released.
pub const HOLDS: &str = "\
SELECT entity_id AS scope, last_value(recorded_at ORDER BY index) FILTER (WHERE event_type = 'ledger.hold_placed') AS placed_at, \
last_value(actor ORDER BY index) FILTER (WHERE event_type = 'ledger.hold_placed') AS actor, count(*) OVER () AS total FROM audit_log \
WHERE index < :end AND event_type IN ('ledger.hold_placed', 'ledger.hold_released') GROUP BY entity_id \
HAVING count(*) FILTER (WHERE event_type = 'ledger.hold_placed') > count(*) FILTER (WHERE event_type = 'ledger.hold_released') \
ORDER BY placed_at LIMIT 1000";

macro_rules! removals {
    ($event_type:literal) => {
        concat!(
            "SELECT recorded_at AS at, actor, entity_id AS scope, coalesce(reason, '') AS reason, count(*) OVER () AS total \
             FROM audit_log WHERE index >= :first AND index < :end AND event_type = '",
            $event_type,
            "' ORDER BY index DESC LIMIT 1000"
        )
    };
}

/// `erased` of [`Removals`](crate::report::Removals): [`Removal`](crate::report::Removal)s, newest first.
pub const ERASED: &str = removals!("ledger.subject_erased");

/// `restored` of [`Removals`](crate::report::Removals), newest first.
pub const RESTORATIONS: &str = removals!("ledger.restored");

/// `pruned` of [`Removals`](crate::report::Removals), newest first.
pub const PRUNED: &str = removals!("ledger.pruned");

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

/// Where the ledger last said that its copy is: `place`, one row or none.
pub const SHIPPED: &str = "\
SELECT coalesce(json_get_str(context, 'to'), json_get_str(context, 'place')) AS place FROM audit_log \
WHERE index < :end AND event_type IN ('ledger.shipped', 'ledger.pruned') ORDER BY index DESC LIMIT 1";

/// The names that a ledger had before it was restored, oldest first: `origin`.
pub const RESTORED: &str = "\
SELECT json_get_str(context, 'origin') AS origin FROM audit_log \
WHERE index < :end AND event_type = 'ledger.restored' ORDER BY index LIMIT 1000";

/// The entries that a report singles out, as a condition: overrides, what was denied or failed, and what the ledger recorded
/// about itself in the period; with them the holds of earlier times.
pub const SINGLED_OUT: &str = "\
index < :end AND ((index >= :first AND (event_type = 'manual_override' OR outcome IN ('denied', 'failure') \
OR starts_with(event_type, 'ledger.'))) OR event_type IN ('ledger.hold_placed', 'ledger.hold_released'))";

/// The entries behind a design document, as a condition: keys, tokens, rules, copies and retention.
pub const DESIGN: &str = "\
event_type IN ('ledger.created', 'ledger.restored', 'ledger.key_registered', 'ledger.key_rotated', 'ledger.key_revoked', \
'ledger.token_created', 'ledger.token_revoked', 'ledger.rules_loaded', 'ledger.shipped', 'ledger.pruned', \
'ledger.hold_placed', 'ledger.hold_released', 'ledger.subject_erased')";

/// The figures that statements look at, of a part of the ledger: it can be read when this is answered.
pub const READABLE: &str = "\
SELECT sum(timestamp::bigint % 2), sum(recorded_at::bigint % 2), count(*) FILTER (WHERE signature IS NOT NULL), \
sum(octet_length(source)), sum(octet_length(event_type)), sum(octet_length(actor)), sum(octet_length(actor_type)), \
sum(octet_length(entity_id)), sum(octet_length(outcome)), sum(octet_length(reason)), sum(octet_length(context)) \
FROM audit_log WHERE index >= :first AND index < :end";

/// Every statement that asks for a span of indices, by its name.
pub const SPANNING: [(&str, &str); 22] = [
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
    ("erased", ERASED),
    ("restored", RESTORATIONS),
    ("pruned", PRUNED),
    ("access", ACCESS),
    ("tokens", TOKENS),
    ("clock", CLOCK),
];

/// `clock` of [`Sources`](crate::report::Sources): one row. How far `timestamp` and `recorded_at` lie apart at most.
pub const CLOCK: &str = "\
SELECT max(recorded - happened) AS late_micros, max(happened - recorded) AS early_micros FROM \
(SELECT recorded_at::bigint AS recorded, timestamp::bigint AS happened \
FROM audit_log WHERE index >= :first AND index < :end)";

/// A statement without entries that cannot be read, each run with both its ends.
pub fn without(statement: &str, unread: &[(u64, u64)]) -> String {
    if unread.is_empty() {
        return statement.to_owned();
    }
    statement.replace("FROM audit_log", &format!("FROM (SELECT * FROM audit_log WHERE {})", outside(unread)))
}

/// The condition that an entry is in none of these runs.
pub fn outside(unread: &[(u64, u64)]) -> String {
    let outside = unread.iter().map(|(first, last)| format!("(index < {first} OR index > {last})"));
    outside.collect::<Vec<_>>().join(" AND ")
}

/// [`REVIEWS`] of the days that a period touches, in a ledger of this size.
pub fn reviews(from: Moment, to: Moment, size: u64) -> String {
    let last = Moment::from_micros(to.micros() - 1);
    let statement = REVIEWS.replace(":from", &from.date()).replace(":to", &last.date());
    statement.replace(":end", &size.to_string())
}

/// A statement over a period of time.
pub fn between(statement: &str, from: Moment, to: Moment) -> String {
    statement.replace(":from", &from.rfc3339()).replace(":to", &to.rfc3339())
}

/// A statement over a span of indices, volumes by this step.
pub fn over(statement: &str, first: u64, end: u64, step: crate::report::Step) -> String {
    statement.replace(":first", &first.to_string()).replace(":end", &end.to_string()).replace(":step", step.name())
}
