use std::collections::BTreeMap;

use counterfoil_tlog::{
    Checkpoint, Error, KeyName, KeyType, NoteSigner, Origin, Policy, Signer, TreeSize, VerifierKey, cosignature,
};
use serde::Deserialize;

use crate::{naive, vectors};

#[derive(Deserialize)]
struct Policies {
    valid: Vec<Valid>,
    reject: Vec<Reject>,
}

#[derive(Deserialize)]
struct Valid {
    policy: String,
    quorum_checks: Vec<(Vec<String>, bool)>,
}

#[derive(Deserialize)]
struct Reject {
    why: String,
    policy: String,
}

/// Sigsum writes keys as 64 hex digits. Each becomes the seed of a key pair here, so that equal ones stay equal,
/// a policy becomes one of C2SP's, and its witnesses can really sign.
fn signer(name: &str, key_type: KeyType, hex: &str) -> NoteSigner {
    let seed = hex::decode(hex).unwrap().try_into().unwrap();
    NoteSigner::from_seed(KeyName::new(name).unwrap(), key_type, &seed).unwrap()
}

fn translate(policy: &str, witnesses: &mut BTreeMap<String, NoteSigner>) -> String {
    let line = |line: &str| {
        let items: Vec<_> = line.split_ascii_whitespace().collect();
        let (signer, key) = match items[..] {
            ["log", key, ..] => (signer("log", KeyType::Ed25519, key), key),
            ["witness", name, key, ..] => (signer(name, KeyType::Cosignature, key), key),
            _ => return line.to_owned(),
        };
        let vkey = signer.verifier_key().to_string();
        if items[0] == "witness" {
            witnesses.insert(items[1].to_owned(), signer);
        }
        line.replace(key, &vkey)
    };
    policy.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(Origin::new("log").unwrap(), TreeSize(3), naive::leaf(b"root"))
}

#[test]
fn sigsum_policies_and_their_quorums() {
    let policies: Policies = vectors::json(&vectors::testdata("tlog-policy/sigsum-policy.json"));
    let log = signer("log", KeyType::Ed25519, &"a".repeat(64));
    let mut checks = 0;
    for Valid { policy, quorum_checks } in policies.valid {
        let mut witnesses = BTreeMap::new();
        let policy = Policy::parse(translate(&policy, &mut witnesses).as_bytes()).unwrap();
        assert_eq!(policy.witnesses().len(), witnesses.len());
        for (names, expected) in quorum_checks {
            let mut note = checkpoint().sign(&log).unwrap();
            for name in &names {
                note.add(cosignature::cosign(note.text(), 1, &witnesses[name]).unwrap());
            }
            let opened = policy.open(note.to_string().as_bytes());
            match (expected, opened) {
                (true, Ok(opened)) => assert_eq!(opened.note.verified.len(), 1 + names.len()),
                (false, Err(Error::QuorumNotMet)) => {}
                (_, other) => panic!("{names:?}: {other:?}"),
            }
            checks += 1;
        }
    }
    assert_eq!(checks, 16);
    assert_eq!(policies.reject.len(), 13);
    for Reject { why, policy } in policies.reject {
        let translated = translate(&policy, &mut BTreeMap::new());
        let refused = Policy::parse(translated.as_bytes());
        assert!(matches!(refused, Err(Error::InvalidPolicy { .. })), "{why}: {translated}");
    }
}

#[test]
fn sigsum_built_in_policies_are_read() {
    let expected = [
        ("sigsum-generic-2025-1", 2, 3),
        ("sigsum-test-2025-3", 2, 8),
        ("sigsum-test1-2025", 1, 3),
        ("sigsum-test2-2025", 1, 7),
    ];
    for (name, logs, count) in expected {
        let text = std::fs::read_to_string(vectors::testdata(&format!("tlog-policy/{name}.builtin-policy"))).unwrap();
        let mut witnesses = BTreeMap::new();
        let policy = Policy::parse(translate(&text, &mut witnesses).as_bytes()).unwrap();
        assert_eq!((policy.logs().len(), policy.witnesses().len()), (logs, count), "{name}");
        let url = policy.logs()[0].url.as_deref().unwrap();
        assert!(url.starts_with(b"https://"), "{name}");
    }
}

/// A policy of our own, to be bent line by line.
struct Lines {
    log: String,
    w1: String,
    w2: String,
}

impl Lines {
    fn new() -> Self {
        let key = |name, key_type, hex: &str| signer(name, key_type, &hex.repeat(32)).verifier_key().to_string();
        Self {
            log: key("log", KeyType::Ed25519, "01"),
            w1: key("w1.example", KeyType::Cosignature, "02"),
            w2: key("w2.example", KeyType::MlDsa44, "03"),
        }
    }

