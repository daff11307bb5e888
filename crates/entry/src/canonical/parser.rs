//! The strict JSON parser that writes canonical bytes as it goes.

use super::ValueKind;
use super::number::{self, EXACT_DIGITS, MAX_LITERAL};
use super::order::name_order;
use super::scan::{Named, members, special_at};
use super::text::{code_unit, short_escape, write_escape};
use crate::MAX_DEPTH;
use crate::error::{Checked, ENDS_EARLY, EntryError, shown};
use std::cmp::Ordering;
use std::ops::Range;

/// Reads one JSON text once, front to back.
///
/// Bytes that are canonical as they stand are not copied one by one: `run` is where the stretch of input
/// began that equals its own canonical form, and the stretch is appended to `out` only when something in
/// the input has to be written otherwise. Input that is canonical altogether is thus one copy, and a mere
/// check of canonical form is no copy at all.
pub(crate) struct Parser<'t, 'o> {
    text: &'t [u8],
    at: usize,
    run: usize,
    out: &'o mut Vec<u8>,
    depth: usize,
    /// Whether a member name began with `$`: only then can a sealed value be about.
    pub saw_dollar: bool,
}

impl<'t, 'o> Parser<'t, 'o> {
    pub fn new(text: &'t [u8], out: &'o mut Vec<u8>) -> Checked<Self> {
        if text.starts_with(b"\xEF\xBB\xBF") {
            let problem = "begins with a byte order mark; send UTF-8 without one";
            return Err(EntryError::Encoding { member: String::new(), at: 0, problem }.into());
        }
        if let Err(error) = std::str::from_utf8(text) {
            let problem = "not valid UTF-8; send text as UTF-8 and binary content as base64";
            return Err(EntryError::Encoding { member: String::new(), at: error.valid_up_to(), problem }.into());
        }
        Ok(Self { text, at: 0, run: 0, out, depth: 0, saw_dollar: false })
    }

    /// Where the next canonical byte will stand in `out`.
    #[inline]
    pub fn position(&self) -> usize {
        self.out.len() + self.at - self.run
    }

    /// Offset in the input.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Makes sure that what was written since `start` does not lie half in `out` and half in the pending run.
    #[inline]
    pub fn settle(&mut self, start: usize) {
        if start < self.out.len() {
            self.flush();
        }
    }

    /// Canonical bytes written so far, by their places in `out`; settled before.
    #[inline]
    pub fn written(&self, range: Range<usize>) -> &[u8] {
        match range.start.checked_sub(self.out.len()) {
            Some(ahead) => &self.text[self.run + ahead..self.run + ahead + range.len()],
            None => &self.out[range],
        }
    }

    /// Appends what is pending.
    #[inline]
    pub fn flush(&mut self) {
        self.out.extend_from_slice(&self.text[self.run..self.at]);
        self.run = self.at;
    }

    /// Puts other bytes in the place of what was written since `from`.
    pub fn replace(&mut self, from: usize, bytes: &[u8]) {
        self.flush();
        self.out.truncate(from);
        self.out.extend_from_slice(bytes);
    }

    /// Refuses anything but white space after the value.
    pub fn finish(&mut self) -> Checked<()> {
        self.peek();
        if self.at < self.text.len() {
            return self.malformed("something follows the value; send one value at a time");
        }
        Ok(())
    }

    /// Refuses input that is not its own canonical form. Only after [`Parser::finish`].
    pub fn unchanged(&mut self) -> Result<(), EntryError> {
        if self.run == 0 {
            return Ok(());
        }
        self.flush();
        let same = self.out.iter().zip(self.text).take_while(|(a, b)| a == b).count();
        if same == self.out.len() && same == self.text.len() {
            Ok(())
        } else {
            Err(EntryError::NotCanonical { at: same })
        }
    }

    /// Reads any value.
    pub fn value(&mut self) -> Checked<ValueKind> {
        match self.peek() {
            b'"' => self.string().map(|()| ValueKind::String),
            b'{' => self.object().map(|()| ValueKind::Object),
            b'-' | b'0'..=b'9' => self.number().map(|()| ValueKind::Number),
            b'[' => self.array().map(|()| ValueKind::Array),
            b't' => self.word(b"true", ValueKind::Boolean),
            b'f' => self.word(b"false", ValueKind::Boolean),
            b'n' => self.word(b"null", ValueKind::Null),
            _ => self.malformed("a value is expected here"),
        }
    }

