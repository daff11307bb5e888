//! Standard output for data.

use std::io::{self, IsTerminal, Stdout, Write};

use crate::text::steers;

/// Byte for byte into files and pipes; on a terminal, characters of the data that would steer it are escaped.
#[derive(Debug)]
pub struct DataOut {
    out: Stdout,
    escapes: bool,
    /// The beginning of a character whose rest has not come yet.
    begun: Vec<u8>,
}

impl DataOut {
    pub fn new() -> Self {
        let out = io::stdout();
        Self { escapes: out.is_terminal(), out, begun: Vec::new() }
    }
}

impl Write for DataOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.escapes {
            return self.out.write(bytes);
        }
        self.begun.extend_from_slice(bytes);
        let (text, rest) = escaped(&self.begun);
        self.out.write_all(text.as_bytes())?;
        self.begun = rest.to_vec();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The text for a terminal, and the bytes of a character at the end that is not whole.
fn escaped(bytes: &[u8]) -> (String, &[u8]) {
    let mut text = String::with_capacity(bytes.len());
    let mut chunks = bytes.utf8_chunks().peekable();
    let mut rest: &[u8] = &[];
    while let Some(chunk) = chunks.next() {
        for character in chunk.valid().chars() {
            match character {
                '\n' | '\t' | '\r' => text.push(character),
                character if steers(character) => push_escaped(character, &mut text),
                character => text.push(character),
            }
        }
        let invalid = chunk.invalid();
        let unfinished =
            chunks.peek().is_none() && std::str::from_utf8(invalid).is_err_and(|e| e.error_len().is_none());
        match invalid {
            [] => {}
            _ if unfinished => rest = invalid,
            _ => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
    (text, rest)
}

/// As JSON writes it, which a program can still read.
fn push_escaped(character: char, text: &mut String) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        text.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_wherever_it_is_cut() {
        let bytes = "a\u{1b}]0;x\u{7}é\u{9b}2J\u{202e}\u{e0041}\n".as_bytes();
        for cut in 0..bytes.len() {
            let (first, rest) = escaped(&bytes[..cut]);
            let joined = [rest, &bytes[cut..]].concat();
            let (second, rest) = escaped(&joined);
            assert!(rest.is_empty());
            assert_eq!(first + &second, "a\\u001b]0;x\\u0007é\\u009b2J\\u202e\\udb40\\udc41\n");
        }
    }
}
