//! The arrows between crates run as ARCHITECTURE.md says.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each crate may use, outside tests.
const ARROWS: [(&str, &[&str]); 15] = [
    ("counterfoil-tlog", &[]),
    ("counterfoil-entry", &[]),
    ("counterfoil-evidence", &["counterfoil-tlog", "counterfoil-entry"]),
    ("counterfoil-segment", &["counterfoil-tlog", "counterfoil-entry"]),
    ("counterfoil", &["counterfoil-tlog", "counterfoil-entry", "counterfoil-evidence", "counterfoil-segment"]),
    ("counterfoil-import", &[]),
    ("counterfoil-query", &["counterfoil", "counterfoil-segment", "counterfoil-entry"]),
    ("counterfoil-postgres", &["counterfoil", "counterfoil-entry"]),
    ("counterfoil-report", &["counterfoil-entry", "counterfoil-evidence", "counterfoil-tlog"]),
    ("counterfoil-sink", &["counterfoil", "counterfoil-entry"]),
    (
        "counterfoil-ship",
        &["counterfoil-tlog", "counterfoil-entry", "counterfoil-evidence", "counterfoil-segment", "counterfoil"],
    ),
    ("counterfoil-watch", &["counterfoil", "counterfoil-segment", "counterfoil-entry", "counterfoil-evidence"]),
    (
        "counterfoil-server",
        &[
            "counterfoil-tlog",
            "counterfoil-entry",
            "counterfoil-evidence",
            "counterfoil-segment",
            "counterfoil",
            "counterfoil-postgres",
            "counterfoil-query",
            "counterfoil-ship",
            "counterfoil-sink",
            "counterfoil-watch",
        ],
    ),
    (
        "counterfoil-python",
        &[
            "counterfoil-tlog",
            "counterfoil-entry",
            "counterfoil-evidence",
            "counterfoil-segment",
            "counterfoil",
            "counterfoil-ship",
        ],
    ),
    (
        "counterfoil-cli",
        &[
            "counterfoil-server",
            "counterfoil-tlog",
            "counterfoil-entry",
            "counterfoil-evidence",
            "counterfoil-segment",
            "counterfoil",
            "counterfoil-import",
            "counterfoil-postgres",
            "counterfoil-query",
            "counterfoil-report",
            "counterfoil-ship",
            "counterfoil-watch",
            "counterfoil-sink",
        ],
    ),
];

/// What the pure crates may use of others: hashing, signatures, texts.
const PURE: [&str; 9] =
    ["base64", "ed25519-dalek", "hex", "ml-dsa", "ryu-js", "serde", "serde_json", "sha2", "thiserror"];

/// What the embedded ledger must never see.
const NOT_IN_LEDGER: [&str; 5] = ["datafusion", "tokio", "async-trait", "object_store", "futures"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let normal = |package: &Value| -> BTreeSet<String> {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        let normal = all.filter(|dependency| dependency["kind"].is_null());
        normal.map(|dependency| dependency["name"].as_str().expect("a name").to_owned()).collect()
    };
    packages.iter().map(|package| (package["name"].as_str().expect("a name").to_owned(), normal(package))).collect()
}

#[test]
fn no_arrow_between_crates_runs_the_wrong_way() {
    let dependencies = dependencies();
    for (name, allowed) in ARROWS {
        let ours = dependencies[name].iter().filter(|dependency| dependency.starts_with("counterfoil"));
        for dependency in ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
    for name in dependencies.keys().filter(|name| name.starts_with("counterfoil")) {
        let known = ARROWS.iter().any(|(known, _)| known == name);
        assert!(known || ["counterfoil-testkit", "counterfoil-bench"].contains(&name.as_str()), "{name} has no arrows");
    }
}

#[test]
fn pure_crates_use_nothing_that_reaches_the_world() {
    let dependencies = dependencies();
    for name in ["counterfoil-tlog", "counterfoil-entry", "counterfoil-evidence"] {
        for dependency in dependencies[name].iter().filter(|dependency| !dependency.starts_with("counterfoil")) {
            assert!(PURE.contains(&dependency.as_str()), "{name} is pure and must not use {dependency}");
        }
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(match name {
            "counterfoil-tlog" => "tlog",
            "counterfoil-entry" => "entry",
            _ => "evidence",
        });
        assert_no_world(&folder.join("src"));
    }
}

#[test]
fn the_embedded_ledger_has_no_async_runtime_and_no_query_engine() {
    let dependencies = dependencies();
    for name in NOT_IN_LEDGER {
        assert!(!dependencies["counterfoil"].contains(name), "counterfoil must not use {name}");
    }
}

/// Refuses source files that name files, network, clocks or threads.
fn assert_no_world(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            assert_no_world(&path);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        for word in ["std::fs", "std::net", "std::time", "std::thread", "std::env", "std::process"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}
