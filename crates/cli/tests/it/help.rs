//! Help, completions and manual pages.

use crate::place::Place;

const COMMANDS: [&str; 18] = [
    "init",
    "append",
    "import",
    "query",
    "history",
    "export",
    "entry",
    "prove",
    "check",
    "checkpoint",
    "key",
    "verify",
    "bundle",
    "status",
    "seal",
    "catalog",
    "completions",
    "man",
];

#[test]
fn every_command_says_what_it_does_with_an_example_and_exit_codes() {
    let place = Place::new();
    let root = place.ok(&["--help"]);
    for command in COMMANDS {
        assert!(root.contains(&format!("\n  {command} ")), "{command} is not in: {root}");
        let help = place.ok(&[command, "--help"]);
        assert!(help.contains("Examples:"), "{help}");
        assert!(help.contains(&format!("counterfoil {command}")), "{help}");
        assert!(help.contains("Exit codes: 0"), "{help}");
        assert!(help.lines().next().unwrap().len() > 10, "{help}");
        let short = place.ok(&[command, "-h"]);
        assert!(short.contains("Examples:"), "{short}");
    }
    assert!(root.contains("tampered     hash, proof or signature disagree"), "{root}");
}

#[test]
fn the_commands_are_the_documented_ones() {
    let page = include_str!("../../../../docs/guides/cli.md");
    for command in COMMANDS {
        assert!(page.contains(&format!("`counterfoil {command}")), "{command}");
    }
    let root = Place::new().ok(&["--help"]);
    for line in root.lines().skip_while(|line| *line != "Exit codes:").skip(1).take_while(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (code, name) = (words.next().unwrap(), words.next().unwrap());
        assert!(page.contains(&format!("| {code} |")), "exit code {code} ({name}) is not in docs/guides/cli.md");
    }
}

#[test]
fn shells_complete() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&["completions", shell]);
        assert!(script.contains("counterfoil") && script.contains("log-dir"), "{shell}");
    }
    place.run(&["completions", "tcsh"]).refused(2, &["tcsh"]);
}

#[test]
fn manual_pages_are_written() {
    let place = Place::new();
    assert!(place.ok(&["man"]).contains(".TH counterfoil 1"));
    place.ok(&["man", "pages"]);
    for command in COMMANDS {
        let page = std::fs::read_to_string(place.path(&format!("pages/counterfoil-{command}.1"))).unwrap();
        assert!(page.contains(".TH"), "{command}");
    }
    assert!(place.path("pages/counterfoil.1").exists());
}

#[test]
fn the_version_is_told() {
    assert!(Place::new().ok(&["--version"]).starts_with("counterfoil 0."));
}

#[test]
fn the_kinds_of_findings_are_documented() {
    let page = include_str!("../../../../docs/guides/cli.md");
    for kind in counterfoil_evidence::FindingKind::ALL {
        let row = format!("| `{kind}` | {} | {} |", kind.class(), kind.meaning());
        assert!(page.contains(&row), "{row}");
    }
}
