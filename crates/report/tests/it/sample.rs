//! A quarter of a bank's ledger, with figures like those of the demo, and its configuration.

use counterfoil_report::Moment;
use counterfoil_report::document::{
    ClientKey, Contact, Document, Keys, Locations, Rule, Schedule, Service, Sink, Token, Watch,
};
use counterfoil_report::report::{
    Access, AccessCount, Activity, Alert, Alerts, Check, Checkpoint, Copy, Count, Denial, Drill, Evidence, Integrity,
    Listed, ModelRate, Overrider, Overrides, Removal, Report, Retention, Review, Run, Scope, Segment, SourceGaps,
    Sources, Step, TokenAct, Verification, Volume,
};
use counterfoil_report::sql;

const DAY: i64 = 86_400_000_000;
const VERIFIER_KEY: &str = "bank.example/payments+ced71c0e+AU1mJx0dqYvE3bYq4mKp0Qm2iS0u4cT0zVbJ7Xn8s3fQ";

pub fn moment(text: &str) -> Moment {
    serde_json::from_value(serde_json::Value::from(text)).expect("a moment")
}

fn count(name: &str, entries: u64) -> Count {
    Count { name: name.to_owned(), entries }
}

fn checkpoint(size: u64, letter: char) -> Checkpoint {
    let note = format!(
        "bank.example/payments\n{size}\nFQ8o32ckJ19zfKCD/4+jlhsz+vlTik8vm6037cfrVBI=\n\n\u{2014} bank.example/payments \
         ztccDhSW5GpHXBqn89L0IFYMeRhs2BVy/q93nJGBgM503in4nhThefL+dR+uATcnhAE7U+mD6D5Tx9GRY8jEFA0v5QA=\n\u{2014} witness.example/w1 \
         9eLN1QAAAABnSVxN5GpHXBqn89L0IFYMeRhs2BVy/q93nJGBgM503in4nhThefL+dR+uATcnhAE7U+mD6D5Tx9GRY8jEFA0v5QA=\n"
    );
    Checkpoint { size, root: letter.to_string().repeat(64), note: Some(note) }
}

fn volume(from: Moment, entries: u64) -> Vec<Volume> {
    let weights: Vec<u64> =
        (0..92_u64).map(|day| if day % 7 > 4 { 14 } else { 90 + (day * 37) % 41 + day / 3 }).collect();
    let all: u64 = weights.iter().sum();
    let mut rest = entries;
    let one = |(day, weight): (usize, &u64)| {
        let entries = if day == 91 { rest } else { entries * weight / all };
        rest -= entries;
        Volume { start: Moment::from_micros(from.micros() + day as i64 * DAY), entries }
    };
    weights.iter().enumerate().map(one).collect()
}

fn activity(from: Moment) -> Activity {
    let types = [
        ("payment_released", 412_338),
        ("invoice_extracted", 301_274),
        ("invoice_approved", 264_019),
        ("kyc_check", 118_442),
        ("credit_decided", 61_208),
        ("manual_override", 9_417),
        ("payment_rejected", 7_731),
        ("beneficiary_changed", 4_402),
        ("ledger.query_run", 2_893),
        ("ledger.verified", 2_208),
        ("model_deployed", 12),
        ("treasury.custom_step", 4),
    ];
    let entries: u64 = types.iter().map(|(_, entries)| entries).sum();
    let own = 2_893 + 2_208;
    Activity {
        entries: entries - own,
        own,
        actors: 231,
        entities: 388_104,
        signed: 842_110,
        unnumbered: 24_806,
        event_types: types.map(|(name, entries)| count(name, entries)).to_vec().into(),
        actor_types: vec![count("ai_agent", 903_511), count("service", 241_370), count("user", 38_212), count("", 855)]
            .into(),
        volume: volume(from, entries),
    }
}

