//! Entries as OCSF 1.9 events: an alert is a Detection Finding (class 2004), anything else a Base Event.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::alert::{Alert, Change};
use crate::event::Event;
use crate::filter::Level;

/// The version of OCSF.
const VERSION: &str = "1.9.0";
/// Detection Finding, in category 2 (Findings).
const DETECTION_FINDING: u32 = 2004;

/// An entry as an OCSF event, its canonical bytes in `raw_data`.
pub(crate) fn event(event: &Event, origin: &str) -> Box<RawValue> {
    let mut json = match &event.alert {
        Some(alert) => finding(event, alert),
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
