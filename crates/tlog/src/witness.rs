//! The messages between a log and its witnesses, and what a witness decides (C2SP tlog-witness, `add-checkpoint`).
//!
//! A witness parses the body with [`AddCheckpoint::parse`], looks up the keys and the last head it cosigned for
//! [`AddCheckpoint::checkpoint`]'s origin, and calls [`AddCheckpoint::check`]. It must keep the new head durably, and
//! nobody else may change that head meanwhile, before it answers with [`Acceptance::cosign`].

use crate::{
    Checkpoint, EMPTY_ROOT, Error, Hash, MAX_SIGNATURES, Note, Signature, Signer, TreeSize, VerifierKey, cosignature,
    encoding, note, verify_consistency,
};

/// The most lines of a consistency proof in a request.
pub const MAX_PROOF_LINES: usize = 63;

/// A request to cosign a checkpoint. Display writes the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: TreeSize,
    proof: Vec<Hash>,
    checkpoint: Checkpoint,
    note: String,
}

/// The newest tree that a witness cosigned for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number of leaves.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
}

/// A request that passed every check.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance<'a> {
    request: &'a AddCheckpoint,
}

/// Why a witness does not cosign, with the HTTP status that says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: the body is not a request.
    #[error(transparent)]
    Malformed(#[from] Error),
    /// 404: no key is known for the origin.
    #[error("unknown log")]
    UnknownOrigin,
    /// 403: no known key of the log signed it, or a known key's signature is wrong.
    #[error("{0}")]
    Untrusted(Error),
    /// 400: the old size is above the checkpoint's.
    #[error("the old size is above the checkpoint's size")]
    OldSizeBeyond,
    /// 409: the old size is not the last one cosigned, which is this.
    #[error("the last cosigned size is {0}")]
    Conflict(TreeSize),
    /// 422: the proof or the root is wrong.
    #[error("{0}")]
    Inconsistent(Error),
}

impl Head {
    /// The head before anything was cosigned.
    pub const EMPTY: Head = Head { size: TreeSize(0), root: EMPTY_ROOT };
}

impl AddCheckpoint {
    /// A request to cosign the checkpoint in `note`, with the consistency proof from `old_size`, the size that the
    /// witness cosigned last (0 if unknown: a [`Refusal::Conflict`] will tell).
    ///
    /// Errors: [`Error::MalformedMessage`] for more than [`MAX_PROOF_LINES`] hashes, and what is wrong with the
    /// checkpoint's text.
    pub fn new(old_size: TreeSize, proof: Vec<Hash>, note: &Note) -> Result<Self, Error> {
        check_proof_length(&proof)?;
        Ok(Self { old_size, proof, checkpoint: note.text().parse()?, note: note.to_string() })
    }

    /// Reads the body of a request. The signature lines are left to [`AddCheckpoint::check`], since a line that cannot
    /// be read is one that does not verify: 403, not 400.
    ///
    /// Errors: [`Error::MalformedMessage`], [`Error::MalformedNote`], [`Error::InvalidHash`], and what is wrong with the
    /// checkpoint's text.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let body = str::from_utf8(body).map_err(|_| Error::MalformedMessage("it is not UTF-8"))?;
        let (head, note) =
            body.split_once("\n\n").ok_or(Error::MalformedMessage("there is no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_size);
        let old_size = old_size.ok_or(Error::MalformedMessage("the first line is not old <size>"))?;
        let proof = lines.map(Hash::from_base64).collect::<Result<Vec<_>, _>>()?;
        check_proof_length(&proof)?;
        let (text, _signatures) = note::split(note.as_bytes())?;
        Ok(Self { old_size, proof, checkpoint: text.parse()?, note: note.to_owned() })
    }

    /// What the log claims, unchecked: its origin tells which keys and which head [`AddCheckpoint::check`] needs.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Decides, in the order of the standard, given the keys known for the origin (none: the log is unknown) and the
    /// head cosigned last ([`Head::EMPTY`] if none).
    pub fn check(&self, log_keys: &[VerifierKey], last: &Head) -> Result<Acceptance<'_>, Refusal> {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        if log_keys.is_empty() {
            return Err(Refusal::UnknownOrigin);
        }
        note::open(self.note.as_bytes(), log_keys).map_err(Refusal::Untrusted)?;
        if self.old_size > *size {
            return Err(Refusal::OldSizeBeyond);
        }
        if self.old_size != last.size {
            return Err(Refusal::Conflict(last.size));
        }
        verify_consistency(last.size, *size, &self.proof, &last.root, root).map_err(Refusal::Inconsistent)?;
        Ok(Acceptance { request: self })
    }
}

