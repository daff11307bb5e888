//! Table metadata: one JSON object for each commit.

use std::collections::BTreeMap;

use counterfoil::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{iceberg, name_mapping, width};

/// The most snapshots that a reader can go back to.
const MAX_SNAPSHOTS: usize = 100;
/// What no engine may do: remove files that a snapshot names.
const NO_REMOVAL: (&str, &str) = ("gc.enabled", "false");
const NAME_MAPPING: &str = "schema.name-mapping.default";
const ORIGIN: &str = "counterfoil.origin";
const COPY: &str = "counterfoil.copy";
const LAST_INDEX: &str = "counterfoil.last-index";
const ROOT: &str = "counterfoil.root";

/// What changes from commit to commit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metadata {
    pub table_uuid: String,
    pub last_updated_ms: i64,
    pub last_sequence_number: i64,
    pub current_snapshot_id: i64,
    pub snapshots: Vec<TableSnapshot>,
    pub metadata_log: Vec<Past>,
    schemas: Value,
    properties: BTreeMap<String, String>,
}

/// One state of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableSnapshot {
    pub snapshot_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_snapshot_id: Option<i64>,
    pub sequence_number: i64,
    pub timestamp_ms: i64,
    pub manifest_list: String,
    pub summary: BTreeMap<String, String>,
    pub schema_id: i64,
}

/// Metadata of an earlier commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Past {
    pub metadata_file: String,
    pub timestamp_ms: i64,
}

/// The ledger up to some entry, as a table's properties name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The ledger's name.
    pub origin: String,
    /// Where its copy stands.
    pub copy: String,
    /// How many of its entries.
    pub entries: u64,
    /// The root of its tree over them, in hex.
    pub root: String,
}

impl Metadata {
    /// The metadata of a table without a snapshot.
    pub fn new(table_uuid: String) -> Self {
        Self {
            table_uuid,
            last_updated_ms: 0,
            last_sequence_number: 0,
            current_snapshot_id: -1,
            snapshots: Vec::new(),
            metadata_log: Vec::new(),
            schemas: json!([iceberg()]),
            properties: BTreeMap::new(),
        }
    }

    /// Reads what [`Metadata::encode`] wrote. `Conflict` when another program changed the table since.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let foreign = |reason: String| {
            let message = format!("another program changed the table ({reason}): make a new one under another prefix");
            Error::new(ErrorKind::Conflict, message)
        };
        let metadata: Self = serde_json::from_slice(bytes).map_err(|error| foreign(error.to_string()))?;
        let ours = metadata.schemas == json!([iceberg()])
            && metadata.extent().is_some()
            && metadata.current().is_some_and(|snapshot| snapshot.summary.contains_key(LAST_INDEX));
        if ours { Ok(metadata) } else { Err(foreign("its columns or its newest snapshot".to_owned())) }
    }

    /// The newest snapshot.
    pub fn current(&self) -> Option<&TableSnapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.snapshot_id == self.current_snapshot_id)
    }

    /// What of a ledger the table holds; none before its first commit.
    pub fn extent(&self) -> Option<Extent> {
        let property = |name: &str| self.properties.get(name).cloned();
        let entries = property(LAST_INDEX)?.parse::<u64>().ok()?.checked_add(1)?;
        Some(Extent { origin: property(ORIGIN)?, copy: property(COPY)?, entries, root: property(ROOT)? })
    }

    /// Goes on to a snapshot, which holds this much of the ledger.
    pub fn advance(&mut self, mut snapshot: TableSnapshot, extent: &Extent) {
        let last_index = (extent.entries.saturating_sub(1)).to_string();
        snapshot.summary.insert(LAST_INDEX.to_owned(), last_index.clone());
        snapshot.summary.insert(ROOT.to_owned(), extent.root.clone());
        self.properties = [
            (NAME_MAPPING, name_mapping()),
            (NO_REMOVAL.0, NO_REMOVAL.1.to_owned()),
            (ORIGIN, extent.origin.clone()),
            (COPY, extent.copy.clone()),
            (LAST_INDEX, last_index),
            (ROOT, extent.root.clone()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        self.last_updated_ms = snapshot.timestamp_ms;
        self.last_sequence_number = snapshot.sequence_number;
        self.current_snapshot_id = snapshot.snapshot_id;
        self.snapshots.push(snapshot);
        keep_newest(&mut self.snapshots);
        keep_newest(&mut self.metadata_log);
    }

    /// The file's content for a table at this address.
    pub fn encode(&self, location: &str) -> Vec<u8> {
        let log = self
            .snapshots
            .iter()
            .map(|snapshot| json!({ "snapshot-id": snapshot.snapshot_id, "timestamp-ms": snapshot.timestamp_ms }));
        let document = json!({
            "format-version": 2,
            "table-uuid": self.table_uuid,
            "location": location,
            "last-sequence-number": self.last_sequence_number,
            "last-updated-ms": self.last_updated_ms,
            "last-column-id": width(),
            "current-schema-id": 0,
            "schemas": self.schemas,
            "default-spec-id": 0,
            "partition-specs": [{ "spec-id": 0, "fields": [] }],
            "last-partition-id": 999,
            "default-sort-order-id": 0,
            "sort-orders": [{ "order-id": 0, "fields": [] }],
            "properties": self.properties,
            "current-snapshot-id": self.current_snapshot_id,
            "refs": { "main": { "snapshot-id": self.current_snapshot_id, "type": "branch" } },
            "snapshots": self.snapshots,
            "snapshot-log": log.collect::<Vec<_>>(),
            "metadata-log": self.metadata_log,
        });
        document.to_string().into_bytes()
    }
}

fn keep_newest<T>(items: &mut Vec<T>) {
    items.drain(..items.len().saturating_sub(MAX_SNAPSHOTS));
}
