//! The query engine's messages in words that say what to write instead.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// What begins the engine's request to report a defect to its own makers.
const BUG_REPORT: &str = "\nThis issue was likely caused by a bug in DataFusion";

const PREFIXES: [&str; 7] = [
    "Arrow error: ",
    "Cast error: ",
    "Error during planning: ",
    "Execution error: ",
    "External error: ",
    "Internal error: ",
    "Parser error: ",
];

/// A message of the engine about the query `sql`, without the engine's own names for things.
pub(crate) fn plain(message: &str, sql: &str) -> String {
    function(message, sql)
        .or_else(|| member(message, sql))
        .or_else(|| timestamp(message))
        .or_else(|| unknown_function(message))
        .or_else(|| operator(message))
        .unwrap_or_else(|| stripped(message).to_owned())
}

fn stripped(message: &str) -> &str {
    let mut rest = message.split_once(BUG_REPORT).map_or(message, |(before, _)| before);
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    rest.trim()
}

/// A function that does not take these arguments.
fn function(message: &str, sql: &str) -> Option<String> {
    let (_, rest) = message.split_once("No function matches the given name and argument types '")?;
    let name = rest.split('(').next().filter(|name| !name.is_empty())?;
    if let Some((_, counts)) = message.split_once(" expects ")
        && let Some((wanted, given)) = counts.split_once(" arguments but received ")
    {
        let given: String = given.chars().take_while(char::is_ascii_digit).collect();
        let noun = if wanted == "1" { "argument" } else { "arguments" };
        return Some(format!("{name} takes {wanted} {noun}, not {given}"));
    }
    let numbers = ["requires Float64", "requires Decimal"].iter().any(|wanted| message.contains(wanted));
    if numbers {
        let argument = argument(name, sql).unwrap_or_else(|| "value".to_owned());
        return Some(format!("{name} takes numbers; cast first, for example {name}({argument}::double precision)"));
    }
    Some(format!("{name} does not take arguments of these types; cast them first, for example value::text"))
}

fn unknown_function(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Invalid function '")?;
    let (name, _) = rest.split_once('\'')?;
    Some(format!("there is no function {name}"))
}

/// An operator between values of types that do not go together.
fn operator(message: &str) -> Option<String> {
    const TYPES: [(&str, &str); 4] =
        [("Utf8View", "text"), ("Utf8", "text"), ("Int64", "bigint"), ("Float64", "double precision")];
    let (_, rest) = message.split_once("Cannot coerce arithmetic expression ")?;
    let (expression, _) = rest.split_once(" to valid types")?;
    let expression = TYPES.iter().fold(expression.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    Some(format!("there is no {expression}; cast first, for example value::double precision"))
}

/// The first function's argument as text, fit to be cast.
fn argument(name: &str, sql: &str) -> Option<String> {
    let start = sql.to_ascii_lowercase().find(&format!("{name}("))? + name.len() + 1;
    let rest = &sql[start..];
    let mut depth = 0;
    let end = rest.find(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        depth < 0
    })?;
    let argument = rest[..end].trim();
    match argument.rsplit_once("->") {
        Some((column, key)) if !key.starts_with('>') && !column.ends_with('-') => Some(format!("({column}->>{key})")),
        Some(_) => Some(format!("({argument})")),
        None => Some(argument.to_owned()),
    }
}

/// A member of a JSON column after a dot.
fn member(message: &str, sql: &str) -> Option<String> {
    if !message.contains("Cannot access field at argument") {
        return None;
    }
    let (column, member) = dotted(sql).unwrap_or_else(|| ("context".to_owned(), "member".to_owned()));
    Some(format!("a dot does not reach into JSON; write {column}->>'{member}'"))
}

fn dotted(sql: &str) -> Option<(String, String)> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
    tokens.windows(3).find_map(|three| match three {
        [Token::Word(column), Token::Period, Token::Word(member)]
            if ["context", "old_value", "new_value"].contains(&column.value.as_str()) =>
        {
            Some((column.value.clone(), member.value.clone()))
        }
        _ => None,
    })
}

fn timestamp(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("Error parsing timestamp from '")?;
    let (text, _) = rest.rsplit_once("':")?;
    Some(format!("'{text}' is no timestamp; timestamps are RFC 3339, such as 2026-11-24T09:00:00Z"))
}
