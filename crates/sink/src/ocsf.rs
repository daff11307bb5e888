//! Entries as OCSF 1.9 events: an alert is a Detection Finding (class 2004), a verification a Compliance Finding (2003) with its
//! checkpoint in it, anything else a Base Event.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::alert::{Alert, Change};
use crate::event::Event;
use crate::filter::{Level, VERIFIED};

/// The version of OCSF.
const VERSION: &str = "1.9.0";
/// Detection Finding and Compliance Finding, in category 2 (Findings).
const DETECTION_FINDING: u32 = 2004;
const COMPLIANCE_FINDING: u32 = 2003;

/// An entry as an OCSF event, its canonical bytes in `raw_data`.
pub(crate) fn event(event: &Event, origin: &str) -> Box<RawValue> {
    let mut json = match &event.alert {
        Some(alert) => finding(event, alert),
        None if event.event_type == VERIFIED => verification(event, origin),
        None => json!({
            "class_uid": 0, "class_name": "Base Event", "category_uid": 0, "activity_id": 99,
            "activity_name": event.event_type, "type_uid": 99, "severity_id": 1, "severity": "Informational",
        }),
    };
    for (mark, is_so) in [("test", event.is_test), ("drill", event.is_drill)] {
        if is_so {
            json["unmapped"][mark] = true.into();
        }
    }
    json["time"] = event.millis().into();
    json["message"] = event.sentence().into();
    json["raw_data"] = event.entry.get().into();
    json["metadata"] = json!({
        "version": VERSION,
        "uid": format!("{origin}#{}", event.index),
        "log_name": origin,
        "sequence": event.index,
        "product": { "name": "Counterfoil", "vendor_name": "Counterfoil", "version": env!("CARGO_PKG_VERSION") },
    });
    serde_json::value::to_raw_value(&json).expect("texts and numbers are JSON")
}

/// What a verification came to: one finding for each.
fn verification(event: &Event, origin: &str) -> Value {
    let told: Value = serde_json::from_str(event.entry.get()).unwrap_or_default();
    let told = &told["context"];
    let (passed, found) = (told["verified"] == true, told["findings_total"].as_u64().unwrap_or_default());
    let (status, caption) = if passed { (1, "Pass") } else { (3, "Fail") };
    let part = |member: &str, default: &str| told[member].as_str().unwrap_or(default).to_owned();
    let title = format!("Verification of {origin}: {}, {}", part("of", "ledger"), part("extent", "whole"));
    let (severity, severity_caption) = if found > 0 { (5, "Critical") } else { (1, "Informational") };
    json!({
        "class_uid": COMPLIANCE_FINDING,
        "class_name": "Compliance Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": COMPLIANCE_FINDING * 100 + 1,
        "severity_id": severity,
        "severity": severity_caption,
        "status_id": 1,
        "finding_info": { "uid": format!("{origin}#{}", event.index), "title": title, "created_time": event.millis() },
        "compliance": {
            "control": "Every entry is the one that was recorded",
            "standards": ["SEC 17a-4(f)(2)"],
            "status_id": status,
            "status": caption,
        },
        "unmapped": { "checkpoint": event.checkpoint, "findings": found },
    })
}

fn finding(event: &Event, alert: &Alert) -> Value {
    let (activity, name, status) = match alert.change {
        Change::Raised => (1, "Create", 1),
        Change::Reopened => (2, "Update", 1),
        Change::Acknowledged => (2, "Update", 2),
        Change::Resolved => (3, "Close", 4),
    };
    let (severity, caption) = match alert.level {
        Level::Informational => (1, "Informational"),
        Level::Low => (2, "Low"),
        Level::Medium => (3, "Medium"),
        Level::High => (4, "High"),
        Level::Critical => (5, "Critical"),
    };
    let evidence = |index: &u64| json!({ "uid": index.to_string(), "data": { "entry": index } });
    let group: serde_json::Map<String, Value> =
        alert.group.iter().map(|(field, value)| (field.clone(), value.clone().into())).collect();
    json!({
        "class_uid": DETECTION_FINDING,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": name,
        "type_uid": DETECTION_FINDING * 100 + activity,
        "severity_id": severity,
        "severity": caption,
        "status_id": status,
        "is_alert": alert.change == Change::Raised,
        "finding_info": {
            "uid": alert.id,
            "title": alert.title,
            "desc": alert.reason,
            "created_time": event.millis(),
            "analytic": { "type_id": 1, "type": "Rule", "uid": alert.rule, "name": alert.title },
            "src_url": alert.references.first(),
        },
        "evidences": alert.causes.iter().map(evidence).collect::<Vec<_>>(),
        "unmapped": { "author": alert.author, "tags": alert.tags, "group": group, "drill": false },
    })
}
