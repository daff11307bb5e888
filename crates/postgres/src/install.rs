//! Making the audit table.

use counterfoil::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::wire::Connection;

/// The statements that [`install`] runs, for whoever reads them first or runs them otherwise.
pub const SQL: &str = include_str!("install.sql");

const RIGHTS: &str = "Installing needs a superuser, or a role with CREATEROLE and CREATE on the database; \
                      or let a database administrator run what `--print` shows.";

/// What an installation found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// Whether the table was there before.
    pub existed: bool,
    /// The server's version, such as `15.18`.
    pub server: String,
    /// Whether the server allows logical replication (`wal_level = logical`); else rows are polled.
    pub replication: bool,
}

/// Makes the audit table, or brings it up to date; running it again changes nothing.
///
/// Errors: `Denied` with the rights that are missing, `Invalid` for a server before version 15.
pub fn install(connection: &mut Connection) -> Result<Installed> {
    let number = connection.value("SHOW server_version_num")?.and_then(|number| number.parse::<u32>().ok());
    let server = connection.value("SHOW server_version")?.unwrap_or_default();
    if number.is_none_or(|number| number < 150_000) {
        return Err(Error::new(ErrorKind::Invalid, format!("PostgreSQL {server} is too old: 15 or later is needed")));
    }
    let existed = connection.value("SELECT to_regclass('counterfoil.audit_log')::text")?.is_some();
    if let Err(error) = connection.execute(SQL) {
        connection.execute("ROLLBACK")?;
        return Err(match error.kind {
            ErrorKind::Denied => Error::new(ErrorKind::Denied, format!("{}. {RIGHTS}", error.message)),
            _ => error,
        });
    }
    let replication = connection.value("SHOW wal_level")?.as_deref() == Some("logical");
    Ok(Installed { existed, server, replication })
}
