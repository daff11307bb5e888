//! Maps: how a row of a foreign log becomes an entry.

mod expression;
mod field;
mod raw;
mod time;

use std::collections::BTreeMap;

use toml::Spanned;

use crate::error::MapError;
use crate::shipped;

pub(crate) use expression::{Expression, Gap, Unlisted, What};
pub(crate) use field::{Field, Part, follow};
pub(crate) use raw::{CellType, Format, InexactNumbers, Keep, Scalar, TooLarge};
pub(crate) use time::TimeFormat;

use expression::Compiler;
use raw::{RawMap, RawMember};

/// A checked map from the rows of a foreign log to entries. Written in TOML; `docs/guides/import.md` is its reference.
#[derive(Debug, Clone)]
pub struct Map {
    description: String,
    pub(crate) format: Format,
    pub(crate) delimiter: u8,
    pub(crate) keep: Keep,
    pub(crate) keep_in: Option<String>,
    pub(crate) too_large: TooLarge,
    pub(crate) inexact_numbers: InexactNumbers,
    pub(crate) timestamp: Expression,
    pub(crate) time: TimeFormat,
    /// Members that are text.
    pub(crate) texts: Vec<(&'static str, Expression)>,
    /// `old_value` and `new_value`.
    pub(crate) values: Vec<(&'static str, Expression)>,
    pub(crate) sequence: Option<Expression>,
    pub(crate) context: Vec<(String, Expression)>,
    /// The object whose members become members of `context`.
    pub(crate) spread: Option<Field>,
    pub(crate) types: BTreeMap<String, CellType>,
    pub(crate) places: Vec<Place>,
}

/// Where a map names a column.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) line: Option<usize>,
    pub(crate) key: String,
    pub(crate) field: Field,
}

impl Map {
    /// Reads a map.
    ///
    /// # Errors
    /// The first fault, with its line and key.
    pub fn parse(toml: &str) -> Result<Map, MapError> {
        build(read(toml)?, toml)
    }

    /// The shipped map called `name`, such as `bpic2012-loan`, with or without `.toml`.
    ///
    /// # Errors
    /// No such map; the message lists those there are.
    pub fn shipped(name: &str) -> Result<Map, MapError> {
        let map = shipped::find(name).ok_or_else(|| unknown_map(name))?;
        Map::parse(map.toml)
    }

