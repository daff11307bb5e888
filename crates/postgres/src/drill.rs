//! A drill on a server: the audit table in a database made for it, and attempts to change what is recorded.

use counterfoil::{Error, ErrorKind, Result};

use crate::check::{CheckOptions, Difference, check};
use crate::dsn::Dsn;
use crate::follow::{Options, Way, follow};
use crate::install::install;
use crate::patience::Patience;
use crate::source::Trail;
use crate::wire::{Connection, identifier};

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// In words.
    pub what: &'static str,
    /// What came of it.
    pub result: Held,
}

/// What came of something that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It went as it should; how.
    Yes(String),
    /// It did not.
    No(String),
    /// The role may not try it.
    Untried(String),
}

/// Statements that the table must refuse.
const ATTEMPTS: [(&str, &str); 3] = [
    ("an UPDATE of a recorded row", "UPDATE counterfoil.audit_log SET actor = 'mallory' WHERE id = 1"),
    ("a DELETE of a recorded row", "DELETE FROM counterfoil.audit_log WHERE id = 1"),
    ("a TRUNCATE of the table", "TRUNCATE counterfoil.audit_log"),
];

/// What an administrator does who wants to change a row.
const BACK_DOOR: &str = "ALTER TABLE counterfoil.audit_log DISABLE TRIGGER append_only; \
    UPDATE counterfoil.audit_log SET actor = 'mallory' WHERE id = 1; \
    ALTER TABLE counterfoil.audit_log ENABLE ALWAYS TRIGGER append_only";

const RECORD: &str =
    "SELECT counterfoil.audit('invoice_approved', 'DRILL-' || n, 'maria') FROM generate_series(1, 3) n";
const ROLES: &str =
    "SELECT rolname FROM pg_roles WHERE rolname IN ('counterfoil_owner', 'counterfoil_writer', 'counterfoil_reader')";

/// Makes a database of this name, installs the audit table there, and tries to change it; its rows go to `trail`. At the end
/// the database is removed again, and the roles that it brought, also when `patience` ended meanwhile.
///
/// Errors: those of reaching the server; a protection that does not hold is none.
pub fn drill(dsn: &Dsn, database: &str, trail: &dyn Trail, patience: &Patience) -> Result<Vec<Tried>> {
    let roles = names(&mut Connection::open(dsn, patience)?)?;
    // Making the database and clearing it away are short, and are not left half done.
    let mut server = Connection::open(dsn, &Patience::default())?;
    match server.execute(&format!("CREATE DATABASE {}", identifier(database))) {
        Ok(()) => {}
        Err(error) if error.kind == ErrorKind::Denied => {
            let why = format!("{}: a drill makes a database of its own (ALTER ROLE … CREATEDB)", error.message);
            return Ok(vec![Tried { what: "the protection of the audit table", result: Held::Untried(why) }]);
        }
        Err(error) => return Err(error),
    }
    let mut inside = dsn.clone();
    inside.database = database.to_owned();
    // Whatever came of it, nothing of it stays.
    let tried = within(&inside, trail, patience);
    let removed = remove(&mut server, database, &roles);
    tried.and_then(|tried| removed.map(|()| tried))
}

fn within(dsn: &Dsn, trail: &dyn Trail, patience: &Patience) -> Result<Vec<Tried>> {
    let mut connection = Connection::open(dsn, patience)?;
    let mut tried = Vec::new();
    match install(&mut connection) {
        Ok(made) => tell(&mut tried, "installing the audit table", Held::Yes(format!("PostgreSQL {}", made.server))),
        Err(error) if error.kind == ErrorKind::Denied => {
            tell(&mut tried, "the protection of the audit table", Held::Untried(error.message));
            return Ok(tried);
        }
        Err(error) => return Err(error),
    }
    record(&mut connection)?;
    for (what, sql) in ATTEMPTS {
        let result = match connection.execute(sql) {
            Err(error) if error.kind == ErrorKind::Denied => Held::Yes(error.message),
            Err(error) => Held::No(format!("it was not refused as it should be: {}", error.message)),
            Ok(()) => Held::No("the server did it".to_owned()),
        };
        tell(&mut tried, what, result);
    }
    let options = Options { way: Some(Way::Polling), once: true, ..Options::default() };
    let moved = follow(dsn, trail, &options, patience, &mut |_| {})?.rows;
    let found = differences(dsn, trail, patience)?;
    let went = format!("{moved} rows moved, {} findings", found.len());
    let clean = moved == 3 && found.is_empty();
    tell(&mut tried, "moving the rows to a ledger and comparing", if clean { Held::Yes(went) } else { Held::No(went) });
    let what = "naming a row that an administrator changed";
    let result = match connection.value("SHOW is_superuser")?.as_deref() {
        Some("on") => {
            connection.execute(BACK_DOOR)?;
            match differences(dsn, trail, patience)?.iter().find(|(difference, _)| *difference == Difference::Changed) {
                Some((_, message)) => Held::Yes(message.clone()),
                None => Held::No("check found no changed row".to_owned()),
            }
        }
        _ => Held::Untried("only a superuser can change a row at all".to_owned()),
    };
    tell(&mut tried, what, result);
    Ok(tried)
}

fn tell(tried: &mut Vec<Tried>, what: &'static str, result: Held) {
    tried.push(Tried { what, result });
}

/// Records through the function that applications call; whoever owns it may where the role alone may not.
fn record(connection: &mut Connection) -> Result<()> {
    match connection.execute(RECORD) {
        Err(error) if error.kind == ErrorKind::Denied => {
            connection.execute(&format!("SET ROLE counterfoil_owner; {RECORD}; RESET ROLE"))
        }
        done => done,
    }
}

fn differences(dsn: &Dsn, trail: &dyn Trail, patience: &Patience) -> Result<Vec<(Difference, String)>> {
    let mut found = Vec::new();
    check(dsn, trail, &CheckOptions::default(), patience, &mut |finding| {
        found.push((finding.difference, finding.message));
        Ok(())
    })?;
    Ok(found)
}

fn names(server: &mut Connection) -> Result<Vec<String>> {
    Ok(server.all(ROLES)?.into_iter().flatten().flatten().collect())
}

fn remove(server: &mut Connection, database: &str, roles: &[String]) -> Result<()> {
    let kept =
        |error: Error| Error::new(error.kind, format!("the drill's database {database} stays: {}", error.message));
    server.execute(&format!("DROP DATABASE {} WITH (FORCE)", identifier(database))).map_err(kept)?;
    for role in names(server)?.iter().filter(|role| !roles.contains(role)) {
        server.execute(&format!("DROP ROLE {}", identifier(role)))?;
    }
    Ok(())
}
