//! The event catalog and its JSON Schemas.

use counterfoil_entry::{Draft, catalog};
use std::collections::HashSet;

const RETENTION: [&str; 7] = ["ai_act_6m", "pci_12m", "reg_b_25m", "bsa_5y", "mifid_5y", "sec_6y", "sox_7y"];

#[test]
fn every_type_is_complete() {
    let mut names = HashSet::new();
    for event in catalog::all() {
        assert!(names.insert(event.name), "{} stands twice", event.name);
        let name = event.name.strip_prefix("ledger.").unwrap_or(event.name);
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(event.is_own(), event.domain == "ledger", "{name}");
        assert!(
            event.description.ends_with('.') && event.description.starts_with(|first: char| first.is_uppercase()),
            "{name}"
        );
        assert!(RETENTION.contains(&event.retention_class), "{name}: {}", event.retention_class);
        assert!(!event.clauses.is_empty(), "{name}");
        assert_eq!(catalog::find(event.name), Some(event));
    }
    assert_eq!(catalog::all().iter().filter(|event| event.is_own()).count(), 34);
    assert!(catalog::all().len() - 34 >= 90);
    let last_client = catalog::all().iter().rposition(|event| !event.is_own());
    assert_eq!(last_client, Some(catalog::all().len() - 35), "the ledger's own come last");
}

#[test]
fn an_entry_is_checked_against_its_type() {
    let draft = |json: &str| Draft::parse(json.as_bytes()).expect("valid");
    let overridden = |members: &str| {
        draft(&format!(r#"{{"event_type":"manual_override","actor":"ann","entity_id":"INV-1"{members}}}"#))
    };
    assert!(
        catalog::check(&overridden(
            r#","actor_type":"user","old_value":1,"new_value":null,"reason":"supplier confirmed by phone""#
        ))
        .is_ok()
    );
    let error =
        catalog::check(&overridden(r#","actor_type":"user","old_value":1,"new_value":2"#)).expect_err("no reason");
    assert_eq!(error.to_string(), "reason: missing; the catalog requires it for manual_override");
    let inference =
        r#"{"event_type":"model_inference","actor":"m","entity_id":"e","new_value":1,"context":{"model":"x"}}"#;
    let error = catalog::check(&draft(inference)).expect_err("no version");
    assert_eq!(error.to_string(), "context.model_version: missing; the catalog requires it for model_inference");
    assert!(catalog::check(&draft(&inference.replace("model\":", "model_version\":"))).is_ok());
}

#[test]
fn a_misspelt_type_gets_a_suggestion() {
    let check = |name: &str| {
        let draft = Draft::builder(name, "a", "e").build().expect("valid");
        catalog::check(&draft).expect_err("unknown").to_string()
    };
    let known = "event_type: \"invoice_aproved\" is not in the catalog; did you mean \"invoice_approved\"? `counterfoil catalog` lists all";
    assert_eq!(check("invoice_aproved"), known);
    assert_eq!(
        check("coffee_brewed_at_noon"),
        "event_type: \"coffee_brewed_at_noon\" is not in the catalog; `counterfoil catalog` lists all"
    );
}

#[test]
fn every_required_member_exists_and_its_schema_says_so() {
    for event in catalog::all() {
        let schema = catalog::json_schema(Some(event));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"]["event_type"]["const"], event.name);
        let required = schema["required"].as_array().expect("a list");
        for member in &event.members {
            assert!(
                schema["properties"][member].is_object() || schema["properties"][member] == true,
                "{}: {member}",
                event.name
            );
            assert!(required.contains(&(*member).into()), "{}: {member}", event.name);
        }
        for member in &event.context {
            assert!(
                schema["properties"]["context"]["required"].as_array().expect("a list").contains(&(*member).into())
            );
            assert!(required.contains(&"context".into()), "{}", event.name);
        }
    }
    let entry = catalog::json_schema(None);
    assert_eq!(entry["required"], serde_json::json!(["event_type", "actor", "entity_id"]));
    assert!(entry["properties"].get("recorded_at").is_none(), "clients cannot set it");
    assert_eq!(entry["additionalProperties"], false);
}
