//! SHA-256 as RFC 6962 section 2.1 uses it: one prefix byte for leaves, another for nodes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::{Error, encoding, pair};

/// The root of a tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// A SHA-256 hash: 32 bytes. Text form (Display, FromStr) is 64 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// RFC 4648 base64 with padding: 44 characters.
    pub fn to_base64(&self) -> String {
        encoding::base64(&self.0)
    }

    /// Reads what [`Hash::to_base64`] writes; [`Error::InvalidHash`] for anything else.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        encoding::from_base64(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(Error::InvalidHash)
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::InvalidHash)
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(hex: &str) -> Result<Self, Error> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(Error::InvalidHash),
        };
        if hex.len() != 64 {
            return Err(Error::InvalidHash);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of a leaf: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0x00]).chain_update(entry).finalize().into())
}

/// The hashes of many leaves, two at a time: what [`leaf_hash`] gives for each.
pub fn leaf_hashes<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<Hash> {
    let mut entries = entries.into_iter();
    let mut hashes = Vec::with_capacity(entries.size_hint().0);
    while let Some(left) = entries.next() {
        match entries.next() {
            Some(right) => hashes.extend(leaf_hash_pair([left, right])),
            None => hashes.push(leaf_hash(left)),
        }
    }
    hashes
}

/// Hashes leaves that come one after another, two at a time.
#[derive(Debug, Default)]
pub struct LeafHasher {
    /// An entry without its pair, while `is_waiting`.
    entry: Vec<u8>,
    is_waiting: bool,
    hashes: Vec<Hash>,
}

impl LeafHasher {
    /// Adds the next leaf.
    pub fn push(&mut self, entry: &[u8]) {
        if std::mem::take(&mut self.is_waiting) {
            self.hashes.extend(leaf_hash_pair([&self.entry, entry]));
        } else {
            self.entry.clear();
            self.entry.extend_from_slice(entry);
            self.is_waiting = true;
        }
    }

    /// Adds a leaf whose hash is known.
    pub fn push_hash(&mut self, hash: Hash) {
        self.flush();
        self.hashes.push(hash);
    }

    /// How many leaves there are.
    pub fn count(&self) -> usize {
        self.hashes.len() + usize::from(self.is_waiting)
    }

    /// The hashes of all leaves.
    pub fn finish(mut self) -> Vec<Hash> {
        self.flush();
        self.hashes
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.hashes.push(leaf_hash(&self.entry));
        }
    }
}

/// The hashes of two leaves in less time than [`leaf_hash`] takes for each.
pub fn leaf_hash_pair(entries: [&[u8]; 2]) -> [Hash; 2] {
    pair::digests(0x00, entries).map(Hash)
}

/// The hashes of the nodes over neighbouring hashes, which must be an even number: what [`node_hash`] gives for each.
pub fn node_hashes(children: &[Hash]) -> Vec<Hash> {
    let (nodes, rest) = children.as_chunks::<2>();
    assert!(rest.is_empty(), "a node has two children");
    let message = |[left, right]: &[Hash; 2]| {
        let mut message = [0; 64];
        message[..32].copy_from_slice(&left.0);
        message[32..].copy_from_slice(&right.0);
        message
    };
    let (pairs, last) = nodes.as_chunks::<2>();
    let mut hashes = Vec::with_capacity(nodes.len());
    for [left, right] in pairs {
        hashes.extend(pair::digests(0x01, [&message(left), &message(right)]).map(Hash));
    }
    hashes.extend(last.iter().map(|[left, right]| node_hash(left, right)));
    hashes
}

/// The root over a power of two of hashes: a complete subtree.
pub fn subtree_hash(hashes: &[Hash]) -> Hash {
    assert!(hashes.len().is_power_of_two(), "a complete subtree has a power of two of leaves");
    if let [hash] = hashes {
        return *hash;
    }
    let mut level = node_hashes(hashes);
    while level.len() > 1 {
        level = node_hashes(&level);
    }
    level[0]
}

/// The hash of a node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = [0x01; 65];
    message[1..33].copy_from_slice(&left.0);
    message[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(message).into())
}