    /// What the map is for, in its own words.
    pub fn description(&self) -> &str {
        &self.description
    }
}

fn unknown_map(name: &str) -> MapError {
    let names: Vec<_> = shipped::shipped_maps().iter().map(|map| map.name).collect();
    MapError {
        line: None,
        key: String::new(),
        message: format!("no shipped map is called {name:?}; there are {}", names.join(", ")),
    }
}

fn line_of(toml: &str, at: usize) -> Option<usize> {
    toml.get(..at).map(|before| before.matches('\n').count() + 1)
}

fn read(toml: &str) -> Result<RawMap, MapError> {
    let map: RawMap = toml::from_str(toml).map_err(|error| MapError {
        line: error.span().and_then(|span| line_of(toml, span.start)),
        key: String::new(),
        message: error.message().to_owned(),
    })?;
    let Some(base) = &map.extends else {
        return Ok(map);
    };
    let base = shipped::find(base.get_ref()).ok_or_else(|| MapError {
        line: line_of(toml, base.span().start),
        key: "extends".to_owned(),
        ..unknown_map(base.get_ref())
    })?;
    let base = read(base.toml)?;
    Ok(map.over(base))
}

fn absent(key: &str, message: &str) -> MapError {
    MapError { line: None, key: key.to_owned(), message: message.to_owned() }
}

fn build(raw: RawMap, toml: &str) -> Result<Map, MapError> {
    let format = raw
        .format
        .ok_or_else(|| absent("format", "missing: csv, jsonl, json-array, records or json (any of the three)"))?;
    let mut compiler = Compiler::new(toml, format == Format::Csv);
    let timestamp = raw
        .timestamp
        .ok_or_else(|| absent("timestamp", "missing: say where a row's time stands, such as { from = \"time\" }"))?;
    let (timestamp, time) = compiler.time(timestamp)?;
    let mut texts = Vec::new();
    for (key, member, required) in [
        ("event_type", raw.event_type, true),
        ("actor", raw.actor, true),
        ("actor_type", raw.actor_type, false),
        ("on_behalf_of", raw.on_behalf_of, false),
        ("entity_id", raw.entity_id, true),
        ("entity_type", raw.entity_type, false),
        ("outcome", raw.outcome, false),
        ("reason", raw.reason, false),
        ("trace_id", raw.trace_id, false),
        ("id", raw.id, false),
        ("source", raw.source, false),
    ] {
        match member {
            Some(member) => texts.push((key, compiler.text(key, member, required)?)),
            None if required => return Err(absent(key, "missing: every entry needs one")),
            None => {}
        }
    }
    let source = texts.iter().any(|(key, _)| *key == "source");
    let sequence = sequence(raw.sequence, source, &mut compiler)?;
    let mut values = Vec::new();
    for (key, member) in [("old_value", raw.old_value), ("new_value", raw.new_value)] {
        if let Some(member) = member {
            values.push((key, compiler.value(key, member)?));
        }
    }
    let (context, spread) = context(raw.context, &mut compiler)?;
    let delimiter = delimiter(raw.delimiter, format, &compiler)?;
    if format != Format::Csv && !raw.types.is_empty() {
        return Err(absent("types", "only CSV columns need types; JSON has its own"));
    }
    for column in raw.types.keys() {
        compiler.place(None, &format!("types.{column:?}"), Field::Column(column.clone()));
    }
    Ok(Map {
        description: raw.description.unwrap_or_default(),
        format,
        delimiter,
        keep: raw.keep.unwrap_or(Keep::Rest),
        keep_in: raw.keep_in,
        too_large: raw.too_large.unwrap_or(TooLarge::Refuse),
        inexact_numbers: raw.inexact_numbers.unwrap_or(InexactNumbers::Refuse),
        timestamp,
        time,
        texts,
        values,
        sequence,
        context,
        spread,
        types: raw.types,
        places: compiler.places,
    })
}

/// `sequence` is the row number wherever `source` is set and nothing else is said.
fn sequence(
    member: Option<Spanned<RawMember>>,
    source: bool,
    compiler: &mut Compiler<'_>,
) -> Result<Option<Expression>, MapError> {
    match member {
        Some(_) if !source => Err(absent("sequence", "stands without `source`; give both or neither")),
        Some(member) => compiler.text("sequence", member, true).map(Some),
        None if source => Ok(Some(Expression::row())),
        None => Ok(None),
    }
}

type Context = (Vec<(String, Expression)>, Option<Field>);

fn context(members: BTreeMap<String, Spanned<RawMember>>, compiler: &mut Compiler<'_>) -> Result<Context, MapError> {
    let mut context = Vec::new();
    let mut spread = None;
    for (name, member) in members {
        let key = format!("context.{name}");
        if name == "*" {
            spread = Some(compiler.spread(&key, member)?);
        } else {
            context.push((name, compiler.value(&key, member)?));
        }
    }
    Ok((context, spread))
}

fn delimiter(raw: Option<Spanned<char>>, format: Format, compiler: &Compiler<'_>) -> Result<u8, MapError> {
    let Some(raw) = raw else { return Ok(b',') };
    let fault = |message: &str| compiler.fault(raw.span().start, "delimiter", message.to_owned());
    if format != Format::Csv {
        return Err(fault("only CSV has a delimiter"));
    }
    u8::try_from(*raw.get_ref())
        .ok()
        .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
        .ok_or_else(|| fault("one ASCII character that is no quote or line end"))
}
