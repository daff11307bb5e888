//! A row of a file and what a map finds in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use csv::StringRecord;
use sha2::{Digest, Sha256};

use crate::import::Totals;
use crate::json::{Json, write_string};
use crate::map::{CellType, Expression, Field, Gap, InexactNumbers, Map, Part, Scalar, Unlisted, What, follow};
use crate::number::{is_exact, is_literal};

/// Why a row cannot become an entry.
pub(crate) type Reason = String;

/// A row.
pub(crate) struct Record<'a> {
    pub(crate) body: Body<'a>,
    pub(crate) number: u64,
    pub(crate) file: Option<&'a str>,
}

pub(crate) enum Body<'a> {
    Csv { columns: &'a HashMap<String, usize>, header: &'a StringRecord, row: &'a StringRecord },
    Json(&'a Json),
}

/// What stands at a place.
enum Found<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Cell(&'a str, CellType),
    Json(&'a Json),
}

/// Reads one record through a map, counting what it fills in and cuts.
pub(crate) struct Reader<'a> {
    pub(crate) map: &'a Map,
    pub(crate) record: Record<'a>,
    pub(crate) totals: &'a mut Totals,
    /// The columns and top-level members whose whole value a member of the entry carries.
    pub(crate) taken: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn found(&self, field: &Field) -> Found<'a> {
        match (field, &self.record.body) {
            (Field::Row, _) => Found::Text(self.record.number.to_string().into()),
            (Field::File, _) => self.record.file.map_or(Found::Nothing, |name| Found::Text(name.into())),
            (Field::Column(name), Body::Csv { columns, row, .. }) => {
                let cell = columns.get(name).and_then(|&column| row.get(column));
                match cell {
                    None | Some("") => Found::Nothing,
                    Some(cell) => Found::Cell(cell, cell_type(&self.map.types, name)),
                }
            }
            (Field::Path(steps), Body::Json(record)) => follow(record, steps).map_or(Found::Nothing, Found::Json),
            _ => Found::Nothing,
        }
    }

    /// The text at a place; empty and null are none.
    fn text_at(&self, field: &Field) -> Result<Option<Cow<'a, str>>, Reason> {
        match self.found(field) {
            Found::Nothing | Found::Json(Json::Null) => Ok(None),
            Found::Text(text) => Ok(Some(text)),
            Found::Cell(cell, _) => Ok(Some(cell.into())),
            Found::Json(Json::Bool(truth)) => Ok(Some(truth.to_string().into())),
            Found::Json(Json::Number(literal)) => Ok(Some(literal.as_str().into())),
            Found::Json(Json::String(text)) => match text.as_str() {
                Some("") => Ok(None),
                Some(text) => Ok(Some(text.into())),
                None => Err(format!("{} holds half a surrogate pair", field.display())),
            },
            Found::Json(Json::Array(_) | Json::Object(_)) => {
                Err(format!("{} holds an array or object where a text belongs", field.display()))
            }
        }
    }

    /// The text at a place, taking what is no text for none.
    fn text_if_any(&self, field: &Field) -> Option<Cow<'a, str>> {
        self.text_at(field).ok().flatten()
    }

    /// The text of a member, or none when the map lets it out.
    pub(crate) fn text(&mut self, member: &str, expression: &'a Expression) -> Result<Option<Cow<'a, str>>, Reason> {
        let raw = self.raw_text(expression).map_err(|reason| format!("{member}: {reason}"))?;
        let listed = match (&expression.values, raw) {
            (Some(values), Some(raw)) => match values.listed.get(raw.as_ref()) {
                Some(text) => Some(text.clone().into()),
                None => match &values.unlisted {
                    Unlisted::Keep => Some(raw),
                    Unlisted::Omit => return Ok(None),
                    Unlisted::Use(text) => Some(text.clone().into()),
                    Unlisted::Refuse => {
                        return Err(format!("{member}: the map lists no value for {raw:?}"));
                    }
                },
            },
            (_, raw) => raw,
        };
        let text = match (listed, &expression.gap) {
            (Some(text), _) => text,
            (None, Gap::Omit) => return Ok(None),
            (None, Gap::Refuse) => return Err(self.gap(member, expression)),
            (None, Gap::Fill(constant)) => {
                self.totals.count_fill(member);
                constant.to_string().into()
            }
        };
        match expression.shorten_to {
            Some(length) if text.len() > length => {
                self.totals.count_cut(member);
                Ok(Some(cut(&text, length).into()))
            }
            _ => {
                self.take(expression);
                Ok(Some(text))
            }
        }
    }

    /// Notes the place whose value a member carries unchanged.
    fn take(&mut self, expression: &'a Expression) {
        let field = match (&expression.what, &expression.values) {
            (What::From(field), None) => Some(field),
            (What::First(fields), None) => fields.iter().find(|field| self.text_if_any(field).is_some()),
            _ => None,
        };
        self.taken.extend(field.and_then(Field::whole));
    }

    fn raw_text(&self, expression: &Expression) -> Result<Option<Cow<'a, str>>, Reason> {
        match &expression.what {
            What::From(field) => self.text_at(field),
            What::Constant(constant) => Ok(Some(constant.to_string().into())),
            What::First(fields) => Ok(fields.iter().find_map(|field| self.text_if_any(field))),
            What::Rules(rules) => Ok(rules
                .iter()
                .find(|rule| match &rule.test {
                    None => true,
                    Some((field, condition)) => condition.holds(self.text_if_any(field).as_deref()),
                })
                .map(|rule| rule.is.clone().into())),
            What::Template(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(literal) => text.push_str(literal),
                        Part::Field { field, without } => match self.text_at(field)? {
                            None => return Ok(None),
                            Some(found) => {
                                text.push_str(found.strip_suffix(without.as_str()).unwrap_or(&found));
                            }
                        },
                    }
                }
                Ok(Some(text.into()))
            }
            What::Object(_) => Err("takes a text, not an object".to_owned()),
        }
    }

    fn gap(&self, member: &str, expression: &Expression) -> Reason {
        let places = match &expression.what {
            What::From(field) => format!("{} is empty", field.display()),
            What::First(fields) => {
                let names: Vec<_> = fields.iter().map(Field::display).collect();
                format!("none of {} holds a text", names.join(", "))
            }
            What::Template(parts) => {
                let empty = parts.iter().find_map(|part| match part {
                    Part::Field { field, .. } if self.text_if_any(field).is_none() => Some(field.display()),
                    _ => None,
                });
                format!("{} is empty", empty.unwrap_or_default())
            }
            What::Rules(_) => "no rule holds".to_owned(),
            What::Constant(_) | What::Object(_) => "it has no value".to_owned(),
        };
        format!("{member}: {places} (the map may declare a constant: fill = \"…\")")
    }

    /// Appends a member's value as JSON; false when the map lets it out.
    pub(crate) fn value(
        &mut self,
        member: &str,
        expression: &'a Expression,
        out: &mut Vec<u8>,
    ) -> Result<bool, Reason> {
        match &expression.what {
            What::Object(members) => self.object(member, members, &expression.gap, out),
            What::Constant(constant) => {
                write_scalar(constant, out);
                Ok(true)
            }
            What::From(field) if expression.values.is_none() && expression.shorten_to.is_none() => {
                let found = self.found(field);
                match (found, &expression.gap) {
                    (Found::Nothing, Gap::Omit) => Ok(false),
                    (Found::Nothing, Gap::Refuse) => Err(self.gap(member, expression)),
                    (Found::Nothing, Gap::Fill(constant)) => {
                        self.totals.count_fill(member);
                        write_scalar(constant, out);
                        Ok(true)
                    }
                    (found, _) => {
                        self.write_found(found, out)
                            .map_err(|reason| format!("{member}: {} {reason}", field.display()))?;
                        self.take(expression);
                        Ok(true)
                    }
                }
            }
            _ => Ok(match self.text(member, expression)? {
                None => false,
                Some(text) => {
                    write_string(&text, out);
                    true
                }
            }),
        }
    }

    fn object(
        &mut self,
        member: &str,
        members: &'a [(String, Expression)],
        gap: &Gap,
        out: &mut Vec<u8>,
    ) -> Result<bool, Reason> {
        let start = out.len();
        out.push(b'{');
        for (name, expression) in members {
            let before = out.len();
            if before > start + 1 {
                out.push(b',');
            }
            write_string(name, out);
            out.push(b':');
            if !self.value(&format!("{member}.{name}"), expression, out)? {
                out.truncate(before);
            }
        }
        if out.len() > start + 1 {
            out.push(b'}');
            return Ok(true);
        }
        out.truncate(start);
        match gap {
            Gap::Omit => Ok(false),
            Gap::Refuse => Err(format!("{member}: none of its members has a value")),
            Gap::Fill(constant) => {
                self.totals.count_fill(member);
                write_scalar(constant, out);
                Ok(true)
            }
        }
    }

    fn write_found(&mut self, found: Found<'_>, out: &mut Vec<u8>) -> Result<(), Reason> {
        match found {
            Found::Nothing => out.extend_from_slice(b"null"),
            Found::Text(text) => write_string(&text, out),
            Found::Cell(cell, kind) => self.write_cell(cell, kind, out)?,
            Found::Json(value) => self.write_json(value, out)?,
        }
        Ok(())
    }

    /// Appends a CSV cell as the JSON its column's type says.
    pub(crate) fn write_cell(&mut self, cell: &str, kind: CellType, out: &mut Vec<u8>) -> Result<(), Reason> {
        match kind {
            CellType::String => write_string(cell, out),
            CellType::Number | CellType::NumberOrString if is_exact(cell) => {
                out.extend_from_slice(cell.as_bytes());
            }
            CellType::NumberOrString => {
                self.totals.numbers_as_text += 1;
                write_string(cell, out);
            }
            CellType::Number if is_literal(cell) => {
                return Err(format!(
                    "holds {cell}, which no entry can hold exactly (type the column string or number_or_string)"
                ));
            }
            CellType::Number => {
                return Err(format!(
                    "holds {cell:?}, which is no number (as in 1234.5; type the column string or number_or_string)"
                ));
            }
            CellType::Boolean => match cell.to_ascii_lowercase().as_str() {
                truth @ ("true" | "false") => out.extend_from_slice(truth.as_bytes()),
                _ => return Err(format!("holds {cell:?}, which is neither true nor false")),
            },
            CellType::Json => {
                let document =
                    crate::json::parse(cell.as_bytes()).map_err(|error| format!("holds no JSON: {error}"))?;
                if let Some(name) = document.duplicates.first() {
                    return Err(format!("holds JSON with {name:?} twice in one object"));
                }
                self.write_json(&document.value, out)?;
            }
        }
        Ok(())
    }

    /// Appends a JSON value, digits as they stood.
    pub(crate) fn write_json(&mut self, value: &Json, out: &mut Vec<u8>) -> Result<(), Reason> {
        match value {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(truth) => out.extend_from_slice(truth.to_string().as_bytes()),
            Json::Number(literal) if is_exact(literal) => out.extend_from_slice(literal.as_bytes()),
            Json::Number(literal) => match self.map.inexact_numbers {
                InexactNumbers::Refuse => {
                    return Err(format!(
                        "holds {literal}, which no entry can hold exactly (the map may say inexact_numbers = \"string\")"
                    ));
                }
                InexactNumbers::String => {
                    self.totals.numbers_as_text += 1;
                    write_string(literal, out);
                }
            },
            Json::String(text) => match text.as_str() {
                Some(text) => write_string(text, out),
                None => return Err("holds half a surrogate pair".to_owned()),
            },
            Json::Array(items) => {
                out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    self.write_json(item, out)?;
                }
                out.push(b']');
            }
            Json::Object(members) => {
                out.push(b'{');
                for (position, (name, item)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    let name = name.as_str().ok_or("has a name with half a surrogate pair")?;
                    write_string(name, out);
                    out.push(b':');
                    self.write_json(item, out)?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }

    /// The JSON value at a place.
    pub(crate) fn json_at(&self, field: &Field) -> Option<&'a Json> {
        match self.found(field) {
            Found::Json(value) => Some(value),
            _ => None,
        }
    }
}

/// The declared type of a column.
pub(crate) fn cell_type(types: &BTreeMap<String, CellType>, column: &str) -> CellType {
    types.get(column).copied().unwrap_or(CellType::String)
}

fn write_scalar(constant: &Scalar, out: &mut Vec<u8>) {
    match constant {
        Scalar::String(text) => write_string(text, out),
        Scalar::Integer(_) | Scalar::Boolean(_) => {
            out.extend_from_slice(constant.to_string().as_bytes());
        }
    }
}

fn cut(text: &str, length: usize) -> String {
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let ending = format!("…{}", &digest[..16]);
    let mut end = length - ending.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &text[..end])
}
