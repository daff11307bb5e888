//! A quarter of a bank's ledger, with figures like those of the demo, and its configuration.

mod document;
mod figures;

use counterfoil_report::Moment;
use counterfoil_report::report::{
    Access, Activity, Check, Checkpoint, Drill, Evidence, Integrity, Listed, Overrides, Report, Retention, Scope,
    SourceGaps, Sources, Step, Verification,
};
use counterfoil_report::sql;

use figures::{access, activity, alerts, copy, overrides, removals, reviews, segments, verification};

pub use document::document;

const DAY: i64 = 86_400_000_000;
const VERIFIER_KEY: &str = "bank.example/payments+ced71c0e+AU1mJx0dqYvE3bYq4mKp0Qm2iS0u4cT0zVbJ7Xn8s3fQ";

pub fn moment(text: &str) -> Moment {
    serde_json::from_value(serde_json::Value::from(text)).expect("a moment")
}

fn checkpoint(size: u64, letter: char) -> Checkpoint {
    let note = format!(
        "bank.example/payments\n{size}\nFQ8o32ckJ19zfKCD/4+jlhsz+vlTik8vm6037cfrVBI=\n\n\u{2014} bank.example/payments \
         ztccDhSW5GpHXBqn89L0IFYMeRhs2BVy/q93nJGBgM503in4nhThefL+dR+uATcnhAE7U+mD6D5Tx9GRY8jEFA0v5QA=\n\u{2014} witness.example/w1 \
         9eLN1QAAAABnSVxN5GpHXBqn89L0IFYMeRhs2BVy/q93nJGBgM503in4nhThefL+dR+uATcnhAE7U+mD6D5Tx9GRY8jEFA0v5QA=\n"
    );
    Checkpoint { size, root: letter.to_string().repeat(64), note: Some(note) }
}

/// The third quarter.
pub fn report() -> Report {
    let from = moment("2026-07-01T00:00:00Z");
    let activity = activity(from);
    let (first, written) = (1_609_070, moment("2026-10-01T06:30:00Z"));
    let end = first + activity.entries + activity.own;
    Report {
        scope: Scope {
            ledger: "/var/lib/counterfoil/payments".to_owned(),
            origin: "bank.example/payments".to_owned(),
            from,
            to: moment("2026-10-01T00:00:00Z"),
            begun: Some(moment("2026-01-04T08:00:00Z")),
            written,
            over: true,
            version: "0.1.0".to_owned(),
            first,
            end,
            size: end + 3_002,
            earlier_origins: Vec::new(),
        },
        activity,
        overrides: overrides(),
        integrity: Integrity {
            verifier_key: VERIFIER_KEY.to_owned(),
            begin: Some(checkpoint(first, 'a')),
            end: checkpoint(end, 'b'),
            consistency: (0..9_u8).map(|place| format!("{:02x}", 17 * (place + 1)).repeat(32)).collect(),
            segments: segments(),
            sealed: 10 * 262_144,
            newest: None,
            bundle: Some(Evidence {
                file: "payments-2026-q3.bundle.json".to_owned(),
                entries: 18_412,
                left_out: 0,
                chosen: sql::over(sql::SINGLED_OUT, first, end, Step::Day),
                size: end,
            }),
        },
        check: Check {
            entries: end + 3_002,
            compared_with: vec![format!("the folder's checkpoint of {} entries", end + 3_002)],
            ..Check::default()
        },
        unread: Vec::new(),
        verification: verification(),
        drills: vec![Drill {
            ended_at: moment("2026-09-15T10:04:33Z"),
            passed: true,
            checks: 41,
            failed: 0,
            actor: "m.keller".to_owned(),
        }]
        .into(),
        alerts: Some(alerts()),
        reviews: reviews(),
        sources: Sources {
            numbered: 17,
            with_gaps: vec![SourceGaps {
                source: "invoice-service@node-3".to_owned(),
                recorder: Some("invoice-service".to_owned()),
                last: 188_204,
                gaps: vec![(17_002, 17_009), (91_377, 91_377)],
                missing: 9,
            }]
            .into(),
            fault: None,
            late_micros: Some(3 * DAY / 24),
            early_micros: Some(2_400_000),
        },
        retention: Retention { copy: Some(copy()), removals: removals(), ..Retention::default() },
        access: access(),
    }
}

/// The first day of a ledger in which nothing happened.
pub fn empty() -> Report {
    let mut report = report();
    let (from, to) = (moment("2026-07-01T00:00:00Z"), moment("2026-07-02T00:00:00Z"));
    report.scope = Scope { from, to, begun: None, first: 0, end: 0, size: 0, ..report.scope };
    report.activity = Activity::default();
    report.overrides = Overrides::default();
    report.integrity.begin = None;
    report.integrity.end = checkpoint(0, 'e');
    report.integrity =
        Integrity { segments: Listed::default(), sealed: 0, bundle: None, consistency: Vec::new(), ..report.integrity };
    report.verification = Verification::default();
    report.drills = Listed::default();
    report.alerts = None;
    report.reviews = Listed::default();
    report.check = Check::default();
    report.sources = Sources::default();
    report.retention = Retention::default();
    report.access = Access::default();
    report
}
