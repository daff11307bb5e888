use counterfoil_tlog::{
    Checkpoint, Error, KeyName, KeyType, LeafIndex, NoteSigner, Origin, Signature, Signer, Subtree, TreeSize,
    VerifierKey, cosignature, open,
};

use crate::naive;

const TIME: u64 = 1_679_315_147;

fn signer(name: &str, key_type: KeyType) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(name).unwrap(), key_type, &[7; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(Origin::new("example.com/behind-the-sofa").unwrap(), TreeSize(20_852_163), naive::leaf(b"root"))
}

fn verify(key: &VerifierKey, text: &str, line: &Signature) -> Result<(), Error> {
    key.verify(text, &line.bytes)
}

/// The message of the standard's page, put together by hand and signed with the bare key.
#[test]
fn the_ed25519_message_is_the_standards() {
    let witness = signer("witness.example.com/w1", KeyType::Cosignature);
    let text = checkpoint().to_string();
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let line = cosignature::cosign(&text, TIME, &witness).unwrap();
    assert_eq!(line.bytes[..8], TIME.to_be_bytes());
    assert_eq!(line.bytes[8..], witness.sign(message.as_bytes()).unwrap());
    assert_eq!(line.bytes.len(), 8 + 64);
}

#[test]
fn the_ml_dsa_message_is_the_standards() {
    let witness = signer("witness.example.com/w1", KeyType::MlDsa44);
    let mut message = Vec::new();
    message.extend(b"subtree/v1\n\x00");
    message.extend(b"\x16witness.example.com/w1");
    message.extend([0, 0, 0, 0, 0x64, 0x18, 0x50, 0xcb]);
    message.extend(b"\x1bexample.com/behind-the-sofa");
    message.extend([0; 8]);
    message.extend([0, 0, 0, 0, 0x01, 0x3e, 0x2d, 0xc3]);
    message.extend(naive::leaf(b"root").0);
    let line = cosignature::cosign(&checkpoint().to_string(), TIME, &witness).unwrap();
    assert_eq!(line.bytes[..8], TIME.to_be_bytes());
    assert_eq!(line.bytes[8..], witness.sign(&message).unwrap());
    assert_eq!(line.bytes.len(), 8 + 2420);
}

#[test]
fn cosignatures_hold_for_exactly_what_was_signed() {
    for key_type in [KeyType::Cosignature, KeyType::MlDsa44] {
        let witness = signer("witness.example.com/w1", key_type);
        let key = witness.verifier_key();
        let text = checkpoint().to_string();
        let line = cosignature::cosign(&text, TIME, &witness).unwrap();
        assert_eq!(verify(key, &text, &line), Ok(()));
        assert_eq!(cosignature::split(&line.bytes).unwrap().timestamp, TIME);

        let mut larger = checkpoint();
        larger.size.0 += 1;
        assert!(verify(key, &larger.to_string(), &line).is_err());
        let mut fork = checkpoint();
        fork.root = naive::leaf(b"fork");
        assert!(verify(key, &fork.to_string(), &line).is_err());
        let mut elsewhere = checkpoint();
        elsewhere.origin = Origin::new("example.com/elsewhere").unwrap();
        assert!(verify(key, &elsewhere.to_string(), &line).is_err());
        assert!(verify(key, "not a checkpoint\n", &line).is_err());

        for at in [0, 7, 8, 40, line.bytes.len() - 1] {
            let mut damaged = line.clone();
            damaged.bytes[at] ^= 1;
            assert!(verify(key, &text, &damaged).is_err(), "byte {at}");
        }
        for length in [0, 7, 8, 8 + 63, line.bytes.len() - 1] {
            let cut = Signature { bytes: line.bytes[..length].to_vec(), ..line.clone() };
            assert!(verify(key, &text, &cut).is_err(), "{length} bytes");
        }
        let longer = Signature { bytes: [&line.bytes[..], &[0]].concat(), ..line };
        assert!(verify(key, &text, &longer).is_err());
    }
}

/// Ed25519 cosignatures cover extension lines, ML-DSA-44 cosignatures do not.
#[test]
fn extension_lines() {
    let text = checkpoint().to_string();
    let extended = format!("{text}extension\n");
    for (key_type, covered) in [(KeyType::Cosignature, true), (KeyType::MlDsa44, false)] {
        let witness = signer("w", key_type);
        let line = cosignature::cosign(&text, TIME, &witness).unwrap();
        assert_eq!(verify(witness.verifier_key(), &extended, &line).is_err(), covered);
    }
}

