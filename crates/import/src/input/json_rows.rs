//! JSON records: one a line, the items of one array, or those of `{"Records": […]}`.

use std::io::{BufRead, Read};

use super::{MAX_ROW, Position, looks};
use crate::error::ImportError;
use crate::json::{Document, Json, parse};
use crate::map::Format;

/// The records of a JSON file.
pub(crate) struct JsonRows {
    bytes: Bytes,
    format: Format,
    shape: Shape,
    number: u64,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Lines,
    Array,
    Records,
}

impl JsonRows {
    pub(crate) fn open(inner: Box<dyn BufRead>, format: Format) -> Result<JsonRows, ImportError> {
        let mut bytes = Bytes { inner, line: 1 };
        let shape = match format {
            Format::JsonArray => Shape::Array,
            Format::Records => Shape::Records,
            Format::Json => guess(&mut bytes)?,
            Format::Jsonl | Format::Csv => Shape::Lines,
        };
        if shape != Shape::Lines {
            check_start(&mut bytes, shape, format)?;
        }
        if shape == Shape::Records {
            for token in ["{", "\"Records\"", ":"] {
                bytes.expect(token, "a file of the form {\"Records\": […]}")?;
            }
        }
        if shape != Shape::Lines {
            bytes.expect("[", "a JSON array")?;
        }
        Ok(JsonRows { bytes, format, shape, number: 0, ended: false })
    }

    /// The next record.
    pub(crate) fn next(&mut self) -> Option<Result<(Position, Json), ImportError>> {
        if self.ended {
            return None;
        }
        let next = match self.shape {
            Shape::Lines => self.line(),
            Shape::Array | Shape::Records => self.item(),
        };
        let (position, text) = match next {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.ended = true;
                return None;
            }
            Err(error) => {
                self.ended = true;
                return Some(Err(error));
            }
        };
        Some(match record(position, &text) {
            Ok(record) => Ok((position, record)),
            Err(refused) => Err(self.other_format(position, &text).unwrap_or(refused)),
        })
    }

    /// The end of a file whose first line already shows that it is not of the map's format.
    fn other_format(&mut self, position: Position, text: &[u8]) -> Option<ImportError> {
        if self.shape != Shape::Lines || position.number > 1 || text.trim_ascii().ends_with(b"}") {
            return None;
        }
        let message = looks::mismatch(text, self.format)?;
        self.ended = true;
        Some(ImportError::Input { line: position.line, message })
    }

    fn line(&mut self) -> Result<Option<(Position, Vec<u8>)>, ImportError> {
        loop {
            let line = self.bytes.line;
            let Some(text) = self.bytes.take_line()? else {
                return Ok(None);
            };
            if !text.trim_ascii().is_empty() {
                self.number += 1;
                let number = self.number;
                return Ok(Some((Position { number, line }, text)));
            }
        }
    }

    fn item(&mut self) -> Result<Option<(Position, Vec<u8>)>, ImportError> {
        let first = self.number == 0;
        match self.bytes.peek_past_space()? {
            Some(b']') => {
                self.bytes.skip()?;
                return self.after_array().map(|()| None);
            }
            Some(b',') if !first => self.bytes.skip()?,
            Some(_) if first => {}
            Some(_) => return Err(self.bytes.fault("`,` or `]` expected between the records")),
            None => return Err(self.bytes.fault("the file ends inside its array; it may be cut")),
        }
        self.bytes.peek_past_space()?;
        self.number += 1;
        let position = Position { number: self.number, line: self.bytes.line };
        let text = self.bytes.take_value()?;
        Ok(Some((position, text)))
    }

    fn after_array(&mut self) -> Result<(), ImportError> {
        if self.shape == Shape::Records {
            self.bytes.expect("}", "nothing but \"Records\" in the object")?;
        }
        match self.bytes.peek_past_space()? {
            None => Ok(()),
            Some(_) => Err(self.bytes.fault("something follows the array")),
        }
    }
}

fn record(position: Position, text: &[u8]) -> Result<Json, ImportError> {
    let Document { value, duplicates } = parse(text).map_err(|error| position.fault(format!("is no JSON: {error}")))?;
    if let Some(name) = duplicates.first() {
        return Err(position.fault(format!("has {name:?} twice in one object")));
    }
    match value {
        Json::Object(_) => Ok(value),
        _ => Err(position.fault("is no JSON object")),
    }
}

/// Refuses a file that cannot be an array or an object with one by its first byte.
fn check_start(bytes: &mut Bytes, shape: Shape, format: Format) -> Result<(), ImportError> {
    let wanted = if shape == Shape::Array { b'[' } else { b'{' };
    let first = bytes.peek_past_space()?;
    if first.is_none_or(|first| first == wanted) {
        return Ok(());
    }
    let line = bytes.window()?.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match looks::mismatch(line, format) {
        Some(message) => Err(bytes.fault(message)),
        None => Ok(()),
    }
}

fn guess(bytes: &mut Bytes) -> Result<Shape, ImportError> {
    if bytes.peek_past_space()? == Some(b'[') {
        return Ok(Shape::Array);
    }
    let start: Vec<u8> = bytes.window()?.iter().copied().take(256).collect();
    let start: Vec<u8> = start.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    Ok(if start.starts_with(b"{\"Records\":[") { Shape::Records } else { Shape::Lines })
}

/// A byte stream that counts its lines.
struct Bytes {
    inner: Box<dyn BufRead>,
    line: u64,
}

impl Bytes {
    fn fault(&self, message: impl Into<String>) -> ImportError {
        ImportError::Input { line: self.line, message: message.into() }
    }

    fn window(&mut self) -> Result<&[u8], ImportError> {
        Ok(self.inner.fill_buf()?)
    }

    fn peek(&mut self) -> Result<Option<u8>, ImportError> {
        Ok(self.window()?.first().copied())
    }

    fn skip(&mut self) -> Result<(), ImportError> {
        if self.peek()? == Some(b'\n') {
            self.line += 1;
        }
        self.inner.consume(1);
        Ok(())
    }

    fn peek_past_space(&mut self) -> Result<Option<u8>, ImportError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.skip()?;
        }
        Ok(None)
    }

    fn expect(&mut self, token: &str, what: &str) -> Result<(), ImportError> {
        self.peek_past_space()?;
        for byte in token.bytes() {
            if self.peek()? != Some(byte) {
                return Err(self.fault(format!("the map says {what}; {token:?} expected here")));
            }
            self.skip()?;
        }
        Ok(())
    }

    fn take_line(&mut self) -> Result<Option<Vec<u8>>, ImportError> {
        let mut text = Vec::new();
        let limit = MAX_ROW as u64 + 1;
        self.inner.by_ref().take(limit).read_until(b'\n', &mut text)?;
        if text.len() > MAX_ROW {
            return Err(self.fault("a line is longer than 16 MiB"));
        }
        self.line += 1;
        Ok((!text.is_empty()).then_some(text))
    }

    /// One value, from its first byte to its last.
    fn take_value(&mut self) -> Result<Vec<u8>, ImportError> {
        let mut text = Vec::new();
        let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
        while let Some(byte) = self.peek()? {
            let ends = depth == 0 && !quoted;
            if ends && (matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace()) {
                return Ok(text);
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => depth -= 1,
                _ => {}
            }
            text.push(byte);
            self.skip()?;
            if text.len() > MAX_ROW {
                return Err(self.fault("a record is longer than 16 MiB"));
            }
        }
        Err(self.fault("the file ends inside its array; it may be cut"))
    }
}