impl Acceptance<'_> {
    /// The head to keep before answering.
    pub fn head(&self) -> Head {
        Head { size: self.request.checkpoint.size, root: self.request.checkpoint.root }
    }

    /// The body of the answer 200: one cosignature line for each signer, made at this time in POSIX seconds.
    ///
    /// Errors: [`Error::InvalidCosignature`] for the time 0; those of [`cosignature::cosign`].
    pub fn cosign(&self, timestamp: u64, signers: &[&dyn Signer]) -> Result<String, Error> {
        if timestamp == 0 {
            return Err(NO_TIME);
        }
        let text = self.request.checkpoint.to_string();
        let line =
            |signer: &&dyn Signer| cosignature::cosign(&text, timestamp, *signer).map(|line| format!("{line}\n"));
        signers.iter().map(line).collect()
    }
}

impl Refusal {
    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldSizeBeyond => 400,
            Self::Untrusted(_) => 403,
            Self::UnknownOrigin => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent(_) => 422,
        }
    }

    /// The media type of [`Refusal::body`].
    pub fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body of the answer: the size for 409, a sentence otherwise.
    pub fn body(&self) -> String {
        match self {
            Self::Conflict(size) => format!("{size}\n"),
            _ => format!("{self}\n"),
        }
    }
}

const NO_TIME: Error = Error::InvalidCosignature("a witness must state its time");

/// Reads the body of the answer 200 to a request for `note`: the cosignatures by these witness keys, each checked.
/// Lines of other keys are ignored. They can be added to the note.
///
/// Errors: [`Error::MalformedMessage`], [`Error::MalformedNote`], [`Error::NoTrustedSignature`],
/// [`Error::InvalidSignature`], [`Error::InvalidCosignature`] for a cosignature without a time.
pub fn read_cosignatures(note: &Note, body: &[u8], witness_keys: &[VerifierKey]) -> Result<Vec<Signature>, Error> {
    let lines = str::from_utf8(body).ok().and_then(|body| body.strip_suffix('\n'));
    let lines = lines.ok_or(Error::MalformedMessage("the answer does not consist of lines of UTF-8"))?;
    if lines.split('\n').count() > MAX_SIGNATURES {
        return Err(Error::MalformedMessage("the answer has more than 100 lines"));
    }
    let mut answer = Note::new(note.text())?;
    for line in lines.split('\n') {
        answer.add(line.parse()?);
    }
    let cosignatures = answer.open(witness_keys)?.verified;
    for line in &cosignatures {
        if cosignature::split(&line.bytes)?.timestamp == 0 {
            return Err(NO_TIME);
        }
    }
    Ok(cosignatures)
}

/// Reads the body of the answer 409: the size that the witness cosigned last.
///
/// Errors: [`Error::MalformedMessage`].
pub fn read_conflict(body: &[u8]) -> Result<TreeSize, Error> {
    let line = str::from_utf8(body).ok().and_then(|body| body.strip_suffix('\n'));
    line.and_then(parse_size).ok_or(Error::MalformedMessage("the answer is not a size"))
}

fn check_proof_length(proof: &[Hash]) -> Result<(), Error> {
    if proof.len() > MAX_PROOF_LINES {
        return Err(Error::MalformedMessage("the consistency proof has more than 63 hashes"));
    }
    Ok(())
}

fn parse_size(text: &str) -> Option<TreeSize> {
    encoding::decimal(text).map(TreeSize).filter(|size| *size <= TreeSize::MAX)
}

impl std::fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.note)
    }
}
