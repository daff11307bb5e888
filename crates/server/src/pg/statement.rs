//! Statements: what a text asks for, and of whom.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use counterfoil_query::{Prepared, TABLE, statements};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Statement as Sql, TableFactor, Visit, Visitor, visit_relations,
};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use postgres_types::Type;

use crate::pg::adaptation::{adapt, without_regproc};
use crate::pg::command::Command;
use crate::pg::names::{names, tell_apart};
use crate::pg::parameters;
use crate::pg::refusal::Refusal;
use crate::pg::value::Value;

/// Most statements in one text.
const MAX_STATEMENTS: usize = 100;

/// Who answers a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The ledger: it reads `audit_log`.
    Ledger,
    /// The catalog: it reads names and types, or no table at all.
    Catalog,
}

/// A statement that answers rows.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    parsed: Arc<Parsed>,
    pub(crate) from: From,
    pub(crate) sql: Arc<str>,
    /// What the end of its rows is called.
    pub(crate) tag: &'static str,
    /// How many parameters it has.
    pub(crate) parameters: usize,
    /// The names of its columns, as far as they follow from it.
    names: Option<Arc<[String]>>,
}

/// One statement.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    /// Asks for rows.
    Read(Read),
    /// Is about the connection itself.
    Command(Command),
}

/// Takes a text apart. Deep: for threads with a large stack.
///
/// # Errors
/// For what is no SQL, and for what is about more than one place.
pub(crate) fn parse(sql: &Arc<str>, rewriting: &PostgresCompatibilityParser) -> Result<Vec<Statement>, Refusal> {
    // Some clients' questions about the catalog are SQL only after they were rewritten.
    let parsed = match statements(sql) {
        Ok(parsed) => parsed,
        Err(error) => match rewritten(sql, rewriting) {
            Ok(parsed) if !parsed.is_empty() && Refusal::of(&error, sql).code == "42601" => {
                let reads = parsed.into_iter().map(|parsed| read(parsed, sql));
                let reads: Vec<Read> = reads.collect::<Result<_, _>>()?;
                if reads.iter().all(|read| read.from == From::Catalog) {
                    return Ok(reads.into_iter().map(Statement::Read).collect());
                }
                return Err(Refusal::of(&error, sql));
            }
            _ => return Err(Refusal::of(&error, sql)),
        },
    };
    if parsed.len() > MAX_STATEMENTS {
        return Err(Refusal::new("54000", format!("at most {MAX_STATEMENTS} statements are taken at once")));
    }
    let count = parsed.len();
    let mut found = Vec::with_capacity(count);
    for parsed in parsed {
        found.push(match Command::recognise(&parsed, sql)? {
            Some(command) => Statement::Command(command),
            None => Statement::Read(read(parsed, sql)?),
        });
    }
    let asks_catalog = |statement: &Statement| matches!(statement, Statement::Read(Read { from: From::Catalog, .. }));
    if found.iter().any(asks_catalog) {
        let rewritten = rewritten(sql, rewriting)?;
        if rewritten.len() != count {
            return Err(Refusal::new("42601", "the statements cannot be told apart; send them one by one"));
        }
        for (statement, rewritten) in found.iter_mut().zip(rewritten) {
            if let Statement::Read(read @ Read { from: From::Catalog, .. }) = statement {
                read.parameters = parameters::count(&rewritten)?;
                read.parsed = Arc::new(rewritten);
            }
        }
    }
    Ok(found)
}

fn rewritten(sql: &str, rewriting: &PostgresCompatibilityParser) -> Result<Vec<Parsed>, Refusal> {
    let parsed = rewriting.parse(&without_regproc(sql)).map_err(|error| Refusal::new("42601", error.to_string()))?;
    let parsed = parsed.into_iter().map(|mut statement| {
        tell_apart(&mut statement);
        adapt(&mut statement);
        Parsed::Statement(Box::new(statement))
    });
    Ok(parsed.collect())
}

/// A parsed statement as one that answers rows.
pub(crate) fn read(mut parsed: Parsed, sql: &Arc<str>) -> Result<Read, Refusal> {
    let from = asked(&parsed)?;
    let tag = match &parsed {
        Parsed::Explain(_) => "EXPLAIN",
        Parsed::Statement(sql) if matches!(sql.as_ref(), Sql::Explain { .. }) => "EXPLAIN",
        _ => "SELECT",
    };
    let parameters = parameters::count(&parsed)?;
    let names = inner(&parsed).filter(|_| tag == "SELECT").and_then(names).map(Arc::from);
    if let Some(sql) = inner_mut(&mut parsed) {
        parameters::unfold(sql);
        tell_apart(sql);
    }
    Ok(Read { parsed: Arc::new(parsed), from, sql: Arc::clone(sql), tag, parameters, names })
}

