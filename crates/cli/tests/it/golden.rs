//! Golden ledgers: folders that released binaries wrote, one a format version, open and verify for ever; their damaged
//! and tampered twins are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::place::Place;

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden").join(version)
}

/// A place with a copy of everything that was kept of a version.
fn copied(version: &str) -> Place {
    let place = Place::new();
    copy(&golden(version), &place.path("."));
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::write(&to, std::fs::read(&path).unwrap()).unwrap();
            if to.parent().unwrap().ends_with("keys") {
                let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&to, mode).unwrap();
            }
        }
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    let named = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    named.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[test]
fn a_version_1_ledger_is_verified_read_proven_and_continued() {
    let place = copied("v1");
    let sealed = files(&place.path("ledger/segments"));
    let report = place.json(&["verify", "ledger", "--key", "vkey", "--checkpoint", "checkpoint", "--json"]);
    assert_eq!((&report["verified"], &report["anchored"]), (&true.into(), &true.into()), "{report}");
    let entries = std::fs::read_to_string(place.path("entries.jsonl")).unwrap();
    for (index, line) in entries.lines().enumerate().step_by(37) {
        assert_eq!(place.ok(&["entry", "ledger", &index.to_string(), "--canonical"]), line, "entry {index}");
    }
    let exported = place.ok(&["export", "ledger", "--format", "jsonl"]);
    let parsed = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let bare = |mut value: Value| {
        value.as_object_mut().unwrap().remove("index");
        value
    };
    assert!(parsed(&exported).into_iter().map(bare).eq(parsed(&entries)), "the export differs from what was kept");
    place.ok(&["check", "proof", "--entry", "entry.json", "--key", "vkey"]);
    place.ok(&["verify", "--bundle", "bundle", "--key", "vkey"]);
    let counts = "SELECT event_type, count(*) AS n FROM audit_log WHERE event_type = 'manual_override' GROUP BY 1";
    assert_eq!(place.json(&["query", "ledger", counts, "--format", "json"])[0]["n"], 175);

    place.feed(&["append", "ledger"], r#"{"event_type":"kyc_check","actor":"new","entity_id":"C"}"#).expect(0);
    place.ok(&["seal", "ledger"]);
    let report = place.json(&["verify", "ledger", "--key", "vkey", "--checkpoint", "checkpoint", "--json"]);
    assert_eq!(report["verified"], true, "{report}");
    assert!(sealed.iter().all(|(path, bytes)| std::fs::read(path).unwrap() == *bytes), "sealed files were changed");
}

/// `twins.json` lists what is done to a copy and which findings that must give: kind and file.
#[test]
fn every_twin_of_a_version_1_ledger_is_told() {
    let twins: Vec<Value> = serde_json::from_slice(&std::fs::read(golden("v1").join("twins.json")).unwrap()).unwrap();
    assert!(twins.len() >= 12);
    for twin in twins {
        let place = copied("v1");
        let path = place.path("ledger").join(twin["file"].as_str().unwrap());
        let at = twin["at"].as_u64().unwrap_or_default() as usize;
        let mut bytes = std::fs::read(&path).unwrap();
        match twin["act"].as_str().unwrap() {
            "flip" => bytes[at] ^= 1,
            "cut" => bytes.truncate(at),
            "copy" => bytes = std::fs::read(place.path("ledger").join(twin["from"].as_str().unwrap())).unwrap(),
            "remove" => {}
            other => panic!("{other}"),
        }
        std::fs::remove_file(&path).unwrap();
        if twin["act"] != "remove" {
            std::fs::write(&path, bytes).unwrap();
        }
        let ran = place.run(&["verify", "ledger", "--key", "vkey", "--checkpoint", "checkpoint", "--json"]);
        assert!([10, 11].contains(&ran.code), "{twin}: {} {}", ran.code, ran.stdout);
        let report = ran.value();
        let found: Vec<Value> = report["findings"].as_array().unwrap().clone();
        for expected in twin["findings"].as_array().unwrap() {
            let told = found.iter().any(|one| one["kind"] == expected["kind"] && one["file"] == expected["file"]);
            assert!(told, "{twin}: {found:#?}");
        }
    }
}
