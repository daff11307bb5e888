//! The `$sealed` value object.

use crate::samples::SMALLEST;
use counterfoil_entry::{Draft, Fields, Timestamp};

const SEALED: &str = r#"{"$sealed":{"ciphertext":"AAEC","key_id":"subject-7","nonce":"AAAAAAAAAAAAAAAA"}}"#;

fn with(member: &str) -> String {
    SMALLEST.replace('}', &format!(",{member}}}"))
}

fn committed(json: &str) -> Vec<u8> {
    let mut entry = Vec::new();
    Draft::parse(json.as_bytes()).expect("valid").write_entry(Timestamp::from_micros(0), None, &mut entry);
    entry
}

#[test]
fn it_may_stand_in_values_in_context_and_as_the_reason() {
    for member in ["old_value", "new_value", "reason"] {
        let entry = committed(&with(&format!("\"{member}\":{SEALED}")));
        let fields = Fields::check(&entry).expect("valid");
        let found =
            [fields.old_value, fields.new_value, fields.reason.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(found, [SEALED], "{member}");
        let mut again = Vec::new();
        fields.write_canonical(&mut again);
        assert_eq!(again, entry, "{member}");
        assert_eq!(Fields::split(&entry).as_ref(), Ok(&fields));
    }
    assert!(Draft::parse(with(&format!(r#""context":{{"customer":{SEALED},"list":[{SEALED}]}}"#)).as_bytes()).is_ok());
}

#[test]
fn a_reason_text_never_reads_like_a_sealed_one() {
    let quoted = serde_json::to_string(SEALED).unwrap();
    let error = Draft::parse(with(&format!("\"reason\":{quoted}")).as_bytes()).expect_err("ambiguous");
    assert_eq!(error.to_string(), "reason: is a $sealed value written as a string; send it as the object itself");
    let like = serde_json::to_string(r#"{"$sealed":{"ciphertext":"#).unwrap();
    let entry = committed(&with(&format!("\"reason\":{like}")));
    let mut again = Vec::new();
    Fields::check(&entry).expect("only a text").write_canonical(&mut again);
    assert_eq!(again, entry);
}

#[test]
fn a_forged_reason_cannot_reach_beyond_its_member() {
    let entry = committed(SMALLEST);
    let mut fields = Fields::check(&entry).unwrap();
    fields.reason = Some(format!(r#"{SEALED},"sequence":1,"source":"x""#).into());
    let mut forged = Vec::new();
    fields.write_canonical(&mut forged);
    assert_eq!(Fields::check(&forged).expect("a text like any other").source, None);
}

#[test]
fn any_other_shape_is_refused() {
    let shape = "must have exactly the members ciphertext, key_id, nonce";
    let base64 = "must be canonical base64, padded and not empty";
    for (json, message) in [
        (
            with(&format!("\"new_value\":{}", SEALED.replace("}}", "},\"x\":1}"))),
            "new_value: must be a string, or an object with $sealed and nothing beside it".to_owned(),
        ),
        (
            with(r#""new_value":{"$sealed":7}"#),
            "new_value.$sealed: must be an object with ciphertext, key_id and nonce".into(),
        ),
        (with(&format!("\"old_value\":{}", SEALED.replace("nonce", "iv"))), format!("old_value.$sealed: {shape}")),
        (
            with(&format!("\"old_value\":{}", SEALED.replace("}}", ",\"z\":1}}"))),
            format!("old_value.$sealed: {shape}; drop z"),
        ),
        (
            with(&format!("\"context\":{{\"a\":[{}]}}", SEALED.replace("AAEC", "AAE"))),
            format!("context.a[0].$sealed.ciphertext: {base64}"),
        ),
        (
            with(&format!("\"context\":{{\"a\":{}}}", SEALED.replace("\"AAEC\"", "\"\""))),
            format!("context.a.$sealed.ciphertext: {base64}"),
        ),
        (
            with(&format!("\"reason\":{}", SEALED.replace("subject-7", ""))),
            "reason.$sealed.key_id: 0 bytes; must be 1 to 256 bytes of UTF-8".into(),
        ),
        (
            with(r#""reason":{"text":"no"}"#),
            "reason: must be a string, or an object with $sealed and nothing beside it".into(),
        ),
    ] {
        assert_eq!(Draft::parse(json.as_bytes()).expect_err(&message).to_string(), message, "{json}");
    }
}
