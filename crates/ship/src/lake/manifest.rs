//! Manifests: which files the table has, and the list of them for one snapshot.

use counterfoil::{Error, ErrorKind, Result, SealedSegment};

use super::avro::{Decoder, Encoder, file, records};
use super::schema::{BOUNDED, column, iceberg};

/// The most files that one manifest names: a commit writes the newest manifest anew until it has so many.
pub const MAX_FILES: usize = 128;

const ENTRY_SCHEMA: &str = include_str!("manifest.avsc");
const LIST_SCHEMA: &str = include_str!("manifest_list.avsc");
/// The status of a file that an earlier snapshot added, and of a new one.
const EXISTING: i64 = 0;
const ADDED: i64 = 1;

/// One commit to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// The id of the snapshot that it makes.
    pub snapshot: i64,
    /// Its number, from 1.
    pub sequence: i64,
}

/// A segment's file in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its address.
    pub path: String,
    /// Its length.
    pub bytes: i64,
    /// Its rows.
    pub rows: i64,
    /// The least value of each of [`BOUNDED`], and the greatest: eight bytes each.
    lower: Vec<Vec<u8>>,
    upper: Vec<Vec<u8>>,
    /// The commit that added it.
    added: Commit,
}

impl DataFile {
    /// The file of a segment at this address, added by a commit.
    pub fn of(segment: &SealedSegment, path: String, bytes: u64, added: Commit) -> Result<Self> {
        let unbounded = |name: &str| Error::new(ErrorKind::Damaged, format!("{path}: no bounds of {name}"));
        let footer = segment.segment()?.parquet_metadata();
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for name in BOUNDED {
            let chunks = footer.row_groups().iter().map(|group| {
                let statistics = group.column(column(name)).statistics()?;
                Some((long(statistics.min_bytes_opt()?)?, long(statistics.max_bytes_opt()?)?))
            });
            let chunks = chunks.collect::<Option<Vec<_>>>().ok_or_else(|| unbounded(name))?;
            let least = chunks.iter().map(|(least, _)| least).min().ok_or_else(|| unbounded(name))?;
            let greatest = chunks.iter().map(|(_, greatest)| greatest).max().ok_or_else(|| unbounded(name))?;
            lower.push(least.to_le_bytes().to_vec());
            upper.push(greatest.to_le_bytes().to_vec());
        }
        Ok(Self { path, bytes: bytes as i64, rows: segment.count() as i64, lower, upper, added })
    }

    fn encode(&self, to: &mut Encoder, commit: Commit) {
        let Commit { snapshot, sequence } = self.added;
        to.long(if self.added == commit { ADDED } else { EXISTING });
        for number in [snapshot, sequence, sequence] {
            to.some();
            to.long(number);
        }
        to.long(0);
        to.bytes(self.path.as_bytes());
        to.bytes(b"PARQUET");
        to.long(self.rows);
        to.long(self.bytes);
        for count in [self.rows, 0] {
            to.some();
            to.list(&BOUNDED, |to, name| {
                to.long(field_id(name));
                to.long(count);
            });
        }
        for bounds in [&self.lower, &self.upper] {
            let bounds: Vec<_> = BOUNDED.iter().zip(bounds).collect();
            to.some();
            to.list(&bounds, |to, (name, bound)| {
                to.long(field_id(name));
                to.bytes(bound);
            });
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let _status = from.long()?;
        let mut number = || {
            from.some()?;
            from.long()
        };
        let (snapshot, sequence, _) = (number()?, number()?, number()?);
        let _content = from.long()?;
        let path = from.text()?;
        let _format = from.bytes()?;
        let (rows, bytes) = (from.long()?, from.long()?);
        for _ in ["value counts", "null counts"] {
            from.some()?;
            from.list(|from| Ok((from.long()?, from.long()?)))?;
        }
        let mut bounds = || {
            from.some()?;
            from.list(|from| {
                from.long()?;
                Ok(from.bytes()?.to_vec())
            })
        };
        let (lower, upper) = (bounds()?, bounds()?);
        Ok(Self { path, bytes, rows, lower, upper, added: Commit { snapshot, sequence } })
    }
}

fn field_id(name: &str) -> i64 {
    column(name) as i64 + 1
}

fn long(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_le_bytes(bytes.try_into().ok()?))
}

