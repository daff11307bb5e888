//! Recording the rows of an audit table that exists already.

use std::collections::BTreeMap;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Draft;
use counterfoil_entry::canonical::write_string;
use serde::Serialize;

use crate::row::{instant, write_exact};
use crate::source::Trail;
use crate::wire::{Connection, Work, identifier, literal};

const MAX_BATCH_ROWS: usize = 1_000;
const REQUIRED: [&str; 3] = ["event_type", "actor", "entity_id"];
/// The entry's members that a column may become.
const MEMBERS: [&str; 14] = [
    "timestamp",
    "event_type",
    "actor",
    "actor_type",
    "on_behalf_of",
    "entity_id",
    "entity_type",
    "old_value",
    "new_value",
    "outcome",
    "reason",
    "context",
    "trace_id",
    "id",
];

/// Which column becomes which member. What is not named keeps its name; columns that are no member go into `context`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnMap {
    /// The column of a member.
    pub columns: BTreeMap<String, String>,
    /// The text of a member that no column has.
    pub constants: BTreeMap<String, String>,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// Rows read, each of which is recorded.
    pub rows: u64,
    /// Of them, rows that were recorded before.
    pub repeated: u64,
}

impl ColumnMap {
    /// A map from `member=column` and `member='constant'`.
    pub fn parse<'a>(rules: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut map = Self::default();
        for rule in rules {
            let (member, column) =
                rule.split_once('=').ok_or_else(|| invalid(format!("{rule:?} is not MEMBER=COLUMN")))?;
            if !MEMBERS.contains(&member) {
                return Err(invalid(format!("{member:?} is no member of an entry; known: {}", MEMBERS.join(", "))));
            }
            let constant = column.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            let (place, value) = match constant {
                Some(constant) => (&mut map.constants, constant),
                None => (&mut map.columns, column),
            };
            place.insert(member.to_owned(), value.to_owned());
        }
        Ok(map)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Number,
    Boolean,
    Instant,
}

struct Column {
    name: String,
    kind: Kind,
    member: Option<&'static str>,
}

/// Records every row of a table, oldest first. All rows are read and checked before the first is recorded; each gets an
/// `id` from the table's primary key unless a column is its `id`, so that importing again records nothing twice (while
/// the ledger knows ids again: its newest 1,000,000 entries).
///
/// Errors: `NotFound` for no such table, `Invalid` for a row that cannot become an entry, named by its key.
pub fn import(connection: &mut Connection, table: &str, map: &ColumnMap, trail: &dyn Trail) -> Result<Imported> {
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = off")?;
    let found = connection.value(&format!("SELECT to_regclass({})::oid::bigint", literal(table)))?;
    let oid = match found {
        Some(oid) => oid,
        None => return Err(missing(connection, table)?),
    };
    let columns = columns(connection, &oid, map)?;
    let key = key(connection, &oid)?;
    let list: Vec<_> = columns.iter().map(|column| identifier(&column.name)).collect();
    let order = columns.iter().find(|column| column.member == Some("timestamp")).map(|column| identifier(&column.name));
    let order: Vec<_> = order.into_iter().chain(key.iter().map(|name| identifier(name))).collect();
    let sorted = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let sql = format!("SELECT {} FROM {oid_table}{sorted}", list.join(", "), oid_table = qualified(connection, &oid)?);
    let draft = |texts: &[Option<String>]| -> Result<Draft> {
        let named = key.iter().map(|name| {
            let at = columns.iter().position(|column| column.name == *name);
            at.and_then(|at| texts[at].clone()).unwrap_or_default()
        });
        let key = named.collect::<Vec<_>>().join("/");
        let json = entry(table, &columns, &map.constants, texts, &key);
        Draft::parse(&json).map_err(|error| invalid(format!("{table}, row {key}: {error}")))
    };
    connection.rows(&sql, Work::Much, &mut |texts| draft(&texts).map(drop))?;
    let size = trail.snapshot()?.size();
    let mut imported = Imported::default();
    let mut batch = Vec::new();
    let mut record = |batch: &mut Vec<Draft>| -> Result<()> {
        for receipt in trail.append(std::mem::take(batch))? {
            imported.rows += 1;
            imported.repeated += u64::from(receipt.index < size);
        }
        Ok(())
    };
    let read = connection.rows(&sql, Work::Much, &mut |texts| {
        batch.push(draft(&texts)?);
        if batch.len() == MAX_BATCH_ROWS { record(&mut batch) } else { Ok(()) }
    });
    match read.and_then(|()| record(&mut batch)) {
        Ok(()) => Ok(imported),
        Err(error) if imported.rows > 0 => {
            let rows = imported.rows;
            let advice = if key.is_empty() && !columns.iter().any(|column| column.member == Some("id")) {
                "the table has no key: importing again records them twice"
            } else {
                "import again: what is recorded is not recorded twice"
            };
            Err(Error { message: format!("{}; {rows} rows were recorded before; {advice}", error.message), ..error })
        }
        Err(error) => Err(error),
    }
}

