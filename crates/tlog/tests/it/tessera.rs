//! A real log of 15 entries, kept by transparency-dev's Tessera.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use counterfoil_tlog::{
    Checkpoint, CompactRange, EMPTY_ROOT, Error, LeafIndex, NoteSigner, OpenedCheckpoint, Origin, Policy, Tile,
    TilePath, TileReader, TileSource, TlogProof, TreeSize, VerifierKey, bundle, consistency_proof, inclusion_proof,
    leaf_hash, root, verify_consistency,
};

use crate::naive::Refused;
use crate::vectors;

pub const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
pub const PRIVATE_KEY: &str =
    "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";
const ENTRIES: usize = 15;

struct Folder(PathBuf);

impl TileSource for Folder {
    type Error = Refused;

    fn tile(&self, tile: Tile) -> Result<Cow<'_, [u8]>, Refused> {
        let path = self.0.join(TilePath::Hashes(tile).to_string());
        Ok(Cow::Owned(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
    }
}

fn folder() -> PathBuf {
    vectors::testdata("tlog-tiles-tessera/log")
}

fn reader(size: usize) -> TileReader<Folder> {
    TileReader::new(Folder(folder()), TreeSize(size as u64))
}

fn note(size: usize) -> Vec<u8> {
    fs::read(folder().join(format!("checkpoint.{size}"))).unwrap()
}

fn key() -> VerifierKey {
    KEY.parse().unwrap()
}

fn open(size: usize) -> OpenedCheckpoint {
    Checkpoint::open(&note(size), &Origin::from(key().name()), &[key()], &[]).unwrap()
}

fn entries(size: usize) -> Vec<Vec<u8>> {
    let path = TilePath::Entries(Tile::new(0, 0, size as u16).unwrap()).to_string();
    let bytes = fs::read(folder().join(path)).unwrap();
    bundle::entries(&bytes).unwrap().into_iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn every_checkpoint_is_the_tree_of_its_entries() {
    let mut range = CompactRange::new(LeafIndex(0));
    assert_eq!(open(0).checkpoint.root, EMPTY_ROOT);
    for size in 1..=ENTRIES {
        let entries = entries(size);
        assert_eq!(entries.len(), size);
        range.push(leaf_hash(&entries[size - 1]));
        let checkpoint = open(size).checkpoint;
        assert_eq!(checkpoint.size, TreeSize(size as u64));
        assert_eq!(range.root(), Some(checkpoint.root));
        assert_eq!(root(&reader(size), checkpoint.size), Ok(checkpoint.root));
    }
    assert_eq!(entries(ENTRIES)[..3], [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
}

#[test]
fn every_checkpoint_continues_every_earlier_one() {
    for to in 0..=ENTRIES {
        let newer = open(to).checkpoint;
        for from in 0..=to {
            let older = open(from).checkpoint;
            let proof = consistency_proof(&reader(to), older.size, newer.size).unwrap();
            verify_consistency(older.size, newer.size, &proof, &older.root, &newer.root).unwrap();
        }
    }
}

/// Ed25519 is deterministic: our signer makes the very bytes that Tessera made.
#[test]
fn our_signer_makes_the_same_checkpoints() {
    let signer: NoteSigner = PRIVATE_KEY.parse().unwrap();
    for size in 0..=ENTRIES {
        let signed = open(size).checkpoint.sign(&signer).unwrap();
        assert_eq!(signed.to_string().as_bytes(), note(size));
    }
}

#[test]
fn proofs_kept_as_text_verify_end_to_end() {
    let (key, origin) = (key(), Origin::from(key().name()));
    let policy = Policy::parse(format!("log {key}\nquorum none\n").as_bytes()).unwrap();
    for size in 1..=ENTRIES {
        for (index, entry) in entries(size).iter().enumerate() {
            let index = LeafIndex(index as u64);
            let proof = TlogProof {
                extra: None,
                index,
                hashes: inclusion_proof(&reader(size), index, TreeSize(size as u64)).unwrap(),
                checkpoint: String::from_utf8(note(size)).unwrap(),
            };
            let text = proof.to_string();
            let read = TlogProof::parse(text.as_bytes()).unwrap();
            assert_eq!(read, proof);
            let opened = read.verify(&leaf_hash(entry), &origin, std::slice::from_ref(&key)).unwrap();
            assert_eq!(opened.checkpoint.size, TreeSize(size as u64));
            assert_eq!(read.verify_by_policy(&leaf_hash(entry), &policy), Ok(opened));
            let other = leaf_hash(b"another entry");
            assert_eq!(read.verify(&other, &origin, std::slice::from_ref(&key)), Err(Error::RootMismatch));
        }
    }
}

/// One proof text, every single bit of it flipped in turn: each change is noticed.
#[test]
fn any_flipped_bit_in_a_proof_text_is_noticed() {
    let (key, origin) = (key(), Origin::from(key().name()));
    let index = LeafIndex(4);
    let proof = TlogProof {
        extra: None,
        index,
        hashes: inclusion_proof(&reader(11), index, TreeSize(11)).unwrap(),
        checkpoint: String::from_utf8(note(11)).unwrap(),
    };
    let leaf = leaf_hash(&entries(11)[4]);
    let text = proof.to_string().into_bytes();
    let verdict =
        |text: &[u8]| TlogProof::parse(text).and_then(|proof| proof.verify(&leaf, &origin, std::slice::from_ref(&key)));
    verdict(&text).unwrap();
    for bit in 0..text.len() * 8 {
        let mut damaged = text.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(verdict(&damaged).is_err(), "bit {bit}: {}", String::from_utf8_lossy(&damaged));
    }
    for cut in 0..text.len() {
        assert!(verdict(&text[..cut]).is_err(), "cut at {cut}");
    }
}
