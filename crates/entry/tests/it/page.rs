//! The worked example of docs/formats/entry.md, checked against the code.

use crate::files::{read, workspace};
use counterfoil_entry::{Draft, Fields, Timestamp, signature};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

/// The text of the fenced block that follows a marker on the page.
fn block(page: &str, marker: &str) -> String {
    let marker = format!("<!-- example: {marker} -->");
    let rest = page.split_once(&marker).unwrap_or_else(|| panic!("no {marker} on the page")).1;
    let body = rest.split_once("```").expect("a fence").1.split_once('\n').expect("a line").1;
    body.split_once("\n```").expect("a closing fence").0.to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_worked_example_is_true() {
    let page = String::from_utf8(read(&workspace().join("docs/formats/entry.md"))).expect("UTF-8");
    let one_line = |marker: &str| block(&page, marker).replace('\n', "");
    let seed: [u8; 32] = std::array::from_fn(|index| index as u8);
    let key = SigningKey::from_bytes(&seed);
    let origin = one_line("origin");

    let draft = Draft::parse(block(&page, "sent").as_bytes()).expect("the sent entry is valid");
    assert_eq!(String::from_utf8_lossy(draft.client_bytes()), one_line("canonical"));
    assert_eq!(hex(&draft.content_digest()), one_line("content digest"));

    assert_eq!(signature::key_id(&key.verifying_key()), one_line("key id"));
    let signed = signature::sign(&key, &origin, &draft).expect("signed");
    let bytes = String::from_utf8(signature::signed_bytes(&origin, &signed)).expect("UTF-8");
    let mut lines = bytes.splitn(3, '\n');
    assert_eq!(lines.next(), Some("counterfoil-entry/v1"));
    assert_eq!(lines.next(), Some(origin.as_str()));
    assert_eq!(lines.next(), Some(one_line("signed members").as_str()));

    let mut entry = Vec::new();
    signed.write_entry(Timestamp::parse(&one_line("recorded at")).expect("valid"), Some("svc-ap"), &mut entry);
    assert_eq!(String::from_utf8_lossy(&entry), one_line("entry"));
    let leaf = Sha256::new().chain_update([0]).chain_update(&entry).finalize();
    assert_eq!(hex(&leaf), one_line("leaf"));
    let fields = Fields::check(&entry).expect("a valid entry");
    assert!(signature::verify(&key.verifying_key(), &origin, &fields));
}
