//! The answers to the statements of a report, over one span of entries.

use std::time::Duration;

use counterfoil::{ErrorKind, Result};
use counterfoil_query::Limits;
use counterfoil_report::report::{Listed, Step, figures};
use counterfoil_report::sql;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exit::Failure;
use crate::view::View;

/// The longest that one statement may take; memory and rows are bounded as for any query.
const MAX_TIME: Duration = Duration::from_secs(600);

/// A span of entries that is asked about.
pub struct Answers<'a> {
    pub view: &'a View,
    /// Runs of entries that cannot be read, both ends included.
    pub unread: &'a [(u64, u64)],
    pub first: u64,
    pub end: u64,
    pub step: Step,
}

impl<'a> Answers<'a> {
    /// Answers over everything up to a size.
    pub fn up_to(view: &'a View, size: u64, unread: &'a [(u64, u64)]) -> Self {
        Self { view, unread, first: 0, end: size, step: Step::Day }
    }

    /// The rows of a statement, each a JSON object.
    pub fn rows(&self, statement: &str) -> Result<Vec<Value>> {
        let filled = sql::over(&sql::without(statement, self.unread), self.first, self.end, self.step);
        self.view.objects(&filled, Limits { time: MAX_TIME, ..Limits::default() })
    }

    /// The one row of a statement.
    pub fn one<T: DeserializeOwned>(&self, statement: &str) -> std::result::Result<T, Failure> {
        Ok(figures(self.rows(statement)?.pop().unwrap_or_default())?)
    }

    /// The rows of a statement, and how many there are.
    pub fn listed<T: DeserializeOwned>(&self, statement: &str) -> std::result::Result<Listed<T>, Failure> {
        Ok(Listed::from_rows(self.rows(statement)?)?)
    }

    /// The number in a column of the one row of a statement; none for NULL.
    pub fn number(&self, statement: &str, column: &str) -> Result<Option<u64>> {
        Ok(self.rows(statement)?.first().and_then(|row| row[column].as_u64()))
    }
}

/// Whether something failed since what was read is not what was recorded.
pub fn is_damage(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Damaged | ErrorKind::Tampered)
}

/// The parts of a ledger that cannot be read: whole segments, and the tail behind them.
pub fn unreadable(view: &View) -> Result<Vec<(u64, u64)>> {
    let mut unread = Vec::new();
    for (first, end) in view.parts() {
        let part = Answers { first, ..Answers::up_to(view, end, &[]) };
        match part.rows(sql::READABLE) {
            Err(error) if is_damage(error.kind) => unread.push((first, end - 1)),
            read => drop(read?),
        }
    }
    Ok(unread)
}
