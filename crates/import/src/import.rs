//! Reading a foreign log through a map.

use std::collections::BTreeMap;
use std::io::Read;

use csv::StringRecord;

use crate::error::{ImportError, MapError};
use crate::input::{self, CsvRows, JsonRows, Position};
use crate::json::Json;
use crate::map::{Field, Format, Map};
use crate::record::{Body, Reader, Record};

mod assemble;

/// How many refused rows a check names.
const MAX_REFUSALS: usize = 20;

/// A row, as an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Row, from 1: a CSV record without the header, a JSON record.
    pub number: u64,
    /// Line of the file on which it starts, from 1.
    pub line: u64,
    /// The entry's client-set members as a JSON object, for `Draft::parse`.
    pub json: Vec<u8>,
}

/// What an import has done so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows read, refused ones included.
    pub rows: u64,
    /// Rows refused.
    pub refused: u64,
    /// Values filled with a declared constant, by member (`context.x` for a member of the context).
    pub filled: BTreeMap<String, u64>,
    /// Texts cut to the map's `shorten_to`, and kept members replaced by their digest, by member.
    pub shortened: BTreeMap<String, u64>,
    /// Numbers that no entry can hold exactly and that became strings.
    pub numbers_as_text: u64,
}

impl Totals {
    pub(crate) fn count_fill(&mut self, member: &str) {
        count(&mut self.filled, member);
    }

    pub(crate) fn count_cut(&mut self, member: &str) {
        count(&mut self.shortened, member);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, member: &str) {
    match counts.get_mut(member) {
        Some(count) => *count += 1,
        None => {
            counts.insert(member.to_owned(), 1);
        }
    }
}

/// A row that cannot become an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Row, from 1.
    pub number: u64,
    /// Line of the file on which it starts, from 1.
    pub line: u64,
    /// Why, naming the member it would have become.
    pub reason: String,
}

/// What a first pass over a file found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Check {
    /// Counts over the whole file; `totals.refused` of zero means that every row becomes an entry.
    pub totals: Totals,
    /// The first 20 refused rows.
    pub refusals: Vec<Refusal>,
}

/// A file read through a map: an iterator over its rows, holding one row at a time.
///
/// After an error for which [`ImportError::is_row`] holds the next row follows; after any other the iterator ends.
pub struct Import<'m> {
    map: &'m Map,
    file: Option<String>,
    rows: Rows,
    totals: Totals,
}

enum Rows {
    Csv(Box<CsvRows>),
    Json(JsonRows),
}

