//! transparency-dev/merkle's vectors, one case a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use counterfoil_tlog::{
    Error, Hash, LeafIndex, Subtree, TreeSize, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};
use serde::Deserialize;

use crate::{naive, vectors};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<Option<String>>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubtreeInclusion {
    leaf_idx: u64,
    start: u64,
    end: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<Option<String>>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<Option<String>>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SubtreeConsistency {
    start: u64,
    end: u64,
    size: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<Option<String>>>,
    want_err: bool,
}

/// Some cases carry roots like "don't care" that are no hashes. Such bytes are hashed, so that equal roots stay equal
/// and the rest of the case is tested too, rather than refused for its length.
fn hash(text: &Option<String>) -> Hash {
    stand_in("root", text)
}

/// The same for leaves: an empty leaf hash is not the empty root.
fn leaf(text: &Option<String>) -> Hash {
    stand_in("leaf", text)
}

fn stand_in(role: &str, text: &Option<String>) -> Hash {
    let bytes = STANDARD.decode(text.as_deref().unwrap_or_default()).unwrap();
    Hash::try_from(bytes.as_slice()).unwrap_or_else(|_| naive::sha256(&[role.as_bytes(), bytes.as_slice()].concat()))
}

fn hashes(texts: &Option<Vec<Option<String>>>) -> Vec<Hash> {
    texts.iter().flatten().map(hash).collect()
}

/// Runs every case of a folder but the named ones and returns how many were refused and accepted.
fn run<T: serde::de::DeserializeOwned>(
    folder: &str,
    check: impl Fn(&T) -> (bool, Result<(), Error>),
    except: &[&str],
) -> (usize, usize) {
    let (mut refused, mut accepted) = (0, 0);
    for file in vectors::json_files(&vectors::testdata("merkle-transparency-dev").join(folder)) {
        if except.iter().any(|name| file.ends_with(name)) {
            continue;
        }
        let (want_err, result) = check(&vectors::json(&file));
        assert_eq!(result.is_err(), want_err, "{}: {result:?}", file.display());
        if want_err { refused += 1 } else { accepted += 1 }
    }
    (refused, accepted)
}

#[test]
fn inclusion() {
    let counts = run(
        "inclusion",
        |case: &Inclusion| {
            let (index, size) = (LeafIndex(case.leaf_idx), TreeSize(case.tree_size));
            let proof = hashes(&case.proof);
            (case.want_err, verify_inclusion(&leaf(&case.leaf_hash), index, size, &proof, &hash(&case.root)))
        },
        &[],
    );
    assert_eq!(counts, (92, 6));
}

#[test]
fn subtree_inclusion() {
    let counts = run(
        "subtreeinclusion",
        |case: &SubtreeInclusion| {
            let result = Subtree::new(LeafIndex(case.start), TreeSize(case.end)).and_then(|subtree| {
                let (index, proof) = (LeafIndex(case.leaf_idx), hashes(&case.proof));
                verify_subtree_inclusion(&leaf(&case.leaf_hash), index, subtree, &proof, &hash(&case.root))
            });
            (case.want_err, result)
        },
        &[],
    );
    assert_eq!(counts, (192, 12));
}

/// The left-out case asks to refuse a proof from the empty tree with its proper root as "useless". C2SP tlog-witness
/// has it that the empty tree is consistent with any; the case's newer root is no hash, so it is refused on parsing.
#[test]
fn consistency() {
    let counts = run(
        "consistency",
        |case: &Consistency| {
            let (from, to) = (TreeSize(case.size1), TreeSize(case.size2));
            let proof = hashes(&case.proof);
            (case.want_err, verify_consistency(from, to, &proof, &hash(&case.root1), &hash(&case.root2)))
        },
        &["size1-is-zero-and-size2-is-not-zero.json"],
    );
    assert_eq!(counts, (91, 6));
    let left_out = vectors::testdata("merkle-transparency-dev/consistency/additional");
    let left_out: Consistency = vectors::json(&left_out.join("size1-is-zero-and-size2-is-not-zero.json"));
    assert_eq!(Hash::from_base64(left_out.root2.as_deref().unwrap()), Err(Error::InvalidHash));
}

#[test]
fn subtree_consistency() {
    let counts = run(
        "subtreeconsistency",
        |case: &SubtreeConsistency| {
            let result = Subtree::new(LeafIndex(case.start), TreeSize(case.end)).and_then(|subtree| {
                let (size, proof) = (TreeSize(case.size), hashes(&case.proof));
                verify_subtree_consistency(subtree, size, &proof, &hash(&case.root1), &hash(&case.root2))
            });
            (case.want_err, result)
        },
        &[],
    );
    assert_eq!(counts, (106, 12));
}
