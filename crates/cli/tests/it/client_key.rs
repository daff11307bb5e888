//! `key new`, `register`, `revoke`: keys with which clients sign.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use counterfoil_entry::{Draft, Timestamp, signature};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding};

use crate::place::Place;

fn line(key: &SigningKey, actor: &str, sequence: u64) -> String {
    let draft = Draft::builder("limit_raised", actor, "CUST-1")
        .timestamp(Timestamp::from_micros(1_764_000_000_000_000))
        .source(actor, sequence)
        .build()
        .unwrap();
    let signed = signature::sign(key, "bank.example/audit", &draft).unwrap();
    String::from_utf8(signed.client_bytes().to_vec()).unwrap() + "\n"
}

fn private_key(place: &Place, name: &str) -> SigningKey {
    SigningKey::from_pkcs8_pem(&std::fs::read_to_string(place.path(name)).unwrap()).unwrap()
}

#[test]
fn a_new_key_signs_for_its_actor_until_it_is_revoked() {
    let place = Place::ledger();
    let made = place.json(&["key", "new", "audit", "--actor", "bot", "-o", "bot.pem", "--json"]);
    let mode = std::fs::metadata(place.path("bot.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let openssl = Command::new("openssl").args(["pkey", "-noout", "-in"]).arg(place.path("bot.pem")).output();
    assert!(openssl.unwrap().status.success(), "openssl reads the key");
    let key = private_key(&place, "bot.pem");
    let key_id = made["key_id"].as_str().unwrap();
    assert_eq!(key_id, signature::key_id(&key.verifying_key()));
    assert_eq!(made["public_key"], hex::encode(key.verifying_key().as_bytes()));
    place.feed(&["append", "audit"], &line(&key, "bot", 1)).expect(0);
    place.feed(&["append", "audit"], &line(&key, "maria", 1)).refused(6, &["may not sign for actor \"maria\""]);
    let revoked = place.ok(&["key", "revoke", "audit", key_id]);
    assert!(revoked.starts_with(&format!("revoked key {key_id}")), "{revoked}");
    place.feed(&["append", "audit"], &line(&key, "bot", 2)).refused(6, &["not registered, or was revoked"]);
    place.run(&["key", "revoke", "audit", key_id]).refused(7, &["is not registered"]);
    place.ok(&["verify", "audit"]);
}

#[test]
fn a_public_key_is_registered_from_hex_and_from_pem() {
    let place = Place::ledger();
    let key = SigningKey::from_bytes(&[7; 32]);
    let hex = hex::encode(key.verifying_key().as_bytes());
    let said = place.ok(&["key", "register", "audit", &hex, "--actor", "ana", "--actor", "bo"]);
    assert!(said.contains(" for ana, bo (entry "), "{said}");
    place.feed(&["append", "audit"], &(line(&key, "ana", 1) + &line(&key, "bo", 1))).expect(0);
    place.write("key.pub", key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap());
    place.ok(&["key", "register", "audit", "key.pub", "--any-actor"]);
    place.feed(&["append", "audit"], &line(&key, "somebody", 1)).expect(0);
}

#[test]
fn mistakes_are_named_and_register_nothing() {
    let place = Place::ledger();
    place.write("nothing.pem", "nothing");
    place.run(&["key", "register", "audit", "nothing.pem", "--actor", "a"]).refused(2, &["no Ed25519 public key"]);
    place.run(&["key", "register", "audit", "abc", "--actor", "a"]).refused(2, &["64 hex digits"]);
    place.run(&["key", "register", "audit", &"00".repeat(32)]).refused(2, &["--actor"]);
    place.run(&["key", "new", "nowhere", "--actor", "a", "-o", "k"]).refused(7, &["nowhere"]);
    place.run(&["key", "new", "audit", "--actor", "a", "-o", "nothing.pem"]).refused(2, &["already there"]);
    place.run(&["key", "new", "audit", "--actor", "", "-o", "k"]).refused(2, &["actor"]);
    let registered = "SELECT count(*) AS n FROM audit_log WHERE event_type = 'ledger.key_registered'";
    assert_eq!(place.json(&["query", "audit", registered, "--format", "json"])[0]["n"], 0);
    place.run(&["key"]).refused(2, &["<LEDGER>"]);
}

#[test]
fn a_private_key_is_not_printed() {
    let place = Place::ledger();
    let ran = place.run(&["key", "new", "audit", "--actor", "bot", "-o", "-"]);
    ran.refused(2, &["not written to standard output"]);
    assert!(!place.path("-").exists());
}
