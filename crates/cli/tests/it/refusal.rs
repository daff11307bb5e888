//! Each class of bad input has a message of its own and its exit code.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::place::{LINES, Place, Ran};

/// One bad line after a good one, and what must be said of it.
const BAD_LINES: [(&str, &str); 12] = [
    (r#"{"event_type":"x","actor":"a","entity_id":"E""#, "JSON"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","ip":"10.0.0.1"}"#, "ip: an entry has no such member"),
    (r#"{"event_type":"x","actor":"a","actor":"b","entity_id":"E"}"#, "actor: stands twice"),
    (r#"{"event_type":"x","actor":"a"}"#, "entity_id: missing"),
    (r#"{"event_type":"x","actor":7,"entity_id":"E"}"#, "actor: must be"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","actor_type":"robot"}"#, "actor_type"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","timestamp":"yesterday"}"#, "timestamp"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","sequence":4}"#, "sequence: needs source"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","context":{"n":1e400}}"#, "context.n: the number 1e400"),
    (r#"{"event_type":"x","actor":"a","entity_id":"E","recorded_at":"2026-01-01T00:00:00Z"}"#, "only the ledger sets"),
    (r#"{"event_type":"ledger.created","actor":"a","entity_id":"E"}"#, "ledger."),
    (r#"{"event_type":"x","actor":"\ud800","entity_id":"E"}"#, "actor"),
];

#[test]
fn bad_lines_are_named_by_number_and_reason() {
    let place = Place::ledger();
    let good = LINES.lines().next().unwrap();
    for (bad, reason) in BAD_LINES {
        let input = format!("{good}\n\n{bad}\n");
        place.write("bad.jsonl", input);
        let ran = place.run(&["append", "audit", "bad.jsonl"]);
        ran.refused(2, &["bad.jsonl, line 3: ", reason, "Nothing was recorded."]);
    }
    assert_eq!(place.json(&["verify", "audit", "--json"])["verified"], true);
}

#[test]
fn what_is_too_deep_too_long_or_too_large_is_refused() {
    let place = Place::ledger();
    let entry =
        |context: &str| format!("{{\"event_type\":\"x\",\"actor\":\"a\",\"entity_id\":\"E\",\"context\":{context}}}");
    let deep = entry(&format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100)));
    place.feed(&["append", "audit"], &deep).refused(2, &["line 1", "nested deeper than 64 levels"]);
    let very_deep = "[".repeat(200_000);
    place.feed(&["append", "audit"], &very_deep).refused(2, &["line 1"]);
    let large = entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(70_000)));
    place.feed(&["append", "audit"], &large).refused(2, &["line 1", "65535", "context.attachments"]);
    let long = entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)));
    place.feed(&["append", "audit"], &long).refused(2, &["line 1: it is longer than 1048576 bytes"]);
    let actor = format!("{{\"event_type\":\"x\",\"actor\":\"{}\",\"entity_id\":\"E\"}}", "a".repeat(257));
    place.feed(&["append", "audit"], &actor).refused(2, &["actor: 257 bytes"]);
}

