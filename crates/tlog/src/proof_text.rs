//! Proofs to keep: an inclusion proof and the checkpoint it leads to in one text (C2SP tlog-proof).

use std::fmt;

use crate::{
    Checkpoint, Error, Hash, LeafIndex, MAX_NOTE_BYTES, OpenedCheckpoint, Origin, Policy, TreeSize, VerifierKey,
    encoding, verify_inclusion,
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes of an inclusion proof: trees have at most 2^63-1 leaves.
const MAX_HASHES: usize = 63;

/// The content of a `.tlog-proof` file, unchecked until [`TlogProof::verify`]. Display writes the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data that the application wanted beside the proof. Nothing authenticates it.
    pub extra: Option<Vec<u8>>,
    /// The position of the leaf.
    pub index: LeafIndex,
    /// The inclusion proof, the leaf's sibling first.
    pub hashes: Vec<Hash>,
    /// The checkpoint with its signatures, verbatim.
    pub checkpoint: String,
}

impl TlogProof {
    /// Reads a proof. The checkpoint in it is taken as it stands.
    ///
    /// Errors: [`Error::MalformedProof`], [`Error::InvalidHash`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(Error::MalformedProof("it has more than 1000000 bytes"));
        }
        let text = str::from_utf8(bytes).map_err(|_| Error::MalformedProof("it is not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(Error::MalformedProof("it has no empty line before its checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(Error::MalformedProof("its first line is not c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(
                encoding::from_base64(&line["extra ".len()..])
                    .ok_or(Error::MalformedProof("its extra data is not base64"))?,
            ),
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(encoding::decimal);
        let index = index.filter(|index| *index < TreeSize::MAX.0).map(LeafIndex);
        let index = index.ok_or(Error::MalformedProof("its index line is not index <number>"))?;
        let hashes = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>()?;
        if hashes.len() > MAX_HASHES {
            return Err(Error::MalformedProof("it has more than 63 hashes"));
        }
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that the leaf with this hash is in the log `origin`, by a checkpoint that one of the log's keys signed.
    ///
    /// Errors: those of [`Checkpoint::open`] and [`verify_inclusion`].
    pub fn verify(&self, leaf: &Hash, origin: &Origin, log_keys: &[VerifierKey]) -> Result<OpenedCheckpoint, Error> {
        self.lead(leaf, Checkpoint::open(self.checkpoint.as_bytes(), origin, log_keys, &[])?)
    }

    /// Checks that the leaf with this hash is in a log that the policy lists, by a checkpoint that fulfils the policy.
    ///
    /// Errors: those of [`Policy::open`] and [`verify_inclusion`].
    pub fn verify_by_policy(&self, leaf: &Hash, policy: &Policy) -> Result<OpenedCheckpoint, Error> {
        self.lead(leaf, policy.open(self.checkpoint.as_bytes())?)
    }

    fn lead(&self, leaf: &Hash, opened: OpenedCheckpoint) -> Result<OpenedCheckpoint, Error> {
        let Checkpoint { size, root, .. } = &opened.checkpoint;
        verify_inclusion(leaf, self.index, *size, &self.hashes, root)?;
        Ok(opened)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", encoding::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