fn overrides() -> Overrides {
    let model = |model: &str, decisions, overridden, unreasoned| ModelRate {
        model: model.to_owned(),
        decisions,
        overridden,
        unreasoned,
    };
    let person = |actor: &str, overrides, unreasoned| Overrider { actor: actor.to_owned(), overrides, unreasoned };
    let denial = |event_type: &str, outcome: &str, entries, actors| Denial {
        event_type: event_type.to_owned(),
        outcome: outcome.to_owned(),
        entries,
        actors,
    };
    Overrides {
        overrides: 9_417,
        unreasoned: 143,
        unattributed: 21,
        decisions: 704_118,
        by_model: vec![
            model("invoice-match-2.11.0", 264_003, 4_816, 61),
            model("kyc-3.2", 118_442, 2_930, 12),
            model("credit-score-7.0.1", 61_208, 1_377, 70),
            model("invoice-extract-1.9.4-experimental-long-context-window", 201_274, 268, 0),
            model("payment-screen-5", 59_191, 5, 0),
        ]
        .into(),
        by_actor: vec![
            person("m.keller", 3_204, 12),
            person("j.doe", 2_871, 0),
            person("a.okafor", 1_966, 131),
            person("s.lindqvist", 1_376, 0),
        ]
        .into(),
        denials: vec![
            denial("payment_released", "denied", 1_204, 38),
            denial("kyc_check", "failure", 377, 4),
            denial("credit_decided", "denied", 96, 11),
        ]
        .into(),
    }
}

fn verification() -> Verification {
    let run = |text: &str, size, findings, fault: Option<&str>| Run {
        ended_at: moment(text),
        subject: if size == 2_792_410 { "copy" } else { "ledger" }.to_owned(),
        extent: if size == 2_791_777 { "new" } else { "whole" }.to_owned(),
        verified: findings == 0 && fault.is_none(),
        anchored: size % 2 == 0,
        size,
        findings,
        fault: fault.map(str::to_owned),
    };
    Verification {
        runs: 94,
        clean: 92,
        unfinished: 1,
        anchored: 92,
        others: 2_114,
        others_clean: 2_114,
        others_unfinished: 0,
        last_clean_micros: Some(moment("2026-09-30T23:00:04Z").micros()),
        longest_pause_micros: Some(DAY + DAY / 8),
        listed: Listed {
            rows: vec![
                run("2026-08-14T03:12:44Z", 2_104_118, 3, None),
                run("2026-08-02T11:00:02Z", 2_011_377, 0, Some("the disk could not be read: Input/output error")),
                run("2026-09-30T23:00:04Z", 2_793_016, 0, None),
                run("2026-09-30T22:00:03Z", 2_792_410, 0, None),
                run("2026-09-30T21:00:04Z", 2_791_777, 0, None),
            ],
            total: 2_208,
        },
    }
}

fn alerts() -> Alerts {
    let alert =
        |index, raised: &str, title: &str, level: &str, entries, taken: Option<&str>, resolved: Option<&str>| Alert {
            index,
            raised_at: moment(raised),
            title: title.to_owned(),
            level: level.to_owned(),
            entries,
            drill: index == 2_790_004,
            acknowledged_at: taken.map(moment),
            resolved_at: resolved.map(moment),
            false_positive: index == 2_066_410,
        };
    Alerts {
        raised: 61,
        acknowledged: 58,
        resolved: 55,
        false_positives: 4,
        drills: 1,
        open: 3,
        listed: Listed {
            rows: vec![
                alert(
                    2_402_887,
                    "2026-08-30T09:14:00Z",
                    "Approver equals requester",
                    "high",
                    2,
                    Some("2026-08-30T10:02:10Z"),
                    None,
                ),
                alert(
                    2_790_004,
                    "2026-09-30T17:41:09Z",
                    "Beneficiary changed, then paid within a day",
                    "high",
                    3,
                    None,
                    None,
                ),
                alert(
                    2_792_992,
                    "2026-09-30T22:58:20Z",
                    "Override rate of a model above its baseline",
                    "medium",
                    118,
                    None,
                    None,
                ),
                alert(
                    2_104_119,
                    "2026-08-14T03:12:45Z",
                    "Verification found something wrong",
                    "critical",
                    1,
                    Some("2026-08-14T03:20:00Z"),
                    Some("2026-08-15T16:45:00Z"),
                ),
                alert(
                    2_066_410,
                    "2026-08-09T20:12:00Z",
                    "Approval just under a limit",
                    "medium",
                    5,
                    Some("2026-08-10T07:55:00Z"),
                    Some("2026-08-10T09:30:00Z"),
                ),
            ],
            total: 64,
        },
    }
}

