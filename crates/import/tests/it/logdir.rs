//! Folders of logs that carry their own hashes, whole and tampered with.

use std::fs;
use std::path::Path;

use counterfoil_import::Map;
use counterfoil_import::logdir::{FindingKind, Kind, LogDirError, Report, verify};
use tempfile::TempDir;

use crate::fixtures::{entries, file, json, testdata};

const KINDS: [(&str, Kind); 4] = [
    ("hash-only", Kind::HashOnly),
    ("chained", Kind::Chained),
    ("chained-after-hashing", Kind::ChainedAfterHashing),
    ("link-outside-hash", Kind::LinkOutsideHash),
];

fn check(folder: &Path) -> Report {
    verify(folder, &mut |_| {}).unwrap()
}

/// The five lines of a golden log, oldest first.
fn lines(kind: &str) -> Vec<String> {
    let read = |name: &str| fs::read_to_string(testdata("logs").join(kind).join(name)).unwrap();
    let text = read("audit.jsonl.1") + &read("audit.jsonl");
    text.lines().map(str::to_owned).collect()
}

/// A folder with one log of these lines.
fn folder(lines: &[String]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("audit.log"), lines.join("\n") + "\n").unwrap();
    folder
}

/// What is found in a log of these lines: kind and line of each finding.
fn found(lines: &[String]) -> Vec<(FindingKind, u64)> {
    let report = check(folder(lines).path());
    report.findings.iter().map(|finding| (finding.kind, finding.line)).collect()
}

#[test]
fn golden_logs_verify_and_say_their_kind() {
    for (name, kind) in KINDS {
        let report = check(&testdata("logs").join(name));
        assert_eq!(report.findings, [], "{name}");
        let files: Vec<_> = report.files.iter().map(|file| (file.name.as_str(), file.lines, file.kind)).collect();
        assert_eq!(files, [("audit.jsonl.1", 3, Some(kind)), ("audit.jsonl", 2, Some(kind))], "{name}");
        assert_eq!(kind.as_str(), name);
        let starts: Vec<_> = report.files.iter().map(|file| file.starts_chain).collect();
        assert_eq!(starts, [kind != Kind::HashOnly, false], "{name}");
        let hash = report.files[1].last_hash.clone().unwrap();
        assert!(lines(name)[4].contains(&hash), "{name}");
    }
}

#[test]
fn a_changed_value_is_found_in_every_kind() {
    for (name, _) in KINDS {
        for line in 0..5 {
            let mut log = lines(name);
            log[line] = log[line].replace("\"actor\": \"", "\"actor\": \"x");
            assert_eq!(found(&log), [(FindingKind::HashMismatch, line as u64 + 1)], "{name} {line}");
        }
        let mut log = lines(name);
        log[0] = log[0].replace("1250.0", "1250.5");
        assert_eq!(found(&log), [(FindingKind::HashMismatch, 1)], "{name}");
    }
}

/// Spaces and order are no part of what Python hashes; no kind can see them, and the report says so.
#[test]
fn spelling_is_not_covered() {
    for (name, _) in KINDS {
        let mut log = lines(name);
        log[0] = log[0].replace("1250.0", "1.25e3").replace("\": ", "\":");
        let report = check(folder(&log).path());
        assert_eq!(report.findings, [], "{name}");
        assert!(report.cannot_detect().iter().any(|limit| limit.contains("spaces")), "{name}");
    }
}

#[test]
fn dropped_moved_and_repeated_lines_break_the_chain() {
    for (name, kind) in KINDS {
        let linked = kind != Kind::HashOnly;
        let expect = |findings: &[(FindingKind, u64)]| if linked { findings.to_vec() } else { Vec::new() };
        let mut dropped = lines(name);
        dropped.remove(2);
        assert_eq!(found(&dropped), expect(&[(FindingKind::BrokenLink, 3)]), "{name}");
        let mut moved = lines(name);
        moved.swap(2, 3);
        let broken = [(FindingKind::BrokenLink, 3), (FindingKind::BrokenLink, 4), (FindingKind::BrokenLink, 5)];
        assert_eq!(found(&moved), expect(&broken), "{name}");
        let mut repeated = lines(name);
        repeated.insert(2, repeated[1].clone());
        assert_eq!(found(&repeated), expect(&[(FindingKind::BrokenLink, 3)]), "{name}");
        let headless = &lines(name)[1..];
        assert_eq!(found(headless), expect(&[(FindingKind::HeadMissing, 1)]), "{name}");
    }
    let report = check(folder(&lines("hash-only")).path());
    let limits = report.cannot_detect();
    assert!(limits[0].contains("dropped") && limits[1].contains("another order"), "{limits:?}");
}

/// No chain can see its own end cut off; the report must not pretend it can.
#[test]
fn a_cut_tail_is_named_as_a_limit() {
    for (name, _) in &KINDS[1..] {
        let report = check(folder(&lines(name)[..3]).path());
        assert_eq!(report.findings, [], "{name}");
        assert!(report.cannot_detect().iter().any(|limit| limit.contains("cut from the end")), "{name}");
    }
}

