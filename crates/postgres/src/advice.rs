//! What to do about what a server answers, by its SQLSTATE and by what was being done.

use std::io;

use counterfoil::{Error, ErrorKind};

use crate::dsn::Dsn;

const READER: &str = "the role needs membership in counterfoil_reader: GRANT counterfoil_reader TO";

/// A connection that did not come about.
pub(crate) fn on_connect(dsn: &Dsn, error: &io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound if dsn.host.starts_with('/') => {
            "; is PostgreSQL running, and is this its unix_socket_directories and port?"
        }
        io::ErrorKind::ConnectionRefused => {
            "; is PostgreSQL running there, and does it listen on this address (listen_addresses, port)?"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "; nothing answers there: look at the address, the network and the server"
        }
        _ => "",
    };
    Error::new(ErrorKind::Unavailable, format!("{dsn}: {error}{advice}"))
}

/// A login that was refused.
pub(crate) fn on_login(dsn: &Dsn, error: Error) -> Error {
    let user = &dsn.user;
    let says = |words: &str| error.message.contains(words);
    let advice = match state(&error) {
        "3D000" => "; name the one that has the audit table: postgres://USER@HOST/DATABASE".to_owned(),
        "28P01" => {
            "; the password is taken from the address, PGPASSWORD or ~/.pgpass, the first that has one".to_owned()
        }
        "28000" if says("does not exist") => {
            format!("; name another user in the address, or make this one: CREATE ROLE {user} LOGIN")
        }
        "28000" if says("not permitted to log in") => format!("; ALTER ROLE {user} LOGIN"),
        "28000" if says("pg_hba.conf") => {
            "; pg_hba.conf of the server needs a line for this user, database and address, such as \
             `hostssl DATABASE USER ADDRESS scram-sha-256` (a slot needs no line `replication`); without TLS it may be \
             sslmode here that it refuses"
                .to_owned()
        }
        "53300" if says("max_wal_senders") => "; raise max_wal_senders on the server, or follow by polling".to_owned(),
        "53300" => "; raise max_connections on the server, or end sessions".to_owned(),
        "42501" if says("walsender") || says("WAL sender") => {
            format!("; ALTER ROLE {user} REPLICATION, or follow by polling (--by polling)")
        }
        "42501" => format!("; GRANT CONNECT ON DATABASE \"{}\" TO {user}", dsn.database),
        _ => String::new(),
    };
    Error { message: format!("{dsn}: {}{advice}", error.message), ..error }
}

/// A statement about the audit table that failed.
pub(crate) fn on_table(dsn: &Dsn, error: Error) -> Error {
    let advice = match state(&error) {
        "42501" if !error.message.contains("counterfoil_reader") => format!("; {READER} {}", dsn.user),
        "42P01" | "3F000" => "; put it back with `counterfoil postgres install`".to_owned(),
        _ => return error,
    };
    Error { message: error.message + &advice, ..error }
}

/// A slot or a stream that was refused.
pub(crate) fn on_slot(slot: &str, error: Error) -> Error {
    let says = |words: &str| error.message.contains(words);
    let (kind, advice) = match state(&error) {
        "42501" => {
            (ErrorKind::Denied, "; the role needs LOGIN REPLICATION (or follow by polling: --by polling)".to_owned())
        }
        "42710" => {
            let advice =
                "; another follower begins with it, or it is of another database: give this one its own (--slot)";
            (ErrorKind::Conflict, advice.to_owned())
        }
        "55006" => {
            (ErrorKind::Busy, "; another follower reads this slot: each ledger needs its own (--slot)".to_owned())
        }
        "53400" => {
            let advice = "; raise max_replication_slots (two are needed for a moment when following begins), or drop a slot \
                          that nobody reads any more: SELECT slot_name, active FROM pg_replication_slots";
            (error.kind, advice.to_owned())
        }
        "42704" if says("publication") => (ErrorKind::NotFound, unpublished(slot)),
        _ if says("wal_level") => {
            let advice = "; ALTER SYSTEM SET wal_level = logical and restart the server (wal_level = logical), or follow by \
                          polling (--by polling)";
            (ErrorKind::Invalid, advice.to_owned())
        }
        _ if says("no longer access") || says("has been invalidated") || says("can no longer") => {
            (ErrorKind::Invalid, lost(slot))
        }
        _ => return error,
    };
    Error { kind, message: error.message + &advice, ..error }
}

/// What to do about a publication that is not there, or lacks the table.
pub(crate) fn unpublished(slot: &str) -> String {
    format!(
        "; put it back with `counterfoil postgres install`, then, because part of the log was written without it: SELECT \
         pg_drop_replication_slot('{slot}') and follow again; rows are not lost"
    )
}

/// What to do about a slot whose log is gone.
pub(crate) fn lost(slot: &str) -> String {
    format!("; SELECT pg_drop_replication_slot('{slot}') and follow again: rows are not lost, the table has them")
}

/// The SQLSTATE of a server's error; empty for others.
fn state(error: &Error) -> &str {
    let code = error.message.rsplit_once('[').and_then(|(_, code)| code.strip_suffix(']'));
    code.filter(|code| code.len() == 5).unwrap_or("")
}
