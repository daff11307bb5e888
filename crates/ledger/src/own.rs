//! The ledger's own acts as entries: what it writes of itself, and how it reads that again.

use counterfoil_entry::{Draft, EntryBuilder, Fields, OWN_PREFIX};
use counterfoil_segment::blocks::BlockHashes;
use counterfoil_tlog::Hash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commit::Submission;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::SegmentFile;
use crate::ledger::Ledger;
use crate::receipt::Receipt;
use crate::recovery::TornWrite;

/// Who acts in the ledger's own entries.
pub const ACTOR: &str = "counterfoil";

/// The type of the entry that seals a segment.
pub const SEALED: &str = "ledger.sealed";
/// The type of a ledger's first entry.
pub const CREATED: &str = "ledger.created";
/// The type of the entry that registers a client's key.
pub const KEY_REGISTERED: &str = "ledger.key_registered";
/// The type of the entry that revokes a client's key.
pub const KEY_REVOKED: &str = "ledger.key_revoked";

/// Whether canonical bytes are one of the ledger's own entries.
pub fn is_own(canonical: &[u8]) -> bool {
    Fields::split(canonical).is_ok_and(|fields| fields.event_type.starts_with(OWN_PREFIX))
}

/// Builds one of the ledger's own entries.
pub fn draft(event_type: &str, entity_id: &str, entity_type: &str, context: &serde_json::Value) -> Draft {
    draft_by(ACTOR, event_type, entity_id, entity_type, context)
}

/// Builds an entry about what somebody did to the ledger; the name must be one.
pub fn draft_by(
    actor: &str,
    event_type: &str,
    entity_id: &str,
    entity_type: &str,
    context: &serde_json::Value,
) -> Draft {
    let mut entry = json!({
        "event_type": event_type,
        "actor": actor,
        "entity_id": entity_id,
        "entity_type": entity_type,
        "context": context,
    });
    if actor == ACTOR {
        entry["actor_type"] = "service".into();
    }
    Draft::parse_own(entry.to_string().as_bytes()).expect("the ledger's own entries are valid")
}

/// The length and block root of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// Its length in bytes.
    pub length: u64,
    /// RFC 6962 root over its 64 KiB blocks.
    pub block_root: Hash,
}

impl FileDigest {
    /// The digest of a file with these blocks.
    pub fn of(blocks: &BlockHashes) -> Self {
        Self { length: blocks.length(), block_root: blocks.root() }
    }
}

/// What a `ledger.sealed` entry says of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFacts {
    /// Index of the first entry.
    pub first: u64,
    /// How many entries.
    pub count: u64,
    /// RFC 6962 root over the segment's own leaves.
    pub root: Hash,
    /// The digests of its files, in the order of [`SegmentFile::ALL`].
    pub files: [FileDigest; 3],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedContext {
    first: u64,
    count: u64,
    root: String,
    files: std::collections::BTreeMap<String, FileContext>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileContext {
    length: u64,
    block_root: String,
}

impl SealedFacts {
    /// The entry that says this.
    pub fn draft(&self) -> Draft {
        let files = SegmentFile::ALL.iter().zip(&self.files).map(|(file, digest)| {
            let context = FileContext { length: digest.length, block_root: digest.block_root.to_string() };
            (file.extension().to_owned(), context)
        });
        let context =
            SealedContext { first: self.first, count: self.count, root: self.root.to_string(), files: files.collect() };
        let context = serde_json::to_value(context).expect("plain values are JSON");
        draft(SEALED, &format!("segment/{}", self.first), "segment", &context)
    }

    /// Reads them from an entry's canonical bytes; `None` when it is not a `ledger.sealed` entry.
    pub fn read(canonical: &[u8]) -> Result<Option<Self>> {
        let fields = Fields::split(canonical)?;
        if fields.event_type != SEALED {
            return Ok(None);
        }
        let malformed = || Error::tampered("a ledger.sealed entry does not say what it seals");
        let context: SealedContext =
            serde_json::from_str(fields.context.ok_or_else(malformed)?).map_err(|_| malformed())?;
        let hash = |text: &str| parse_hash(text).ok_or_else(malformed);
        let digest = |file: SegmentFile| -> Result<FileDigest> {
            let file = context.files.get(file.extension()).ok_or_else(malformed)?;
            Ok(FileDigest { length: file.length, block_root: hash(&file.block_root)? })
        };
        let [parquet, tiles, index] = SegmentFile::ALL;
        Ok(Some(Self {
            first: context.first,
            count: context.count,
            root: hash(&context.root)?,
            files: [digest(parquet)?, digest(tiles)?, digest(index)?],
        }))
    }

    /// The digest of one file.
    pub fn file(&self, file: SegmentFile) -> FileDigest {
        let position = SegmentFile::ALL.iter().position(|one| *one == file);
        self.files[position.expect("ALL has every file")]
    }
}

/// What the `context` of one of the ledger's own entries says.
///
/// # Errors
/// `Damaged` when it says something else.
pub fn act_context<T: DeserializeOwned>(index: u64, bytes: &[u8]) -> Result<T> {
    let damaged = |why: String| Error::new(ErrorKind::Damaged, format!("entry {index}: {why}"));
    let fields = Fields::split(bytes).map_err(|error| damaged(error.to_string()))?;
    serde_json::from_str(fields.context.unwrap_or_default()).map_err(|error| damaged(error.to_string()))
}

/// Reads 64 lowercase hexadecimal digits.
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(Hash(bytes))
}

impl Ledger {
    /// Records an act of whoever runs the ledger, under the reserved prefix: a denied access, an export, a start.
    ///
    /// Errors: `Invalid` for an event type outside `ledger.`, else those of [`Ledger::append`].
    pub fn record_act(&self, act: EntryBuilder) -> Result<Receipt> {
        Ok(self.record_acts(vec![act])?[0].clone())
    }

    /// Records several acts in one commit, all or none. Acts with an `id` are known again, as entries are.
    ///
    /// Errors: those of [`Ledger::record_act`]; the position says which act is meant.
    pub fn record_acts(&self, acts: Vec<EntryBuilder>) -> Result<Vec<Receipt>> {
        let drafts: Vec<Draft> =
            acts.into_iter().map(EntryBuilder::build_own).collect::<std::result::Result<_, _>>()?;
        if !drafts.iter().all(|draft| draft.event_type().starts_with(OWN_PREFIX)) {
            return Err(Error::invalid(format!("acts of the ledger have event types that begin with {OWN_PREFIX:?}")));
        }
        self.append_own(drafts)
    }

    pub(crate) fn append_own(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        self.submit(Submission { drafts, recorder: None, own: true, seals: None })
    }

    pub(crate) fn record_torn_write(&self, torn: &TornWrite) -> Result<()> {
        let context = serde_json::json!({
            "file": torn.file, "offset": torn.offset, "bytes": torn.bytes, "kept": torn.kept,
        });
        let origin = self.shared.folder.config.origin.as_str();
        self.append_own(vec![draft("ledger.torn_write", origin, "ledger", &context)]).map(|_| ())
    }
}
