//! The signature primitives as they are reached through keys and signers, against C2SP's and Wycheproof's vectors.

use counterfoil_tlog::{KeyName, KeyType, NoteSigner, Signer, VerifierKey};
use ed25519_dalek::{Verifier as _, VerifyingKey};
use serde::Deserialize;

use crate::vectors;

fn name() -> KeyName {
    KeyName::new("vectors").unwrap()
}

/// Whether the signature verifies: a key that is refused verifies nothing.
fn verifies(key_type: KeyType, public_key: &str, message: &[u8], signature: &str) -> bool {
    let signature = hex::decode(signature).unwrap();
    VerifierKey::new(name(), key_type, &hex::decode(public_key).unwrap())
        .and_then(|key| key.verify_message(message, &signature))
        .is_ok()
}

#[derive(Deserialize)]
struct EdgeCase {
    number: u32,
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

/// Strict verification refuses every flagged case but those where A and R carry a torsion component that cancels out.
/// The verdicts are pinned in number, and equal ed25519-dalek's `verify_strict` one by one.
#[test]
fn ed25519_edge_cases_have_the_verdicts_of_strict_verification() {
    let Some(file) = vectors::shared("ed25519-cctv/ed25519vectors.json") else { return };
    let cases: Vec<EdgeCase> = vectors::json(&file);
    assert_eq!(cases.len(), 914);
    let mut accepted = 0;
    for case in cases {
        let harmless = ["low_order_component_A", "low_order_component_R"];
        let expected = case.flags.iter().flatten().all(|flag| harmless.contains(&flag.as_str()));
        let strict = VerifyingKey::from_bytes(&hex::decode(&case.key).unwrap().try_into().unwrap()).is_ok_and(|key| {
            let signature = hex::decode(&case.sig).unwrap().as_slice().try_into().unwrap();
            key.verify_strict(case.msg.as_bytes(), &signature).is_ok()
        });
        let ours = verifies(KeyType::Ed25519, &case.key, case.msg.as_bytes(), &case.sig);
        assert_eq!((ours, strict), (expected, expected), "case {} {:?}", case.number, case.flags);
        accepted += usize::from(ours);
    }
    assert_eq!(accepted, 43);
}

/// Case 304 of those vectors, kept here so that it always runs: R is of low order and nothing else is wrong. Plain
/// verification accepts it.
#[test]
fn a_low_order_r_is_refused() {
    let key = "ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076";
    let signature = "0100000000000000000000000000000000000000000000000000000000000000\
                     330b30d6c1f07511e2208d233b6a34d4ed7109da2dea615bcd97daee3a842704";
    let message = b"ed25519vectors 7";
    let plain = VerifyingKey::from_bytes(&hex::decode(key).unwrap().try_into().unwrap()).unwrap();
    let bytes = hex::decode(signature).unwrap().as_slice().try_into().unwrap();
    assert!(plain.verify(message, &bytes).is_ok());
    assert!(!verifies(KeyType::Ed25519, key, message, signature));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wycheproof<G> {
    number_of_tests: usize,
    test_groups: Vec<G>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EdGroup {
    public_key: EdKey,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct EdKey {
    pk: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsaVerifyGroup {
    public_key: String,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsaSignGroup {
    private_seed: String,
    public_key: Option<String>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: u32,
    comment: String,
    msg: Option<String>,
    sig: String,
    ctx: Option<String>,
    rnd: Option<String>,
    result: String,
}

impl Case {
    /// The message, if the case is about pure signatures with an empty context: the only ones that notes know.
    fn message(&self) -> Option<Vec<u8>> {
        let plain = self.ctx.as_deref().unwrap_or_default().is_empty() && self.rnd.is_none();
        self.msg.as_ref().filter(|_| plain).map(|message| hex::decode(message).unwrap())
    }
}

#[test]
fn wycheproof_ed25519() {
    let Some(file) = vectors::shared("wycheproof/ed25519_test.json") else { return };
    let file: Wycheproof<EdGroup> = vectors::json(&file);
    let mut run = 0;
    for group in &file.test_groups {
        for case in &group.tests {
            let ours = verifies(KeyType::Ed25519, &group.public_key.pk, &case.message().unwrap(), &case.sig);
            assert_eq!(ours, case.result == "valid", "{} {}", case.tc_id, case.comment);
            run += 1;
        }
    }
    assert_eq!(run, file.number_of_tests);
}

#[test]
fn wycheproof_ml_dsa_44_verify() {
    let Some(file) = vectors::shared("wycheproof/mldsa_44_verify_test.json") else { return };
    let file: Wycheproof<DsaVerifyGroup> = vectors::json(&file);
    let (mut run, mut with_context) = (0, 0);
    for group in &file.test_groups {
        for case in &group.tests {
            let Some(message) = case.message() else {
                with_context += 1;
                continue;
            };
            let ours = verifies(KeyType::MlDsa44, &group.public_key, &message, &case.sig);
            assert_eq!(ours, case.result == "valid", "{} {}", case.tc_id, case.comment);
            run += 1;
        }
    }
    assert_eq!((run, with_context), (173, 7));
    assert_eq!(run + with_context, file.number_of_tests);
}

#[test]
fn wycheproof_ml_dsa_44_sign() {
    let Some(file) = vectors::shared("wycheproof/mldsa_44_sign_seed_test.json") else { return };
    let file: Wycheproof<DsaSignGroup> = vectors::json(&file);
    let (mut run, mut left_out) = (0, 0);
    for group in &file.test_groups {
        let Ok(seed) = hex::decode(&group.private_seed).unwrap().try_into() else {
            assert!(group.tests.iter().all(|case| case.result == "invalid"), "a seed of another length");
            left_out += group.tests.len();
            continue;
        };
        let signer = NoteSigner::from_seed(name(), KeyType::MlDsa44, &seed).unwrap();
        if let Some(public_key) = &group.public_key {
            assert_eq!(hex::encode(signer.verifier_key().public_key()), *public_key);
        }
        for case in &group.tests {
            let Some(message) = case.message() else {
                left_out += 1;
                continue;
            };
            let signature = signer.sign(&message).unwrap();
            assert_eq!(hex::encode(&signature), case.sig, "{} {}", case.tc_id, case.comment);
            assert_eq!(signer.verifier_key().verify_message(&message, &signature), Ok(()));
            run += 1;
        }
    }
    assert_eq!((run, run + left_out), (70, file.number_of_tests));
}
