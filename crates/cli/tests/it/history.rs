//! `history`: the life of an entity.

use crate::place::Place;

#[test]
fn a_timeline_says_who_did_what_and_why() {
    let place = Place::ledger();
    let expected = r#"INV-1  3 entries in bank.example/audit

2026-11-24T09:00:00Z  invoice_received  #2
  by       mail-gateway (service)
  set      amount "1200.00"
  set      status "received"

2026-11-24T09:02:00Z  invoice_approved  #4
  by       invoice-bot (ai agent)
  change   status "received" → "approved"
  model    confidence 0.97, version inv-2.11

2026-11-24T09:03:00Z  manual_override  #5
  by       maria (user)
  change   status "approved" → "held"
  reason   supplier changed its bank account
"#;
    assert_eq!(place.ok(&["history", "audit", "INV-1"]), expected);
}

#[test]
fn programs_get_changes_and_entries() {
    let ran = Place::ledger().run(&["history", "audit", "INV-1", "--json"]).expect(0);
    let lines = ran.lines();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["index"], 5);
    let change = serde_json::json!([{"member": "status", "old": "approved", "new": "held"}]);
    assert_eq!(lines[2]["changes"], change);
    assert_eq!(lines[2]["entry"]["reason"], "supplier changed its bank account");
}

#[test]
fn numbers_beyond_doubles_are_shown_as_they_are() {
    let place = Place::ledger();
    let line = r#"{"event_type":"x","actor":"a","entity_id":"E","old_value":100927429609276267646756448943279827607,"new_value":100927429609276267646756448943279827608}"#;
    place.feed(&["append", "audit"], line).expect(0);
    let shown = place.ok(&["history", "audit", "E"]);
    assert!(
        shown.contains("100927429609276267646756448943279827607 → 100927429609276267646756448943279827608"),
        "{shown}"
    );
}

#[test]
fn an_entity_without_entries_is_not_found() {
    Place::ledger().run(&["history", "audit", "INV-404"]).refused(7, &["no entry of \"INV-404\" among 6 entries"]);
}
