//! What `report` and `document` refuse before they begin, where their pages go, and what a page must not hide.

use counterfoil::{Ledger, OpenOptions};
use counterfoil_entry::Draft;
use serde_json::json;

use crate::place::Place;
use crate::report::EVER;

fn report<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["report", "audit"], EVER.as_slice(), more].concat()
}

#[test]
fn one_page_may_go_to_standard_output() {
    let place = Place::ledger();
    let html = place.ok(&report(&["--html", "-"]));
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    assert!(place.ok(&["document", "audit", "--html", "-"]).starts_with("<!doctype html>"));
    for outputs in [&["--html", "-", "--pdf", "-"][..], &["--html", "-", "--json"]] {
        place.run(&report(outputs)).refused(2, &["both write to standard output"]);
    }
    place.run(&report(&["--json", "--bundle", "-"])).refused(2, &["--bundle -", "Name a file for the bundle"]);
    assert!(!place.path("-").exists());
}

#[test]
fn outputs_that_could_not_be_written_are_refused_before_anything_is_read() {
    let place = Place::ledger();
    std::fs::create_dir(place.path("out")).unwrap();
    place.run(&report(&["--html", "r", "--pdf", "./r"])).refused(2, &["--html and --pdf name the same file"]);
    place.run(&report(&["--html", "out/r", "--bundle", "out/../out/r"])).refused(2, &["--html and --bundle"]);
    place.run(&report(&["--html", "r", "--pdf", "no/folder/r.pdf"])).refused(2, &["--pdf no/folder/r.pdf: "]);
    place.run(&["document", "audit", "--html", "d", "--pdf", "d"]).refused(2, &["--html and --pdf"]);
    assert_eq!(std::fs::read_dir(place.path("out")).unwrap().count(), 0);
    assert!(!place.path("r").exists());
}

#[test]
fn a_period_that_is_not_over_is_told() {
    let place = Place::ledger();
    let ran = place.run(&report(&["--json"])).expect(0);
    assert_eq!(ran.value()["scope"]["over"], false);
    assert!(ran.stderr.contains("the period is not over: entries are counted until 2"), "{}", ran.stderr);
    let over = place.run(&["report", "audit", "--from", "2020-01-01", "--to", "2021-01-01", "--json"]).expect(0);
    assert_eq!(over.value()["scope"]["over"], true);
    assert!(!over.stderr.contains("not over"), "{}", over.stderr);
}

#[test]
fn the_copy_of_another_ledger_is_refused() {
    let place = Place::ledger();
    place.ok(&["init", "other", "--origin", "other.example/audit"]);
    let [own, other] = ["audit", "other"].map(|name| {
        let to = format!("file://{}", place.path(&format!("copy-{name}")).display());
        place.ok(&["ship", name, &to]);
        to
    });
    let key = |name: &str| place.ok(&["key", name]).split('+').take(2).collect::<Vec<_>>().join("+");
    for command in [report(&["--json"]), vec!["document", "audit", "--json"]] {
        let said = ["holds the copy of another ledger", &key("audit"), &key("other")];
        place.run(&[command.as_slice(), &["--copy", &other]].concat()).refused(2, &said);
        place.run(&[command.as_slice(), &["--copy", &own]].concat()).expect(0);
    }
    // A twin of the same name has another key.
    place.ok(&["init", "twin", "--origin", "bank.example/audit"]);
    let twin = format!("file://{}", place.path("copy-twin").display());
    place.ok(&["ship", "twin", &twin]);
    place.run(&report(&["--json", "--copy", &twin])).refused(2, &["another ledger", &key("twin")]);
}

#[test]
fn an_erasure_is_counted_and_listed_beside_a_thousand_other_acts() {
    let place = Place::ledger();
    let ledger = Ledger::open(place.path("audit"), OpenOptions::default()).unwrap();
    let act = |event_type: &str, entity: &str| {
        Draft::builder(event_type, "m.keller", entity).entity_type("ledger").context(json!({}))
    };
    ledger.record_act(act("ledger.subject_erased", "subject/9")).unwrap();
    for _ in 0..1_100 {
        ledger.record_act(act("ledger.pruned", "segments")).unwrap();
    }
    ledger.close().unwrap();
    let told = place.json(&report(&["--json", "--html", "r.html"]));
    let removals = &told["retention"]["removals"];
    assert_eq!(
        (&removals["erased"]["total"], &removals["erased"]["rows"][0]["scope"]),
        (&json!(1), &json!("subject/9"))
    );
    assert_eq!(removals["pruned"]["total"], 1_100);
    assert_eq!(removals["pruned"]["rows"].as_array().unwrap().len(), 1_000);
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    assert!(html.contains("that 1 erasure made unreadable") && html.contains("<td>subject/9</td>"));
}