/// What to say of a table that is not there: perhaps there is one of its name elsewhere.
fn missing(connection: &mut Connection, table: &str) -> Result<Error> {
    let name = table.rsplit('.').next().unwrap_or(table).replace('"', "");
    let sql = format!(
        "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE relname ILIKE {} AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1 LIMIT 5",
        literal(&name.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
    );
    let others: Vec<_> = connection.all(&sql)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
    let elsewhere = match others.is_empty() {
        true => String::new(),
        false => format!("; there is {}", others.join(", ")),
    };
    Ok(Error::new(ErrorKind::NotFound, format!("the database has no table {table}{elsewhere}")))
}

fn columns(connection: &mut Connection, oid: &str, map: &ColumnMap) -> Result<Vec<Column>> {
    let sql = format!(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute \
         WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    );
    let found = connection.all(&sql)?;
    let names: Vec<_> = found.iter().filter_map(|row| row[0].as_deref()).collect();
    for (member, column) in &map.columns {
        if !names.contains(&column.as_str()) {
            return Err(invalid(format!("{member}={column}: no such column; the table has {}", names.join(", "))));
        }
    }
    let mut columns = Vec::new();
    for row in &found {
        let (Some(name), Some(kind)) = (row[0].clone(), row[1].as_deref()) else { continue };
        let kind = match kind {
            "json" | "jsonb" => Kind::Json,
            "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => Kind::Number,
            "boolean" => Kind::Boolean,
            "timestamp with time zone" => Kind::Instant,
            "timestamp without time zone" => Kind::Instant,
            _ => Kind::Text,
        };
        let mapped = map.columns.iter().find(|(_, column)| **column == name).map(|(member, _)| member.as_str());
        let same = || (name != "id" && !map.columns.contains_key(&name)).then_some(name.as_str());
        let member = mapped.or_else(same).and_then(|member| MEMBERS.into_iter().find(|known| *known == member));
        columns.push(Column { name, kind, member });
    }
    for member in REQUIRED {
        let given = map.constants.contains_key(member) || columns.iter().any(|column| column.member == Some(member));
        if !given {
            return Err(invalid(format!("no column becomes {member}: say {member}=COLUMN or {member}='CONSTANT'")));
        }
    }
    Ok(columns)
}

fn key(connection: &mut Connection, oid: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
         WHERE i.indrelid = {oid} AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)"
    );
    Ok(connection.all(&sql)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

fn qualified(connection: &mut Connection, oid: &str) -> Result<String> {
    let sql = format!(
        "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = {oid}"
    );
    Ok(connection.value(&sql)?.unwrap_or_default())
}

fn entry(
    table: &str,
    columns: &[Column],
    constants: &BTreeMap<String, String>,
    texts: &[Option<String>],
    key: &str,
) -> Vec<u8> {
    let mut json = b"{".to_vec();
    let mut member = |name: &str, value: &dyn Fn(&mut Vec<u8>)| {
        if json.len() > 1 {
            json.push(b',');
        }
        write_string(name, &mut json);
        json.push(b':');
        value(&mut json);
    };
    for (name, constant) in constants {
        member(name, &|json| write_string(constant, json));
    }
    let present = || columns.iter().zip(texts).filter_map(|(column, text)| Some((column, text.as_deref()?)));
    for (column, text) in present() {
        match column.member {
            Some("context") | None => {}
            Some(name @ ("old_value" | "new_value")) => member(name, &|json| value(column.kind, text, json)),
            Some(name) if column.kind == Kind::Instant => member(name, &|json| write_string(&instant(text), json)),
            Some(name) => member(name, &|json| write_string(text, json)),
        }
    }
    let has_id = constants.contains_key("id") || present().any(|(column, _)| column.member == Some("id"));
    if !has_id && !key.is_empty() {
        member("id", &|json| write_string(&format!("{table}/{key}"), json));
    }
    member("context", &|json| {
        let own = present().find(|(column, _)| column.member == Some("context") && column.kind == Kind::Json);
        let own = own.and_then(|(_, text)| text.strip_prefix('{')?.strip_suffix('}')).unwrap_or("");
        json.push(b'{');
        write_exact(own, json);
        for (column, text) in present().filter(|(column, _)| column.member.is_none()) {
            if json.last() != Some(&b'{') {
                json.push(b',');
            }
            write_string(&column.name, json);
            json.push(b':');
            value(column.kind, text, json);
        }
        json.push(b'}');
    });
    json.push(b'}');
    json
}

fn value(kind: Kind, text: &str, json: &mut Vec<u8>) {
    match kind {
        Kind::Json => write_exact(text, json),
        Kind::Number if text.bytes().any(|byte| byte.is_ascii_digit()) => write_exact(text, json),
        Kind::Boolean => json.extend_from_slice(if text == "t" { b"true" } else { b"false" }),
        Kind::Instant => write_string(&instant(text), json),
        Kind::Number | Kind::Text => write_string(text, json),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
