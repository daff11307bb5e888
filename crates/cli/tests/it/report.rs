//! `report` and `document` on ledgers in folders.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use counterfoil::{Ledger, OpenOptions};
use counterfoil_entry::{Draft, EntryBuilder};
use serde_json::{Value, json};

use crate::place::{LINES, Place, Ran};

/// A period that holds everything that a test records.
pub const EVER: [&str; 4] = ["--from", "2020-01-01", "--to", "2200-01-01"];

/// An entry that the ledger records about itself, as only the engine can.
fn act(event_type: &str, entity: &str, context: Value) -> EntryBuilder {
    Draft::builder(event_type, "m.keller", entity).entity_type("ledger").context(&context)
}

/// Records acts for which no command is needed: drills, holds, erasures, verifications of a copy.
pub fn record_acts(place: &Place) {
    let ledger = Ledger::open(place.path("audit"), OpenOptions::default()).unwrap();
    let acts = [
        act("ledger.drilled", "bank.example/audit", json!({"passed": true, "checks": 41, "failed": 0})),
        act("ledger.drilled", "bank.example/audit", json!({"passed": false, "checks": 41, "failed": 2})),
        act("ledger.hold_placed", "case/7", json!({})),
        Draft::builder("ledger.hold_released", "anna", "case/7").entity_type("ledger").context(json!({})),
        act("ledger.hold_placed", "case/7", json!({})),
        act("ledger.hold_placed", "case/8", json!({})),
        act("ledger.hold_released", "case/8", json!({})),
        act("ledger.subject_erased", "subject/9", json!({})).reason("asked for it"),
        act("ledger.pruned", "segments", json!({"place": "file:///nowhere", "below": 0})),
        act(
            "ledger.verified",
            "bank.example/audit",
            json!({"verified": true, "anchored": true, "tree_size": 5, "of": "copy", "extent": "new"}),
        ),
    ];
    for act in acts {
        ledger.record_act(act).unwrap();
    }
    ledger.close().unwrap();
}

/// Every entry of the ledger, as JSON.
pub fn exported(place: &Place) -> Vec<Value> {
    place.run(&["export", "audit", "--format", "jsonl"]).expect(0).lines()
}

pub fn count(entries: &[Value], holds: impl Fn(&Value) -> bool) -> u64 {
    entries.iter().filter(|entry| holds(entry)).count() as u64
}

fn figures(place: &Place, more: &[&str]) -> Value {
    place.json(&[&["report", "audit", "--json"], EVER.as_slice(), more].concat())
}

/// Overrides, decisions and refusals of two models and some people, and texts by somebody who wants to be run.
fn decisions() -> String {
    let hostile = "<script>alert(1)</script>\u{202e}#panic(1)'; DROP TABLE audit_log";
    let mut lines = String::new();
    for number in 0..40 {
        let model = if number % 4 == 0 { "kyc-3.2" } else { "inv-2.11" };
        let entry = match number % 5 {
            0 => {
                json!({"event_type": "manual_override", "actor": "maria", "actor_type": "user", "entity_id": number.to_string(),
                "reason": if number % 10 == 0 { "" } else { "checked by hand" }, "context": {"model_version": model}})
            }
            1 => {
                json!({"event_type": "payment_released", "actor": "bot", "entity_id": number.to_string(), "outcome": "denied"})
            }
            _ => json!({"event_type": "invoice_approved", "actor": hostile, "actor_type": "ai_agent",
                "entity_id": number.to_string(), "context": {"model_version": model}, "source": "app", "sequence": number}),
        };
        lines.push_str(&format!("{entry}\n"));
    }
    let own = json!({"event_type": hostile, "actor": hostile, "entity_id": hostile, "reason": hostile, "outcome": "failure",
        "context": {"model_version": hostile}});
    lines + &format!("{own}\n")
}

