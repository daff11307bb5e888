use counterfoil_tlog::{Error, KeyName, KeyType, NoteSigner, Origin, SignError, Signer, VerifierKey};
use serde::Deserialize;

use crate::{tessera, vectors};

#[derive(Deserialize)]
struct Keys {
    ok: Vec<Good>,
    reject: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    vkey: String,
    r#type: u8,
}

#[derive(Deserialize)]
struct Bad {
    vkey: String,
    why: String,
}

fn keys() -> Keys {
    vectors::json(&vectors::testdata("signed-note/vkeys.json"))
}

#[test]
fn known_keys_are_read_and_written() {
    let keys = keys();
    assert_eq!(keys.ok.len(), 5);
    for Good { vkey, r#type } in keys.ok {
        let key: VerifierKey = vkey.parse().unwrap();
        assert_eq!(key.key_type() as u8, r#type);
        assert_eq!(key.to_string(), vkey);
        assert_eq!(VerifierKey::new(key.name().clone(), key.key_type(), &key.public_key()), Ok(key));
    }
}

#[test]
fn known_bad_keys_are_refused() {
    let keys = keys();
    assert_eq!(keys.reject.len(), 6);
    for Bad { vkey, why } in keys.reject {
        assert!(vkey.parse::<VerifierKey>().is_err(), "{why}: {vkey}");
    }
}

/// What golang.org/x/mod asks of a verifier key: no part of it and nothing beside it is a key.
#[test]
fn parts_and_neighbours_of_a_key_are_refused() {
    for Good { vkey, r#type } in keys().ok {
        if KeyType::MlDsa44 as u8 == r#type {
            continue;
        }
        for begin in 0..vkey.len() {
            for end in begin..vkey.len() {
                let part = &vkey[begin..end];
                assert!(part.parse::<VerifierKey>().is_err(), "{part}");
            }
            if begin > 0 {
                assert!(vkey[begin..].parse::<VerifierKey>().is_err(), "{}", &vkey[begin..]);
            }
        }
        for at in 0..vkey.len() {
            let mut neighbour = vkey.clone().into_bytes();
            neighbour[at] += 1;
            let neighbour = String::from_utf8(neighbour).unwrap();
            assert!(neighbour.parse::<VerifierKey>().is_err(), "{neighbour}");
        }
    }
}

#[test]
fn upper_case_ids_and_second_base64_texts_are_refused() {
    let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    assert!(key.parse::<VerifierKey>().is_ok());
    for wrong in [
        key.replace("530d903a", "530D903A"),
        key.replace("+530d903a", "++30d903a"),
        key.replace("530d903a", "0530d903a"),
        format!("{key}="),
        format!("{key}\n"),
        format!(" {key}"),
    ] {
        assert!(wrong.parse::<VerifierKey>().is_err(), "{wrong}");
    }
}

#[test]
fn weak_keys_and_bytes_off_the_curve_are_refused() {
    let name = KeyName::new("example.com/weak").unwrap();
    let mut identity = [0; 32];
    identity[0] = 1;
    for key_type in [KeyType::Ed25519, KeyType::Cosignature] {
        for bytes in [identity, [0; 32], {
            let mut off = [0; 32];
            off[0] = 2;
            off
        }] {
            let refused = VerifierKey::new(name.clone(), key_type, &bytes);
            assert!(matches!(refused, Err(Error::InvalidKey(_))), "{bytes:?}");
        }
    }
}

#[test]
fn names_are_checked() {
    for good in ["a", "example.com/log42", "é", "sigsum.org/v1/tree/4d6d", "oid/1.2.3"] {
        assert_eq!(Origin::new(good).unwrap().as_str(), good);
        assert_eq!(KeyName::new(good).unwrap().as_str(), good);
    }
    for bad in ["", " ", "a b", "a+b", "a\u{a0}b", "a\u{2003}b", "a\tb", "a\nb", "a\u{1}b", "a\u{7f}b", "a\u{85}"] {
        assert!(matches!(Origin::new(bad), Err(Error::InvalidName(_))), "{bad:?}");
        assert!(matches!(KeyName::new(bad), Err(Error::InvalidName(_))), "{bad:?}");
    }
}

#[test]
fn private_keys_are_read_and_stay_private() {
    let signer: NoteSigner = tessera::PRIVATE_KEY.parse().unwrap();
    assert_eq!(signer.verifier_key().to_string(), tessera::KEY);
    let shown = format!("{signer:?}");
    assert!(shown.contains(tessera::KEY) && !shown.contains("AeymY"), "{shown}");
    for wrong in [
        tessera::KEY.to_owned(),
        tessera::PRIVATE_KEY.replace("PRIVATE", "private"),
        tessera::PRIVATE_KEY.replace("33d7b496", "33d7b497"),
        tessera::PRIVATE_KEY.replace("log/testdata", "log/testdatb"),
        tessera::PRIVATE_KEY.replace("+Aeym", "+BOym"),
        tessera::PRIVATE_KEY[..tessera::PRIVATE_KEY.len() - 4].to_owned(),
    ] {
        assert!(matches!(wrong.parse::<NoteSigner>(), Err(Error::InvalidKey(_))), "{wrong}");
    }
}

/// A signer that lives elsewhere and cannot be reached.
struct Unplugged(VerifierKey);

impl Signer for Unplugged {
    fn verifier_key(&self) -> &VerifierKey {
        &self.0
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError("the token is unplugged".into()))
    }
}

#[test]
fn a_signer_that_fails_is_reported_in_its_words() {
    let mut note = counterfoil_tlog::Note::new("text\n").unwrap();
    let error = note.sign(&Unplugged(tessera::KEY.parse().unwrap())).unwrap_err();
    assert_eq!(error.to_string(), "signing failed: the token is unplugged");
    assert!(note.signatures().is_empty());
}
