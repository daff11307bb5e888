//! `ledger.toml`: what a ledger is, written once.

use counterfoil_tlog::{self as tlog, Checkpoint, Note, OpenedCheckpoint, Origin, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::frame::FrameHeader;

/// The version of the folder's formats.
pub const FORMAT_VERSION: u32 = 1;
/// The span of a segment unless the creator says otherwise.
pub const DEFAULT_SEGMENT_SPAN: u64 = 262_144;

/// The fixed properties of a ledger.
#[derive(Debug, Clone)]
pub struct Config {
    /// The ledger's name, as checkpoints carry it.
    pub origin: Origin,
    /// When it was created, canonical RFC 3339.
    pub created: String,
    /// How many entries a segment holds at most: 256·2^k, 256 to 1,048,576.
    pub segment_span: u64,
    /// The retention class of entries whose type names none.
    pub retention_class: String,
    /// The key that signs checkpoints.
    pub verifier_key: VerifierKey,
    /// What it was before it was restored from a copy, the oldest first.
    pub earlier: Vec<Earlier>,
}

/// A ledger that ended and went on, from a copy, under another name and key.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// How many entries it wrote that the copy held.
    pub size: u64,
    /// Its name.
    pub origin: Origin,
    /// The key that signed its checkpoints.
    pub verifier_key: VerifierKey,
    /// The newest checkpoint in the copy, a C2SP note.
    pub checkpoint: String,
    /// A checkpoint that it signed over more entries than came back, where one is known.
    pub ahead: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    format_version: u32,
    origin: String,
    created: String,
    segment_span: u64,
    retention_class: String,
    verifier_key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<EarlierTable>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EarlierTable {
    size: u64,
    verifier_key: String,
    checkpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<String>,
}

impl Config {
    /// The text of `ledger.toml`.
    pub fn to_text(&self) -> String {
        let file = ConfigFile {
            format_version: FORMAT_VERSION,
            origin: self.origin.to_string(),
            created: self.created.clone(),
            segment_span: self.segment_span,
            retention_class: self.retention_class.clone(),
            verifier_key: self.verifier_key.to_string(),
            earlier: self.earlier.iter().map(Earlier::table).collect(),
        };
        let body = toml::to_string(&file).expect("a table of plain values is TOML");
        format!("# A Counterfoil ledger. Written once; its digest is in the first entry.\n{body}")
    }

    /// Reads `ledger.toml`. `Damaged` when it is no such file, `Invalid` when a newer version wrote it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let damaged = |reason: String| Error::damaged(format!("ledger.toml: {reason}"));
        let text = std::str::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
        let file: ConfigFile = toml::from_str(text).map_err(|error| damaged(error.message().to_owned()))?;
        if file.format_version != FORMAT_VERSION {
            return Err(Error::invalid(format!(
                "ledger.toml: format version {} is not {FORMAT_VERSION}, the one this program knows",
                file.format_version
            )));
        }
        check_span(file.segment_span).map_err(|error| damaged(error.message))?;
        Ok(Self {
            origin: Origin::new(&file.origin).map_err(|error| damaged(error.to_string()))?,
            created: file.created,
            segment_span: file.segment_span,
            retention_class: file.retention_class,
            verifier_key: file.verifier_key.parse().map_err(|error| damaged(format!("verifier_key: {error}")))?,
            earlier: file.earlier.into_iter().map(Earlier::read).collect::<Result<_>>()?,
        })
    }

    /// The text of `ledger.toml` when the ledger was created, which its first entry holds the digest of.
    pub(crate) fn first_text(&self) -> String {
        let Some(first) = self.earlier.first() else { return self.to_text() };
        let (origin, verifier_key) = (first.origin.clone(), first.verifier_key.clone());
        Self { origin, verifier_key, earlier: Vec::new(), ..self.clone() }.to_text()
    }

    /// The names and keys under which an entry may have been written, or written anew: those from its own time on.
    pub fn writers(&self, index: u64) -> impl Iterator<Item = (&Origin, &VerifierKey)> {
        let earlier = self.earlier.iter().filter(move |earlier| earlier.size > index);
        let earlier = earlier.map(|earlier| (&earlier.origin, &earlier.verifier_key));
        earlier.chain([(&self.origin, &self.verifier_key)])
    }

    /// The name that the ledger had when it recorded an entry.
    pub fn origin_at(&self, index: u64) -> &Origin {
        self.writers(index).next().map_or(&self.origin, |(origin, _)| origin)
    }

    /// Checks that a frame was written by the ledger, under the name and key of its time or a later one.
    pub fn check_frame(&self, header: &FrameHeader, frame: &[u8]) -> std::result::Result<(), tlog::Error> {
        let mut checked = Ok(());
        for (origin, key) in self.writers(header.first) {
            checked = header.check_signature(frame, origin, key);
            if checked.is_ok() {
                break;
            }
        }
        checked
    }

    /// Opens a checkpoint of the ledger, of now or of an earlier name; by one of `keys`, or by the key of that name.
    pub fn open_checkpoint(
        &self,
        note: &[u8],
        keys: &[VerifierKey],
    ) -> std::result::Result<OpenedCheckpoint, tlog::Error> {
        let stated: Option<Checkpoint> = Note::parse(note).ok().and_then(|note| note.text().parse().ok());
        let named =
            |(origin, _): &(&Origin, &VerifierKey)| stated.as_ref().is_some_and(|stated| stated.origin == **origin);
        let (origin, key) = self.writers(0).find(named).unwrap_or((&self.origin, &self.verifier_key));
        let own = std::slice::from_ref(key);
        Checkpoint::open(note, origin, if keys.is_empty() { own } else { keys }, &[])
    }
}

impl Earlier {
    fn table(&self) -> EarlierTable {
        EarlierTable {
            size: self.size,
            verifier_key: self.verifier_key.to_string(),
            checkpoint: self.checkpoint.clone(),
            ahead: self.ahead.clone(),
        }
    }

    fn read(table: EarlierTable) -> Result<Self> {
        let damaged = |reason: String| Error::damaged(format!("ledger.toml: earlier: {reason}"));
        let verifier_key: VerifierKey =
            table.verifier_key.parse().map_err(|error| damaged(format!("verifier_key: {error}")))?;
        let stated = Note::parse(table.checkpoint.as_bytes()).and_then(|note| note.text().parse::<Checkpoint>());
        let origin = stated.map_err(|error| damaged(error.to_string()))?.origin;
        for note in std::iter::once(&table.checkpoint).chain(&table.ahead) {
            let opened = Checkpoint::open(note.as_bytes(), &origin, std::slice::from_ref(&verifier_key), &[]);
            opened.map_err(|error| damaged(error.to_string()))?;
        }
        let EarlierTable { size, checkpoint, ahead, .. } = table;
        Ok(Self { size, origin, verifier_key, checkpoint, ahead })
    }
}

/// Refuses a segment span that is not 256·2^k between 256 and 1,048,576.
pub fn check_span(span: u64) -> Result<()> {
    if span.is_power_of_two() && (256..=1 << 20).contains(&span) {
        return Ok(());
    }
    Err(Error::invalid(format!("segment span {span} is not 256 times a power of two between 256 and 1048576")))
}
