//! What may be asked: one statement that only reads.

use counterfoil::{Error, ErrorKind, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{SetExpr, Statement as SqlStatement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::cause::{Cause, What};
use crate::columns::{TABLE, schema};
use crate::engine::Order;
use crate::error::{at, refused, translate};
use crate::shape::check_shape;

/// Longest text of a query, in bytes.
pub const MAX_SQL_BYTES: usize = 256 * 1024;

/// Most operators and keywords in a query: what can nest. Names, literals and commas do not count, so lists may be long.
pub const MAX_OPERATORS: usize = 1_000;

/// How deep parentheses and subqueries may nest.
pub(crate) const MAX_DEPTH: usize = 50;

const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

/// Parses one statement that only reads.
///
/// # Errors
/// `Invalid`, pointing at the place of a syntax error, or naming what is refused.
pub(crate) fn parse(sql: &str) -> Result<Statement> {
    let mut statements = statements(sql)?;
    match (statements.pop(), statements.len()) {
        (Some(statement), 0) => reading(statement),
        (None, _) => Err(Error::new(ErrorKind::Invalid, "there is no statement in the query")),
        (Some(_), more) => {
            let message = format!("one statement at a time: this query holds {}", more + 1);
            Err(Error::new(ErrorKind::Invalid, message))
        }
    }
}

/// Parses statements of any kind, within the limits of size and depth.
///
/// # Errors
/// `Invalid`, pointing at the place of a syntax error, or naming the command that is none here.
pub fn statements(sql: &str) -> Result<Vec<Statement>> {
    check_size(sql)?;
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&DIALECT)
        .with_recursion_limit(MAX_DEPTH)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    parsed.map(Vec::from).map_err(|error| other_command(sql).unwrap_or_else(|| translate(&error, sql)))
}

/// The statement, if it only reads.
///
/// # Errors
/// `Invalid`, naming what is refused.
pub(crate) fn reading(statement: Statement) -> Result<Statement> {
    check_reads(&statement)?;
    check_statement(&statement)?;
    match shown(&statement) {
        Some(sql) => parse(&sql),
        None => Ok(statement),
    }
}

/// `SELECT columns FROM audit_log WHERE predicate ORDER BY index …`, where the predicate is one expression and cannot
/// become anything else: it takes its place in the parsed statement, not in its text.
///
/// # Errors
/// `Invalid`, pointing at the place where the predicate is wrong or should have ended.
pub(crate) fn select_where(columns: &str, predicate: Option<&str>, order: Order) -> Result<Statement> {
    let order = match order {
        Order::Ascending => String::new(),
        Order::Oldest(most) => format!("LIMIT {most}"),
        Order::Newest(most) => format!("DESC LIMIT {most}"),
    };
    let mut statement = parse(&format!("SELECT {columns} FROM audit_log ORDER BY index {order}"))?;
    let Some(predicate) = predicate else {
        return Ok(statement);
    };
    check_size(predicate)?;
    let sql_error = |error| translate(&DataFusionError::SQL(Box::new(error), None), predicate);
    let mut parser =
        Parser::new(&DIALECT).with_recursion_limit(MAX_DEPTH).try_with_sql(predicate).map_err(sql_error)?;
    let condition = parser.parse_expr().map_err(sql_error)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let start = rest.span.start;
        let message = format!("a predicate is one condition; it should end before {}", rest.token);
        return Err(at(predicate, start.line, start.column, What::Syntax, &message));
    }
    if let Statement::Statement(sql) = &mut statement
        && let SqlStatement::Query(query) = sql.as_mut()
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.selection = Some(condition);
    }
    Ok(statement)
}

/// Refuses a plan that would change anything, wherever in it that hides.
///
/// # Errors
/// `Invalid`, naming what is refused.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan)
        .map_err(|error| refused(&error.strip_backtrace()))
}

/// The statement that answers a SHOW: there is one table, and nothing else to be shown.
fn shown(statement: &Statement) -> Option<String> {
    let Statement::Statement(sql) = statement else {
        return None;
    };
    match sql.as_ref() {
        SqlStatement::ShowTables { .. } => Some(format!("SELECT '{TABLE}' AS table_name")),
        SqlStatement::ShowColumns { show_options, .. } => {
            let table = show_options.show_in.as_ref()?.parent_name.as_ref()?;
            Some(format!("DESCRIBE {table}"))
        }
        _ => None,
    }
}

fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Explain(explain) => check_statement(&explain.statement),
        Statement::Statement(sql) => check_shape(sql),
        _ => Ok(()),
    }
}

fn check_reads(statement: &Statement) -> Result<()> {
    let reads = match statement {
        Statement::Explain(explain) => return check_reads(&explain.statement),
        Statement::Statement(sql) => matches!(
            sql.as_ref(),
            SqlStatement::Query(_)
                | SqlStatement::Explain { .. }
                | SqlStatement::ExplainTable { .. }
                | SqlStatement::ShowColumns { .. }
                | SqlStatement::ShowTables { .. }
        ),
        _ => false,
    };
    if reads {
        return Ok(());
    }
    let text = statement.to_string();
    Err(refused(text.split_whitespace().next().unwrap_or_default()))
}

/// The refusal of a text that cannot be parsed because it is a command of SQL that does not read.
fn other_command(sql: &str) -> Option<Error> {
    use Keyword::{DESC, DESCRIBE, EXPLAIN, NoKeyword, SELECT, SHOW, TABLE, VALUES, WITH};
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize().ok()?;
    match tokens.iter().find(|token| !matches!(token, Token::Whitespace(_)))? {
        Token::Word(word)
            if [DESC, DESCRIBE, EXPLAIN, NoKeyword, SELECT, SHOW, TABLE, VALUES, WITH].contains(&word.keyword) =>
        {
            None
        }
        Token::Word(word) => Some(refused(&word.value.to_uppercase())),
        _ => None,
    }
}

/// Refuses what is too long or could nest too deep for the planner's recursion.
fn check_size(sql: &str) -> Result<()> {
    if sql.len() > MAX_SQL_BYTES {
        let message = format!("the query is {} bytes long, at most {MAX_SQL_BYTES} are taken", sql.len());
        return Err(Cause::invalid(What::TooLarge, message));
    }
    // What cannot be cut into tokens is explained by the parser.
    let tokens = Tokenizer::new(&DIALECT, sql).tokenize().unwrap_or_default();
    let operators = tokens.iter().filter(|token| nests(token)).count();
    if operators > MAX_OPERATORS {
        let message = format!(
            "the query has {operators} operators and keywords, at most {MAX_OPERATORS} are taken; \
             write many alternatives as column IN (…)"
        );
        return Err(Cause::invalid(What::TooLarge, message));
    }
    Ok(())
}

fn nests(token: &Token) -> bool {
    match token {
        Token::Whitespace(_) | Token::Comma | Token::Period | Token::Number(..) => false,
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_) => false,
        Token::Word(word) => word.keyword != Keyword::NoKeyword && !is_column(&word.value),
        _ => true,
    }
}

/// Several columns are named like keywords.
fn is_column(word: &str) -> bool {
    schema().index_of(&word.to_lowercase()).is_ok()
}