/// Every working day was signed but the first.
fn reviews() -> Listed<Review> {
    let day = |day: i64| {
        let midnight = moment("2026-07-01T00:00:00Z").micros() + day * DAY;
        Review {
            day: Moment::from_micros(midnight).date(),
            actor: if day % 2 == 0 { "m.keller" } else { "a.okafor" }.to_owned(),
            signed_at: Moment::from_micros(midnight + DAY + DAY / 3),
            signatures: 1 + u64::from(day == 44),
            open_alerts: (day % 3) as u64,
            note: if day == 44 { "the finding of this day is with the security desk" } else { "" }.to_owned(),
        }
    };
    (1..92).filter(|number| number % 7 < 5).map(day).collect::<Vec<_>>().into()
}

fn segments() -> Listed<Segment> {
    let segment = |number: u64| Segment {
        first: number * 262_144,
        count: 262_144,
        root: format!("{:032x}", 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128.wrapping_mul(u128::from(number + 1)))
            .repeat(2),
        sealed_at: Moment::from_micros(moment("2026-01-05T04:00:00Z").micros() + number as i64 * 27 * DAY),
    };
    Listed { rows: (0..10).rev().map(segment).collect(), total: 10 }
}

fn copy() -> Copy {
    Copy {
        location: "s3://bank-audit-worm/payments".to_owned(),
        shipped: 2_793_018,
        checked_at: Some(moment("2026-10-01T05:00:12Z")),
        objects: 4_118,
        modes: vec!["COMPLIANCE".to_owned()],
        first_end: Some(moment("2033-01-04T04:00:00Z")),
        last_end: Some(moment("2033-09-29T23:00:00Z")),
        unlocked: 0,
        fault: None,
    }
}

fn access() -> Access {
    let act = |act: &str, actor: &str, times, last: &str| AccessCount {
        act: act.to_owned(),
        actor: actor.to_owned(),
        times,
        last_at: moment(last),
    };
    let token = |at: &str, act: &str, name: &str, role: &str| TokenAct {
        at: moment(at),
        act: act.to_owned(),
        name: name.to_owned(),
        role: role.to_owned(),
        actor: "m.keller".to_owned(),
    };
    Access {
        acts: vec![
            act("ledger.access_denied", "unknown", 1_377, "2026-09-29T02:11:40Z"),
            act("ledger.export_made", "auditor-kpw", 14, "2026-09-28T15:02:00Z"),
            act("ledger.query_run", "auditor-kpw", 2_893, "2026-09-30T16:20:31Z"),
            act("ledger.token_created", "m.keller", 2, "2026-07-14T08:00:00Z"),
            act("ledger.token_revoked", "m.keller", 1, "2026-09-01T08:00:00Z"),
        ]
        .into(),
        tokens: vec![
            token("2026-09-01T08:00:00Z", "ledger.token_revoked", "invoice-service", "writer"),
            token("2026-07-14T08:00:00Z", "ledger.token_created", "auditor-kpw", "auditor"),
            token("2026-07-14T07:58:00Z", "ledger.token_created", "invoice-service-2", "writer"),
        ]
        .into(),
    }
}

