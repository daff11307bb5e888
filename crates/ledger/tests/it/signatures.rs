//! Entries that clients sign.

use counterfoil::{ErrorKind, Ledger};
use counterfoil_entry::{Draft, Timestamp, signature};
use counterfoil_testkit::MemoryDisk;
use ed25519_dalek::SigningKey;

use crate::trial::{ORIGIN, Trial};

/// An entry by an actor, signed for a ledger of this origin.
pub fn signed(key: &SigningKey, origin: &str, actor: &str, sequence: u64) -> Draft {
    let draft = Draft::builder("limit_raised", actor, "CUST-1")
        .timestamp(Timestamp::from_micros(1_750_000_000_000_000))
        .source(actor, sequence)
        .reason("asked by phone");
    signature::sign(key, origin, &draft.build().expect("a valid entry")).expect("it can be signed")
}

fn trial() -> Trial {
    let mut trial = Trial::new(MemoryDisk::with_capacity(64 << 20));
    trial.create(256).expect("a disk that works");
    trial
}

fn assert_denied(ledger: &Ledger, draft: Draft, why: &str) {
    let size = ledger.snapshot().size();
    let error = ledger.append(draft).expect_err(why);
    assert_eq!((error.kind, ledger.snapshot().size()), (ErrorKind::Denied, size), "{why}: {error}");
}

#[test]
fn a_signed_entry_needs_a_registered_key_of_its_actor() {
    let mut trial = trial();
    let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let key_id = signature::key_id(&key.verifying_key());
    assert_denied(trial.ledger(), signed(&key, ORIGIN, "ana", 1), "the key is not registered");
    let error = trial.ledger().revoke_key(&key_id).expect_err("there is nothing to revoke");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    trial.ledger().register_key(key.verifying_key(), vec!["ana".into()]).expect("registered");
    trial.append_drafts(&[signed(&key, ORIGIN, "ana", 1)]).expect("recorded");
    assert_denied(trial.ledger(), signed(&key, ORIGIN, "bo", 1), "the key may not sign for bo");
    assert_denied(trial.ledger(), signed(&key, "example.com/other", "ana", 2), "it was signed for another ledger");
    assert_denied(trial.ledger(), signed(&other, ORIGIN, "ana", 2), "another key");
    let draft = signed(&key, ORIGIN, "ana", 2);
    let changed = String::from_utf8(draft.client_bytes().to_vec()).expect("text").replace("phone", "letter");
    assert_denied(trial.ledger(), Draft::parse(changed.as_bytes()).expect("a valid entry"), "it was changed");
    trial.ledger().register_key(other.verifying_key(), Vec::new()).expect("registered for anybody");
    trial.append_drafts(&[signed(&other, ORIGIN, "anybody", 1), draft]).expect("recorded");
    trial.append(600).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    trial.open().expect("open");
    trial.append_drafts(&[signed(&key, ORIGIN, "ana", 3)]).expect("known from a segment");
    trial.ledger().revoke_key(&key_id).expect("revoked");
    assert_denied(trial.ledger(), signed(&key, ORIGIN, "ana", 4), "the key was revoked");
    trial.close().expect("closed");
    trial.open().expect("open");
    assert_denied(trial.ledger(), signed(&key, ORIGIN, "ana", 4), "and stays so");
    trial.ledger().register_key(key.verifying_key(), vec!["ana".into()]).expect("registered again");
    trial.append_drafts(&[signed(&key, ORIGIN, "ana", 4)]).expect("recorded");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn a_key_that_is_revoked_while_others_write_signs_nothing_more() {
    for round in 0..15 {
        let mut trial = trial();
        let key = SigningKey::from_bytes(&[3; 32]);
        let key_id = signature::key_id(&key.verifying_key());
        trial.ledger().register_key(key.verifying_key(), Vec::new()).expect("registered");
        let ledger = trial.ledger();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let key = &key;
                scope.spawn(move || {
                    for sequence in 1..60 {
                        let draft = signed(key, ORIGIN, &format!("t{thread}"), sequence);
                        if let Err(error) = ledger.append(draft) {
                            assert_eq!(error.kind, ErrorKind::Denied, "{error}");
                        }
                    }
                });
            }
            std::thread::sleep(std::time::Duration::from_micros(300 * round));
            ledger.revoke_key(&key_id).expect("revoked");
            assert_denied(ledger, signed(&key, ORIGIN, "late", 1), "revoked");
        });
        trial.close().expect("closed");
        trial.label = format!("round {round}");
        trial.assert_clean();
    }
}
