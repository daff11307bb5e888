//! What was counted in the quarter.

use counterfoil_report::Moment;
use counterfoil_report::report::{
    Access, AccessCount, Activity, Alert, Alerts, Copy, Count, Denial, Listed, ModelRate, Overrider, Overrides,
    Removal, Removals, Review, Run, Segment, TokenAct, Verification, Volume,
};

use super::{DAY, moment};

fn count(name: &str, entries: u64) -> Count {
    Count { name: name.to_owned(), entries }
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

pub fn activity(from: Moment) -> Activity {
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

pub fn overrides() -> Overrides {
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

pub fn verification() -> Verification {
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

pub fn alerts() -> Alerts {
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
pub fn reviews() -> Listed<Review> {
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

pub fn segments() -> Listed<Segment> {
    let segment = |number: u64| Segment {
        first: number * 262_144,
        count: 262_144,
        root: format!("{:032x}", 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128.wrapping_mul(u128::from(number + 1)))
            .repeat(2),
        sealed_at: Moment::from_micros(moment("2026-01-05T04:00:00Z").micros() + number as i64 * 27 * DAY),
    };
    Listed { rows: (0..10).rev().map(segment).collect(), total: 10 }
}

pub fn copy() -> Copy {
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

pub fn access() -> Access {
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
pub fn removals() -> Removals {
    let act = |at: &str, scope: &str, reason: &str| Removal {
        at: moment(at),
        actor: "m.keller".to_owned(),
        scope: scope.to_owned(),
        reason: reason.to_owned(),
    };
    Removals {
        erased: vec![act("2026-09-11T12:00:00Z", "subject-7", "asked for it")].into(),
        restored: Listed::default(),
        pruned: vec![act("2026-09-20T03:00:00Z", "segments", "")].into(),
    }
}
