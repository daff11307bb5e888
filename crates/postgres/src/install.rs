//! Making the audit table.

use counterfoil::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::protection::problems;
use crate::wire::Connection;

/// The statements that [`install`] runs, for whoever reads them first or runs them otherwise.
pub const SQL: &str = include_str!("install.sql");

/// The version of the table that they make.
pub(crate) const VERSION: u32 = 2;
/// What the comment of the schema says before the version.
const COMMENT: &str = "Counterfoil audit table, version ";

const RIGHTS: &str = "Installing needs a superuser, or a role with CREATEROLE and CREATE on the database; \
                      or let a database administrator run what `--print` shows.";

/// What an installation found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The version that was there before.
    pub replaced: Option<u32>,
    /// The version that is there now.
    pub version: u32,
    /// The server's version, such as `15.18`.
    pub server: String,
    /// Whether the server allows logical replication (`wal_level = logical`); else rows are polled.
    pub replication: bool,
}

/// The version of the table in a database, as the comment of its schema says; none where there is no table.
pub(crate) fn version(connection: &mut Connection) -> Result<Option<u32>> {
    let comment = connection.value(
        "SELECT obj_description(relnamespace, 'pg_namespace') FROM pg_class WHERE oid = to_regclass('counterfoil.audit_log')",
    )?;
    Ok(comment.and_then(|comment| comment.strip_prefix(COMMENT)?.parse().ok()))
}

/// Makes the audit table, brings it up to date or puts back what is missing of it. Where all is in place it does nothing.
///
/// Errors: `Denied` with the rights that are missing, `Invalid` for a server before version 15 or a table of a later version.
pub fn install(connection: &mut Connection) -> Result<Installed> {
    let number = connection.value("SHOW server_version_num")?.and_then(|number| number.parse::<u32>().ok());
    let server = connection.value("SHOW server_version")?.unwrap_or_default();
    if number.is_none_or(|number| number < 150_000) {
        return Err(Error::new(ErrorKind::Invalid, format!("PostgreSQL {server} is too old: 15 or later is needed")));
    }
    let replication = connection.value("SHOW wal_level")?.as_deref() == Some("logical");
    let replaced = version(connection)?;
    let installed = Installed { replaced, version: VERSION, server, replication };
    match replaced {
        Some(later) if later > VERSION => {
            let message = format!("the audit table is of version {later}, this program makes version {VERSION}");
            return Err(Error::new(ErrorKind::Invalid, message + ": use a program of that version"));
        }
        Some(VERSION) if problems(connection)?.is_empty() => return Ok(installed),
        _ => {}
    }
    if let Err(error) = connection.execute(SQL) {
        connection.execute("ROLLBACK")?;
        return Err(match error.kind {
            ErrorKind::Denied => Error::new(ErrorKind::Denied, format!("{}. {RIGHTS}", error.message)),
            _ => error,
        });
    }
    Ok(installed)
}