/// A ledger with a segment, decisions, and acts of its own.
fn ledger() -> Place {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    place.write("audit.vkey", place.ok(&["key", "audit"]));
    place.feed(&["append", "audit"], &decisions()).expect(0);
    let received = json!({"event_type": "invoice_received", "actor": "gateway", "entity_id": "many"});
    place.feed(&["append", "audit"], &format!("{received}\n").repeat(260)).expect(0);
    place.ok(&["seal", "audit"]);
    place.feed(&["append", "audit"], &decisions().replace("\"source\":\"app\"", "\"source\":\"later\"")).expect(0);
    record_acts(&place);
    place
}

#[test]
fn figures_are_those_that_anybody_counts() {
    let place = ledger();
    let report = figures(&place, &[]);
    let entries = exported(&place);
    let is = |name: &'static str, value: &'static str| move |entry: &Value| entry[name] == value;
    let own = |entry: &Value| entry["event_type"].as_str().unwrap().starts_with("ledger.");
    let activity = &report["activity"];
    assert_eq!(activity["entries"], count(&entries, |entry| !own(entry)));
    assert_eq!(activity["own"], count(&entries, own));
    let mut types: BTreeMap<&str, u64> = BTreeMap::new();
    entries.iter().for_each(|entry| *types.entry(entry["event_type"].as_str().unwrap()).or_default() += 1);
    let told: BTreeMap<&str, u64> = activity["event_types"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["entries"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, types);
    let volume: u64 = activity["volume"].as_array().unwrap().iter().map(|step| step["entries"].as_u64().unwrap()).sum();
    assert_eq!(volume, entries.len() as u64);

    let overrides = &report["overrides"];
    let overridden = is("event_type", "manual_override");
    assert_eq!(overrides["overrides"], count(&entries, overridden));
    assert_eq!(overrides["unreasoned"], count(&entries, |entry| overridden(entry) && entry["reason"] == ""));
    for row in overrides["by_model"]["rows"].as_array().unwrap() {
        let of_model = |entry: &Value| entry["context"]["model_version"] == row["model"];
        assert_eq!(row["overridden"], count(&entries, |entry| overridden(entry) && of_model(entry)), "{row}");
        assert_eq!(row["decisions"], count(&entries, |entry| !overridden(entry) && of_model(entry)), "{row}");
    }
    assert_eq!(overrides["by_actor"]["rows"][0], json!({"actor": "maria", "overrides": 16, "unreasoned": 8}));
    let denied = json!({"event_type": "payment_released", "outcome": "denied", "entries": 16, "actors": 1});
    assert_eq!(overrides["denials"]["rows"][0], denied);

    assert_eq!(report["drills"]["total"], 2);
    assert_eq!(report["drills"]["rows"][0]["failed"], 2, "the newest first");
    assert_eq!(report["retention"]["holds"]["rows"][0]["scope"], "case/7");
    assert_eq!(report["retention"]["holds"]["rows"][0]["actor"], "m.keller", "who released it before did not place it");
    assert_eq!(report["retention"]["holds"]["total"], 1);
    let removals = &report["retention"]["removals"];
    assert_eq!((&removals["erased"]["total"], &removals["pruned"]["total"]), (&json!(1), &json!(1)));
    let run = &report["verification"]["listed"]["rows"][0];
    assert_eq!(
        (&run["subject"], &run["extent"], &report["verification"]["runs"], &report["verification"]["others"]),
        (&json!("copy"), &json!("new"), &json!(0), &json!(1))
    );
    // Of either source the numbers 1, 5, 6, 10, 11 … 36 never came.
    assert_eq!(report["sources"]["numbered"], 2);
    assert_eq!(report["sources"]["with_gaps"]["rows"][0]["missing"], 15);
    assert_eq!(report["check"]["findings"]["total"], 0);
    assert_eq!(report["check"]["entries"], entries.len());
    assert_eq!(report["integrity"]["segments"]["rows"][0]["first"], 0);
}

#[test]
fn a_part_of_a_period_is_counted_alone() {
    let place = ledger();
    let entries = exported(&place);
    let moment = entries[entries.len() - 30]["recorded_at"].as_str().unwrap();
    let (before, after) =
        entries.iter().partition::<Vec<_>, _>(|entry| entry["recorded_at"].as_str().unwrap() < moment);
    let early = place.json(&["report", "audit", "--json", "--from", "2020-01-01", "--to", moment]);
    let late = place.json(&["report", "audit", "--json", "--from", moment, "--to", "2200-01-01"]);
    let counted =
        |report: &Value| report["scope"]["end"].as_u64().unwrap() - report["scope"]["first"].as_u64().unwrap();
    assert_eq!((counted(&early), counted(&late)), (before.len() as u64, after.len() as u64));
    assert_eq!(early["integrity"]["end"]["root"], late["integrity"]["begin"]["root"]);
    assert!(!late["integrity"]["consistency"].as_array().unwrap().is_empty());
}

#[test]
fn a_period_without_entries_has_a_report_that_says_so() {
    let place = ledger();
    for (name, from, to) in [("before", "2001-01-01", "2002-01-01"), ("beyond", "2200-01-01", "2200-02-01")] {
        let html = format!("{name}.html");
        let call = ["report", "audit", "--from", from, "--to", to, "--html", &html, "--bundle", "none.json", "--json"];
        let ran = place.run(&call).expect(0);
        let report = ran.value();
        assert_eq!(report["scope"]["first"], report["scope"]["end"], "{name}");
        assert!(std::fs::read_to_string(place.path(&html)).unwrap().contains("Nothing was recorded in the period"));
        assert!(name != "before" || ran.stderr.contains("singles out no entry"), "{}", ran.stderr);
        let _ = std::fs::remove_file(place.path("none.json"));
    }
}

#[test]
fn hostile_texts_are_shown_and_never_run() {
    let place = ledger();
    place.ok(&[&["report", "audit", "--html", "r.html", "--pdf", "r.pdf"], EVER.as_slice()].concat());
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]#panic(1)"));
    let pdf = std::fs::read(place.path("r.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7") && pdf.len() > 20_000);
}

