use counterfoil_tlog::{
    Checkpoint, Error, Hash, KeyName, KeyType, LeafIndex, NoteSigner, Origin, Policy, Signer, TlogProof, TreeSize,
    cosignature, inclusion_proof,
};
use serde::Deserialize;

use crate::{naive, vectors};

#[derive(Deserialize)]
struct Texts {
    parse_ok: Vec<Good>,
    parse_reject: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    text: String,
    index: u64,
    hashes: usize,
}

#[derive(Deserialize)]
struct Bad {
    text: String,
    why: String,
}

#[test]
fn known_texts() {
    let texts: Texts = vectors::json(&vectors::testdata("tlog-proof/format.json"));
    assert_eq!((texts.parse_ok.len(), texts.parse_reject.len()), (3, 7));
    for good in texts.parse_ok {
        let proof = TlogProof::parse(good.text.as_bytes()).unwrap();
        assert_eq!((proof.index, proof.hashes.len()), (LeafIndex(good.index), good.hashes));
        assert_eq!(proof.to_string(), good.text);
    }
    for bad in texts.parse_reject {
        assert!(TlogProof::parse(bad.text.as_bytes()).is_err(), "{}: {}", bad.why, bad.text);
    }
}

#[test]
fn malformed_texts() {
    let hash = naive::leaf(b"hash").to_base64();
    let good = format!("c2sp.org/tlog-proof@v1\nextra QQ==\nindex 5\n{hash}\n\ncheckpoint\n");
    let proof = TlogProof::parse(good.as_bytes()).unwrap();
    assert_eq!(proof.extra.as_deref(), Some(&b"A"[..]));
    assert_eq!(proof.checkpoint, "checkpoint\n");
    let wrong = [
        good.replace("@v1", "@v2"),
        good.replace("@v1", "@v1 "),
        good.replace("index 5", "index 05"),
        good.replace("index 5", "index +5"),
        good.replace("index 5", "index 5 "),
        good.replace("index 5", "index  5"),
        good.replace("index 5", "index 9223372036854775807"),
        good.replace("index 5", "index 18446744073709551616"),
        good.replace("extra QQ==", "extra QQ"),
        good.replace("extra QQ==", "extra QR=="),
        good.replace("extra QQ==\nindex 5", "index 5\nextra QQ=="),
        good.replace("extra QQ==", "extra QQ==\nextra QQ=="),
        good.replace(&hash, &hash[1..]),
        good.replace(&hash, &format!("{hash}\r")),
        good.replace("\n\n", "\n"),
        good.replace(&hash, &[hash.as_str(); 64].join("\n")),
        format!("\n{good}"),
        String::new(),
    ];
    for text in wrong {
        assert!(TlogProof::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(TlogProof::parse(good.replace(&hash, &[hash.as_str(); 63].join("\n")).as_bytes()).is_ok());
    assert!(TlogProof::parse(&[good.as_bytes(), &[0xff]].concat()).is_err(), "not UTF-8");
}

struct World {
    leaves: Vec<Hash>,
    log: NoteSigner,
    witness: NoteSigner,
}

impl World {
    fn new() -> Self {
        let signer =
            |name, key_type, seed| NoteSigner::from_seed(KeyName::new(name).unwrap(), key_type, &[seed; 32]).unwrap();
        Self {
            leaves: naive::leaves(1000),
            log: signer("example.com/fancylog", KeyType::Ed25519, 1),
            witness: signer("witness.example", KeyType::Cosignature, 2),
        }
    }

    fn proof(&self, index: u64, size: u64) -> TlogProof {
        let origin = Origin::from(self.log.verifier_key().name());
        let leaves = &self.leaves[..size as usize];
        let checkpoint = Checkpoint::new(origin, TreeSize(size), naive::root(leaves));
        let mut note = checkpoint.sign(&self.log).unwrap();
        note.add(cosignature::cosign(note.text(), 1, &self.witness).unwrap());
        let hashes = inclusion_proof(&naive::Nodes::over(leaves), LeafIndex(index), TreeSize(size)).unwrap();
        TlogProof { extra: Some(b"context".to_vec()), index: LeafIndex(index), hashes, checkpoint: note.to_string() }
    }

    fn policy(&self, quorum: &str) -> Policy {
        let (log, witness) = (self.log.verifier_key(), self.witness.verifier_key());
        Policy::parse(format!("log {log}\nwitness W {witness}\nquorum {quorum}\n").as_bytes()).unwrap()
    }
}

#[test]
fn proofs_are_verified_against_keys_and_policies() {
    let world = World::new();
    let proof = TlogProof::parse(world.proof(738, 1000).to_string().as_bytes()).unwrap();
    let (leaf, key) = (&world.leaves[738], world.log.verifier_key().clone());
    let origin = Origin::from(key.name());
    let opened = proof.verify(leaf, &origin, std::slice::from_ref(&key)).unwrap();
    assert_eq!((opened.note.verified.len(), opened.note.unverified.len()), (1, 1));
    let opened = proof.verify_by_policy(leaf, &world.policy("W")).unwrap();
    assert_eq!((opened.note.verified.len(), opened.checkpoint.size), (2, TreeSize(1000)));

    assert_eq!(proof.verify(&world.leaves[737], &origin, std::slice::from_ref(&key)), Err(Error::RootMismatch));
    let elsewhere = proof.verify(leaf, &Origin::new("example.com/log").unwrap(), &[key]);
    assert!(matches!(elsewhere, Err(Error::WrongOrigin { .. })));
    let by_witness_alone = proof.verify(leaf, &origin, &[world.witness.verifier_key().clone()]);
    assert!(by_witness_alone.is_ok(), "a key that the caller names as the log's is the log's: {by_witness_alone:?}");

    let mut moved = proof.clone();
    moved.index.0 += 1;
    assert!(moved.verify_by_policy(leaf, &world.policy("W")).is_err());
    let mut outside = proof.clone();
    outside.index.0 = 1000;
    let refused = outside.verify_by_policy(leaf, &world.policy("none"));
    assert_eq!(refused, Err(Error::LeafOutside { index: 1000, begin: 0, end: 1000 }));
    let mut longer = proof.clone();
    longer.hashes.push(*leaf);
    assert_eq!(longer.verify_by_policy(leaf, &world.policy("none")), Err(Error::ProofTooLong));
    let mut unwitnessed = proof;
    let lines: Vec<_> = unwitnessed.checkpoint.lines().map(str::to_owned).collect();
    unwitnessed.checkpoint = lines[..lines.len() - 1].join("\n") + "\n";
    assert_eq!(unwitnessed.verify_by_policy(leaf, &world.policy("W")), Err(Error::QuorumNotMet));
    assert!(unwitnessed.verify_by_policy(leaf, &world.policy("none")).is_ok());
}

#[test]
fn a_tree_of_one_leaf_needs_no_hashes() {
    let world = World::new();
    let proof = world.proof(0, 1);
    assert!(proof.hashes.is_empty());
    let read = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
    read.verify_by_policy(&world.leaves[0], &world.policy("W")).unwrap();
}