#[test]
fn what_is_no_ledger_is_said_to_be_none() {
    let place = Place::new();
    place.run(&["status", "audit"]).refused(7, &["there is no folder audit"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    place.write("file", "x");
    for command in ["status", "verify", "checkpoint", "key", "seal"] {
        place.run(&[command, "empty"]).refused(7, &["empty is not a ledger"]);
        place.run(&[command, "file"]).refused(7, &["file is a file, and a ledger is a folder"]);
    }
    place.feed(&["append", "nowhere"], LINES).refused(7, &["there is no folder nowhere"]);
    place.run(&["query", "nowhere", "SELECT 1"]).refused(7, &["there is no folder nowhere"]);
}

#[test]
fn a_ledger_is_not_made_over_something() {
    let place = Place::ledger();
    place.run(&["init", "audit", "--origin", "bank.example/audit"]).refused(3, &["audit is a ledger already"]);
    std::fs::create_dir(place.path("full")).unwrap();
    place.write("full/notes.txt", "x");
    place.run(&["init", "full", "--origin", "bank.example/audit"]).refused(3, &["full is not empty"]);
    let spaced = place.run(&["init", "new", "--origin", "bank example"]);
    spaced.refused(2, &["origin \"bank example\"", "white space"]);
    place.run(&["init", "new", "--origin", "b", "--segment-span", "1000"]).refused(2, &["segment span 1000"]);
    let schemed = place.run(&["init", "new", "--origin", "https://bank.example/audit"]);
    schemed.refused(2, &["leave https:// out", "such as bank.example/audit"]);
    place.run(&["init", "new", "--origin", "b", "--retention-class", ""]).expect(2);
    assert!(!place.path("new").exists(), "a refused init leaves nothing");
}

#[test]
fn missing_input_files_are_named() {
    let place = Place::ledger();
    place.run(&["append", "audit", "none.jsonl"]).refused(7, &["none.jsonl: "]);
    place.run(&["append", "audit", "."]).refused(2, &[". is a folder"]);
    place.run(&["check", "none.proof", "--entry", "e", "--key", "k"]).refused(2, &["--key"]);
    let key = place.ok(&["key", "audit"]);
    place.run(&["check", "none.proof", "--entry", "e", "--key", key.trim()]).refused(7, &["none.proof: "]);
    place.run(&["verify", "audit", "--checkpoint", "none"]).refused(7, &["none: "]);
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let place = Place::ledger();
    let mut command = place.command(&["append", "audit", "--receipts"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, LINES.as_bytes()).unwrap();
    let mut receipts = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut receipts, &mut String::new()).unwrap();
    let busy = place.feed(&["append", "audit"], LINES);
    busy.refused(4, &["busy", "another process", "commands that only read work meanwhile"]);
    place.run(&["seal", "audit"]).refused(4, &["busy"]);
    place.ok(&["status", "audit"]);
    place.ok(&["query", "audit", "SELECT count(*) FROM audit_log"]);
    drop(input);
    drop(receipts);
    child.wait().unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_is_denied() {
    if std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n") {
        eprintln!("left out: a read-only folder (root may write everywhere)");
        return;
    }
    let place = Place::new();
    std::fs::create_dir(place.path("closed")).unwrap();
    std::fs::set_permissions(place.path("closed"), std::fs::Permissions::from_mode(0o555)).unwrap();
    place.run(&["init", "closed/audit", "--origin", "bank.example/audit"]).refused(6, &["denied", "closed/audit"]);
}

#[test]
fn a_key_that_others_may_read_is_denied() {
    let place = Place::ledger();
    let key = place.path("audit/keys/signing-key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    place.feed(&["append", "audit"], LINES).refused(6, &["denied", "keys/signing-key.pem", "chmod 600"]);
}

#[test]
fn unknown_commands_and_options_are_explained() {
    let place = Place::new();
    place.run(&["apend", "audit"]).refused(2, &["unrecognized subcommand 'apend'", "append"]);
    place.run(&["append", "audit", "--recipts"]).refused(2, &["--recipts", "--receipts"]);
    place.run(&["prove", "audit"]).refused(2, &["INDEX"]);
    place.run(&["query", "audit", "SELECT 1", "--format", "xml"]).refused(2, &["xml", "parquet"]);
    place.run(&["verify"]).refused(2, &["LEDGER"]);
    place
        .run(&["catalog", "manual_overide"])
        .refused(7, &["no event type \"manual_overide\"; did you mean manual_override?"]);
}

#[test]
fn a_reader_that_leaves_is_no_error_worth_a_word() {
    let place = Place::ledger();
    let mut command = place.command(&["export", "audit", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn colour_is_for_terminals_only() {
    let place = Place::ledger();
    assert!(!place.ok(&["history", "audit", "INV-1"]).contains('\u{1b}'));
    let forced = place.command(&["history", "audit", "INV-1"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(String::from_utf8(forced.stdout).unwrap().contains('\u{1b}'));
    let mut refused = place.command(&["history", "audit", "INV-1"]);
    let refused = refused.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!String::from_utf8(refused.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn what_looks_like_an_address_is_told_how_an_address_is_written() {
    let place = Place::new();
    for address in ["127.0.0.1:7461", "localhost:7411", "htp://127.0.0.1:7461", "ledger.bank.example:443"] {
        let ran = place.run(&["status", address]).refused(7, &["http:// or https://"]);
        assert!(!ran.stderr.contains("counterfoil init"), "{}", ran.stderr);
    }
}

#[test]
fn only_commands_that_would_use_a_new_ledger_advise_to_make_one() {
    let place = Place::new();
    for command in [["append", "audit"].as_slice(), &["serve", "audit"]] {
        place.run(command).refused(7, &["there is no folder audit", "counterfoil init audit --origin"]);
    }
    for command in [["verify", "audit"].as_slice(), &["status", "audit"], &["query", "audit", "SELECT 1"]] {
        let ran = place.run(command).refused(7, &["there is no folder audit"]);
        assert!(!ran.stderr.contains("counterfoil init"), "{}", ran.stderr);
    }
}

#[test]
fn a_new_ledger_is_for_its_user_and_group() {
    let place = Place::ledger();
    let mode = std::fs::metadata(place.path("audit")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750, "{mode:o}");
}

#[test]
fn a_command_without_its_arguments_names_all_ways_to_call_it() {
    let place = Place::ledger();
    place.run(&["prove", "audit"]).refused(2, &["INDEX", "--from"]);
    place.run(&["verify"]).refused(2, &["LEDGER", "--bundle", "--log-dir"]);
}

#[test]
fn json_that_is_cut_off_names_no_member() {
    let place = Place::ledger();
    let ran = place.feed(&["append", "audit"], r#"{"event_type":"x","actor":"ma"#).refused(2, &["line 1", "JSON"]);
    assert!(!ran.stderr.contains("actor: "), "{}", ran.stderr);
}

#[test]
fn a_service_without_its_rules_is_refused_before_it_starts() {
    let place = Place::ledger();
    let size = || place.json(&["status", "audit", "--json"])["size"].clone();
    let before = size();
    let said = ["--rules nofolder: ", "counterfoil rules init nofolder"];
    place.run(&["serve", "audit", "--listen", "127.0.0.1:0", "--rules", "nofolder"]).refused(7, &said);
    assert_eq!(size(), before, "nothing is recorded");
}

#[test]
fn a_store_without_credentials_is_told_where_they_may_come_from() {
    let place = Place::new();
    let verify = |file: Option<&str>| {
        let mut command = place.command(&["verify", "gs://bank-audit/payments"]);
        command.env("HOME", place.path("")).env_remove("GOOGLE_APPLICATION_CREDENTIALS").stdin(Stdio::null());
        command.envs(file.map(|file| ("GOOGLE_APPLICATION_CREDENTIALS", file)));
        Ran::of(command.output().unwrap())
    };
    let sources = ["GOOGLE_APPLICATION_CREDENTIALS", "gcloud auth application-default login"];
    verify(None).refused(6, &[&["no credentials for the store"], &sources[..]].concat());
    verify(Some("no-such-file")).refused(2, &[&["no-such-file"], &sources[..]].concat());
}
