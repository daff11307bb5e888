//! Statements about the connection itself: transactions, settings, cursors.

use std::sync::Arc;

use datafusion::sql::parser::{ResetStatement, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{
    CloseCursor, Declare, Expr, FetchDirection, Ident, ObjectName, Reset, Set, Statement as Sql,
    TransactionIsolationLevel, TransactionMode, Value as Literal,
};

use crate::pg::refusal::Refusal;
use crate::pg::statement::{Read, read};

/// A statement about the connection.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// A transaction begins; whether it keeps to one state of the ledger.
    Begin { steady: bool },
    /// It ends.
    Commit,
    /// It is given up.
    Rollback,
    /// A part of it begins or ends, as PostgreSQL calls that.
    Savepoint(&'static str),
    /// A part of it is given up.
    RollbackTo,
    /// The transaction's properties change.
    SetTransaction { steady: bool, session: bool },
    /// A setting changes.
    Set { name: String, value: String },
    /// A setting, or all, as at first.
    Reset(Option<String>),
    /// A setting, or all, is shown.
    Show(Option<String>),
    /// Everything that the connection keeps is given up.
    Discard(&'static str),
    /// A prepared statement, or all, is given up.
    Deallocate(Option<String>),
    /// A cursor is opened.
    Declare { name: String, hold: bool, read: Box<Read> },
    /// Rows of a cursor; 0 for all.
    Fetch { name: String, rows: usize },
    /// A cursor, or all, is closed.
    Close(Option<String>),
    /// Nothing to do.
    Nothing(&'static str),
}

impl Command {
    /// The command that a statement is, if it is one.
    ///
    /// # Errors
    /// For a form of it that is not supported.
    pub(crate) fn recognise(parsed: &Parsed, text: &Arc<str>) -> Result<Option<Self>, Refusal> {
        let sql = match parsed {
            Parsed::Reset(ResetStatement::Variable(name)) => return Ok(Some(Self::reset(name))),
            Parsed::Statement(sql) => sql.as_ref(),
            _ => return Ok(None),
        };
        Ok(Some(match sql {
            Sql::StartTransaction { modes, .. } => Self::Begin { steady: steady(modes) },
            Sql::Commit { .. } => Self::Commit,
            Sql::Rollback { savepoint: None, .. } => Self::Rollback,
            Sql::Rollback { savepoint: Some(_), .. } => Self::RollbackTo,
            Sql::Savepoint { .. } => Self::Savepoint("SAVEPOINT"),
            Sql::ReleaseSavepoint { .. } => Self::Savepoint("RELEASE"),
            Sql::Set(set) => Self::set(set)?,
            Sql::Reset(reset) => match &reset.reset {
                Reset::ALL => Self::Reset(None),
                Reset::ConfigurationParameter(name) => Self::reset(name),
            },
            Sql::ShowVariable { variable } => Self::show(variable),
            Sql::Discard { object_type } => {
                Self::Discard(if object_type.to_string() == "ALL" { "DISCARD ALL" } else { "DISCARD" })
            }
            Sql::Deallocate { name, .. } => Self::Deallocate(unless_all(name)),
            Sql::Declare { stmts } => Self::declare(stmts, text)?,
            Sql::Fetch { name, direction, into: None, .. } => {
                Self::Fetch { name: name.value.clone(), rows: rows(direction)? }
            }
            Sql::Close { cursor: CloseCursor::All } => Self::Close(None),
            Sql::Close { cursor: CloseCursor::Specific { name } } => Self::Close(Some(name.value.clone())),
            Sql::UNLISTEN { .. } => Self::Nothing("UNLISTEN"),
            Sql::Prepare { .. } | Sql::Execute { .. } | Sql::LISTEN { .. } | Sql::NOTIFY { .. } => {
                let word = sql.to_string().split_whitespace().next().unwrap_or_default().to_owned();
                return Err(Refusal::unsupported(format!("{word} is not supported here")));
            }
            _ => return Ok(None),
        }))
    }

    fn set(set: &Set) -> Result<Self, Refusal> {
        Ok(match set {
            Set::SingleAssignment { variable, values, .. } => {
                let values: Vec<String> = values.iter().map(word).collect();
                Self::Set { name: plain(variable), value: values.join(", ") }
            }
            Set::SetTimeZone { value, .. } => Self::Set { name: "TimeZone".to_owned(), value: word(value) },
            Set::SetNames { charset_name, .. } => {
                Self::Set { name: "client_encoding".to_owned(), value: charset_name.value.clone() }
            }
            Set::SetNamesDefault {} => Self::Reset(Some("client_encoding".to_owned())),
            Set::SetTransaction { modes, snapshot: None, session } => {
                Self::SetTransaction { steady: steady(modes), session: *session }
            }
            other => return Err(Refusal::unsupported(format!("{other} is not supported here"))),
        })
    }

    fn reset(name: &ObjectName) -> Self {
        let name = plain(name);
        Self::Reset((!name.eq_ignore_ascii_case("all")).then_some(name))
    }

    fn show(variable: &[Ident]) -> Self {
        let words: Vec<String> = variable.iter().map(|word| word.value.to_lowercase()).collect();
        Self::Show(match words.join(" ").as_str() {
            "all" => None,
            "transaction isolation level" => Some("transaction_isolation".to_owned()),
            "time zone" => Some("TimeZone".to_owned()),
            "session authorization" => Some("session_authorization".to_owned()),
            _ => Some(words.join(".")),
        })
    }

    fn declare(declared: &[Declare], text: &Arc<str>) -> Result<Self, Refusal> {
        let unsupported = || Refusal::unsupported("only DECLARE name CURSOR FOR SELECT … is supported here");
        let [cursor] = declared else { return Err(unsupported()) };
        let (Some(query), [name]) = (&cursor.for_query, cursor.names.as_slice()) else { return Err(unsupported()) };
        if cursor.binary == Some(true) || cursor.scroll == Some(true) {
            return Err(Refusal::unsupported("cursors go forward here, and answer in text"));
        }
        let read = read(Parsed::Statement(Box::new(Sql::Query(query.clone()))), text)?;
        Ok(Self::Declare { name: name.value.clone(), hold: cursor.hold == Some(true), read: Box::new(read) })
    }

    /// What its end is called.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback | Self::RollbackTo => "ROLLBACK",
            Self::Savepoint(tag) | Self::Discard(tag) | Self::Nothing(tag) => tag,
            Self::Set { .. } | Self::SetTransaction { .. } => "SET",
            Self::Reset(_) => "RESET",
            Self::Show(_) => "SHOW",
            Self::Deallocate(_) => "DEALLOCATE",
            Self::Declare { .. } => "DECLARE CURSOR",
            Self::Fetch { .. } => "FETCH",
            Self::Close(_) => "CLOSE CURSOR",
        }
    }

    /// Whether it can be done in a transaction that failed.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self, Self::Commit | Self::Rollback | Self::RollbackTo)
    }
}

