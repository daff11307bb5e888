//! Statements that were parsed already, and where they find their tables.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::DataType;
use counterfoil::Result;
use datafusion::execution::context::SessionContext;
use datafusion::sql::parser::Statement;

use crate::source::{Sealed, Source};
use crate::statement::reading;

/// Where a statement finds its tables.
#[derive(Clone)]
pub enum Tables {
    /// `audit_log`, with the entries of a ledger.
    Ledger(Arc<dyn Source>),
    /// The tables and functions of a session made by [`aside`](crate::aside); no entries.
    Aside(SessionContext),
}

impl Tables {
    /// `audit_log` without an entry: for a statement's columns.
    pub fn empty() -> Self {
        Self::Ledger(Arc::new(Nothing))
    }
}

/// The types of a statement's parameters by their names, such as `$1`, as far as they follow from the statement.
pub type Parameters = HashMap<String, Option<DataType>>;

/// One statement that only reads, as it was parsed.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) statement: Statement,
    pub(crate) sql: Arc<str>,
}

impl Prepared {
    /// A statement of [`statements`](crate::statements); `sql` is the text that the places of its errors refer to.
    ///
    /// # Errors
    /// `Invalid` for a statement that does not only read.
    pub fn new(statement: Statement, sql: Arc<str>) -> Result<Self> {
        Ok(Self { statement: reading(statement)?, sql })
    }
}

/// A ledger without entries.
struct Nothing;

impl Source for Nothing {
    fn identity(&self) -> Arc<str> {
        "".into()
    }

    fn size(&self) -> u64 {
        0
    }

    fn sealed(&self) -> Vec<Arc<dyn Sealed>> {
        Vec::new()
    }

    fn tail(&self, _range: Range<u64>, _each: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        Ok(())
    }
}
