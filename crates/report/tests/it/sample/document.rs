//! The configuration of the ledger.

use counterfoil_report::document::{
    ClientKey, Contact, Document, Keys, Locations, Rule, Schedule, Service, Sink, Token, Watch,
};
use counterfoil_report::report::Listed;

use super::{VERIFIER_KEY, moment, report};

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
