use counterfoil_tlog::Hash;
use parquet::file::metadata::KeyValue;

use crate::SegmentError;

/// The version of the segment format that this crate writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// What a segment says about itself: key-value metadata in the Parquet footer, so that one file proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMeta {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The origin of the ledger: the first line of its checkpoints.
    pub origin: String,
    /// The index of the first row's entry.
    pub first: u64,
    /// How many rows there are.
    pub count: u64,
    /// The RFC 6962 root over the segment's own leaves.
    pub root: Hash,
    /// The compact range of the tree `[0, first)`: the hashes of its complete subtrees, left to right.
    pub before: Vec<Hash>,
    /// The compact range of the tree `[0, first + count)`.
    pub after: Vec<Hash>,
    /// The signed checkpoint (C2SP note) that was current at sealing, or nothing.
    pub checkpoint: String,
}

/// The keys in the order in which they are written.
const KEYS: [&str; 8] = [
    "counterfoil.format_version",
    "counterfoil.origin",
    "counterfoil.first",
    "counterfoil.count",
    "counterfoil.root",
    "counterfoil.before",
    "counterfoil.after",
    "counterfoil.checkpoint",
];

impl SegmentMeta {
    /// The entries of the footer.
    pub(crate) fn to_key_values(&self) -> Vec<KeyValue> {
        let values = [
            self.format_version.to_string(),
            self.origin.clone(),
            self.first.to_string(),
            self.count.to_string(),
            self.root.to_string(),
            join(&self.before),
            join(&self.after),
            self.checkpoint.clone(),
        ];
        KEYS.iter().zip(values).map(|(key, value)| KeyValue::new(key.to_string(), value)).collect()
    }

    /// Reads the footer's entries; [`SegmentError::Format`] when one is missing, repeated, unknown or malformed.
    pub(crate) fn from_key_values(found: &[KeyValue]) -> Result<Self, SegmentError> {
        if let Some(unknown) = found.iter().find(|entry| !KEYS.contains(&entry.key.as_str())) {
            return Err(SegmentError::Format(format!("unknown metadata {:?}", unknown.key)));
        }
        let [format_version, origin, first, count, root, before, after, checkpoint] = KEYS;
        let text = |key: &str| value(found, key);
        let meta = Self {
            format_version: number(format_version, text(format_version)?)?
                .try_into()
                .map_err(|_| malformed(format_version))?,
            origin: text(origin)?.to_owned(),
            first: number(first, text(first)?)?,
            count: number(count, text(count)?)?,
            root: text(root)?.parse().map_err(|_| malformed(root))?,
            before: split(text(before)?).ok_or_else(|| malformed(before))?,
            after: split(text(after)?).ok_or_else(|| malformed(after))?,
            checkpoint: text(checkpoint)?.to_owned(),
        };
        meta.check()?;
        Ok(meta)
    }

    /// Refuses what no segment can say: another version, indexes beyond 2^63-1, ranges of another size.
    pub(crate) fn check(&self) -> Result<(), SegmentError> {
        if self.format_version != FORMAT_VERSION {
            return Err(SegmentError::Format(format!("version {} is not known here", self.format_version)));
        }
        let end = self.first.checked_add(self.count).filter(|end| *end <= i64::MAX as u64);
        let end = end.ok_or_else(|| SegmentError::Format("the indexes do not fit 63 bits".into()))?;
        if self.before.len() != self.first.count_ones() as usize || self.after.len() != end.count_ones() as usize {
            return Err(SegmentError::Format("a compact range has another number of hashes than its tree".into()));
        }
        Ok(())
    }
}

fn malformed(key: &str) -> SegmentError {
    SegmentError::Format(format!("metadata {key:?} is malformed"))
}

/// The one value of `key`.
fn value<'a>(found: &'a [KeyValue], key: &str) -> Result<&'a str, SegmentError> {
    let mut values = found.iter().filter(|entry| entry.key == key);
    match (values.next(), values.next()) {
        (Some(entry), None) => entry.value.as_deref().ok_or_else(|| malformed(key)),
        (None, _) => Err(SegmentError::Format(format!("metadata {key:?} is missing"))),
        (Some(_), Some(_)) => Err(SegmentError::Format(format!("metadata {key:?} appears twice"))),
    }
}

/// A decimal without sign or leading zeros.
fn number(key: &str, text: &str) -> Result<u64, SegmentError> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text).ok_or_else(|| malformed(key))
}

fn join(hashes: &[Hash]) -> String {
    hashes.iter().map(Hash::to_string).collect::<Vec<_>>().join(" ")
}

fn split(text: &str) -> Option<Vec<Hash>> {
    if text.is_empty() { Some(Vec::new()) } else { text.split(' ').map(|hash| hash.parse().ok()).collect() }
}