/// Local files let go of, and a person's data erased.
fn removals() -> Listed<Removal> {
    let act = |at: &str, event_type: &str, scope: &str| Removal {
        at: moment(at),
        event_type: event_type.to_owned(),
        actor: "m.keller".to_owned(),
        scope: scope.to_owned(),
        reason: String::new(),
    };
    vec![
        act("2026-09-20T03:00:00Z", "ledger.pruned", "segments"),
        act("2026-09-11T12:00:00Z", "ledger.subject_erased", "subject-7"),
    ]
    .into()
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

/// The configuration behind [`report`].
pub fn document() -> Document {
    let pair = |left: &str, right: &str| (left.to_owned(), right.to_owned());
    let rule = |title: &str, level: &str, purpose: &str| Rule {
        title: title.to_owned(),
        level: level.to_owned(),
        purpose: purpose.to_owned(),
    };
    let token = |name: &str, role: &str, prefixes: &[&str]| Token {
        name: name.to_owned(),
        role: role.to_owned(),
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        expires_at: (role == "auditor").then(|| moment("2026-12-31T23:59:59Z")),
    };
    let report = report();
    Document {
        origin: report.scope.origin,
        earlier_origins: Vec::new(),
        written: report.scope.written,
        version: report.scope.version,
        size: report.scope.size,
        in_use: report.activity.event_types,
        locations: Locations {
            folder: report.scope.ledger,
            segment_span: 262_144,
            service: Some(Service {
                addresses: vec![
                    pair("0.0.0.0:7411", "HTTP API, OTLP, CloudEvents, /tlog, console"),
                    pair("127.0.0.1:7412", "PostgreSQL protocol"),
                ],
                tls: true,
                tlog_public: "checkpoint".to_owned(),
            }),
            copy: report.retention.copy,
            lake: Some("s3://bank-audit-worm/payments-lake".to_owned()),
            prune_keep: Some("400d".to_owned()),
            compared: Some("postgres://audit@db.bank.example/bank".to_owned()),
            postgres: vec!["postgres://db.bank.example/core, slot counterfoil".to_owned()],
        },
        keys: Keys {
            verifier_key: VERIFIER_KEY.to_owned(),
            clients: vec![ClientKey {
                id: "9c1185a5c5e9fc54612808977ee8f548b2258d31".to_owned(),
                actors: vec!["bot-7".to_owned(), "bot-8".to_owned()],
                registered_at: moment("2026-01-04T09:00:00Z"),
                revoked_at: None,
            }],
            witnesses: Vec::new(),
        },
        tokens: Some(vec![
            token("m.keller", "admin", &[]),
            token("invoice-service-2", "writer", &["invoice_", "payment_"]),
            token("auditor-kpw", "auditor", &[]),
        ]),
        watch: Some(Watch {
            rules: vec![
                rule(
                    "Manual override without reason",
                    "medium",
                    "An override that nobody explained cannot be reviewed.",
                ),
                rule("Approver equals requester", "high", "Four eyes: nobody approves what they asked for."),
            ],
            left_out: vec!["split-payments.yml: the field amount is compared with a text".to_owned()],
            sinks: vec![Sink {
                name: "on-call".to_owned(),
                kind: "mail".to_owned(),
                target: "audit-alerts@bank.example".to_owned(),
            }],
        }),
        verification: Schedule {
            new_seconds: Some(300),
            whole_seconds: Some(86_400),
            scrub_seconds: Some(21_600),
            last: report.verification.listed.rows.last().cloned(),
            outside: vec![
                "anchor.bank.example, every hour, counterfoil verify with the checkpoint kept there".to_owned(),
            ],
        },
        retention_class: Some("sec_6y".to_owned()),
        retain: Some("compliance:2190".to_owned()),
        bundle: None,
        holds: Listed::default(),
        contacts: vec![Contact {
            role: "Tampering, keys".to_owned(),
            reach: "Security desk, +49 30 5550 100, security@bank.example".to_owned(),
        }],
    }
}
