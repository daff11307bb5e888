//! What a forger does who has the ledger's folder, knows its formats, and perhaps has its key.
//!
//! The journal is taken apart and put together here by the byte map of docs/formats/journal.md, not by the ledger's code.

use counterfoil_tlog::{Checkpoint, CompactRange, Hash, LeafIndex, Origin, Signer, TreeSize, leaf_hash};

const HEADER: usize = 136;
const ROW: usize = 36;

/// A frame, taken apart.
#[derive(Debug, Clone)]
pub struct Frame {
    pub own: bool,
    pub first: u64,
    pub time: i64,
    pub root: [u8; 32],
    pub signature: [u8; 64],
    pub leaves: Vec<[u8; 32]>,
    pub entries: Vec<Vec<u8>>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("enough bytes")
}

/// Takes a journal file apart, up to the zeros behind its last frame.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut at = 0;
    while bytes.get(at..at + 4) == Some(b"CFJ1") {
        let count = u32::from_le_bytes(number(bytes, at + 16)) as usize;
        let mut entry = at + HEADER + count * ROW;
        let mut frame = Frame {
            own: bytes[at + 4] & 1 == 1,
            first: u64::from_le_bytes(number(bytes, at + 8)),
            time: i64::from_le_bytes(number(bytes, at + 32)),
            root: number(bytes, at + 40),
            signature: number(bytes, at + 72),
            leaves: Vec::new(),
            entries: Vec::new(),
        };
        for row in 0..count {
            let row = at + HEADER + row * ROW;
            let length = u32::from_le_bytes(number(bytes, row + 32)) as usize;
            frame.leaves.push(number(bytes, row));
            frame.entries.push(bytes[entry..entry + length].to_vec());
            entry += length;
        }
        frames.push(frame);
        at = entry;
    }
    frames
}

/// Puts a journal file together, with checksums that hold.
pub fn journal(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        let mut bytes = frame.header();
        bytes.extend(frame.signature);
        for (leaf, entry) in frame.leaves.iter().zip(&frame.entries) {
            bytes.extend(leaf);
            bytes.extend((entry.len() as u32).to_le_bytes());
        }
        frame.entries.iter().for_each(|entry| bytes.extend(entry));
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..20]), &bytes[24..]);
        bytes[20..24].copy_from_slice(&sum.to_le_bytes());
        out.extend(bytes);
    }
    out
}

impl Frame {
    /// The header up to the signature, its checksum zero.
    fn header(&self) -> Vec<u8> {
        let mut bytes = b"CFJ1".to_vec();
        bytes.extend([u8::from(self.own), 0, 0, 0]);
        bytes.extend(self.first.to_le_bytes());
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        let body: usize = self.entries.iter().map(|entry| ROW + entry.len()).sum();
        bytes.extend((body as u64).to_le_bytes());
        bytes.extend(self.time.to_le_bytes());
        bytes.extend(self.root);
        bytes
    }
}

/// Signs all frames, as only who has the ledger's key can.
pub fn sign(frames: &mut [Frame], origin: &str, signer: &dyn Signer) {
    for frame in frames {
        let message = [b"counterfoil-frame/v1\n", origin.as_bytes(), b"\n", &frame.header()].concat();
        frame.signature = signer.sign(&message).expect("it signs").try_into().expect("64 bytes");
    }
}

/// Makes the leaf hashes those of the entries again.
pub fn rehash(frames: &mut [Frame]) {
    for frame in frames {
        frame.leaves = frame.entries.iter().map(|entry| leaf_hash(entry).0).collect();
    }
}

/// Makes the roots those of the leaves again; `before` are the leaves in front of the first frame. The last root.
pub fn reroot(frames: &mut [Frame], before: &[Hash]) -> Hash {
    let mut tree = CompactRange::new(LeafIndex(0));
    before.iter().for_each(|leaf| tree.push(*leaf));
    for frame in frames {
        frame.leaves.iter().for_each(|leaf| tree.push(Hash(*leaf)));
        frame.root = tree.root().expect("it begins at 0").0;
    }
    tree.root().expect("it begins at 0")
}

/// A checkpoint signed by whoever has a key.
pub fn checkpoint(origin: &str, size: u64, root: Hash, signer: &dyn Signer) -> Vec<u8> {
    let origin = Origin::new(origin).expect("a valid origin");
    let note = Checkpoint::new(origin, TreeSize(size), root).sign(signer).expect("it signs");
    note.to_string().into_bytes()
}
