//! `counterfoil lake`

use std::io::Write;

use clap::Args;
use counterfoil_ship::{Bucket, LakeTable, Location, Settings};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::text::{Counted, Grouped};

/// Make the segments of a copy an Apache Iceberg table
///
/// Athena, BigQuery, DuckDB, PyIceberg, Snowflake, Spark and Trino then query the very files that `ship` put into the
/// bucket; nothing is copied. Run again after `ship`, it adds the segments that are new. The table holds the entries of
/// sealed and shipped segments only; its property counterfoil.last-index names the last one.
///
/// The table's own small files change, so they stand under a prefix of their own, best in a bucket without Object Lock.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil lake s3://bank-audit/payments s3://bank-lake/payments

Exit codes: 0 the table holds all that was shipped, 2 the table would stand inside the copy, 3 another program changed \
the table, 4 other writers were faster, 7 no copy there, 11 table and copy are of different histories. Other exit \
codes: see `counterfoil --help`.")]
pub struct Lake {
    /// Where the copy stands: s3://BUCKET/PREFIX, or gs:// or az://.
    copy: Location,
    /// Where the table stands, or is made: s3://BUCKET/PREFIX, or gs:// or az://.
    table: Location,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Lake {
    pub(super) fn run(self) -> Outcome {
        let settings = Settings::from_environment();
        let lake = counterfoil_ship::Lake::open(&self.copy, &self.table, &settings)?;
        let snapshot = Bucket::open(&self.copy, &settings)?.reader()?.snapshot()?;
        self.tell(&lake.commit(&snapshot)?)?;
        Ok(Exit::Good)
    }

    fn tell(&self, table: &LakeTable) -> Result<(), Failure> {
        if self.json {
            let LakeTable { metadata, entries, added } = table;
            return output::json(&Told { metadata: metadata.as_deref(), entries: *entries, segments_added: *added });
        }
        let mut out = output::stdout();
        match &table.metadata {
            None => writeln!(out, "{} holds no segment yet: there is no table", self.copy)?,
            Some(metadata) => writeln!(
                out,
                "{metadata} holds {} entries; new: {}",
                Grouped(table.entries),
                Counted(table.added, "segment", "segments")
            )?,
        }
        Ok(out.flush()?)
    }
}

#[derive(Serialize)]
struct Told<'a> {
    metadata: Option<&'a str>,
    entries: u64,
    segments_added: u64,
}
