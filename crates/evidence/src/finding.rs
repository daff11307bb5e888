//! What a verification can find wrong, each with a name that programs may rely on.

use std::fmt;
use std::str::FromStr;

/// What a finding asks of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingClass {
    /// Bytes are missing or unreadable: restore them from a copy.
    Damaged,
    /// Bytes are readable, but a hash, a proof or a signature disagrees: raise the alarm and keep the evidence.
    Tampered,
}

impl FindingClass {
    /// The class as one lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            FindingClass::Damaged => "damaged",
            FindingClass::Tampered => "tampered",
        }
    }
}

impl fmt::Display for FindingClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! kinds {
    ($($variant:ident $name:literal $class:ident $meaning:literal)*) => {
        /// The kind of a finding. Its name is stable: reports, exit codes and alerts are built on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind {
            $(#[doc = $meaning] $variant,)*
        }

        impl FindingKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [FindingKind] = &[$(FindingKind::$variant),*];

            /// The stable name, in kebab case.
            pub fn name(self) -> &'static str {
                match self { $(FindingKind::$variant => $name,)* }
            }

            /// What a finding of this kind asks of the reader.
            pub fn class(self) -> FindingClass {
                match self { $(FindingKind::$variant => FindingClass::$class,)* }
            }

            /// What a finding of this kind means, in one line.
            pub fn meaning(self) -> &'static str {
                match self { $(FindingKind::$variant => $meaning,)* }
            }
        }
    };
}

kinds! {
    LedgerFileChanged   "ledger-file-changed"   Tampered "ledger.toml is not the file whose digest the first entry holds."
    MissingFile         "missing-file"          Damaged  "A file that the ledger's entries name is not there."
    UnexpectedFile      "unexpected-file"       Tampered "A file stands in the folder that no entry accounts for."
    FileUnreadable      "file-unreadable"       Damaged  "The disk or the system refused to hand out the file's bytes."
    FileTruncated       "file-truncated"        Damaged  "A file is shorter than its recorded length, or ends inside a record."
    FileExtended        "file-extended"         Tampered "A file is longer than its recorded length."
    BlockMismatch       "block-mismatch"        Tampered "A 64 KiB block of a sealed file does not have the digest that `ledger.sealed` holds."
    FrameDamaged        "frame-damaged"         Damaged  "A journal frame cannot be read: its header, length or checksum is wrong."
    FrameSignature      "frame-signature"       Tampered "A journal frame carries no valid signature of the ledger's key: the ledger did not write it."
    FrameOutOfOrder     "frame-out-of-order"    Tampered "A journal frame does not start where the frame before it ended."
    LeafMismatch        "leaf-mismatch"         Tampered "An entry's bytes do not have the leaf hash that was recorded for it."
    RootMismatch        "root-mismatch"         Tampered "The root over the entries on disk is not the root that was signed or recorded."
    ProofInvalid        "proof-invalid"         Tampered "A proof does not lead from the entry to the root of its checkpoint."
    CheckpointSignature "checkpoint-signature"  Tampered "A checkpoint carries no valid signature of the expected key."
    CheckpointMalformed "checkpoint-malformed"  Damaged  "A checkpoint cannot be read as a signed note of a tree head."
    CheckpointAhead     "checkpoint-ahead"      Tampered "A checkpoint covers more entries than the folder holds: the ledger was rolled back."
    OriginMismatch      "origin-mismatch"       Tampered "Bytes carry the name of another ledger."
    Fork                "fork"                  Tampered "The ledger does not extend the history that a checkpoint signed."
    EntryMalformed      "entry-malformed"       Tampered "An entry's bytes are not a valid entry."
    EntryNotCanonical   "entry-not-canonical"   Tampered "An entry is valid but not in its canonical form."
    EntrySignature      "entry-signature"       Tampered "An entry's signature does not verify."
    KeyUnregistered     "key-unregistered"      Tampered "An entry is signed with a key that was not registered, or was revoked, for its actor at that point."
    KeyMismatch         "key-mismatch"          Tampered "The ledger's key is not the one that its own entries or the caller name."
    RecordedAtBackwards "recorded-at-backwards" Tampered "`recorded_at` is earlier than that of the entry before."
    SequenceRepeat      "sequence-repeat"       Tampered "A source's sequence number occurs in two entries."
    DuplicateId         "duplicate-id"          Tampered "An `id` of one recorder occurs in two entries."
    IndexMismatch       "index-mismatch"        Tampered "An entry stands at another index than its file, row or proof says."
    CellDisagrees       "cell-disagrees"        Tampered "A cell of a segment is not what its entry says, so a query could see another record."
    IndexFileWrong      "index-file-wrong"      Tampered "An `.index` file is not the one that its entries give."
    TileWrong           "tile-wrong"            Tampered "A `.tiles` file holds a hash that the entries do not give."
    SegmentUnreadable   "segment-unreadable"    Damaged  "A segment cannot be read as Parquet, or a part of it cannot be decoded."
    SegmentMetadata     "segment-metadata"      Tampered "A segment's metadata disagrees with its entries or its neighbours."
    SegmentUnsealed     "segment-unsealed"      Tampered "A segment stands in the folder without the entry that seals it."
    AttachmentWrong     "attachment-wrong"      Tampered "An attachment's content does not have the digest that is its name."
    BundleMalformed     "bundle-malformed"      Damaged  "An evidence bundle does not hold what its format asks for."
    DuplicateEntry      "duplicate-entry"       Tampered "An evidence bundle holds one index twice, or its entries out of order."
    UnexpectedEntry     "unexpected-entry"      Tampered "An entry stands where entries of another kind belong."
    OutsideCheckpoint   "outside-checkpoint"    Tampered "An entry's index is not below the size of the checkpoint that should cover it."
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FindingKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<FindingKind, UnknownKind> {
        let known = |kind: &&FindingKind| kind.name() == name;
        FindingKind::ALL.iter().find(known).copied().ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// A name that is no kind of finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of finding")]
pub struct UnknownKind(pub String);

/// One thing that a verification found wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The file, relative to the ledger's folder; none where no file is meant.
    pub file: Option<String>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// The index of the entry.
    pub index: Option<u64>,
    /// The particulars, as a sentence for a person.
    pub message: String,
}

impl Finding {
    /// A finding without a place.
    pub fn new(kind: FindingKind, message: impl Into<String>) -> Finding {
        Finding { kind, file: None, offset: None, index: None, message: message.into() }
    }

    /// The same finding, in this file.
    pub fn in_file(mut self, file: impl Into<String>) -> Finding {
        self.file = Some(file.into());
        self
    }

    /// The same finding, at this byte of its file.
    pub fn at_offset(mut self, offset: u64) -> Finding {
        self.offset = Some(offset);
        self
    }

    /// The same finding, about the entry with this index.
    pub fn at_index(mut self, index: u64) -> Finding {
        self.index = Some(index);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if let Some(file) = &self.file {
            write!(f, " in {file}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(index) = self.index {
            write!(f, ", entry {index}")?;
        }
        write!(f, ": {}", self.message)
    }
}