fn steady(modes: &[TransactionMode]) -> bool {
    use TransactionIsolationLevel::{RepeatableRead, Serializable, Snapshot};
    modes.iter().any(|mode| matches!(mode, TransactionMode::IsolationLevel(RepeatableRead | Serializable | Snapshot)))
}

fn rows(direction: &FetchDirection) -> Result<usize, Refusal> {
    let limit = match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => return Ok(1),
        FetchDirection::All | FetchDirection::ForwardAll => return Ok(0),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => limit,
        _ => return Err(Refusal::new("55000", "a cursor goes forward only")),
    };
    match &limit.value {
        Literal::Number(number, _) => number.parse().ok().filter(|rows| *rows > 0),
        _ => None,
    }
    .ok_or_else(|| Refusal::unsupported("FETCH takes a number of rows above 0, or ALL"))
}

fn unless_all(name: &Ident) -> Option<String> {
    (name.quote_style.is_some() || !name.value.eq_ignore_ascii_case("all")).then(|| name.value.clone())
}

fn plain(name: &ObjectName) -> String {
    let parts: Vec<&str> = name.0.iter().filter_map(|part| Some(part.as_ident()?.value.as_str())).collect();
    parts.join(".")
}

/// A setting's value: a word, a number or a text.
fn word(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Literal::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        Expr::Identifier(ident) => ident.value.clone(),
        other => other.to_string(),
    }
}
