//! `entry`, `key`, `checkpoint`, `prove`, `check`: proofs, and checking them without the ledger.

use crate::place::{FIRST, LINES, Place};

/// A place with a proof, its entry and the key, and nothing else of the ledger.
fn proven() -> Place {
    let place = Place::ledger();
    let index = (FIRST + 2).to_string();
    place.write("proof", place.ok(&["prove", "audit", &index]));
    place.write("entry.json", place.ok(&["entry", "audit", &index, "--canonical"]));
    place.write("vkey", place.ok(&["key", "audit"]));
    place.write("checkpoint", place.ok(&["checkpoint", "audit"]));
    place
}

#[test]
fn a_proof_holds_without_the_ledger() {
    let place = proven();
    std::fs::remove_dir_all(place.path("audit")).unwrap();
    let held = place.ok(&["check", "proof", "--entry", "entry.json", "--key", "vkey"]);
    assert!(held.contains("the proof holds: entry 4 (invoice_approved by invoice-bot on INV-1)"), "{held}");
    let key = std::fs::read_to_string(place.path("vkey")).unwrap();
    let answer = place.json(&["check", "proof", "--entry", "entry.json", "--key", key.trim(), "--json"]);
    assert_eq!((&answer["holds"], &answer["index"], &answer["size"]), (&true.into(), &4.into(), &6.into()));
}

#[test]
fn an_entry_may_be_laid_out_for_people() {
    let place = proven();
    place.write("pretty.json", place.ok(&["entry", "audit", "4"]));
    place.ok(&["check", "proof", "--entry", "pretty.json", "--key", "vkey"]);
}

#[test]
fn canonical_bytes_are_exactly_the_leaf() {
    let place = proven();
    let canonical = place.ok(&["entry", "audit", "4", "--canonical"]);
    assert!(canonical.starts_with("{\"actor\":\"invoice-bot\"") && canonical.ends_with('}'), "{canonical}");
    let line = place.json(&["entry", "audit", "4", "--json"]);
    assert_eq!(line["entry"]["id"], "a-1");
    assert_eq!(line["leaf_hash"], counterfoil_tlog::leaf_hash(canonical.as_bytes()).to_string());
}

#[test]
fn what_does_not_hold_is_tampering() {
    let place = proven();
    let entry = std::fs::read_to_string(place.path("entry.json")).unwrap();
    place.write("forged.json", entry.replace("0.97", "0.79"));
    let ran = place.run(&["check", "proof", "--entry", "forged.json", "--key", "vkey"]).expect(11);
    assert!(ran.stdout.contains("DOES NOT HOLD"), "{}", ran.stdout);
    let ran = place.run(&["check", "proof", "--entry", "forged.json", "--key", "vkey", "--json"]).expect(11);
    assert_eq!(ran.value()["holds"], false);

    let proof = std::fs::read_to_string(place.path("proof")).unwrap();
    place.write("moved", proof.replace("index 4", "index 3"));
    place.run(&["check", "moved", "--entry", "entry.json", "--key", "vkey"]).expect(11);

    place.ok(&["init", "other", "--origin", "bank.example/audit"]);
    place.write("other.vkey", place.ok(&["key", "other"]));
    place.run(&["check", "proof", "--entry", "entry.json", "--key", "other.vkey"]).expect(11);
    place.ok(&["init", "third", "--origin", "shop.example/audit"]);
    let third = place.ok(&["key", "third"]);
    let ran = place.run(&["check", "proof", "--entry", "entry.json", "--key", third.trim()]).expect(11);
    assert!(ran.stdout.contains("bank.example/audit, not of shop.example/audit"), "{}", ran.stdout);
}

#[test]
fn another_entry_than_the_proven_one_is_said_to_be_one() {
    let place = proven();
    place.write("other.json", place.ok(&["entry", "audit", "3", "--canonical"]));
    let ran = place.run(&["check", "proof", "--entry", "other.json", "--key", "vkey"]).expect(11);
    assert!(ran.stdout.contains("not the entry that was recorded at index 4"), "{}", ran.stdout);
}

#[test]
fn files_that_do_not_belong_together_are_no_tampering() {
    let place = proven();
    place.feed(&["append", "audit"], &LINES.replace("a-1", "a-2")).expect(0);
    place.write("growth", place.ok(&["prove", "audit", "--from", "4"]));
    let ran = place.run(&["check", "growth", "--checkpoint", "checkpoint", "--key", "vkey"]);
    ran.refused(2, &["starts from 4 entries, but the checkpoint is of 6", "prove --from 6"]);
    place.write("line.json", place.ok(&["entry", "audit", "4", "--json"]));
    let ran = place.run(&["check", "proof", "--entry", "line.json", "--key", "vkey"]);
    ran.refused(2, &["`entry` or `entry --canonical`"]);
    let ran = place.run(&["check", "-", "--entry", "-", "--key", "vkey"]);
    ran.refused(2, &["only one file can be standard input"]);
}

