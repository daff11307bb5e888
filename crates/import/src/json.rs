//! JSON as foreign programs write it, read without losing a digit: number literals stay text, and strings keep the
//! lone surrogates that Python accepts.

use std::borrow::Cow;

/// Nesting that is read at all; deeper text is refused before it can exhaust the stack.
const MAX_DEPTH: usize = 256;

/// A string in WTF-8: UTF-8, but for lone surrogates. Byte order is code point order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// The text, unless half a surrogate pair stands in it.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text for people, lone surrogates replaced.
    pub(crate) fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The code points, lone surrogates included.
    pub(crate) fn code_points(&self) -> impl Iterator<Item = u32> + '_ {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (&lead, _) = rest.split_first()?;
            let length = match lead {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            let (now, later) = rest.split_at(length);
            rest = later;
            let first = u32::from(lead) & (0xff >> if length == 1 { 0 } else { length + 1 });
            Some(now[1..].iter().fold(first, |point, byte| point << 6 | u32::from(byte & 0x3f)))
        })
    }

    fn push(&mut self, point: u32) {
        if let Some(character) = char::from_u32(point) {
            let mut buffer = [0; 4];
            self.0.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        } else {
            self.0.extend([0xe0 | (point >> 12) as u8, 0x80 | (point >> 6 & 0x3f) as u8, 0x80 | (point & 0x3f) as u8]);
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.as_bytes().to_vec())
    }
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// The literal as it stood; also Python's `NaN`, `Infinity` and `-Infinity`.
    Number(String),
    String(Text),
    Array(Vec<Json>),
    /// Members in order; names differ.
    Object(Vec<(Text, Json)>),
}

impl Json {
    /// The member `name` of an object.
    pub(crate) fn member(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else {
            return None;
        };
        members.iter().find(|(key, _)| key.0 == name.as_bytes()).map(|(_, value)| value)
    }
}

/// A document and the member names that stood in one object more than once (the last value is kept, as Python does).
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) value: Json,
    pub(crate) duplicates: Vec<String>,
}

/// Why text is not JSON, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {at}")]
pub(crate) struct JsonError {
    pub(crate) at: usize,
    pub(crate) message: &'static str,
}

/// Reads exactly one value, as Python's `json.loads` does.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError { at: error.valid_up_to(), message: "invalid UTF-8" })?;
    let mut parser = Parser { text, at: 0, duplicates: Vec::new() };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.error("something follows the value"));
    }
    Ok(Document { value, duplicates: parser.duplicates })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    duplicates: Vec<String>,
}

impl Parser<'_> {
    fn error(&self, message: &'static str) -> JsonError {
        JsonError { at: self.at, message }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        self.space();
        match self.peek() {
            None => Err(self.error("the text ends where a value was expected")),
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            _ if self.eat("null") => Ok(Json::Null),
            _ if self.eat("true") => Ok(Json::Bool(true)),
            _ if self.eat("false") => Ok(Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        for token in ["NaN", "Infinity", "-Infinity"] {
            if self.eat(token) {
                return Ok(Json::Number(token.to_owned()));
            }
        }
        let rest = &self.text[self.at..];
        let length = crate::number::literal_length(rest);
        if length == 0 {
            return Err(self.error("no JSON value"));
        }
        self.at += length;
        Ok(Json::Number(rest[..length].to_owned()))
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat("]") {
                return Ok(Json::Array(items));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `]` expected"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.eat("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a member name in quotes expected"));
            }
            let name = self.string()?;
            self.space();
            if !self.eat(":") {
                return Err(self.error("`:` expected"));
            }
            members.push((name, self.value(depth + 1)?));
            self.space();
            if self.eat("}") {
                return Ok(Json::Object(self.last_of_each(members)));
            }
            if !self.eat(",") {
                return Err(self.error("`,` or `}` expected"));
            }
        }
    }

    fn last_of_each(&mut self, members: Vec<(Text, Json)>) -> Vec<(Text, Json)> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|&a, &b| members[a].0.cmp(&members[b].0).then(a.cmp(&b)));
        let mut stale = vec![false; members.len()];
        for pair in order.windows(2) {
            if members[pair[0]].0 == members[pair[1]].0 {
                stale[pair[0]] = true;
                self.duplicates.push(members[pair[0]].0.lossy().into_owned());
            }
        }
        let mut stale = stale.into_iter();
        let mut members = members;
        members.retain(|_| stale.next() == Some(false));
        members
    }

    fn string(&mut self) -> Result<Text, JsonError> {
        self.at += 1;
        let mut text = Text(Vec::new());
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            text.0.extend_from_slice(&self.text.as_bytes()[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("a bare control character in a string")),
                None => return Err(self.error("a string without its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<u32, JsonError> {
        self.at += 1;
        let letter = self.peek();
        let simple = match letter {
            Some(b'"' | b'\\' | b'/') => letter.map(u32::from),
            Some(b'b') => Some(8),
            Some(b'f') => Some(12),
            Some(b'n') => Some(10),
            Some(b'r') => Some(13),
            Some(b't') => Some(9),
            Some(b'u') => None,
            _ => return Err(self.error("an unknown escape")),
        };
        self.at += 1;
        if let Some(point) = simple {
            return Ok(point);
        }
        let unit = self.hex()?;
        if !(0xd800..0xdc00).contains(&unit) {
            return Ok(unit);
        }
        let mark = self.at;
        if self.eat("\\u") {
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                return Ok(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            }
            self.at = mark;
        }
        Ok(unit)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let unit = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("four hexadecimal digits expected"))?;
        self.at += 4;
        Ok(unit)
    }
}

/// Appends `text` as a JSON string literal.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\0'..='\x1f' => {
                out.extend_from_slice(format!("\\u{:04x}", character as u32).as_bytes());
            }
            _ => {
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }
    out.push(b'"');
}
