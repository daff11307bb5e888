//! The statements have the form that a ledger answers, and columns of the names that the structs have.

use counterfoil_report::ReportError;
use counterfoil_report::report::{Activity, Checkpoint, Count, Listed, Step, figures};
use counterfoil_report::sql::{self, SPANNING};
use serde::Serialize;

use crate::sample;

#[test]
fn each_is_one_reading_statement_over_the_one_table() {
    let all = SPANNING.into_iter().chain([
        ("before", sql::BEFORE),
        ("after", sql::AFTER),
        ("begun", sql::BEGUN),
        ("reviews", sql::REVIEWS),
    ]);
    for (name, statement) in all {
        assert!(statement.starts_with("SELECT ") && !statement.contains(';'), "{name}");
        assert!(statement.contains("FROM audit_log"), "{name}");
        assert!(!statement.contains("  ") && !statement.contains('\n'), "{name}");
        for word in ["INSERT", "UPDATE", "DELETE", "COPY", "now()", "random"] {
            assert!(!statement.contains(word), "{name} says {word}");
        }
        if statement.contains("AS total") {
            assert!(statement.ends_with("LIMIT 1000"), "{name} has no end");
        }
    }
    assert_eq!(sql::MAX_LISTED, 1000);
}

#[test]
fn each_is_bounded_by_the_period_and_nothing_is_left_to_fill_in() {
    for (name, statement) in SPANNING {
        assert!(statement.contains("index < :end"), "{name} reads beyond the period");
        let filled = sql::over(statement, 5, 9, Step::Day);
        assert!(!filled.replace("::bigint", "").contains(':') && filled.contains("index < 9"), "{filled}");
    }
    let (from, to) = (sample::moment("2026-07-01T00:00:00Z"), sample::moment("2026-10-01T00:00:00+02:00"));
    let filled = sql::between(sql::BEFORE, from, to) + &sql::between(sql::AFTER, from, to);
    assert!(filled.contains("recorded_at < '2026-07-01T00:00:00Z'"), "{filled}");
    assert!(filled.contains("recorded_at >= '2026-09-30T22:00:00Z'"), "{filled}");
    let filled = sql::reviews(from, to, 9);
    assert!(
        filled.contains("index < 9") && filled.contains(">= '2026-07-01' AND entity_id <= '2026-09-30'"),
        "{filled}"
    );
}

/// The first row of a list, as JSON, has the columns of its statement.
fn matches(name: &str, statement: &str, row: &impl Serialize) {
    let row = serde_json::to_value(row).expect("JSON");
    for column in row.as_object().expect("an object").keys() {
        let is_there = statement.contains(&format!(" AS {column}"))
            || statement.contains(&format!("SELECT {column},"))
            || statement.contains(&format!(" {column},"));
        assert!(is_there || row[column].is_array() || row[column].is_object(), "{name} has no column {column}");
    }
}

#[test]
fn columns_are_called_as_the_structs_call_them() {
    let report = sample::report();
    matches("activity", sql::ACTIVITY, &report.activity);
    matches("event types", sql::EVENT_TYPES, &report.activity.event_types.rows[0]);
    matches("actor types", sql::ACTOR_TYPES, &report.activity.actor_types.rows[0]);
    matches("volume", sql::VOLUME, &report.activity.volume[0]);
    matches("overrides", sql::OVERRIDES, &report.overrides);
    matches("models", sql::OVERRIDES_BY_MODEL, &report.overrides.by_model.rows[0]);
    matches("people", sql::OVERRIDES_BY_ACTOR, &report.overrides.by_actor.rows[0]);
    matches("denials", sql::DENIALS, &report.overrides.denials.rows[0]);
    matches("segments", sql::SEGMENTS, &report.integrity.segments.rows[0]);
    matches("verification", sql::VERIFICATION, &report.verification);
    matches("verifications", sql::VERIFICATIONS, &report.verification.listed.rows[0]);
    matches("drills", sql::DRILLS, &report.drills.rows[0]);
    let alerts = report.alerts.expect("alerts");
    matches("alerts", sql::ALERTS, &alerts.listed.rows[0]);
    matches("alert figures", sql::ALERT_FIGURES, &alerts);
    matches("reviews", sql::REVIEWS, &report.reviews.rows[0]);
    let removals = &report.retention.removals;
    for (name, statement) in [("erased", sql::ERASED), ("restored", sql::RESTORATIONS), ("pruned", sql::PRUNED)] {
        matches(name, statement, &removals.erased.rows[0]);
    }
    matches("access", sql::ACCESS, &report.access.acts.rows[0]);
    matches("tokens", sql::TOKENS, &report.access.tokens.rows[0]);
}

#[test]
fn what_cannot_be_read_is_left_out_of_a_statement() {
    assert_eq!(sql::without(sql::RULES, &[]), sql::RULES);
    let rest = sql::without(sql::ALERTS, &[(0, 255), (512, 767)]);
    let part = "FROM (SELECT * FROM audit_log WHERE (index < 0 OR index > 255) AND (index < 512 OR index > 767))";
    assert_eq!(rest.matches(part).count(), 2, "{rest}");
    assert!(rest.contains(&format!("{part} AS raised")), "{rest}");
}

#[test]
fn the_step_fits_the_period() {
    let from = sample::moment("2026-01-01T00:00:00Z");
    let step = |to: &str| Step::of(from, sample::moment(to)).name();
    assert_eq!(step("2026-01-02T00:00:00Z"), "hour");
    assert_eq!(step("2026-04-01T00:00:00Z"), "day");
    assert_eq!(step("2027-01-01T00:00:00Z"), "week");
    assert_eq!(step("2030-01-01T00:00:00Z"), "month");
    assert_eq!(step("2046-01-01T00:00:00Z"), "year");
}

#[test]
fn rows_of_an_answer_become_a_list_and_its_total() {
    let row = serde_json::json!({"name": "invoice_approved", "entries": 7, "total": 12});
    let listed = Listed::<Count>::from_rows(vec![row]).expect("a list");
    assert_eq!((listed.rows[0].entries, listed.total), (7, 12));
    assert_eq!(Listed::<Count>::from_rows(Vec::new()), Ok(Listed::default()));
    let other = serde_json::json!({"type": "invoice_approved", "entries": 7});
    assert!(matches!(Listed::<Count>::from_rows(vec![other]), Err(ReportError::Rows(_))));
}

#[test]
fn one_row_becomes_the_figures_of_a_section() {
    let row = serde_json::json!({"entries": 3, "own": 1, "actors": 2, "entities": 3, "signed": 0, "unnumbered": 3});
    let activity: Activity = figures(row).expect("figures");
    assert_eq!((activity.entries, activity.event_types.total), (3, 0));
}

#[test]
fn a_checkpoint_is_read_from_its_note() {
    let note = sample::report().integrity.end.note.expect("a note");
    let checkpoint = Checkpoint::of(note.clone()).expect("a checkpoint");
    assert_eq!(checkpoint.size, 2_793_018);
    assert_eq!(checkpoint.root, "150f28df6724275f737ca083ff8fa3961b33faf9538a4f2f9bad37edc7eb5412");
    for broken in
        ["", "origin\n5\n", "origin\nfive\nFQ8o32ckJ19zfKCD/4+jlhsz+vlTik8vm6037cfrVBI=\n", "origin\n5\nAAAA\n"]
    {
        assert!(Checkpoint::of(broken.to_owned()).is_err(), "{broken:?}");
    }
}
