//! Running a statement: what of its rows is kept and told.

use std::collections::BTreeSet;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_query::Engine;
use counterfoil_watch::{Alert, GroupMember};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Search;
use crate::moment::now;

/// The rule of the alerts of all searches.
const RULE: &str = "saved-search";

/// Rows of an answer whose `index` an alert names.
const MAX_INDICES: usize = 100;

/// Bytes of the first row that an alert quotes.
const MAX_QUOTED: usize = 400;

/// What running one came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub at: String,
    pub rows: u64,
    /// SHA-256 of the rows as JSON lines.
    pub digest: String,
    pub milliseconds: u64,
    pub fault: Option<String>,
}

/// What an answer holds that an alert says.
#[derive(Default)]
pub(super) struct Found {
    pub run: Run,
    indices: Vec<u64>,
    first: Option<String>,
}

/// Runs a statement to its end and keeps of the rows what is told.
pub(super) fn find(engine: &Engine, snapshot: &Snapshot, sql: &str) -> Found {
    let since = Instant::now();
    let mut found = Found::default();
    let (mut lines_seen, mut indices) = (Vec::new(), BTreeSet::new());
    let outcome = engine.query(snapshot, sql).and_then(|answer| {
        for batch in answer {
            let batch = batch?;
            let lines = lines(&batch)?;
            lines_seen.extend(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(digest_of));
            found.run.rows += batch.num_rows() as u64;
            let line = lines.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy);
            found.first = found.first.take().or(line.map(|line| line.into_owned()).filter(|line| !line.is_empty()));
            let known = indices_in(&batch).filter(|index| *index < snapshot.size());
            indices.extend(known.take(MAX_INDICES - indices.len()));
        }
        Ok(())
    });
    found.indices = indices.into_iter().collect();
    found.run.at = now().to_string();
    found.run.milliseconds = since.elapsed().as_millis() as u64;
    // Rows that nothing orders come as they like.
    lines_seen.sort_unstable();
    found.run.digest = hex::encode(digest_of(lines_seen.as_flattened()));
    found.run.fault = outcome.err().map(|error| error.message);
    found
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    let written = writer.write(batch).and_then(|()| writer.finish());
    written.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(writer.into_inner())
}

/// The entries that the rows are, where a column `index` says so.
fn indices_in(batch: &RecordBatch) -> impl Iterator<Item = u64> {
    let column = batch.column_by_name("index").filter(|column| *column.data_type() == DataType::Int64);
    column
        .into_iter()
        .flat_map(|column| column.as_primitive::<Int64Type>().iter().flatten())
        .filter_map(|index| u64::try_from(index).ok())
}

/// The alert of what a search found. Those of one person's searches have their group in common: a storm is one message.
pub(super) fn alert(search: &Search, found: &Found) -> Alert {
    let run = &found.run;
    let why = match (&run.fault, &found.first) {
        (Some(fault), _) => format!("the saved search could not run: {fault}"),
        (None, Some(first)) => {
            let first = &first[..first.floor_char_boundary(MAX_QUOTED)];
            if run.rows == 1 { format!("one row: {first}") } else { format!("{} rows; the first is {first}", run.rows) }
        }
        (None, None) => "no rows".to_owned(),
    };
    let identity = hex::encode(Sha256::digest(format!("{} {} {}", search.name, run.at, run.digest)));
    Alert {
        id: format!("alert-{}", &identity[..32]),
        rule_id: RULE.to_owned(),
        title: search.name.clone(),
        level: search.wanted.level.name(),
        author: Some(search.by.clone()),
        description: None,
        references: Vec::new(),
        tags: Vec::new(),
        indices: found.indices.clone(),
        group: vec![GroupMember { field: "saved_by".to_owned(), value: search.by.clone() }],
        value: Some(run.rows as f64),
        drill: false,
        why: Some(why),
    }
}
