//! A day's work as it is recorded: what programs decide, what people do, and what should be noticed.

use counterfoil_entry::Timestamp;
use serde_json::{Value, json};

/// Invoices that a program decides.
const INVOICES: u64 = 170;
/// How many entries one person changes.
const BULK: u64 = 60;
/// The program that records, and the number of it that never arrives.
pub const SOURCE: &str = "drill-workflow";
const MISSING: u64 = 41;
/// Who tries what they may not, and how often.
pub const INTRUDER: &str = "drill-intruder";
pub const ATTEMPTS: usize = 12;

const SECOND_MICROS: i64 = 1_000_000;

/// The entries of a day that ends now, in order, with their times and numbers.
pub fn day(now: Timestamp) -> Vec<Value> {
    let mut entries = vec![json!({
        "event_type": "model_approved", "actor": "model-board", "actor_type": "user", "entity_id": "invoice-risk",
        "entity_type": "model", "reason": "validation report 12", "context": {"model_version": "invoice-risk-4"},
    })];
    entries.extend((1..=INVOICES).flat_map(invoice));
    entries.extend(people());
    entries.extend((1..=BULK).map(|number| {
        json!({
            "event_type": "manual_adjustment", "actor": "drill-clerk", "actor_type": "user", "reason": "new price list",
            "entity_id": format!("DRILL-CUST-{number}"), "entity_type": "customer",
            "old_value": {"discount": "0.02"}, "new_value": {"discount": "0.35"},
        })
    }));
    let first = now.micros() - entries.len() as i64 * SECOND_MICROS;
    for (position, entry) in entries.iter_mut().enumerate() {
        let number = position as u64 + 1;
        entry["timestamp"] = Timestamp::from_micros(first + position as i64 * SECOND_MICROS).to_string().into();
        entry["source"] = SOURCE.into();
        entry["sequence"] = (number + u64::from(number >= MISSING)).into();
        entry["id"] = format!("{SOURCE}-{number}").into();
    }
    entries
}

/// An invoice that comes in, is scored and is approved, with the model that did it.
fn invoice(number: u64) -> [Value; 3] {
    let (id, amount) = (format!("DRILL-INV-{number}"), format!("{}.00", 100 + number));
    let trace = format!("drill-{number}");
    let model = json!({"model_version": "invoice-risk-4", "confidence": 0.97, "prompt_sha256": "0".repeat(64)});
    let entry = |event_type: &str, actor: &str, actor_type: &str| {
        json!({
            "event_type": event_type, "actor": actor, "actor_type": actor_type, "entity_id": id,
            "entity_type": "invoice", "trace_id": trace,
        })
    };
    let mut received = entry("invoice_received", "mail-gateway", "service");
    received["new_value"] = json!({"status": "received", "amount": amount});
    let mut coded = entry("invoice_coded", "invoice-agent", "ai_agent");
    coded["context"] = model.clone();
    let mut approved = entry("invoice_approved", "invoice-agent", "ai_agent");
    approved["old_value"] = json!({"status": "received", "amount": amount});
    approved["new_value"] = json!({"status": "approved", "amount": amount});
    approved["context"] = model;
    approved["outcome"] = "success".into();
    [received, coded, approved]
}

/// What people do: overrides with and without a reason, one person on both sides, a new account that is paid at once.
fn people() -> Vec<Value> {
    let act = |event_type: &str, actor: &str, entity: &str| json!({"event_type": event_type, "actor": actor, "actor_type": "user", "entity_id": entity});
    let mut explained = act("manual_override", "drill-maria", "DRILL-INV-3");
    explained["reason"] = "supplier confirmed the new account by phone".into();
    (explained["old_value"], explained["new_value"]) = (json!({"status": "held"}), json!({"status": "approved"}));
    let mut unexplained = act("manual_override", "drill-tom", "DRILL-INV-4");
    (unexplained["old_value"], unexplained["new_value"]) = (json!({"status": "held"}), json!({"status": "approved"}));
    let mut changed = act("payment_beneficiary_changed", "drill-eva", "DRILL-PAY-2");
    (changed["old_value"], changed["new_value"]) =
        (json!({"iban": "NL91ABNA0417164300"}), json!({"iban": "GB29NWBK60161331926819"}));
    vec![
        explained,
        unexplained,
        act("payment_initiated", "drill-eva", "DRILL-PAY-1"),
        act("payment_released", "drill-eva", "DRILL-PAY-1"),
        changed,
        act("payment_released", "drill-maria", "DRILL-PAY-2"),
    ]
}

/// What the ledger itself records of refused attempts.
pub fn denials(now: Timestamp) -> Vec<Value> {
    let denial = json!({
        "event_type": "ledger.access_denied", "actor": INTRUDER, "entity_id": "POST /api/v1/entries", "outcome": "denied",
        "timestamp": now.to_string(),
    });
    vec![denial; ATTEMPTS]
}