    /// The next byte that is not white space, which is dropped; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        match self.text.get(self.at) {
            Some(&byte) if byte > b' ' => byte,
            _ => self.skip_space(),
        }
    }

    #[inline(never)]
    fn skip_space(&mut self) -> u8 {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let count = self.text[self.at..].iter().take_while(space).count();
        if count > 0 {
            self.flush();
            self.at += count;
            self.run = self.at;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Takes the opening bracket of a container.
    #[inline]
    pub fn enter(&mut self) -> Checked<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(EntryError::TooDeep { member: String::new(), at: self.at }.into());
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the closing bracket of a container.
    #[inline]
    pub fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Reads a member's name and the colon: the place of the name's text in `out`, without quotes.
    #[inline]
    pub fn name(&mut self) -> Checked<Range<usize>> {
        if self.peek() != b'"' {
            return self.malformed("a member name in double quotes is expected here");
        }
        let start = self.position() + 1;
        self.string()?;
        self.settle(start - 1);
        let name = start..self.position() - 1;
        self.saw_dollar |= self.written(name.clone()).first() == Some(&b'$');
        if self.peek() != b':' {
            return self.malformed("a colon is expected after a member name");
        }
        self.at += 1;
        Ok(name)
    }

    /// Takes a comma (`true`) or stops before the closing bracket (`false`).
    #[inline]
    pub fn more(&mut self, close: u8) -> Checked<bool> {
        match self.peek() {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => Ok(false),
            _ => self.malformed("a comma or the closing bracket is expected here"),
        }
    }

    fn object(&mut self) -> Checked<()> {
        let opened = self.at;
        self.enter()?;
        let start = self.position();
        if self.peek() == b'}' {
            self.leave();
            return Ok(());
        }
        let mut sorted = true;
        let mut previous: Option<Range<usize>> = None;
        loop {
            let name = self.name()?;
            if let Some(previous) = previous.filter(|_| sorted) {
                sorted = name_order(self.written(previous), self.written(name.clone())) == Ordering::Less;
            }
            previous = Some(name);
            self.value()?;
            if !self.more(b'}')? {
                break;
            }
        }
        if !sorted {
            self.sort(start, opened + 1)?;
        }
        self.leave();
        Ok(())
    }

    /// Sorts the members that were written since `start` and refuses a name that stands twice.
    #[inline(never)]
    fn sort(&mut self, start: usize, opened: usize) -> Checked<()> {
        self.flush();
        let body = format!("{{{}", String::from_utf8_lossy(&self.out[start..]));
        let mut sorted: Vec<Named> = members(&body).collect();
        sorted.sort_by(|a, b| name_order(a.name.as_bytes(), b.name.as_bytes()));
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(EntryError::Duplicate { member: shown(&twice[0].unescaped()), at: opened }.into());
        }
        self.out.truncate(start);
        for (index, member) in sorted.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(member.whole.as_bytes());
        }
        Ok(())
    }

    fn array(&mut self) -> Checked<()> {
        self.enter()?;
        if self.peek() != b']' {
            loop {
                self.value()?;
                if !self.more(b']')? {
                    break;
                }
            }
        }
        self.leave();
        Ok(())
    }

    fn word(&mut self, word: &[u8], kind: ValueKind) -> Checked<ValueKind> {
        if !self.text[self.at..].starts_with(word) {
            return self.malformed("a value is expected here");
        }
        self.at += word.len();
        Ok(kind)
    }

    #[inline]
    fn string(&mut self) -> Checked<()> {
        self.at += 1;
        loop {
            self.at = special_at(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0) => return self.bad_text("U+0000 is refused in every text"),
                Some(_) => return self.malformed("a control character in a string must be escaped"),
                None => return self.malformed("a string has no closing quote"),
            }
        }
    }

    #[inline(never)]
    fn escape(&mut self) -> Checked<()> {
        let tail = &self.text[self.at + 1..];
        let (character, used) = match tail.first() {
            Some(b'u') => self.unicode_escape(tail)?,
            Some(&byte) => match short_escape(byte) {
                Some(character) => (character, 2),
                None => return self.malformed("no such escape in JSON"),
            },
            None => return self.malformed("a string has no closing quote"),
        };
        let mut canonical = Vec::with_capacity(8);
        match character {
            '"' | '\\' | '\u{1}'..='\u{1f}' => write_escape(character as u8, &mut canonical),
            '\0' => return self.bad_text("U+0000 is refused in every text"),
            _ => canonical.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if self.text[self.at..self.at + used] != canonical {
            self.flush();
            self.out.extend_from_slice(&canonical);
            self.run += used;
        }
        self.at += used;
        Ok(())
    }

    /// The character of `uXXXX` or of a surrogate pair, and the bytes it takes with its backslashes.
    fn unicode_escape(&self, tail: &[u8]) -> Checked<(char, usize)> {
        let Some(unit) = code_unit(tail) else {
            return self.malformed("\\u needs four hexadecimal digits");
        };
        let low = tail.get(5..).filter(|rest| rest.starts_with(b"\\u")).and_then(|rest| code_unit(&rest[1..]));
        match (char::from_u32(u32::from(unit)), low) {
            (Some(character), _) => Ok((character, 6)),
            (None, Some(low)) => match char::decode_utf16([unit, low]).next() {
                Some(Ok(character)) => Ok((character, 12)),
                _ => self.bad_text("a lone surrogate is no character; send U+FFFD or drop it"),
            },
            (None, None) => self.bad_text("a lone surrogate is no character; send U+FFFD or drop it"),
        }
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let from = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Checked<()> {
        let start = self.at;
        self.at += usize::from(self.text[start] == b'-');
        let first = self.at;
        let whole = self.digits();
        if whole == 0 {
            return self.malformed("a digit is expected here");
        }
        if whole > 1 && self.text[first] == b'0' {
            self.at = first;
            return self.malformed("a number may not begin with 0; drop the zero or send a string");
        }
        let mut fraction = 0;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            fraction = self.digits();
            if fraction == 0 {
                return self.malformed("a digit is expected after the decimal point");
            }
        }
        let mantissa_end = self.at;
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return self.malformed("a digit is expected in the exponent");
            }
        }
        if self.at - start > MAX_LITERAL {
            return self.bad_number(start, "takes more than 64 bytes; send it as a string");
        }
        let has_exponent = self.at > mantissa_end;
        if fraction == 0 && !has_exponent {
            self.integer(start);
            return Ok(());
        }
        let plain = !has_exponent && whole + fraction <= EXACT_DIGITS && self.text[self.at - 1] != b'0';
        let tiny =
            self.text[first] == b'0' && self.text[first + 2..].iter().take(fraction.min(6)).all(|&digit| digit == b'0');
        if plain && !tiny { Ok(()) } else { self.decimal(start) }
    }

    /// An integer keeps its digits; only `-0` is written otherwise.
    #[inline]
    fn integer(&mut self, start: usize) {
        if &self.text[start..self.at] == b"-0" {
            let from = self.position() - 2;
            self.replace(from, b"0");
        }
    }

    #[inline(never)]
    fn decimal(&mut self, start: usize) -> Checked<()> {
        let literal = &self.text[start..self.at];
        let from = self.position() - literal.len();
        let mut buffer = ryu_js::Buffer::new();
        let text = std::str::from_utf8(literal).unwrap_or_default();
        match number::decimal(text, &mut buffer) {
            Ok(written) if written.as_bytes() == literal => Ok(()),
            Ok(written) => {
                self.replace(from, written.as_bytes());
                Ok(())
            }
            Err(problem) => self.bad_number(start, problem),
        }
    }

    #[cold]
    fn malformed<T>(&self, problem: &'static str) -> Checked<T> {
        let problem = if self.at >= self.text.len() { ENDS_EARLY } else { problem };
        Err(EntryError::Malformed { member: String::new(), at: self.at, problem }.into())
    }

    #[cold]
    fn bad_text<T>(&self, problem: &'static str) -> Checked<T> {
        Err(EntryError::Text { member: String::new(), at: self.at, problem }.into())
    }

    #[cold]
    fn bad_number<T>(&self, start: usize, problem: &'static str) -> Checked<T> {
        let literal = shown(&String::from_utf8_lossy(&self.text[start..self.at]));
        Err(EntryError::Number { member: String::new(), at: start, literal, problem }.into())
    }
}
