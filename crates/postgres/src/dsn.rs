//! Where a database is and who asks: `postgres://user:password@host:port/database?sslmode=…`.

use std::path::PathBuf;

use counterfoil::{Error, ErrorKind, Result};

use crate::pgpass;

const DEFAULT_PORT: u16 = 5432;

/// Whether the connection is encrypted. PostgreSQL's weaker modes (`allow`, `prefer`, `require`, `verify-ca`) are all read
/// as [`Tls::Verified`]: encryption without knowing with whom protects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain; the default for sockets and loopback addresses.
    Off,
    /// TLS, with the server's name checked.
    Verified(Certificates),
}

/// Files of certificates, in PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificates {
    /// Who may vouch for the server; the system's authorities where this is absent.
    pub roots: Option<PathBuf>,
    /// The client's own certificate and its key.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Where a database is and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    /// A name, an address, or the folder of a Unix socket.
    pub host: String,
    /// The port, also part of a socket's name.
    pub port: u16,
    /// The role.
    pub user: String,
    /// Its password: from the DSN, else from `PGPASSWORD`, else from `PGPASSFILE` or `~/.pgpass`.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// Encryption.
    pub tls: Tls,
    /// What names the database where the DSN does not.
    named_by: Option<&'static str>,
}

impl Dsn {
    /// Reads a DSN. What it leaves out comes from `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE`,
    /// `PGSSLROOTCERT`, `PGSSLCERT`, `PGSSLKEY` and the file of passwords. `Invalid` for anything else, without repeating a password.
    pub fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest =
            rest.ok_or_else(|| invalid("it must begin with postgres:// (such as postgres://app@db.example/bank)"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        if address.contains(',') {
            return Err(invalid("it names several hosts; name the one that takes writes"));
        }
        let (host, port) = split_port(address)?;
        let mut found = Found {
            host: given(decoded(host)?),
            port: given(port.to_owned()),
            user: given(decoded(user)?),
            password: given(decoded(password)?),
            database: given(decoded(database)?),
            ..Found::default()
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            found.set(&name, value.into_owned())?;
        }
        found.finish()
    }

    /// Which database this is about, where, as whom, and which table of it.
    pub fn sentence(&self, table: &str) -> String {
        let Self { host, port, user, database, .. } = self;
        let named = self.named_by.map(|by| format!(" (the address names none: {by})")).unwrap_or_default();
        format!("database {database}{named} on {host}:{port}, as {user}: table {table}")
    }
}

/// Never shows the password.
impl std::fmt::Debug for Dsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Never shows the password.
impl std::fmt::Display for Dsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "postgres://{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

#[derive(Default)]
struct Found {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    ssl_mode: Option<String>,
    ssl_root: Option<String>,
    ssl_certificate: Option<String>,
    ssl_key: Option<String>,
}

impl Found {
    fn set(&mut self, name: &str, value: String) -> Result<()> {
        let place = match name {
            "host" => &mut self.host,
            "port" => &mut self.port,
            "user" => &mut self.user,
            "password" => &mut self.password,
            "dbname" => &mut self.database,
            "sslmode" => &mut self.ssl_mode,
            "sslrootcert" => &mut self.ssl_root,
            "sslcert" => &mut self.ssl_certificate,
            "sslkey" => &mut self.ssl_key,
            _ => {
                let known = "host, port, user, password, dbname, sslmode, sslrootcert, sslcert, sslkey";
                return Err(invalid(format!("{name:?} is no parameter of it; it takes {known}")));
            }
        };
        *place = Some(value);
        Ok(())
    }

    fn finish(self) -> Result<Dsn> {
        let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = self.host.or_else(|| env("PGHOST")).unwrap_or_else(|| "127.0.0.1".to_owned());
        let port = self.port.or_else(|| env("PGPORT"));
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| invalid("its port is no number")))?;
        let user = self.user.or_else(|| env("PGUSER"));
        let user = user.ok_or_else(|| invalid("it names no user (postgres://USER@…), and PGUSER is not set"))?;
        let file = |given: Option<String>, name| given.or_else(|| env(name)).map(PathBuf::from);
        let own = match (file(self.ssl_certificate, "PGSSLCERT"), file(self.ssl_key, "PGSSLKEY")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(invalid("sslcert and sslkey go together")),
        };
        let certificates = Certificates { roots: file(self.ssl_root, "PGSSLROOTCERT"), own };
        let near = host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        let tls = match self.ssl_mode.or_else(|| env("PGSSLMODE")).as_deref() {
            Some("disable") => Tls::Off,
            Some("allow" | "prefer" | "require" | "verify-ca" | "verify-full") => Tls::Verified(certificates),
            Some(other) => return Err(invalid(format!("sslmode is disable or verify-full, not {other:?}"))),
            None if near => Tls::Off,
            None => Tls::Verified(certificates),
        };
        let (database, named_by) = match (self.database, env("PGDATABASE")) {
            (Some(database), _) => (database, None),
            (None, Some(database)) => (database, Some("PGDATABASE")),
            (None, None) => (user.clone(), Some("the user's name")),
        };
        let password = match self.password.or_else(|| env("PGPASSWORD")) {
            Some(password) => Some(password),
            None => pgpass::password(&host, port, &database, &user)?,
        };
        Ok(Dsn { host, port, user, password, database, tls, named_by })
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn split_port(address: &str) -> Result<(&str, &str)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| invalid("its IPv6 address has no closing bracket"))?;
        return Ok((host, after.strip_prefix(':').unwrap_or("")));
    }
    Ok(address.rsplit_once(':').unwrap_or((address, "")))
}

/// Percent escapes resolved.
fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let byte = hex::decode(digits).map_err(|_| invalid("it has a % that no two hex digits follow"))?;
                bytes.extend_from_slice(&byte);
                rest = after;
            }
            (b'%', _) => return Err(invalid("it has a % that no two hex digits follow")),
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| invalid("its escapes are no UTF-8"))
}

fn invalid(problem: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("the address of the database: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_never_shows_its_password() {
        let dsn = Dsn::parse("postgres://au%40dit:s%3Acret@[::1]:5433/bank").unwrap();
        assert_eq!((dsn.user.as_str(), dsn.host.as_str(), dsn.port), ("au@dit", "::1", 5433));
        assert_eq!((dsn.password.as_deref(), dsn.database.as_str()), (Some("s:cret"), "bank"));
        assert!(!format!("{dsn} {dsn:?}").contains("cret"));
    }

    #[test]
    fn a_host_elsewhere_is_asked_with_verified_tls() {
        assert_eq!(Dsn::parse("postgres://a@db.example/x").unwrap().tls, Tls::Verified(Certificates::default()));
        assert_eq!(Dsn::parse("postgres://a@db.example/x?sslmode=disable").unwrap().tls, Tls::Off);
        assert_eq!(Dsn::parse("postgres://a@x/?host=/run/postgresql").unwrap().tls, Tls::Off);
        assert!(Dsn::parse("postgres://a@x/?sslmod=disable").is_err());
    }
}