    /// Replaces {log}, {w1} and {w2} by keys.
    fn parse(&self, template: &str) -> Result<Policy, Error> {
        let text = template.replace("{log}", &self.log).replace("{w1}", &self.w1).replace("{w2}", &self.w2);
        Policy::parse(text.as_bytes())
    }

    fn line_of_refusal(&self, template: &str) -> usize {
        match self.parse(template) {
            Err(Error::InvalidPolicy { line, .. }) => line,
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn the_grammar_by_its_edges() {
    let lines = Lines::new();
    for good in [
        "quorum none",
        "quorum none\n",
        "\n \t\n\t# comment \u{e9}\nquorum\t \tnone \t\n\n",
        "log {log}\nquorum none\n",
        "log {log} https://log.example/\nquorum none\n",
        "witness W {w1}\nquorum W\n",
        "witness W {w1} url\nwitness V {w2}\ngroup G 2 W V\nquorum G\nlog {log}\n",
        "witness any {w1}\nwitness all {w2}\ngroup 1 any any all\nquorum 1\n",
        "witness \u{e9} {w1}\nquorum \u{e9}\n",
        "witness W {w1}\ngroup G any W\ngroup H all G\nquorum H\n",
    ] {
        assert!(lines.parse(good).is_ok(), "{good}: {:?}", lines.parse(good));
    }
    for (bad, line) in [
        ("", 2),
        ("log {log}\n", 3),
        ("quorum none\nquorum none\n", 2),
        ("quorum none more\n", 1),
        ("quorum\n", 1),
        ("quorum W\nwitness W {w1}\n", 1),
        ("Quorum none\n", 1),
        ("quorum none # comment\n", 1),
        ("quorum\u{a0}none\n", 1),
        ("quorum none\r\n", 1),
        ("\u{b}quorum none\n", 1),
        ("log\nquorum none\n", 1),
        ("log {log} url more\nquorum none\n", 1),
        ("log nonsense\nquorum none\n", 1),
        ("log {log}\nlog {log}\nquorum none\n", 2),
        ("log {w1}\nquorum none\n", 1),
        ("witness W {log}\nquorum none\n", 1),
        ("witness W\nquorum none\n", 1),
        ("witness none {w1}\nquorum none\n", 1),
        ("witness W {w1}\nwitness V {w1}\nquorum none\n", 2),
        ("witness W {w1}\nwitness W {w2}\nquorum none\n", 2),
        ("witness W {w1}\ngroup W any W\nquorum W\n", 2),
        ("witness W {w1}\ngroup none any W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G any\nquorum none\n", 2),
        ("witness W {w1}\ngroup G 0 W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G 2 W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G 01 W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G +1 W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G some W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G any W W\nquorum none\n", 2),
        ("witness W {w1}\ngroup G any W\ngroup H any W\nquorum none\n", 3),
        ("witness W {w1}\ngroup G any G\nquorum none\n", 2),
        ("witness W {w1}\ngroup G any W none\nquorum none\n", 2),
    ] {
        assert_eq!(lines.line_of_refusal(bad), line, "{bad}");
    }
}

/// The same key bytes under another name or type are the same key.
#[test]
fn keys_are_compared_by_their_bytes() {
    let key = signer("one", KeyType::Cosignature, &"05".repeat(32)).verifier_key().clone();
    let renamed = VerifierKey::new(KeyName::new("two").unwrap(), KeyType::Cosignature, &key.public_key()).unwrap();
    assert_ne!(key.id(), renamed.id());
    let text = format!("witness A {key}\nwitness B {renamed}\nquorum none\n");
    assert!(matches!(Policy::parse(text.as_bytes()), Err(Error::InvalidPolicy { line: 2, .. })));
}

#[test]
fn names_are_bytes() {
    let lines = Lines::new();
    let mut text = format!("witness W {}\nquorum W\n", lines.w1).into_bytes();
    for byte in text.iter_mut().filter(|byte| **byte == b'W') {
        *byte = 0xff;
    }
    assert_eq!(Policy::parse(&text).unwrap().witnesses()[0].name, [0xff]);
}

#[test]
fn only_listed_logs_are_accepted() {
    let lines = Lines::new();
    let note = |name: &str, hex: &str| {
        let mut checkpoint = checkpoint();
        checkpoint.origin = Origin::new(name).unwrap();
        checkpoint.sign(&signer(name, KeyType::Ed25519, &hex.repeat(32))).unwrap().to_string()
    };
    let policy = lines.parse("log {log}\nquorum none\n").unwrap();
    assert!(policy.open(note("log", "01").as_bytes()).is_ok());
    assert_eq!(policy.open(note("log", "02").as_bytes()), Err(Error::NoTrustedSignature));
    let unknown = Error::UnknownLog(Origin::new("other").unwrap());
    assert_eq!(policy.open(note("other", "01").as_bytes()), Err(unknown));
}
