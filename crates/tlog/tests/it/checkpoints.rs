use counterfoil_tlog::{
    Checkpoint, EMPTY_ROOT, Error, KeyName, KeyType, NoteSigner, Origin, Signer, TreeSize, cosignature,
};

use crate::naive;

fn signer(name: &str, key_type: KeyType, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), key_type, &[seed; 32]).unwrap()
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint::new(Origin::new("example.com/log").unwrap(), TreeSize(size), naive::leaf(b"root"))
}

#[test]
fn texts_are_read_back() {
    let mut longer = checkpoint(7);
    longer.extensions = vec!["one".into(), "two words".into()];
    for checkpoint in [checkpoint(0), checkpoint(1), checkpoint(i64::MAX as u64), longer] {
        assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }
    let empty = Checkpoint::new(Origin::new("example.com/log").unwrap(), TreeSize(0), EMPTY_ROOT);
    assert_eq!(empty.to_string(), "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n");
}

#[test]
fn origins_of_other_logs_may_have_spaces() {
    let text = checkpoint(7).to_string().replace("example.com/log", "go.sum database + tree");
    assert_eq!(text.parse::<Checkpoint>().unwrap().origin.as_str(), "go.sum database + tree");
}

#[test]
fn malformed_texts() {
    let root = naive::leaf(b"root").to_base64();
    let wrong = [
        format!("log\n7\n{root}"),
        format!("log\n7\n{root}\n\n"),
        format!("log\n7\n{root}\nextension\n\n"),
        format!("log\n7\n{root}\n\nextension\n"),
        format!("\n7\n{root}\n"),
        format!("7\n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n07\n{root}\n"),
        format!("log\n00\n{root}\n"),
        format!("log\n+7\n{root}\n"),
        format!("log\n-7\n{root}\n"),
        format!("log\n 7\n{root}\n"),
        format!("log\n7 \n{root}\n"),
        format!("log\n0x7\n{root}\n"),
        format!("log\n\u{0667}\n{root}\n"),
        format!("log\n9223372036854775808\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n7\n{root}=\n"),
        format!("log\n7\n {root}\n"),
        "log\n7\nAAAA\n".into(),
        "log\n7\n\n".into(),
        "log\n7\n".into(),
        "\n\n\n".into(),
        "\n".into(),
        String::new(),
    ];
    for text in wrong {
        assert!(text.parse::<Checkpoint>().is_err(), "{text:?}");
    }
    assert!(format!("log\n9223372036854775807\n{root}\n").parse::<Checkpoint>().is_ok());
}

#[test]
fn what_would_not_be_read_back_is_not_signed() {
    let signer = signer("example.com/log", KeyType::Ed25519, 1);
    for line in ["", "two\nlines", "end\n"] {
        let mut extended = checkpoint(7);
        extended.extensions.push(line.into());
        assert!(matches!(extended.sign(&signer), Err(Error::MalformedCheckpoint(_))), "{line:?}");
    }
    assert!(matches!(checkpoint(1 << 63).sign(&signer), Err(Error::MalformedCheckpoint(_))));
    assert!(checkpoint((1 << 63) - 1).sign(&signer).is_ok());
}

#[test]
fn the_logs_own_signature_must_be_there() {
    let log = signer("example.com/log", KeyType::Ed25519, 1);
    let witness = signer("example.com/witness", KeyType::Cosignature, 2);
    let origin = Origin::new("example.com/log").unwrap();
    let (log_keys, witness_keys) = ([log.verifier_key().clone()], [witness.verifier_key().clone()]);
    let mut note = checkpoint(7).sign(&log).unwrap();
    note.add(cosignature::cosign(note.text(), 1_700_000_000, &witness).unwrap());
    let bytes = note.to_string().into_bytes();

    let opened = Checkpoint::open(&bytes, &origin, &log_keys, &witness_keys).unwrap();
    assert_eq!(opened.checkpoint, checkpoint(7));
    assert_eq!(opened.note.verified, note.signatures());
    let without_witness = Checkpoint::open(&bytes, &origin, &log_keys, &[]).unwrap();
    assert_eq!(without_witness.note.unverified, note.signatures()[1..]);

    let other = signer("example.com/log", KeyType::Ed25519, 3).verifier_key().clone();
    let only_witnessed = Checkpoint::open(&bytes, &origin, &[other], &witness_keys);
    assert_eq!(only_witnessed, Err(Error::NoTrustedSignature));
    let elsewhere = Checkpoint::open(&bytes, &Origin::new("example.com/other").unwrap(), &log_keys, &witness_keys);
    assert!(matches!(elsewhere, Err(Error::WrongOrigin { .. })), "{elsewhere:?}");
}