#[test]
fn a_line_made_up_with_its_own_hash_is_found_in_a_chain() {
    let own = lines("hash-only");
    let mut log = lines("chained");
    log[2] = own[2].clone();
    assert_eq!(found(&log), [(FindingKind::NoLink, 3), (FindingKind::BrokenLink, 4)]);
    let mut log = own;
    log[2] = lines("chained")[2].clone();
    assert_eq!(found(&log), [(FindingKind::OtherKind, 3)]);
    let mut log = lines("chained");
    log[3] = lines("link-outside-hash")[3].clone();
    assert_eq!(found(&log), [(FindingKind::OtherKind, 4), (FindingKind::BrokenLink, 4), (FindingKind::BrokenLink, 5)]);
}

#[test]
fn a_chain_that_begins_anew_within_a_file_is_found() {
    let mut log = lines("chained");
    log.extend(lines("chained"));
    assert_eq!(found(&log), [(FindingKind::Restart, 6)]);
}

#[test]
fn lines_that_are_no_entries_are_named() {
    let mut log = lines("chained");
    log[1] = "{\"actor\": ".to_owned();
    log[3] = "{\"actor\": \"x\", \"prev_hash\": null}".to_owned();
    assert_eq!(found(&log), [(FindingKind::Malformed, 2), (FindingKind::NoHash, 4)]);
    let mut log = lines("chained");
    log[4] = log[4].replacen('{', "{\"actor\": \"ann\", ", 1);
    assert_eq!(found(&log), [(FindingKind::DuplicateMember, 5)]);
    let report = check(folder(&log).path());
    assert!(report.findings[0].message.contains("\"actor\""), "{:?}", report.findings);
}

#[test]
fn a_log_hashed_in_another_way_is_one_finding() {
    let log: Vec<String> = (0..100).map(|line| format!("{{\"n\": {line}, \"hash\": \"{line:064x}\"}}")).collect();
    let report = check(folder(&log).path());
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].kind, FindingKind::UnknownKind);
    assert_eq!(report.files[0].kind, None);
}

#[test]
fn the_chain_goes_on_across_rotated_files() {
    let log = lines("chained");
    let folder = tempfile::tempdir().unwrap();
    for (name, line) in ["a.log.10", "a.log.9", "a.log.2", "a.log.1", "a.log"].iter().zip(&log) {
        fs::write(folder.path().join(name), line).unwrap();
    }
    fs::write(folder.path().join("README.txt"), "not a log").unwrap();
    let report = check(folder.path());
    assert_eq!(report.findings, []);
    assert_eq!(report.left_out, ["README.txt"]);
    assert_eq!(report.files[0].name, "a.log.10");

    fs::remove_file(folder.path().join("a.log.2")).unwrap();
    let report = check(folder.path());
    assert_eq!(report.findings.len(), 1);
    let finding = &report.findings[0];
    assert_eq!((finding.kind, finding.file.as_str(), finding.line), (FindingKind::BrokenLink, "a.log.1", 1));
    assert!(finding.message.contains("a.log.9:1"), "{}", finding.message);
}

/// Two programs may log into one folder, each with its own chain.
#[test]
fn several_chains_in_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), lines("chained").join("\n")).unwrap();
    fs::write(folder.path().join("b.jsonl"), lines("chained-after-hashing").join("\n")).unwrap();
    let report = check(folder.path());
    assert_eq!(report.findings, []);
    assert_eq!(report.files[1].kind, Some(Kind::ChainedAfterHashing));
    assert!(report.cannot_detect().iter().any(|limit| limit.contains("one of the 2 chains")));
}

#[test]
fn a_folder_without_logs_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(verify(folder.path(), &mut |_| {}), Err(LogDirError::NoLogs(_))));
    let absent = folder.path().join("absent");
    assert!(matches!(verify(&absent, &mut |_| {}), Err(LogDirError::Unreadable { .. })));
}

#[test]
fn findings_are_capped_and_counted() {
    let log = vec!["nonsense".to_owned(); 10_050];
    let report = check(folder(&log).path());
    assert_eq!((report.findings.len(), report.more_findings), (10_000, 50));
}

#[test]
fn an_import_keeps_the_old_hashes() {
    let map = Map::shipped("json-log-chained").unwrap();
    let (rows, _) = entries(file(&testdata("logs/chained/audit.jsonl.1")), &map);
    let log = lines("chained");
    assert_eq!(rows.len(), 3);
    for (row, line) in rows.iter().zip(&log) {
        let entry = json(row);
        let hash = &line[line.len() - 66..line.len() - 2];
        assert!(entry.contains(&format!("\"id\":\"{hash}\"")), "{entry}");
        assert!(entry.contains(&format!("\"original_hash\":\"{hash}\"")), "{entry}");
    }
    let second = json(&rows[1]);
    for part in [
        r#""original_prev_hash":"e6b0b1f9997665a6d49168c7dee2a5189ef9ad2be67a768aa00946c029ea6d5c""#,
        r#""old_value":null,"new_value":"approved""#,
        r#""minor_units":12345678901234567890123"#,
        r#""confidence":0.30000000000000004"#,
    ] {
        assert!(second.contains(part), "{part} in {second}");
    }
    assert!(json(&rows[0]).contains(r#""original_timestamp":"2026-03-02T08:00:00.123456+01:00""#));
}
