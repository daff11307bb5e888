//! The evidence bundle: entries with their proofs, a checkpoint and keys in one file (docs/formats/bundle.md).

use counterfoil_entry::canonical::write_string;
use counterfoil_tlog::{Hash, Origin, VerifierKey};
use serde::Deserialize;

/// What stands first in every bundle of this version.
pub const BUNDLE_FORMAT: &str = "counterfoil-bundle/v1";
/// The most bytes that a bundle may have.
pub const MAX_BUNDLE_BYTES: usize = 1 << 30;
/// The most entries that a bundle may hold, and the most key entries beside them.
pub const MAX_BUNDLE_ENTRIES: usize = 1_000_000;
/// The most hashes of one proof: a tree has at most 2^63 leaves.
pub const MAX_PROOF_HASHES: usize = 63;

/// An entry and what proves it to be in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEntry {
    /// Its index.
    pub index: u64,
    /// Its canonical bytes, which are UTF-8.
    pub canonical: String,
    /// The inclusion proof to the root of the bundle's checkpoint (RFC 6962 section 2.1.1).
    pub proof: Vec<Hash>,
}

/// Entries that can be checked without the ledger they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The ledger.
    pub origin: Origin,
    /// The key that signed the checkpoint, as the bundle's maker names it. Whoever verifies brings the key to trust.
    pub vkey: VerifierKey,
    /// The signed checkpoint, verbatim.
    pub checkpoint: String,
    /// How the entries were chosen, in the maker's words. Nothing vouches for it.
    pub scope: String,
    /// The entries, by ascending index.
    pub entries: Vec<ProvenEntry>,
    /// The entries that registered or revoked the keys of the signatures on `entries`, by ascending index.
    pub keys: Vec<ProvenEntry>,
}

/// Why bytes are no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The file is larger than any bundle.
    #[error("it has {0} bytes; a bundle has at most {MAX_BUNDLE_BYTES}")]
    TooLarge(usize),
    /// Not the JSON that a bundle is.
    #[error("not a bundle's JSON: {0}")]
    Json(String),
    /// Another format, or a later version.
    #[error("its format is `{0}`, not `{BUNDLE_FORMAT}`")]
    Format(String),
    /// A member that does not hold what it must.
    #[error("{member}: {reason}")]
    Member {
        /// The member's path.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Valid, and not written the one way that bundles are written.
    #[error("it differs at byte {0} from the one form that a bundle has")]
    NotCanonical(usize),
}

impl Bundle {
    /// The bundle's bytes. The same bundle always has the same bytes.
    pub fn format(&self) -> String {
        let mut out = Vec::new();
        out.extend_from_slice(b"{\n\"format\":");
        write_string(BUNDLE_FORMAT, &mut out);
        let vkey = self.vkey.to_string();
        let members = [
            ("origin", self.origin.as_str()),
            ("vkey", &vkey),
            ("checkpoint", &self.checkpoint),
            ("scope", &self.scope),
        ];
        for (name, value) in members {
            out.extend_from_slice(format!(",\n\"{name}\":").as_bytes());
            write_string(value, &mut out);
        }
        write_entries("entries", &self.entries, &mut out);
        write_entries("keys", &self.keys, &mut out);
        out.extend_from_slice(b"\n}\n");
        String::from_utf8(out).expect("strings and their literals are UTF-8")
    }

    /// Reads exactly what [`Bundle::format`] writes. Nothing is verified yet.
    ///
    /// Errors: [`BundleError`] for anything else, also for the same JSON in another layout.
    pub fn parse(bytes: &[u8]) -> Result<Bundle, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLarge(bytes.len()));
        }
        let tag: FormatTag = serde_json::from_slice(bytes).map_err(json)?;
        if tag.format != BUNDLE_FORMAT {
            return Err(BundleError::Format(tag.format.chars().take(80).collect()));
        }
        let file: BundleFile = serde_json::from_slice(bytes).map_err(json)?;
        let bundle = Bundle {
            origin: Origin::new(&file.origin).map_err(member("origin"))?,
            vkey: file.vkey.parse().map_err(member("vkey"))?,
            checkpoint: file.checkpoint,
            scope: file.scope,
            entries: entries("entries", file.entries)?,
            keys: entries("keys", file.keys)?,
        };
        let formatted = bundle.format();
        if formatted.as_bytes() == bytes {
            return Ok(bundle);
        }
        let same = formatted.bytes().zip(bytes).take_while(|(own, given)| own == *given);
        Err(BundleError::NotCanonical(same.count()))
    }
}

fn write_entries(name: &str, entries: &[ProvenEntry], out: &mut Vec<u8>) {
    out.extend_from_slice(format!(",\n\"{name}\":[").as_bytes());
    for (position, entry) in entries.iter().enumerate() {
        let separator = if position == 0 { "" } else { "," };
        out.extend_from_slice(format!("{separator}\n{{\"index\":{},\"canonical\":", entry.index).as_bytes());
        write_string(&entry.canonical, out);
        let proof: Vec<String> = entry.proof.iter().map(|hash| format!("\"{}\"", hash.to_base64())).collect();
        out.extend_from_slice(format!(",\"proof\":[{}]}}", proof.join(",")).as_bytes());
    }
    out.extend_from_slice(if entries.is_empty() { b"]" } else { b"\n]" });
}

#[derive(Deserialize)]
struct FormatTag {
    format: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleFile {
    #[serde(rename = "format")]
    _format: String,
    origin: String,
    vkey: String,
    checkpoint: String,
    scope: String,
    entries: Vec<EntryFile>,
    keys: Vec<EntryFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    index: u64,
    canonical: String,
    proof: Vec<String>,
}

fn entries(list: &str, files: Vec<EntryFile>) -> Result<Vec<ProvenEntry>, BundleError> {
    if files.len() > MAX_BUNDLE_ENTRIES {
        let reason = format!("{} entries; a bundle holds at most {MAX_BUNDLE_ENTRIES}", files.len());
        return Err(member(list)(reason));
    }
    let entry = |(position, file): (usize, EntryFile)| {
        let name = format!("{list}[{position}].proof");
        if file.proof.len() > MAX_PROOF_HASHES {
            return Err(member(&name)(format!("more than {MAX_PROOF_HASHES} hashes")));
        }
        let hashes = file.proof.iter().map(|text| Hash::from_base64(text));
        Ok(ProvenEntry {
            index: file.index,
            canonical: file.canonical,
            proof: hashes.collect::<Result<_, _>>().map_err(member(&name))?,
        })
    };
    files.into_iter().enumerate().map(entry).collect()
}

fn json(error: serde_json::Error) -> BundleError {
    BundleError::Json(error.to_string())
}

fn member<E: ToString>(name: &str) -> impl Fn(E) -> BundleError {
    move |error| BundleError::Member { member: name.to_owned(), reason: error.to_string() }
}
