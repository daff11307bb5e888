use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use counterfoil_tlog::{
    Error, KeyName, KeyType, MAX_NOTE_BYTES, Note, NoteSigner, Signature, Signer, VerifierKey, open,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
struct Notes {
    private_test_key: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    note_b64: String,
    vkeys: Vec<String>,
    expect: String,
    verified: Option<Vec<String>>,
}

fn notes() -> Notes {
    vectors::json(&vectors::testdata("signed-note/notes.json"))
}

fn signer(name: &str) -> NoteSigner {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    NoteSigner::from_seed(KeyName::new(name).unwrap(), KeyType::Ed25519, &seed).unwrap()
}

fn keys(signers: &[&NoteSigner]) -> Vec<VerifierKey> {
    signers.iter().map(|signer| signer.verifier_key().clone()).collect()
}

fn signed(text: &str, signers: &[&NoteSigner]) -> Note {
    let mut note = Note::new(text).unwrap();
    signers.iter().for_each(|signer| note.sign(*signer).unwrap());
    note
}

#[test]
fn known_notes() {
    let cases = notes().cases;
    assert_eq!(cases.len(), 14);
    for case in cases {
        let note = STANDARD.decode(&case.note_b64).unwrap();
        let keys: Vec<VerifierKey> = case.vkeys.iter().map(|key| key.parse().unwrap()).collect();
        let opened = open(&note, &keys);
        assert_eq!(opened.is_ok(), case.expect == "ok", "{}: {opened:?}", case.id);
        if let Ok(opened) = opened {
            let names: Vec<_> = opened.verified.iter().map(|line| line.name.to_string()).collect();
            assert_eq!(Some(names), case.verified, "{}", case.id);
        }
    }
}

#[test]
fn known_notes_are_signed_and_written_to_the_byte() {
    let notes = notes();
    let signer: NoteSigner = notes.private_test_key.parse().unwrap();
    let note = STANDARD.decode(&notes.cases[0].note_b64).unwrap();
    let parsed = Note::parse(&note).unwrap();
    assert_eq!(parsed.to_string().as_bytes(), note);
    assert_eq!(signed(parsed.text(), &[&signer]).signatures()[0], parsed.signatures()[0]);
}

#[test]
fn a_note_with_types_we_do_not_verify_is_read() {
    let bytes = std::fs::read(vectors::testdata("signed-note/checkpoint-rfc6962sig-and-witness.txt")).unwrap();
    let note = Note::parse(&bytes).unwrap();
    assert_eq!(note.to_string().as_bytes(), bytes);
    let names: Vec<_> = note.signatures().iter().map(|line| (line.name.as_str(), line.bytes.len())).collect();
    assert_eq!(names, [("rome2026h1.example.org", 8 + 4 + 71), ("witness.example.org", 8 + 64)]);
    let stranger = signer("stranger");
    assert_eq!(note.open(&keys(&[&stranger])), Err(Error::NoTrustedSignature));
}

#[test]
fn the_last_empty_line_parts_text_from_signatures() {
    let (a, b) = (signer("a"), signer("b"));
    for text in
        ["\n", "\n\n", "one\n", "one\n\n", "one\n\ntwo\n", "one\n\n\n", "\u{2014} a AAAA\n\nx\n", "\u{7f}\u{2028}\n"]
    {
        let note = signed(text, &[&a, &b]).to_string();
        let opened = open(note.as_bytes(), &keys(&[&b])).unwrap();
        assert_eq!(opened.text, text);
        assert_eq!((opened.verified.len(), opened.unverified.len()), (1, 1));
        assert!(opened.is_signed_by(b.verifier_key()) && !opened.is_signed_by(a.verifier_key()));
    }
}

#[test]
fn texts_that_cannot_be_signed() {
    for text in ["", "no newline", "tab\t\n", "carriage return\r\n", "nul\0\n"] {
        assert!(matches!(Note::new(text), Err(Error::MalformedNote(_))), "{text:?}");
    }
}

#[test]
fn malformed_notes() {
    let line = signed("text\n", &[&signer("a")]).signatures()[0].to_string();
    let good = format!("text\n\n{line}\n");
    assert!(Note::parse(good.as_bytes()).is_ok());
    let wrong = [
        format!("text\n\n{line}"),
        format!("text\n\n{line}\n\n"),
        format!("text\n\n{line}\nmore\n"),
        format!("text\n{line}\n"),
        format!("text\n\n\n{line} \n"),
        good.replace("\u{2014} ", "\u{2014}"),
        good.replace("\u{2014} ", "- "),
        good.replace("\u{2014} ", "\u{2014}  "),
        good.replace("\u{2014} a ", "\u{2014} a\u{a0}b "),
        good.replace("\u{2014} a ", "\u{2014} a+b "),
        good.replace('\n', "\r\n"),
        "text\n\n\u{2014} a AAAAAA==\n".into(),
        "text\n\n\u{2014} a AAAA\n".into(),
        "text\n\n\u{2014} a \n".into(),
        "text\n\n\u{2014} a\n".into(),
        "text\n\n".into(),
        "\n\n".into(),
        String::new(),
    ];
    for note in wrong {
        assert!(matches!(Note::parse(note.as_bytes()), Err(Error::MalformedNote(_))), "{note:?}");
    }
    let with_five_bytes = "text\n\n\u{2014} a AAAAAAA=\n";
    assert_eq!(Note::parse(with_five_bytes.as_bytes()).unwrap().signatures()[0].bytes, [0]);
    let huge = format!("{}\n\n{line}\n", "x".repeat(MAX_NOTE_BYTES));
    assert!(matches!(Note::parse(huge.as_bytes()), Err(Error::MalformedNote(_))));
}

#[test]
fn a_hundred_signatures_and_no_more() {
    let signer = signer("a");
    let stranger = signed("text\n", &[&self::signer("b")]).signatures()[0].clone();
    let mut note = signed("text\n", &[&signer]);
    (1..100).for_each(|_| note.add(stranger.clone()));
    assert_eq!(open(note.to_string().as_bytes(), &keys(&[&signer])).unwrap().unverified.len(), 99);
    note.add(stranger);
    assert!(matches!(open(note.to_string().as_bytes(), &keys(&[&signer])), Err(Error::MalformedNote(_))));
}

#[test]
fn a_known_key_with_a_wrong_signature_spoils_the_note() {
    let (a, b) = (signer("a"), signer("b"));
    let mut wrong = signed("text\n", &[&b]).signatures()[0].clone();
    wrong.bytes[7] ^= 1;
    let mut note = signed("text\n", &[&a]);
    note.add(wrong.clone());
    let bytes = note.to_string().into_bytes();
    let invalid = Error::InvalidSignature { name: wrong.name.clone(), id: wrong.id };
    assert_eq!(open(&bytes, &keys(&[&a, &b])), Err(invalid.clone()));
    assert_eq!(open(&bytes, &keys(&[&a])).unwrap().unverified, [wrong.clone()]);

    // Also when a good line of the same key comes first.
    let mut note = signed("text\n", &[&b]);
    note.add(wrong);
    assert_eq!(note.open(&keys(&[&b])), Err(invalid));
}

#[test]
fn the_same_name_or_the_same_id_alone_is_another_key() {
    let a = signer("a");
    let line = signed("text\n", &[&a]).signatures()[0].clone();
    for (name, id) in [("b", line.id.0), ("a", [line.id.0[0], line.id.0[1], line.id.0[2], !line.id.0[3]])] {
        let mut note = Note::new("text\n").unwrap();
        let id = counterfoil_tlog::KeyId(id);
        note.add(Signature { name: KeyName::new(name).unwrap(), id, bytes: line.bytes.clone() });
        assert_eq!(note.open(&keys(&[&a])), Err(Error::NoTrustedSignature), "{name}");
    }
}

proptest! {
    #[test]
    fn notes_are_read_back(text in "([^\\x00-\\x1f]{0,20}\n){1,6}") {
        let signer = signer("a");
        let note = signed(&text, &[&signer]);
        let bytes = note.to_string().into_bytes();
        prop_assert_eq!(Note::parse(&bytes).unwrap(), note);
        prop_assert_eq!(open(&bytes, &keys(&[&signer])).unwrap().text, text);
    }

    #[test]
    fn any_flipped_bit_spoils_a_note(bit in any::<prop::sample::Index>()) {
        let signer = signer("a");
        let mut bytes = signed("a text of\nthree\n\nlines\n", &[&signer]).to_string().into_bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(open(&bytes, &keys(&[&signer])).is_err());
    }

    #[test]
    fn parsing_what_was_accepted_writes_the_same_bytes(note in "[a\n\u{2014} =A]{0,60}") {
        if let Ok(parsed) = Note::parse(note.as_bytes()) {
            prop_assert_eq!(parsed.to_string(), note);
        }
    }
}
