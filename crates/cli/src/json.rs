//! Canonical JSON as it stands: taken apart, laid out and put into other JSON without a number changing on the way.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The members of an object, each as its own text.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// The members of `text` if it is an object, in order of their names.
pub fn members(text: &str) -> Option<Members> {
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

/// Canonical bytes as a value that other JSON can hold unchanged; none if they are not JSON.
pub fn raw(canonical: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(canonical).ok()
}

/// Lays canonical JSON out over lines, two spaces a level.
pub fn indented(canonical: &str) -> String {
    let mut layout = Layout { out: String::with_capacity(canonical.len() * 2), depth: 0 };
    let mut characters = canonical.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => layout.string(&mut characters),
            '{' | '[' => {
                layout.out.push(character);
                match characters.peek() {
                    Some(&closing @ ('}' | ']')) => {
                        layout.out.push(closing);
                        characters.next();
                    }
                    _ => layout.step(1),
                }
            }
            '}' | ']' => {
                layout.step(-1);
                layout.out.push(character);
            }
            ',' => {
                layout.out.push(',');
                layout.step(0);
            }
            ':' => layout.out.push_str(": "),
            other => layout.out.push(other),
        }
    }
    layout.out
}

struct Layout {
    out: String,
    depth: usize,
}

impl Layout {
    fn step(&mut self, by: isize) {
        self.depth = self.depth.saturating_add_signed(by);
        self.out.push('\n');
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn string(&mut self, rest: &mut impl Iterator<Item = char>) {
        self.out.push('"');
        while let Some(character) = rest.next() {
            self.out.push(character);
            match character {
                '\\' => self.out.extend(rest.next()),
                '"' => return,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_keeps_every_value() {
        let canonical = r#"{"a":{},"b":[1,{"c":"x\",{["}],"n":100927429609276267646756448943279827607}"#;
        let laid_out = indented(canonical);
        assert_eq!(
            laid_out,
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"c\": \"x\\\",{[\"\n    }\n  ],\n  \"n\": 100927429609276267646756448943279827607\n}"
        );
    }

    #[test]
    fn members_keep_their_text() {
        let members = members(r#"{"n":100927429609276267646756448943279827607}"#).unwrap();
        assert_eq!(members["n"].get(), "100927429609276267646756448943279827607");
        assert!(super::members("[1]").is_none());
    }
}