impl Read {
    /// The statement for the query engine, its parameters as they are. Deep.
    ///
    /// # Errors
    /// For one that does not only read.
    pub(crate) fn open(&self) -> Result<Prepared, Refusal> {
        self.prepared(self.parsed.as_ref().clone())
    }

    /// The statement for the query engine, with values in place of its parameters. Deep.
    ///
    /// # Errors
    /// For one that does not only read.
    pub(crate) fn filled(&self, values: &[Value], types: &[Type]) -> Result<Prepared, Refusal> {
        let mut parsed = self.parsed.as_ref().clone();
        if !values.is_empty() {
            parameters::fill(&mut parsed, values, types);
        }
        self.prepared(parsed)
    }

    /// An answer's columns under the names that they have in PostgreSQL.
    pub(crate) fn named(&self, schema: SchemaRef) -> SchemaRef {
        match &self.names {
            Some(names) if names.len() == schema.fields().len() => {
                let fields = schema.fields().iter().zip(names.iter());
                let fields = fields.map(|(field, name)| field.as_ref().clone().with_name(name));
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
            _ => schema,
        }
    }

    fn prepared(&self, parsed: Parsed) -> Result<Prepared, Refusal> {
        Prepared::new(parsed, Arc::clone(&self.sql)).map_err(|error| Refusal::of(&error, &self.sql))
    }
}

impl Statement {
    /// What it reads, if it does or opens a cursor that does.
    pub(crate) fn reads(&self) -> Option<&Read> {
        match self {
            Self::Read(read) => Some(read),
            Self::Command(Command::Declare { read, .. }) => Some(read),
            Self::Command(_) => None,
        }
    }
}

/// The statement inside, where there is one that can be walked.
pub(crate) fn inner(parsed: &Parsed) -> Option<&Sql> {
    match parsed {
        Parsed::Statement(sql) => Some(sql),
        Parsed::Explain(explain) => inner(&explain.statement),
        _ => None,
    }
}

pub(crate) fn inner_mut(parsed: &mut Parsed) -> Option<&mut Sql> {
    match parsed {
        Parsed::Statement(sql) => Some(sql),
        Parsed::Explain(explain) => inner_mut(&mut explain.statement),
        _ => None,
    }
}

/// Whom a statement asks, by the tables that it names.
fn asked(parsed: &Parsed) -> Result<From, Refusal> {
    let Some(sql) = inner(parsed) else {
        return Ok(From::Ledger);
    };
    if !matches!(sql, Sql::Query(_) | Sql::Explain { .. }) {
        return Ok(From::Ledger);
    }
    let mut named = Named::default();
    let _ = sql.visit(&mut named);
    let (mut ledger, mut catalog, mut other) = (false, false, false);
    let _ = visit_relations(sql, |relation| {
        match of(relation) {
            Some(From::Ledger) => ledger = true,
            Some(From::Catalog) => catalog = true,
            None => other |= !named.0.contains(&last(relation)),
        }
        ControlFlow::<()>::Continue(())
    });
    match (ledger, catalog) {
        (true, true) => Err(Refusal::unsupported(
            "audit_log cannot be read together with the catalog (pg_catalog, information_schema): ask each on its own",
        )),
        (true, false) => Ok(From::Ledger),
        (false, true) => Ok(From::Catalog),
        // What is no table of either is told by the ledger, in its words.
        (false, false) if other => Ok(From::Ledger),
        (false, false) => Ok(From::Catalog),
    }
}

fn of(relation: &ObjectName) -> Option<From> {
    let parts: Vec<String> = relation.0.iter().filter_map(|part| Some(part.as_ident()?.value.to_lowercase())).collect();
    let schema = parts.len().checked_sub(2).map(|place| parts[place].as_str());
    match (schema, parts.last()?.as_str()) {
        (Some("pg_catalog" | "information_schema"), _) => Some(From::Catalog),
        (None | Some("public"), TABLE) => Some(From::Ledger),
        (None, name) if name.starts_with("pg_") => Some(From::Catalog),
        _ => None,
    }
}

fn last(relation: &ObjectName) -> String {
    let ident = relation.0.last().and_then(|part| part.as_ident());
    ident.map_or_else(String::new, |ident| ident.value.to_lowercase())
}

/// The names that queries of a statement give to subqueries, and functions in the place of tables.
#[derive(Default)]
struct Named(HashSet<String>);

impl Visitor for Named {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(tables.map(|table| table.alias.name.value.to_lowercase()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } = factor {
            self.0.insert(last(name));
        }
        ControlFlow::Continue(())
    }
}