/// The manifest that names these files, written by a commit.
pub fn manifest(files: &[DataFile], commit: Commit) -> Vec<u8> {
    let metadata = [
        ("schema", iceberg().to_string()),
        ("schema-id", "0".to_owned()),
        ("partition-spec", "[]".to_owned()),
        ("partition-spec-id", "0".to_owned()),
        ("format-version", "2".to_owned()),
        ("content", "data".to_owned()),
    ];
    file(ENTRY_SCHEMA, &metadata, files, |to, file| file.encode(to, commit))
}

/// The files that a manifest names.
pub fn files(manifest: &[u8]) -> Result<Vec<DataFile>> {
    records(ENTRY_SCHEMA, manifest, DataFile::decode)
}

/// A manifest, as the list of a snapshot names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its address.
    pub path: String,
    length: i64,
    sequence: i64,
    least_sequence: i64,
    written_by: i64,
    /// Files and their rows: new ones, and those of earlier snapshots.
    added: (i64, i64),
    existing: (i64, i64),
}

impl Manifest {
    /// The manifest at this address that a commit wrote of these files.
    pub fn of(files: &[DataFile], path: String, length: usize, commit: Commit) -> Self {
        let sum = |new: bool| {
            let files = files.iter().filter(|file| (file.added == commit) == new);
            files.fold((0, 0), |(count, rows): (i64, i64), file| (count + 1, rows.saturating_add(file.rows)))
        };
        let least_sequence = files.iter().map(|file| file.added.sequence).min().unwrap_or(commit.sequence);
        let (added, existing) = (sum(true), sum(false));
        let Commit { snapshot, sequence } = commit;
        Self { path, length: length as i64, sequence, least_sequence, written_by: snapshot, added, existing }
    }

    /// How many files it names.
    pub fn files(&self) -> usize {
        self.added.0.saturating_add(self.existing.0) as usize
    }

    /// How many rows they have.
    pub fn rows(&self) -> i64 {
        self.added.1.saturating_add(self.existing.1)
    }

    fn encode(&self, to: &mut Encoder) {
        to.bytes(self.path.as_bytes());
        for number in [self.length, 0, 0, self.sequence, self.least_sequence, self.written_by] {
            to.long(number);
        }
        for number in [self.added.0, self.existing.0, 0, self.added.1, self.existing.1, 0] {
            to.long(number);
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let path = from.text()?;
        let mut number = || from.long();
        let (length, _spec, _content) = (number()?, number()?, number()?);
        let (sequence, least_sequence, written_by) = (number()?, number()?, number()?);
        let (added, existing, _deleted) = (number()?, number()?, number()?);
        let (added_rows, existing_rows, _deleted_rows) = (number()?, number()?, number()?);
        let (added, existing) = ((added, added_rows), (existing, existing_rows));
        Ok(Self { path, length, sequence, least_sequence, written_by, added, existing })
    }
}

/// The list of a snapshot's manifests.
pub fn list(manifests: &[Manifest], commit: Commit, parent: Option<i64>) -> Vec<u8> {
    let metadata = [
        ("snapshot-id", commit.snapshot.to_string()),
        ("parent-snapshot-id", parent.map_or("null".to_owned(), |parent| parent.to_string())),
        ("sequence-number", commit.sequence.to_string()),
        ("format-version", "2".to_owned()),
    ];
    file(LIST_SCHEMA, &metadata, manifests, |to, manifest| manifest.encode(to))
}

/// The manifests that a list names.
pub fn manifests(list: &[u8]) -> Result<Vec<Manifest>> {
    records(LIST_SCHEMA, list, Manifest::decode)
}
