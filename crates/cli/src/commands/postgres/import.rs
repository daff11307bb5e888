//! `counterfoil import LEDGER postgres://…`

use std::io::Write;
use std::path::Path;

use clap::Args;
use counterfoil_postgres::{ColumnMap, Connection, Dsn};

use super::note_database;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;
use crate::signals;
use crate::text::Counted;
use crate::trail::WrittenTrail;

/// Which table is imported, and how its columns become members.
#[derive(Debug, Args)]
pub struct TableOptions {
    /// The table of a database to import, such as public.audit_trail.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// A member of the entry and the column (or 'constant') that it is taken from; columns named as a member need none.
    #[arg(long = "column", value_name = "MEMBER=COLUMN")]
    columns: Vec<String>,
}

/// Whether what is to be imported is a database and no file.
pub fn is_database(file: &Path) -> Option<&str> {
    file.to_str().filter(|text| text.starts_with("postgres://") || text.starts_with("postgresql://"))
}

/// Records the rows of a table.
pub fn import_table(ledger: &Path, dsn: &str, options: &TableOptions, json: bool) -> Outcome {
    let table = options.table.as_deref();
    let table = table.ok_or_else(|| Failure::invalid("name the table of the database: --table public.audit_trail"))?;
    let map = ColumnMap::parse(options.columns.iter().map(String::as_str))?;
    let dsn = Dsn::parse(dsn)?;
    let patience = signals::patience()?;
    note_database(&dsn, table);
    let mut connection = Connection::open(&dsn, &patience)?;
    let trail = WrittenTrail::of(ledger)?;
    let imported = counterfoil_postgres::import(&mut connection, table, &map, &trail);
    let closed = trail.close();
    let imported = imported?;
    closed?;
    if json {
        output::json(&imported)?;
        return Ok(Exit::Good);
    }
    let mut out = output::stdout();
    let repeated = match imported.repeated {
        0 => String::new(),
        count => format!(", of which {} recorded before", Counted(count, "row was", "rows were")),
    };
    writeln!(out, "imported {} of {table}{repeated}", Counted(imported.rows, "row", "rows"))?;
    out.flush()?;
    Ok(Exit::Good)
}