/// The blocks of code of a page, as somebody copies them.
pub fn blocks(html: &str) -> Vec<String> {
    let plain = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        text.replace("&amp;", "&")
    };
    html.split("<pre tabindex=\"0\">").skip(1).map(|rest| plain(rest.split("</pre>").next().unwrap())).collect()
}

/// Follows what a report says: saves its checkpoints, and runs its commands.
pub fn follow(place: &Place, html: &str, environment: &[(&str, &str)]) -> Vec<Ran> {
    let blocks = blocks(html);
    let notes: Vec<&String> = blocks.iter().filter(|block| block.contains("\n\u{2014} ")).collect();
    for (note, name) in notes.iter().rev().zip(["period-end.checkpoint", "period-begin.checkpoint"]) {
        place.write(name, format!("{note}\n"));
    }
    let commands = blocks.iter().find(|block| block.starts_with("counterfoil verify")).expect("the commands");
    let folder = Path::new(env!("CARGO_BIN_EXE_counterfoil")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let run = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(place.path("")).env("PATH", &path).envs(environment.iter().copied());
        Ran::of(shell.output().unwrap())
    };
    commands.lines().map(run).collect()
}

#[test]
fn whoever_follows_the_report_checks_it() {
    let place = ledger();
    let entries = exported(&place);
    let (from, to) =
        (entries[10]["recorded_at"].as_str().unwrap(), entries[entries.len() - 1]["recorded_at"].as_str().unwrap());
    let call =
        ["report", "audit", "--from", from, "--to", to, "--html", "r.html", "--bundle", "r.bundle.json", "--json"];
    let report = place.json(&call);
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    let ran = follow(&place, &html, &[]);
    assert_eq!(ran.len(), 5);
    let said: Vec<String> = ran.into_iter().map(|ran| ran.expect(0).stdout).collect();
    assert!(said[0].starts_with("verified "), "{}", said[0]);
    let counted = report["scope"]["end"].as_u64().unwrap() - report["scope"]["first"].as_u64().unwrap();
    assert!(said[1].contains(&counted.to_string()), "{}", said[1]);
    assert!(said[3].contains("the proof holds"), "{}", said[3]);
    let root = report["integrity"]["end"]["root"].as_str().unwrap();
    assert!(html.contains(root) && said[4].contains(root), "{}", said[4]);

    // The bundle holds what is singled out, and a second verifier agrees.
    let bundle: Value = serde_json::from_slice(&std::fs::read(place.path("r.bundle.json")).unwrap()).unwrap();
    let (first, end) = (report["scope"]["first"].as_u64().unwrap(), report["scope"]["end"].as_u64().unwrap());
    let singled = |entry: &Value| {
        let event_type = entry["event_type"].as_str().unwrap();
        event_type == "manual_override"
            || event_type.starts_with("ledger.")
            || ["denied", "failure"].iter().any(|outcome| entry["outcome"] == *outcome)
    };
    let wanted = count(&entries[first as usize..end as usize], singled);
    assert_eq!(bundle["entries"].as_array().unwrap().len() as u64, wanted);
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/counterfoil");
    let python = Command::new("python3")
        .args(["-m", "verify_pure", "r.bundle.json", "--key", "audit.vkey"])
        .current_dir(place.path(""))
        .env("PYTHONPATH", package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
}

#[test]
fn without_the_key_the_newest_checkpoint_proves() {
    let place = ledger();
    let entries = exported(&place);
    let to = entries[entries.len() - 30]["recorded_at"].as_str().unwrap();
    let signed = place.json(&["report", "audit", "--from", "2020-01-01", "--to", to, "--json"]);
    std::fs::rename(place.path("audit/keys"), place.path("audit/keys-elsewhere")).unwrap();
    std::fs::rename(place.path("audit/keys-elsewhere"), place.path("keys-elsewhere")).unwrap();
    let call =
        ["report", "audit", "--from", "2020-01-01", "--to", to, "--json", "--html", "r.html", "--bundle", "b.json"];
    let report = place.json(&call);
    assert_eq!(report["integrity"]["end"]["root"], signed["integrity"]["end"]["root"]);
    assert_eq!(
        (&report["integrity"]["end"]["note"], &report["integrity"]["newest"]["size"]),
        (&Value::Null, &report["scope"]["size"])
    );
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    let notes = blocks(&html);
    let note = notes.iter().find(|block| block.contains("\n\u{2014} ")).unwrap();
    place.write("newest.checkpoint", format!("{note}\n"));
    for ran in follow(&place, &html, &[]) {
        ran.expect(0);
    }
}

#[test]
fn a_damaged_ledger_has_a_report_of_what_is_left_that_says_so_first() {
    let place = Place::new();
    place.ok(&["init", "audit", "--origin", "bank.example/audit", "--segment-span", "256"]);
    for _ in 0..3 {
        place.feed(&["append", "audit"], &LINES.replace(",\"id\":\"a-1\"", "").repeat(70)).expect(0);
        place.ok(&["seal", "audit"]);
    }
    let whole = figures(&place, &[]);
    let segments = whole["integrity"]["segments"]["rows"].as_array().unwrap().clone();
    let middle = &segments[1];
    let name = format!("audit/segments/{:020}.parquet", middle["first"].as_u64().unwrap());
    let length = std::fs::metadata(place.path(&name)).unwrap().len() as usize;
    place.flip(&name, length / 2);
    let call =
        [&["report", "audit", "--html", "r.html", "--pdf", "r.pdf", "--bundle", "b.json", "--json"], EVER.as_slice()]
            .concat();
    let ran = place.run(&call).expect(11);
    assert!(ran.stderr.contains("TAMPERED"), "{}", ran.stderr);
    let report = ran.value();
    let (first, count) = (middle["first"].as_u64().unwrap(), middle["count"].as_u64().unwrap());
    assert_eq!(report["unread"], json!([[first, first + count - 1]]));
    let all =
        |report: &Value| report["activity"]["entries"].as_u64().unwrap() + report["activity"]["own"].as_u64().unwrap();
    assert_eq!(all(&report), all(&whole) - count);
    assert!(report["check"]["findings"]["total"].as_u64().unwrap() > 0);
    let html = std::fs::read_to_string(place.path("r.html")).unwrap();
    let main = html.split("</header>").nth(1).unwrap().trim_start();
    assert!(main.starts_with("<div class=\"alarm\""), "{}", &main[..200]);
    assert!(html.contains(&format!("{first} to {}", first + count - 1)));
    // What can be proven still is.
    place.write("audit.vkey", place.ok(&["key", "audit"]));
    place.ok(&["verify", "--bundle", "b.json", "--key", "audit.vkey"]);
}

#[test]
fn wrong_calls_are_explained_and_leave_nothing() {
    let place = ledger();
    let period = ["--from", "2026-07-01", "--to", "2026-10-01"];
    place.run(&[&["report", "audit"], period.as_slice()].concat()).refused(2, &["--html"]);
    place.run(&["report", "audit", "--from", "2026-10-01", "--to", "2026-07-01", "--json"]).refused(2, &["--from"]);
    place.run(&["report", "audit", "--from", "July", "--to", "2026-07-01", "--json"]).refused(2, &["2026-07-01"]);
    place.run(&[&["report", "nothing", "--json"], period.as_slice()].concat()).refused(7, &["no folder nothing"]);
    place.write("there.pdf", "kept");
    let call = [&["report", "audit", "--html", "new.html", "--pdf", "there.pdf"], period.as_slice()].concat();
    place.run(&call).refused(2, &["there.pdf is already there"]);
    assert!(!place.path("new.html").exists(), "nothing is half done");
    assert_eq!(std::fs::read_to_string(place.path("there.pdf")).unwrap(), "kept");
    place.run(&["document", "audit", "--html", "d.html", "--contact", "nobody"]).refused(2, &["ROLE=REACH"]);
    place.run(&["document", "audit", "--html", "d.html", "--config", "none.toml"]).refused(7, &["none.toml"]);
}

#[test]
fn a_document_says_what_a_file_of_settings_sets_up() {
    let place = ledger();
    place.ok(&["rules", "init", "rules"]);
    place.write(
        "sinks.toml",
        "[[sink]]\nname = \"siem\"\ntype = \"syslog\"\naddress = \"udp://siem.bank.example:514\"\n",
    );
    place.write(
        "service.toml",
        "listen = \"127.0.0.1:7411\"\npg = \"127.0.0.1:7412\"\nrules = \"rules\"\nsinks = \"sinks.toml\"\nverify-every-minutes = 60\n",
    );
    let token = place.ok(&["token", "create", "audit", "--role", "writer", "--name", "etl", "--prefix", "data_"]);
    place.ok(&["key", "new", "audit", "--actor", "bot-7", "-o", "bot.pem"]);
    let call = [
        "document",
        "audit",
        "--html",
        "d.html",
        "--pdf",
        "d.pdf",
        "--bundle",
        "d.json",
        "--config",
        "service.toml",
        "--contact",
        "Tampering=desk@bank.example",
        "--outside",
        "anchor.bank.example, hourly",
        "--json",
    ];
    let document = place.json(&call);
    assert_eq!(document["tokens"][0]["name"], "etl");
    assert_eq!(document["keys"]["clients"][0]["actors"], json!(["bot-7"]));
    assert_eq!(document["verification"]["new_seconds"], 3_600);
    assert_eq!(document["watch"]["sinks"][0]["target"], "udp://siem.bank.example:514");
    assert!(document["watch"]["rules"].as_array().unwrap().len() >= 14);
    let html = std::fs::read_to_string(place.path("d.html")).unwrap();
    for words in [
        "desk@bank.example",
        "127.0.0.1:7412",
        "every 1 hour",
        "bot-7",
        "data_\u{2026}",
        "anchor.bank.example",
        "case/7",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(!html.contains(token.trim()) && !document.to_string().contains(token.trim()));
    place.ok(&["verify", "--bundle", "d.json", "--key", "audit.vkey"]);
    let bundle = std::fs::read_to_string(place.path("d.json")).unwrap();
    for event_type in ["ledger.key_registered", "ledger.token_created", "ledger.hold_placed", "ledger.pruned"] {
        assert!(bundle.contains(event_type), "{event_type}");
    }
}
