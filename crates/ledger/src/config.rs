//! `ledger.toml`: what a ledger is, written once.

use counterfoil_tlog::{Origin, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

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
        })
    }
}

/// Refuses a segment span that is not 256·2^k between 256 and 1,048,576.
pub fn check_span(span: u64) -> Result<()> {
    if span.is_power_of_two() && (256..=1 << 20).contains(&span) {
        return Ok(());
    }
    Err(Error::invalid(format!("segment span {span} is not 256 times a power of two between 256 and 1048576")))
}
