//! The shipped segments as an Apache Iceberg table, for engines that know nothing of ledgers. docs/formats/lake.md
//! describes the metadata; the data files are the segments of the copy, where they are.

mod avro;
mod manifest;
mod metadata;
mod pointer;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result, SealedSegment, Snapshot};
use counterfoil_tlog::TreeSize;
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::content::Content;
use crate::keys;
use crate::location::Location;
use crate::settings::Settings;
use crate::store::{Store, Stored, Written};
use manifest::{Commit, DataFile, MAX_FILES, Manifest};
use metadata::{Extent, Metadata, Past, TableSnapshot};

/// Reads bytes as each of a table's files, as far as they go: for fuzzing.
pub(crate) fn read_any(bytes: &[u8]) {
    let _ = (Metadata::parse(bytes), manifest::manifests(bytes), manifest::files(bytes));
}

/// What the keys of a table's files end with, but for a mark.
const PARQUET: &str = "parquet";
/// How often other writers may be faster before a commit gives up.
const TRIES: usize = 8;

/// A table of the segments that one copy of a ledger holds.
#[derive(Debug)]
pub struct Lake {
    copy: (Location, Store),
    table: (Location, Store),
}

/// What a table holds after a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeTable {
    /// The address of its metadata; none when no segment was shipped yet.
    pub metadata: Option<String>,
    /// Its entries: those with a lower index.
    pub entries: u64,
    /// Segments that are new in it.
    pub added: u64,
}

/// The table as it is before a commit.
struct Current {
    version: u64,
    metadata: Metadata,
    extent: Option<Extent>,
}

impl Current {
    fn entries(&self) -> u64 {
        self.extent.as_ref().map_or(0, |extent| extent.entries)
    }
}

