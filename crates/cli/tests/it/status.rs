//! `status`, `seal`, `catalog`.

use crate::place::{LINES, Place};

#[test]
fn status_shows_size_and_gaps() {
    let place = Place::ledger();
    let line = |sequence: u64| {
        format!(
            "{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E\",\"source\":\"core\",\"sequence\":{sequence}}}\n"
        )
    };
    place.feed(&["append", "audit"], &[1, 2, 5, 9].map(line).concat()).expect(0);
    let said = place.ok(&["status", "audit"]);
    assert!(said.contains("ledger    bank.example/audit\nentries   11\n"), "{said}");
    assert!(said.contains("core up to 9") && said.contains("missing 3–4, 6–8"), "{said}");
    let status = place.json(&["status", "audit", "--json"]);
    assert_eq!(status["sources"][0]["source"], "core");
    let gaps = status["sources"][0]["gaps"].as_array().unwrap();
    assert!(gaps.contains(&serde_json::json!([3, 4])) && gaps.contains(&serde_json::json!([6, 8])), "{status}");
}

#[test]
fn sealing_moves_entries_into_a_segment() {
    let place = Place::ledger();
    assert!(place.ok(&["seal", "audit"]).starts_with("nothing to seal yet"));
    let line = |number: u64| format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E-{number}\"}}\n");
    place.feed(&["append", "audit"], &(1..=300).map(line).collect::<String>()).expect(0);
    let sealed = place.json(&["seal", "audit", "--json"]);
    assert_eq!(
        (&sealed["newly_sealed"], &sealed["sealed"], &sealed["segments"]),
        (&256.into(), &256.into(), &1.into())
    );
    let said = place.ok(&["status", "audit"]);
    assert!(said.contains("sealed    256 in 1 segment of at most 262,144 each"), "{said}");
    assert_eq!(place.json(&["verify", "audit", "--json"])["verified"], true);
    place.feed(&["append", "audit"], &LINES.replace("a-1", "a-2")).expect(0);
}

#[test]
fn the_catalog_lists_describes_and_gives_schemas() {
    let place = Place::new();
    let all = place.ok(&["catalog"]);
    for name in ["manual_override", "invoice_approved", "kyc_check", "ledger.sealed"] {
        assert!(all.contains(name), "{name}");
    }
    assert!(place.ok(&["catalog", "manual_override"]).contains("needs            "));
    let listed = place.json(&["catalog", "--json"]);
    assert!(listed.as_array().unwrap().iter().any(|event| event["name"] == "manual_override"));
    let schema = place.json(&["catalog", "manual_override", "--json-schema"]);
    assert_eq!(schema["properties"]["event_type"]["const"], "manual_override");
    assert_eq!(place.json(&["catalog", "--json-schema"])["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