/// Only ML-DSA-44 cosignatures bind the cosigner's name.
#[test]
fn names() {
    let text = checkpoint().to_string();
    for (key_type, bound) in [(KeyType::Cosignature, false), (KeyType::MlDsa44, true)] {
        let line = cosignature::cosign(&text, TIME, &signer("one", key_type)).unwrap();
        assert_eq!(verify(signer("two", key_type).verifier_key(), &text, &line).is_err(), bound);
    }
}

#[test]
fn a_log_may_sign_with_ml_dsa_beside_ed25519() {
    let name = checkpoint().origin;
    let (log, log_pq) = (signer(name.as_str(), KeyType::Ed25519), signer(name.as_str(), KeyType::MlDsa44));
    let mut note = checkpoint().sign(&log).unwrap();
    note.add(cosignature::cosign(note.text(), TIME, &log_pq).unwrap());
    let keys = [log.verifier_key().clone(), log_pq.verifier_key().clone()];
    let bytes = note.to_string().into_bytes();
    assert_eq!(open(&bytes, &keys).unwrap().verified.len(), 2);
    let opened = Checkpoint::open(&bytes, &name, &keys[1..], &[]).unwrap();
    assert_eq!((opened.checkpoint, opened.note.unverified.len()), (checkpoint(), 1));
}

#[test]
fn what_may_not_be_cosigned() {
    let text = checkpoint().to_string();
    let witness = signer("w", KeyType::Cosignature);
    assert!(cosignature::cosign(&text, i64::MAX as u64, &witness).is_ok());
    assert!(matches!(cosignature::cosign(&text, 1 << 63, &witness), Err(Error::InvalidCosignature(_))));
    assert!(matches!(cosignature::cosign("text\n", 1, &witness), Err(Error::MalformedCheckpoint(_))));
    let plain = signer("w", KeyType::Ed25519);
    assert!(matches!(cosignature::cosign(&text, 1, &plain), Err(Error::WrongKeyType(_))));
    assert!(matches!(checkpoint().sign(&witness), Err(Error::WrongKeyType(_))));
    assert!(matches!(cosignature::split(&[0xff; 72]), Err(Error::InvalidCosignature(_))));
    let long = signer(&"n".repeat(256), KeyType::MlDsa44);
    assert!(matches!(cosignature::cosign(&text, 1, &long), Err(Error::InvalidCosignature(_))));
    assert!(cosignature::cosign(&text, 1, &signer(&"n".repeat(255), KeyType::MlDsa44)).is_ok());
}

#[test]
fn subtrees_are_cosigned_without_a_time() {
    let (origin, hash) = (checkpoint().origin, naive::leaf(b"subtree"));
    let witness = signer("witness.example.com/w1", KeyType::MlDsa44);
    let key = witness.verifier_key();
    let subtree = |begin, end| Subtree::new(LeafIndex(begin), TreeSize(end)).unwrap();
    let line = cosignature::cosign_subtree(&origin, subtree(8, 13), &hash, &witness).unwrap();
    assert_eq!(cosignature::verify_subtree(key, &origin, subtree(8, 13), &hash, &line), Ok(0));
    let invalid = || Err(Error::InvalidSignature { name: key.name().clone(), id: key.id() });
    assert_eq!(cosignature::verify_subtree(key, &origin, subtree(8, 12), &hash, &line), invalid());
    assert_eq!(cosignature::verify_subtree(key, &origin, subtree(0, 13), &hash, &line), invalid());
    assert_eq!(cosignature::verify_subtree(key, &origin, subtree(8, 13), &naive::leaf(b""), &line), invalid());

    let mut timed = line.clone();
    timed.bytes[7] = 1;
    let refused = cosignature::verify_subtree(key, &origin, subtree(8, 13), &hash, &timed);
    assert!(matches!(refused, Err(Error::InvalidCosignature(_))), "{refused:?}");
    let stranger = signer("other", KeyType::MlDsa44);
    let refused = cosignature::verify_subtree(stranger.verifier_key(), &origin, subtree(8, 13), &hash, &line);
    assert_eq!(refused, Err(Error::NoTrustedSignature));
    let ed25519 = signer("w", KeyType::Cosignature);
    let refused = cosignature::cosign_subtree(&origin, subtree(8, 13), &hash, &ed25519);
    assert!(matches!(refused, Err(Error::WrongKeyType(_))), "{refused:?}");

    // A whole tree's checkpoint cosignature is a subtree cosignature with a time.
    let checkpoint = checkpoint();
    let line = cosignature::cosign(&checkpoint.to_string(), TIME, &witness).unwrap();
    let whole = Subtree::from(checkpoint.size);
    assert_eq!(cosignature::verify_subtree(key, &origin, whole, &checkpoint.root, &line), Ok(TIME));
}