impl Lake {
    /// The table at `table` of the copy at `copy`. The table's objects change: it must not stand inside the copy.
    pub fn open(copy: &Location, table: &Location, settings: &Settings) -> Result<Self> {
        if table.is_in(copy) || copy.is_in(table) {
            let message = format!("{table}: the table needs a prefix of its own, apart from the copy at {copy}");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let open = |location: &Location| Ok::<_, Error>((location.clone(), Store::open(location, settings)?));
        Ok(Self { copy: open(copy)?, table: open(table)? })
    }

    /// Adds the segments that the snapshot has, the copy holds and the table lacks.
    ///
    /// Errors: `Tampered` when the table or the copy is of another history, `Conflict` when another program changed the
    /// table, `Busy` when other writers are always faster. An interrupted commit leaves the table as it was.
    pub fn commit(&self, snapshot: &Snapshot) -> Result<LakeTable> {
        self.table.1.wait(self.run(snapshot))
    }

    async fn run(&self, snapshot: &Snapshot) -> Result<LakeTable> {
        for _ in 0..TRIES {
            let current = self.current(snapshot).await?;
            let commit = self.next_commit(&current);
            let (added, entries) = self.shipped_since(current.entries(), snapshot, commit).await?;
            if added.is_empty() {
                return self.settle(current.version, entries, 0).await;
            }
            let content = self.write(current, &added, entries, snapshot, commit).await?;
            let version = commit.sequence as u64;
            if pointer::publish(&self.table.1, version, content).await? {
                return self.settle(version, entries, added.len() as u64).await;
            }
        }
        Err(Error::new(ErrorKind::Busy, format!("{}: other writers are always faster", self.table.0)))
    }

    /// Makes readers find a version that is committed.
    async fn settle(&self, version: u64, entries: u64, added: u64) -> Result<LakeTable> {
        if version == 0 {
            return Ok(LakeTable { metadata: None, entries, added });
        }
        pointer::move_hint(&self.table.1, version).await?;
        Ok(LakeTable { metadata: Some(self.address(&pointer::key(version))), entries, added })
    }

    fn address(&self, key: &str) -> String {
        self.table.1.address(key)
    }

    /// The newest metadata, checked to be of this ledger's history.
    async fn current(&self, snapshot: &Snapshot) -> Result<Current> {
        let Some((version, content)) = pointer::newest(&self.table.1).await? else {
            let uuid = uuid(&self.table.0.to_string());
            return Ok(Current { version: 0, metadata: Metadata::new(uuid), extent: None });
        };
        let metadata = Metadata::parse(&content)?;
        let extent = metadata.extent();
        if let Some(extent) = &extent {
            self.check(extent, snapshot)?;
        }
        Ok(Current { version, metadata, extent })
    }

    fn check(&self, extent: &Extent, snapshot: &Snapshot) -> Result<()> {
        let table = &self.table.0;
        if extent.origin != snapshot.origin().to_string() || extent.copy != self.copy.0.to_string() {
            let message = format!("{table} is the table of {} at {}", extent.origin, extent.copy);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if extent.entries > snapshot.size() {
            let message = format!("{table} holds {} entries, the ledger {}", extent.entries, snapshot.size());
            return Err(Error::new(ErrorKind::Busy, message));
        }
        if root_of(snapshot, extent.entries)? != extent.root {
            let message = format!("{table}: its {} entries are not those of this ledger: it is a fork", extent.entries);
            return Err(Error::new(ErrorKind::Tampered, message));
        }
        Ok(())
    }

    fn next_commit(&self, current: &Current) -> Commit {
        let sequence = current.version as i64 + 1;
        let text = format!("{} {sequence} {}", current.metadata.table_uuid, current.entries());
        let digest = Sha256::digest(text);
        let snapshot = i64::from_le_bytes(digest[..8].try_into().expect("eight bytes")) & i64::MAX;
        Commit { snapshot, sequence }
    }

    /// The files of segments behind `entries` that are in the copy, and how many entries the table has with them.
    async fn shipped_since(&self, entries: u64, snapshot: &Snapshot, commit: Commit) -> Result<(Vec<DataFile>, u64)> {
        let there = self.there_since(entries).await?;
        let mut files = Vec::new();
        let mut end = entries;
        for segment in snapshot.segments() {
            if segment.first() < end {
                continue;
            }
            let Some(stored) = there.get(&segment.first()) else { break };
            check_shipped(&segment, stored.size)?;
            let path = self.copy.1.address(&stored.key);
            files.push(DataFile::of(&segment, path, stored.size, commit)?);
            end = segment.first() + segment.count();
        }
        Ok((files, end))
    }

    /// The Parquet files of segments behind `entries` that the copy holds. Where something stands beside the key of one, whose it
    /// is takes reading the whole copy's chain.
    async fn there_since(&self, entries: u64) -> Result<BTreeMap<u64, Stored>> {
        let mut there = BTreeMap::new();
        let from = format!("{}{entries:020}", keys::SEGMENTS);
        let mut beside = false;
        let mut add = |stored: Stored| match keys::split_mark(&stored.key) {
            Some((key, _)) => beside |= keys::segment(key).is_some(),
            None => {
                if let Some((first, PARQUET)) = keys::segment(&stored.key) {
                    there.insert(first, stored);
                }
            }
        };
        self.copy.1.list(keys::SEGMENTS, &from, &mut add).await?;
        if beside {
            let catalog = Catalog::read(&self.copy.1).await?;
            let sealed = catalog.current().sealed;
            let counts = catalog.segments.into_iter().filter(|((first, file), _)| *first < sealed && *file == PARQUET);
            there = counts.map(|((first, _), stored)| (first, stored)).collect();
        }
        Ok(there)
    }

    /// Writes the manifests and their list; the content of the metadata that makes them count.
    async fn write(
        &self,
        current: Current,
        added: &[DataFile],
        entries: u64,
        snapshot: &Snapshot,
        commit: Commit,
    ) -> Result<Bytes> {
        let Current { version, mut metadata, extent } = current;
        let before = metadata.current().cloned();
        let mut manifests = match &before {
            Some(before) => self.read(&before.manifest_list, manifest::manifests).await?,
            None => Vec::new(),
        };
        let listed = manifests.iter().map(Manifest::rows).fold(0, i64::saturating_add);
        if listed as u64 != extent.map_or(0, |extent| extent.entries) {
            return Err(damaged(format!("{}: its manifests name {listed} entries", self.table.0)));
        }
        let mut open = match manifests.pop_if(|newest| newest.files() < MAX_FILES) {
            Some(newest) => {
                let files = self.read(&newest.path, manifest::files).await?;
                let rows = files.iter().map(|file| file.rows).fold(0, i64::saturating_add);
                if rows != newest.rows() {
                    return Err(damaged(format!("{}: it names {rows} entries of {}", newest.path, newest.rows())));
                }
                files
            }
            None => Vec::new(),
        };
        open.extend_from_slice(added);
        for files in open.chunks(MAX_FILES) {
            let content = manifest::manifest(files, commit);
            let length = content.len();
            let path = self.put("manifest", content).await?;
            manifests.push(Manifest::of(files, path, length, commit));
        }
        let parent = before.as_ref().map(|before| before.snapshot_id);
        let list = manifest::list(&manifests, commit, parent);
        let manifest_list = self.put("list", list).await?;
        if version > 0 {
            let metadata_file = self.address(&pointer::key(version));
            metadata.metadata_log.push(Past { metadata_file, timestamp_ms: metadata.last_updated_ms });
        }
        let next = TableSnapshot {
            snapshot_id: commit.snapshot,
            parent_snapshot_id: parent,
            sequence_number: commit.sequence,
            timestamp_ms: jiff::Timestamp::now().as_millisecond().max(metadata.last_updated_ms.saturating_add(1)),
            manifest_list,
            summary: summary(before.as_ref(), added),
            schema_id: 0,
        };
        let extent = Extent {
            origin: snapshot.origin().to_string(),
            copy: self.copy.0.to_string(),
            entries,
            root: root_of(snapshot, entries)?,
        };
        metadata.advance(next, &extent);
        Ok(metadata.encode(self.address("").trim_end_matches('/')).into())
    }

    /// Writes a file that is named after its content; its address.
    async fn put(&self, kind: &str, content: Vec<u8>) -> Result<String> {
        let digest = hex::encode(&Sha256::digest(&content)[..16]);
        let key = format!("metadata/{kind}-{digest}.avro");
        self.table.1.put_new(&key, &(Arc::new(content) as Content), &Written::PLAIN).await?;
        Ok(self.address(&key))
    }

    /// Reads a file of the table by its address.
    async fn read<T>(&self, address: &str, decode: impl Fn(&[u8]) -> Result<Vec<T>>) -> Result<Vec<T>> {
        let key = address.strip_prefix(&self.address(""));
        let found = match key {
            Some(key) => self.table.1.current(key).await?,
            None => None,
        };
        let (content, _) = found.ok_or_else(|| damaged(format!("{address} is missing")))?;
        decode(&content).map_err(|error| match error.kind {
            ErrorKind::Damaged => damaged(format!("{address}: {}", error.message)),
            _ => error,
        })
    }
}

/// A part of the table that cannot be read.
fn damaged(reason: String) -> Error {
    Error::new(ErrorKind::Damaged, format!("{reason}: make a new table under another prefix"))
}

fn check_shipped(segment: &SealedSegment, stored: u64) -> Result<()> {
    let length = segment.parquet()?.len();
    if length == stored {
        return Ok(());
    }
    let message = format!("{}: the copy has {stored} bytes of it, the ledger {length}", segment.name());
    Err(Error::new(ErrorKind::Tampered, message))
}

/// The root over the first entries, in hex.
fn root_of(snapshot: &Snapshot, entries: u64) -> Result<String> {
    Ok(hex::encode(counterfoil_tlog::root(snapshot, TreeSize(entries))?.0))
}

/// What engines tell of a snapshot: what it added, and what there is with it.
fn summary(before: Option<&TableSnapshot>, added: &[DataFile]) -> BTreeMap<String, String> {
    let sums = [
        ("data-files", added.len() as i64),
        ("records", added.iter().map(|file| file.rows).sum()),
        ("files-size", added.iter().map(|file| file.bytes).sum()),
    ];
    let mut summary = BTreeMap::from([("operation".to_owned(), "append".to_owned())]);
    for (what, new) in sums {
        let total = format!("total-{what}");
        let old = before.and_then(|before| before.summary.get(&total)?.parse::<i64>().ok()).unwrap_or(0);
        summary.insert(format!("added-{what}"), new.to_string());
        summary.insert(total, old.saturating_add(new).to_string());
    }
    summary
}

/// A UUID that follows from a text (RFC 9562, version 8).
fn uuid(text: &str) -> String {
    let mut bytes: [u8; 16] = Sha256::digest(text)[..16].try_into().expect("16 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
