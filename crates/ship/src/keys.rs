//! The keys of a copy's objects.

use sha2::{Digest, Sha256};

/// The digits of a number in a key, so that keys sort as numbers do.
const DIGITS: usize = 20;
/// The hexadecimal digits of what stands behind a key that was taken.
const BESIDE_DIGITS: usize = 32;

pub const CONFIG: &str = "ledger.toml";
pub const SEGMENTS: &str = "segments/";
pub const JOURNAL: &str = "journal/";
pub const CHECKPOINTS: &str = "checkpoints/";
pub const ATTACHMENTS: &str = "attachments/";
pub const COSIGNATURES: &str = "cosignatures/";

/// The key of a journal object.
pub fn journal(from: u64) -> String {
    format!("{JOURNAL}{from:0DIGITS$}")
}

/// The key of a checkpoint.
pub fn checkpoint(size: u64) -> String {
    format!("{CHECKPOINTS}{size:0DIGITS$}")
}

/// What the keys of a segment's files begin with.
pub fn segment_of(first: u64) -> String {
    format!("{SEGMENTS}{first:0DIGITS$}")
}

/// What stands behind a key that is taken by something else: nobody can guess it before the secret is known.
pub fn mark(secret: &[u8]) -> String {
    let mut digest = hex::encode(Sha256::digest(secret));
    digest.truncate(BESIDE_DIGITS);
    digest
}

/// The key beside one that is taken.
pub fn beside(key: &str, secret: &[u8]) -> String {
    format!("{key}-{}", mark(secret))
}

/// The key and the mark of an object that stands beside its key.
pub fn split_mark(key: &str) -> Option<(&str, &str)> {
    let (exact, mark) = key.split_once('-')?;
    let hexadecimal = mark.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (mark.len() == BESIDE_DIGITS && hexadecimal).then_some((exact, mark))
}

/// The number in a key under `folder`, of an object that stands at its key or beside it.
pub fn numbered(key: &str, folder: &str) -> Option<u64> {
    number(split_mark(key).map_or(key, |(exact, _)| exact), folder)
}

/// What a listing begins behind that is to show the keys of a number, and all that come after.
pub fn before(folder: &str, number: u64) -> String {
    // `~` comes behind every key of the number before.
    number.checked_sub(1).map_or(String::new(), |before| format!("{folder}{before:0DIGITS$}~"))
}

/// The number in a key under `folder`, when the key is exactly that.
pub fn number(key: &str, folder: &str) -> Option<u64> {
    let digits = key.strip_prefix(folder)?;
    let exact = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    exact.then(|| digits.parse().ok())?
}

/// The key of one of a segment's files.
pub fn segment_file(first: u64, file: counterfoil::SegmentFile) -> String {
    format!("{SEGMENTS}{first:0DIGITS$}.{}", file.extension())
}

/// The first index and the ending in a segment file's key.
pub fn segment(key: &str) -> Option<(u64, &str)> {
    let (digits, extension) = key.strip_prefix(SEGMENTS)?.split_once('.')?;
    let exact = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let known = matches!(extension, "parquet" | "tiles" | "index");
    (exact && known).then(|| digits.parse().ok().map(|first| (first, extension)))?
}

/// The digest in an attachment's key.
pub fn attachment(key: &str) -> Option<&str> {
    let name = key.strip_prefix(ATTACHMENTS)?;
    let exact = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    exact.then_some(name)
}

/// Whether a shipper writes objects of this key.
pub fn is_of_a_copy(key: &str) -> bool {
    key == CONFIG
        || key.starts_with(COSIGNATURES)
        || segment(split_mark(key).map_or(key, |(exact, _)| exact)).is_some()
        || attachment(key).is_some()
        || [JOURNAL, CHECKPOINTS].iter().any(|folder| numbered(key, folder).is_some())
}
