//! Texts as they are shown.

use std::fmt::Write;

use serde::Serialize;

/// Characters of a table's cell; the rest is cut.
pub const MAX_CELL: usize = 160;
/// Characters of a sentence, a paragraph or a line of code; the rest is cut.
pub const MAX_PROSE: usize = 2_000;

/// A text in which everything can be seen: control characters, those that change the direction of writing, and those
/// that take no room are written as `[U+202E]`, and what is too long ends with "…". Markup is for the renderings: they
/// take every text as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text(String);

impl Text {
    /// A text in a table.
    pub fn cell(text: &str) -> Self {
        Self(shown(text, MAX_CELL))
    }

    /// A text that stands alone.
    pub fn prose(text: &str) -> Self {
        Self(shown(text, MAX_PROSE))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::prose(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::prose(&text)
    }
}

/// Writes a character that cannot be seen as one that can.
pub(crate) fn escape(c: char, out: &mut String) {
    write!(out, "[U+{:04X}]", u32::from(c)).expect("texts take everything");
}

fn shown(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(4 * most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match is_hidden(c) {
            true => escape(c, &mut out),
            false => out.push(c),
        }
    }
    out
}

/// Whether a character is not seen where it stands, or moves others.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}
