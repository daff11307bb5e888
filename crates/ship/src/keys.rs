//! The keys of a copy's objects.

/// The digits of a number in a key, so that keys sort as numbers do.
const DIGITS: usize = 20;

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