impl<'m> Import<'m> {
    /// Opens a plain or gzipped file.
    ///
    /// # Errors
    /// The file cannot be read, is not of the map's format, or lacks a column that the map names.
    pub fn open(reader: Box<dyn Read>, map: &'m Map) -> Result<Import<'m>, ImportError> {
        Import::start(reader, None, map)
    }

    /// Opens a file whose name the map may use as `$file`.
    ///
    /// # Errors
    /// As [`Import::open`].
    pub fn open_named(reader: Box<dyn Read>, file: &str, map: &'m Map) -> Result<Import<'m>, ImportError> {
        Import::start(reader, Some(file.to_owned()), map)
    }

    fn start(reader: Box<dyn Read>, file: Option<String>, map: &'m Map) -> Result<Import<'m>, ImportError> {
        if file.is_none()
            && let Some(place) = map.places.iter().find(|place| place.field == Field::File)
        {
            return Err(ImportError::Map(MapError {
                line: place.line,
                key: place.key.clone(),
                message: "uses $file, but the input has no name".to_owned(),
            }));
        }
        let reader = input::open(reader)?;
        let rows = match map.format {
            Format::Csv => {
                let rows = CsvRows::open(reader, map.delimiter)?;
                check_columns(map, &rows)?;
                Rows::Csv(Box::new(rows))
            }
            format => Rows::Json(JsonRows::open(reader, format)?),
        };
        Ok(Import { map, file, rows, totals: Totals::default() })
    }

    /// What has been done so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Reads the whole file and names the rows that cannot become entries, so that an import can be refused before
    /// anything is recorded. `accept` is asked about every row that the map accepts; its error refuses the row.
    ///
    /// # Errors
    /// The file as a whole is unreadable; a refused row is no error here.
    pub fn check(mut self, mut accept: impl FnMut(&Row) -> Result<(), String>) -> Result<Check, ImportError> {
        let mut refusals = Vec::new();
        let mut refused = 0;
        for next in self.by_ref() {
            let refusal = match next {
                Ok(row) => accept(&row).err().map(|reason| Refusal { number: row.number, line: row.line, reason }),
                Err(ImportError::Row { number, line, reason }) => Some(Refusal { number, line, reason }),
                Err(error) => return Err(error),
            };
            if let Some(refusal) = refusal {
                refused += 1;
                if refusals.len() < MAX_REFUSALS {
                    refusals.push(refusal);
                }
            }
        }
        let totals = Totals { refused, ..self.totals };
        Ok(Check { totals, refusals })
    }

    fn csv_row(&mut self) -> Option<Result<Row, ImportError>> {
        let Rows::Csv(rows) = &mut self.rows else { return None };
        let next = rows.next()?;
        Some(next.and_then(|(position, row)| {
            let body = Body::Csv { columns: &rows.columns, header: &rows.header, row: &row };
            read(self.map, self.file.as_deref(), &mut self.totals, position, body)
        }))
    }

    fn json_row(&mut self) -> Option<Result<Row, ImportError>> {
        let Rows::Json(rows) = &mut self.rows else { return None };
        let next: Result<(Position, Json), _> = rows.next()?;
        Some(next.and_then(|(position, record)| {
            let body = Body::Json(&record);
            read(self.map, self.file.as_deref(), &mut self.totals, position, body)
        }))
    }
}

impl Iterator for Import<'_> {
    type Item = Result<Row, ImportError>;

    fn next(&mut self) -> Option<Result<Row, ImportError>> {
        let next = match self.rows {
            Rows::Csv(_) => self.csv_row(),
            Rows::Json(_) => self.json_row(),
        }?;
        if let Ok(_) | Err(ImportError::Row { .. }) = &next {
            self.totals.rows += 1;
            self.totals.refused += u64::from(next.is_err());
        }
        Some(next)
    }
}

fn read<'a>(
    map: &'a Map,
    file: Option<&'a str>,
    totals: &'a mut Totals,
    position: Position,
    body: Body<'a>,
) -> Result<Row, ImportError> {
    let mut reader = Reader { map, record: Record { body, number: position.number, file }, totals, taken: Vec::new() };
    let json = assemble::entry(&mut reader).map_err(|reason| position.fault(reason))?;
    Ok(Row { number: position.number, line: position.line, json })
}

fn check_columns(map: &Map, rows: &CsvRows) -> Result<(), ImportError> {
    for place in &map.places {
        if let Field::Column(name) = &place.field
            && !rows.columns.contains_key(name)
        {
            return Err(ImportError::Map(MapError {
                line: place.line,
                key: place.key.clone(),
                message: format!("the file has no column {name:?}; {}", listed(map, &rows.header)),
            }));
        }
    }
    Ok(())
}

/// The columns that a file has, and the delimiter that it may have instead of the map's.
fn listed(map: &Map, header: &StringRecord) -> String {
    const MOST_LISTED: usize = 10;
    let names: Vec<&str> = header.iter().take(MOST_LISTED).collect();
    let more = match header.len().saturating_sub(MOST_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let other = [(';', "\";\""), ('\t', "\"\\t\"")].into_iter().find(|(delimiter, _)| {
        char::from(map.delimiter) != *delimiter && names.iter().any(|name| name.contains(*delimiter))
    });
    let hint = other.map_or_else(String::new, |(_, text)| format!("; the map may need delimiter = {text}"));
    format!("its columns are {}{more}{hint}", names.join(", "))
}