#[test]
fn what_is_no_proof_entry_or_key_is_invalid() {
    let place = proven();
    let check = |proof, entry, key| place.run(&["check", proof, "--entry", entry, "--key", key]);
    check("entry.json", "entry.json", "vkey").refused(2, &["the proof: "]);
    check("proof", "proof", "vkey").refused(2, &["proof: ", "JSON"]);
    check("proof", "entry.json", "bank.example/audit+00000000+AAAA").refused(2, &["--key", "counterfoil key LEDGER"]);
    check("proof", "entry.json", "nonsense").refused(2, &["--key nonsense: no such file, and not a verifier key"]);
    place.run(&["check", "proof", "--key", "vkey"]).refused(2, &["--entry"]);
}

#[test]
fn growth_is_proven_against_a_kept_checkpoint() {
    let place = proven();
    place.feed(&["append", "audit"], &LINES.replace("a-1", "a-2")).expect(0);
    place.write("growth", place.ok(&["prove", "audit", "--from", "6"]));
    let held = place.ok(&["check", "growth", "--checkpoint", "checkpoint", "--key", "vkey"]);
    assert!(held.contains("with 11 entries begins with the 6 entries"), "{held}");
    place.run(&["check", "growth", "--entry", "entry.json", "--key", "vkey"]).refused(2, &["--checkpoint"]);
    place.run(&["check", "proof", "--checkpoint", "checkpoint", "--key", "vkey"]).refused(2, &["--entry"]);
    let growth = std::fs::read_to_string(place.path("growth")).unwrap();
    assert!(growth.starts_with("old 6\n"), "{growth}");

    std::fs::remove_dir_all(place.path("audit")).unwrap();
    place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
    place.feed(&["append", "audit"], LINES).expect(0);
    place.write("forked", place.ok(&["checkpoint", "audit"]));
    place.run(&["check", "growth", "--checkpoint", "forked", "--key", "vkey"]).expect(11);
}

#[test]
fn what_is_not_there_cannot_be_proven() {
    let place = Place::ledger();
    place.run(&["prove", "audit", "6"]).refused(7, &["no entry 6", "0 to 5"]);
    place.run(&["prove", "audit", "5", "--size", "5"]).refused(2, &["not among the first 5"]);
    place.run(&["prove", "audit", "5", "--size", "99"]).refused(7, &["6 entries, not 99"]);
    place.run(&["prove", "audit", "--from", "7"]).refused(7, &["6 entries, not 7"]);
    place.run(&["prove", "audit", "--from", "5", "--to", "4"]).refused(2, &["5 entries is not the beginning"]);
    place.run(&["entry", "audit", "99"]).refused(7, &["no entry 99"]);
    place.run(&["entry", "audit", "-1"]).expect(2);
    place.run(&["entry", "audit", "abc"]).refused(2, &["INDEX is a number"]);
}

#[test]
fn a_size_may_be_asked_for() {
    let place = proven();
    let newest = place.ok(&["prove", "audit", "4", "--size", "6"]);
    assert_eq!(newest, std::fs::read_to_string(place.path("proof")).unwrap());
    let growth = place.ok(&["prove", "audit", "--from", "2", "--to", "6"]);
    assert!(growth.starts_with("old 2\n") && growth.contains("bank.example/audit\n6\n"), "{growth}");
    let earlier = place.ok(&["prove", "audit", "4", "--size", "5"]);
    assert!(earlier.contains("bank.example/audit\n5\n"), "{earlier}");
    std::fs::remove_file(place.path("audit/keys/signing-key.pem")).unwrap();
    place.run(&["prove", "audit", "4", "--size", "5"]).refused(7, &["signing-key.pem"]);
}

#[test]
fn keys_and_checkpoints_come_as_json_too() {
    let place = Place::ledger();
    let key = place.json(&["key", "audit", "--json"]);
    assert_eq!(key["name"], "bank.example/audit");
    assert_eq!(key["vkey"].as_str(), Some(place.ok(&["key", "audit"]).trim()));
    let checkpoint = place.json(&["checkpoint", "audit", "--json"]);
    assert_eq!(checkpoint["size"], 6);
    assert_eq!(checkpoint["note"].as_str(), Some(place.ok(&["checkpoint", "audit"]).as_str()));
}
