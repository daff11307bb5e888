//! Checkpoints: the signed statement of a log that its tree of this size has this root (C2SP tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use crate::{Error, Hash, Note, OpenedNote, Origin, Signer, TreeSize, VerifierKey, encoding};

/// The text of a checkpoint. Display and FromStr are the text that is signed, each line ending with a newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// The number of leaves, at most [`TreeSize::MAX`].
    pub size: TreeSize,
    /// The root of the tree with these leaves.
    pub root: Hash,
    /// Further lines, not empty and without newlines. Nobody can audit them: best none.
    pub extensions: Vec<String>,
}

/// A checkpoint whose signatures have been checked: the log's own is among the verified ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedCheckpoint {
    /// What the log stated.
    pub checkpoint: Checkpoint,
    /// The text with the signatures that hold and those of keys nobody asked about.
    pub note: OpenedNote,
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: Origin, size: TreeSize, root: Hash) -> Self {
        Self { origin, size, root, extensions: Vec::new() }
    }

    /// Signs with the log's Ed25519 key. More signatures and cosignatures can be added to the note.
    ///
    /// Errors: [`Error::MalformedCheckpoint`] when the text would not be read back as this checkpoint (its size is
    /// beyond the limit, an extension line is empty or has a newline), [`Error::WrongKeyType`], [`Error::Sign`].
    pub fn sign(&self, signer: &dyn Signer) -> Result<Note, Error> {
        let text = self.to_string();
        if text.parse::<Self>()? != *self {
            return Err(Error::MalformedCheckpoint("an extension line contains a newline"));
        }
        let mut note = Note::new(text)?;
        note.sign(signer)?;
        Ok(note)
    }

    /// Reads a signed checkpoint of the log `origin` and checks its signatures.
    ///
    /// One by a key in `log_keys` must be there; cosignatures by `cosigner_keys` are checked where they are found
    /// (what is enough of them is a [`Policy`](crate::Policy)'s business).
    ///
    /// Errors: those of [`open`](crate::open), [`Error::MalformedCheckpoint`], [`Error::WrongOrigin`].
    pub fn open(
        note: &[u8],
        origin: &Origin,
        log_keys: &[VerifierKey],
        cosigner_keys: &[VerifierKey],
    ) -> Result<OpenedCheckpoint, Error> {
        let note = Note::parse(note)?;
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin != *origin {
            return Err(Error::WrongOrigin { expected: origin.clone(), found: checkpoint.origin });
        }
        let note = note.open(&[log_keys, cosigner_keys].concat())?;
        if !log_keys.iter().any(|key| note.is_signed_by(key)) {
            return Err(Error::NoTrustedSignature);
        }
        Ok(OpenedCheckpoint { checkpoint, note })
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let body = text.strip_suffix('\n').ok_or(Error::MalformedCheckpoint("its last line does not end"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(Error::MalformedCheckpoint("it has fewer than three lines"));
        };
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(Error::MalformedCheckpoint("an extension line is empty"));
        }
        let size = encoding::decimal(size).map(TreeSize).filter(|size| *size <= TreeSize::MAX);
        Ok(Self {
            origin: Origin::from_line(origin)?,
            size: size.ok_or(Error::MalformedCheckpoint("its size is not a decimal number up to 2^63-1"))?,
            root: Hash::from_base64(root)?,
            extensions,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
