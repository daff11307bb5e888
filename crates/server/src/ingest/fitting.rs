//! What had to be changed so that it fits into an entry, and the notes about it.

use super::value::Value;
use sha2::{Digest, Sha256};

/// Most notes that one entry carries; the rest is counted.
const MAX_NOTES: usize = 16;
/// Most bytes of a foreign name in a note.
const SHOWN_BYTES: usize = 80;
/// What a cut text ends in: `…` and this many digits of the SHA-256 of the whole.
const DIGEST_DIGITS: usize = 16;

/// Notes about one entry, in the order in which they arose.
#[derive(Debug, Default, Clone)]
pub(super) struct Notes {
    texts: Vec<String>,
    more: usize,
}

impl Notes {
    pub fn add(&mut self, note: String) {
        if self.texts.contains(&note) {
            return;
        }
        if self.texts.len() < MAX_NOTES {
            self.texts.push(note);
        } else {
            self.more += 1;
        }
    }

    /// The member `context.mapping_notes`, if there is anything to say.
    pub fn into_value(mut self) -> Option<Value> {
        if self.more > 0 {
            self.texts.push(format!("and {} more", self.more));
        }
        (!self.texts.is_empty()).then(|| Value::List(self.texts.into_iter().map(Value::Text).collect()))
    }

    /// A foreign text as an identifier: at most `max` bytes, control characters replaced by U+FFFD.
    pub fn identifier(&mut self, member: &str, text: &str, max: usize) -> String {
        let clean = if text.chars().any(char::is_control) {
            self.add(format!("{member}: control characters replaced"));
            text.replace(char::is_control, "\u{FFFD}")
        } else {
            text.to_owned()
        };
        self.shortened(member, clean, max)
    }

    /// A text of at most `max` bytes; a longer one is cut and ends in `…` and the first digits of its SHA-256.
    pub fn shortened(&mut self, member: &str, text: String, max: usize) -> String {
        if text.len() <= max {
            return text;
        }
        self.add(format!("{member}: cut from {} bytes", text.len()));
        let digest = hex::encode(Sha256::digest(&text));
        let end = text.floor_char_boundary(max - '…'.len_utf8() - DIGEST_DIGITS);
        format!("{}…{}", &text[..end], &digest[..DIGEST_DIGITS])
    }

    /// A foreign text without U+0000, which no JSON text of an entry may hold: `␀` (U+2400) stands in.
    pub fn text(&mut self, text: &str) -> String {
        if !text.contains('\0') {
            return text.to_owned();
        }
        self.add("a text held U+0000, written as U+2400".into());
        text.replace('\0', "\u{2400}")
    }
}

/// A foreign name as a message shows it: short, on one line.
pub(super) fn shown(name: &str) -> String {
    let end = name.floor_char_boundary(SHOWN_BYTES);
    let mark = if end < name.len() { "…" } else { "" };
    format!("{}{mark}", name[..end].replace(char::is_control, "\u{FFFD}"))
}
