//! Signatures of entries.

use crate::samples::SMALLEST;
use counterfoil_entry::{Draft, Fields, Timestamp, signature};
use ed25519_dalek::{SigningKey, VerifyingKey};

const ORIGIN: &str = "ledger.example.com/payments";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn signable() -> Draft {
    let json = SMALLEST.replace('}', r#","sequence":1,"source":"erp","timestamp":"2026-11-24T13:16:00Z"}"#);
    Draft::parse(json.as_bytes()).expect("valid")
}

fn committed(draft: &Draft) -> String {
    let mut entry = Vec::new();
    draft.write_entry(Timestamp::from_micros(1_795_526_161_000_000), Some("svc"), &mut entry);
    String::from_utf8(entry).expect("UTF-8")
}

#[test]
fn the_signed_bytes_are_as_the_format_page_says() {
    let signed = signature::sign(&key(), ORIGIN, &signable()).expect("signed");
    let key_id = signature::key_id(&key().verifying_key());
    let expected = format!(
        concat!(
            "counterfoil-entry/v1\nledger.example.com/payments\n",
            r#"{{"actor":"bot-7","entity_id":"INV-1","event_type":"invoice_approved","sequence":1,"#,
            r#""signature":{{"algorithm":"ed25519","key_id":"{}"}},"source":"erp","timestamp":"2026-11-24T13:16:00Z"}}"#,
        ),
        key_id
    );
    assert_eq!(String::from_utf8(signature::signed_bytes(ORIGIN, &signed)).unwrap(), expected);
    let entry = committed(&signed);
    let fields = Fields::check(entry.as_bytes()).expect("valid");
    assert_eq!(String::from_utf8(signature::signed_bytes(ORIGIN, &fields)).unwrap(), expected);
}

#[test]
fn a_signature_binds_every_signed_byte_the_origin_and_the_key() {
    let signed = signature::sign(&key(), ORIGIN, &signable()).expect("signed");
    let entry = committed(&signed);
    let public = key().verifying_key();
    let verifies =
        |text: &str, origin: &str| signature::verify(&public, origin, &Fields::check(text.as_bytes()).expect("valid"));
    assert!(signature::verify(&public, ORIGIN, &signed));
    assert!(verifies(&entry, ORIGIN));
    assert!(!verifies(&entry, "ledger.example.com/other"));
    for (from, to) in [
        ("bot-7", "bot-8"),
        ("INV-1", "INV-2"),
        ("\"sequence\":1", "\"sequence\":2"),
        ("\"erp\"", "\"crm\""),
        ("13:16:00Z", "13:16:02Z"),
    ] {
        assert!(entry.contains(from));
        assert!(!verifies(&entry.replace(from, to), ORIGIN), "{to}");
    }
    assert!(verifies(&entry.replace("\"svc\"", "\"other\""), ORIGIN), "the recorder is the ledger's to say");
    assert!(verifies(&entry.replace("13:16:01Z", "13:16:09Z"), ORIGIN), "recorded_at too");
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert!(!signature::verify(&other, ORIGIN, &signed));
    assert!(!signature::verify(&public, ORIGIN, &signable()), "unsigned");
}

#[test]
fn verification_is_strict_about_weak_keys() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = VerifyingKey::from_bytes(&identity).expect("a point of small order");
    let mut value = [0; 64];
    value[0] = 1;
    let draft = signature::attach(&signable(), &signature::key_id(&weak), &value).expect("shaped");
    assert!(!signature::verify(&weak, ORIGIN, &draft));
}

#[test]
fn a_signer_outside_signs_the_same_bytes() {
    use ed25519_dalek::Signer;
    let key_id = signature::key_id(&key().verifying_key());
    let bytes = signature::bytes_to_sign(ORIGIN, &signable(), &key_id).expect("signable");
    let attached = signature::attach(&signable(), &key_id, &key().sign(&bytes).to_bytes()).expect("signed");
    assert_eq!(attached, signature::sign(&key(), ORIGIN, &signable()).expect("signed"));
}

#[test]
fn what_cannot_be_signed_says_why() {
    let signed = signature::sign(&key(), ORIGIN, &signable()).expect("signed");
    let again = signature::sign(&key(), ORIGIN, &signed).expect_err("twice");
    assert_eq!(again.to_string(), "signature: the entry is signed already");
    let bare = signature::sign(&key(), ORIGIN, &Draft::parse(SMALLEST.as_bytes()).unwrap()).expect_err("replayable");
    assert_eq!(bare.to_string(), "signature: a signed entry needs timestamp too, so that nobody can replay it");
}
