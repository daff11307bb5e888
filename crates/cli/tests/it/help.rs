//! Help, completions and manual pages.

use crate::place::Place;

const COMMANDS: [&str; 31] = [
    "init",
    "append",
    "import",
    "query",
    "history",
    "export",
    "entry",
    "postgres",
    "prove",
    "check",
    "checkpoint",
    "key",
    "verify",
    "monitor",
    "bundle",
    "status",
    "ship",
    "restore",
    "prune",
    "rules",
    "sink",
    "drill",
    "lake",
    "serve",
    "token",
    "seal",
    "report",
    "document",
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
    assert!(root.contains("tampered     a hash, proof or signature disagrees"), "{root}");
}

#[test]
fn the_commands_are_the_documented_ones() {
    let page = include_str!("../../../../docs/guides/cli.md");
    for command in COMMANDS {
        assert!(page.contains(&format!("`counterfoil {command}")), "{command}");
    }
    let root = Place::new().ok(&["--help"]);
    let codes = root.lines().skip_while(|line| *line != "Exit codes:").skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<[String; 3]> = codes.map(exit_code).collect();
    let documented: Vec<[String; 3]> = page
        .lines()
        .filter_map(|line| {
            line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect::<Vec<_>>().try_into().ok()
        })
        .filter(|[code, ..]: &[&str; 3]| code.parse::<u8>().is_ok())
        .map(|row| row.map(|cell| cell.trim().to_owned()))
        .collect();
    assert_eq!(listed, documented, "docs/guides/cli.md");
}

/// Code, name (none for 0 and 141) and meaning.
fn exit_code(line: &str) -> [String; 3] {
    let (code, rest) = line.trim_start().split_once("  ").unwrap();
    let (name, meaning) = rest.split_once("  ").unwrap_or(("", rest));
    let name = if code == "0" || code == "141" { "" } else { name };
    let meaning = if name.is_empty() { rest } else { meaning };
    [code, name, meaning].map(|part| part.trim().to_owned())
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

#[test]
fn the_guide_of_the_service_names_every_setting() {
    let place = Place::new();
    let help = place.ok(&["serve", "--help"]);
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/service.md")).unwrap();
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)));
    let settings: Vec<&str> = words
        .filter_map(|word| word.strip_prefix("--").or_else(|| word.starts_with("COUNTERFOIL_").then_some(word)))
        .filter(|word| !["help", "config", ""].contains(word))
        .collect();
    assert!(settings.len() > 30, "{settings:?}");
    for setting in settings {
        assert!(guide.contains(&format!("`{setting}`")) || guide.contains(&format!("`{setting}")), "{setting}");
    }
}

#[test]
fn examples_can_be_copied_from_a_narrow_terminal() {
    let place = Place::new();
    for command in COMMANDS {
        let wide = place.command(&[command, "--help"]).env("COLUMNS", "200").output().unwrap().stdout;
        let narrow = place.command(&[command, "--help"]).env("COLUMNS", "80").output().unwrap().stdout;
        let examples = |help: Vec<u8>| {
            let help = String::from_utf8(help).unwrap();
            help.split("Examples:").nth(1).unwrap().split("\n\n").next().unwrap().to_owned()
        };
        let (wide, narrow) = (examples(wide), examples(narrow));
        assert_eq!(wide, narrow, "{command}");
        for line in wide.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}
