//! `bundle` and `verify --bundle`: evidence that travels.

use std::path::Path;
use std::process::Command;

use crate::place::Place;

fn bundled() -> Place {
    let place = Place::ledger();
    place.ok(&["bundle", "audit", "--entity", "INV-1", "-o", "inv.bundle.json"]);
    place.write("vkey", place.ok(&["key", "audit"]));
    place
}

#[test]
fn a_bundle_is_verified_without_the_ledger() {
    let place = bundled();
    std::fs::remove_dir_all(place.path("audit")).unwrap();
    let said = place.ok(&["verify", "--bundle", "inv.bundle.json", "--key", "vkey"]);
    assert!(said.contains("verified 3 entries of bank.example/audit: nothing wrong"), "{said}");
    let report = place.json(&["verify", "--bundle", "inv.bundle.json", "--key", "vkey", "--json"]);
    assert_eq!(
        (&report["verified"], &report["anchored"], &report["entries_checked"]),
        (&true.into(), &true.into(), &3.into())
    );
}

#[test]
fn the_python_script_agrees() {
    let place = bundled();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/verify_bundle.py");
    let vkey = std::fs::read_to_string(place.path("vkey")).unwrap();
    let Ok(output) = Command::new("python3").arg(script).arg(place.path("inv.bundle.json")).arg(vkey.trim()).output()
    else {
        assert!(std::env::var_os("CI").is_none(), "python3 is needed: install it");
        eprintln!("left out: the Python script (no python3)");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_predicate_chooses_and_the_scope_says_so() {
    let place = Place::ledger();
    let args = ["bundle", "audit", "--where", "actor_type = 'ai_agent'", "-o", "ai.json", "--json"];
    let written = place.json(&args);
    assert_eq!((&written["entries"], &written["scope"]), (&2.into(), &"actor_type = 'ai_agent'".into()));
    let bundle = place.ok(&["bundle", "audit", "--where", "actor_type = 'ai_agent'", "-o", "-"]);
    assert_eq!(bundle, std::fs::read_to_string(place.path("ai.json")).unwrap(), "the same bytes again");
}

#[test]
fn a_scope_that_was_rewritten_is_told_as_a_mere_word() {
    let place = bundled();
    let text = std::fs::read_to_string(place.path("inv.bundle.json")).unwrap();
    place.write("wider.json", text.replace("entity_id = 'INV-1'", "all entries of 2026"));
    let said = place.ok(&["verify", "--bundle", "wider.json", "--key", "vkey"]);
    assert!(said.contains("scope, said and not proven: all entries of 2026"), "{said}");
}

#[test]
fn a_changed_bundle_is_tampered_with() {
    let place = bundled();
    let text = std::fs::read_to_string(place.path("inv.bundle.json")).unwrap();
    place.write("forged.json", text.replace("maria", "mario"));
    let ran = place.run(&["verify", "--bundle", "forged.json", "--key", "vkey"]).expect(11);
    assert!(ran.stdout.contains("TAMPERED") && ran.stdout.contains("proof-invalid  entry 5"), "{}", ran.stdout);
    let ran = place.run(&["verify", "--bundle", "forged.json", "--key", "vkey", "--json"]).expect(11);
    assert_eq!(ran.value()["findings"][0]["kind"], "proof-invalid");
    place.write("torn.json", &text[..text.len() / 2]);
    let ran = place.run(&["verify", "--bundle", "torn.json", "--key", "vkey", "--json"]).expect(10);
    assert_eq!(ran.value()["findings"][0]["kind"], "bundle-malformed");
    place.ok(&["init", "other", "--origin", "bank.example/audit"]);
    let other = place.ok(&["key", "other"]);
    let ran = place.run(&["verify", "--bundle", "inv.bundle.json", "--key", other.trim(), "--json"]).expect(11);
    assert_eq!(ran.value()["findings"][0]["kind"], "key-mismatch");
}

#[test]
fn bad_calls_are_refused() {
    let place = bundled();
    let again = place.run(&["bundle", "audit", "--entity", "INV-1", "-o", "inv.bundle.json"]);
    again.refused(2, &["inv.bundle.json is already there"]);
    place
        .run(&["bundle", "audit", "--entity", "INV-404", "-o", "x"])
        .refused(7, &["no entry", "entity_id = 'INV-404'"]);
    place.run(&["bundle", "audit", "--where", "nonsense =", "-o", "x"]).refused(2, &["invalid"]);
    place.run(&["bundle", "audit", "-o", "x"]).refused(2, &["--entity"]);
    place.run(&["verify", "--bundle", "inv.bundle.json"]).refused(2, &["--key"]);
    place.run(&["verify", "--bundle", "none.json", "--key", "vkey"]).refused(7, &["none.json"]);
    assert!(!place.path("x").exists());
}
