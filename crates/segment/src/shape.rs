//! Checking that JSON cells are canonical, quickly where one cell looks like another.
//!
//! [`canonical::check_value`] decides. What it accepted leaves its shape behind: the same text with holes where
//! strings and numbers stood as values. A later cell that is that shape with a plain string or a plain number in
//! each hole has the same member names in the same order and canonical values, so it is canonical too.

use counterfoil_entry::{EntryError, ValueKind, canonical};

/// Shapes remembered for one column.
const MAX_SHAPES: usize = 8;

/// Longest text whose shape is remembered.
const MAX_SHAPE_BYTES: usize = 4_096;

/// Digits that any double keeps: two decimals this long never share one.
const EXACT_DIGITS: usize = 15;

/// The shapes of one column's cells, the last one used first.
#[derive(Debug, Default)]
pub(crate) struct Shapes(Vec<Shape>);

/// A canonical text with holes.
#[derive(Debug)]
struct Shape {
    kind: ValueKind,
    literals: Vec<u8>,
    /// Where the literal before each hole ends, and what belongs into the hole.
    holes: Vec<(usize, Hole)>,
}

#[derive(Clone, Copy, Debug)]
enum Hole {
    /// Between the quotes of a string.
    Text,
    Number,
}

impl Shapes {
    /// The kind of the one canonical JSON value that `json` is; the error of [`canonical::check_value`] if it is none.
    pub(crate) fn check(&mut self, json: &str) -> Result<ValueKind, EntryError> {
        if let Some(found) = self.0.iter().position(|shape| shape.fits(json.as_bytes())) {
            self.0[..=found].rotate_right(1);
            return Ok(self.0[0].kind);
        }
        let kind = canonical::check_value(json.as_bytes())?;
        if json.len() <= MAX_SHAPE_BYTES {
            self.0.truncate(MAX_SHAPES - 1);
            self.0.insert(0, Shape::of(json.as_bytes(), kind));
        }
        Ok(kind)
    }
}

impl Shape {
    /// The shape of a text that is known to be canonical.
    fn of(json: &[u8], kind: ValueKind) -> Self {
        let mut shape = Self { kind, literals: Vec::with_capacity(json.len()), holes: Vec::new() };
        let mut at = 0;
        while let Some(&byte) = json.get(at) {
            let end = match byte {
                b'"' => at + string_length(&json[at..]),
                b'-' | b'0'..=b'9' => at + json[at..].iter().take_while(|byte| is_numeric(**byte)).count(),
                _ => at + 1,
            };
            match byte {
                b'"' if json.get(end) != Some(&b':') => {
                    shape.literals.push(b'"');
                    shape.holes.push((shape.literals.len(), Hole::Text));
                    shape.literals.push(b'"');
                }
                b'-' | b'0'..=b'9' => shape.holes.push((shape.literals.len(), Hole::Number)),
                _ => shape.literals.extend_from_slice(&json[at..end]),
            }
            at = end;
        }
        shape
    }

    /// Whether a text is the shape with plain values in its holes.
    fn fits(&self, json: &[u8]) -> bool {
        let (mut rest, mut from) = (json, 0);
        for (end, hole) in &self.holes {
            let Some(after) = after_prefix(rest, &self.literals[from..*end]) else { return false };
            let length = match hole {
                Hole::Text => plain_text(after),
                Hole::Number => plain_number(after),
            };
            let Some(length) = length else { return false };
            (rest, from) = (&after[length..], *end);
        }
        rest == &self.literals[from..]
    }
}

/// What follows `prefix`, compared eight bytes at a time: literals are short, a call costs more than the comparison.
#[inline]
fn after_prefix<'a>(bytes: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, after) = bytes.split_at_checked(prefix.len())?;
    let (head_words, head_rest) = head.as_chunks::<8>();
    let (words, rest) = prefix.as_chunks::<8>();
    let same = head_words.iter().zip(words).all(|(a, b)| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b));
    (same && head_rest.iter().zip(rest).all(|(a, b)| a == b)).then_some(after)
}

/// The length of a canonical string literal, quotes included.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    while json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_numeric(byte: u8) -> bool {
    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
}

/// How many bytes stand before the closing quote, if none of them is escaped or must be.
fn plain_text(bytes: &[u8]) -> Option<usize> {
    const LOW: u64 = u64::MAX / 0xFF;
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*word);
        let (quote, escape) = (word ^ (LOW * b'"' as u64), word ^ (LOW * b'\\' as u64));
        let zeros = (quote.wrapping_sub(LOW) & !quote) | (escape.wrapping_sub(LOW) & !escape);
        let marks = (zeros | (word.wrapping_sub(LOW * 0x20) & !word)) & LOW << 7;
        if marks != 0 {
            // The lowest mark is exact; those above it may come from a borrow.
            at += (marks.trailing_zeros() / 8) as usize;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let end = bytes[at..].iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
    (bytes[at + end] == b'"').then_some(at + end)
}

/// How many bytes a number takes that is surely written as RFC 8785 writes it: without an exponent, of few digits,
/// not so small that it would need one.
fn plain_number(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(sign);
    let point = sign + whole;
    let zero = bytes.get(sign) == Some(&b'0');
    if whole == 0 || whole > EXACT_DIGITS || (zero && whole > 1) {
        return None;
    }
    if bytes.get(point) != Some(&b'.') {
        let negative_zero = zero && sign == 1;
        let goes_on = bytes.get(point).is_some_and(|byte| is_numeric(*byte));
        return (!negative_zero && !goes_on).then_some(point);
    }
    let part = digits(point + 1);
    let end = point + 1 + part;
    let fraction = &bytes[point + 1..end];
    let too_small = zero && fraction.iter().take(6).all(|digit| *digit == b'0');
    let plain = part > 0 && whole + part <= EXACT_DIGITS && fraction[part - 1] != b'0' && !too_small;
    (plain && !bytes.get(end).is_some_and(|byte| is_numeric(*byte))).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers near every edge of the plain form.
    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            "-?[0-9]{1,17}",
            "-?[0-9]{1,3}\\.[0-9]{1,16}",
            "-?0\\.0{0,7}[0-9]{0,4}",
            "-?[0-9]{1,3}(\\.[0-9]+)?[eE][+-]?[0-9]{1,3}"
        ]
    }

    fn cell() -> impl Strategy<Value = String> {
        let text = prop_oneof!["[ -~]{0,12}", "\\PC{0,6}", "[\"\\\\\u{0}\n]{0,2}"];
        (number(), text, number()).prop_map(|(a, b, c)| format!("{{\"a\":{a},\"b\":[\"{b}\",{c}]}}"))
    }

    proptest! {
        #[test]
        fn a_cell_that_fits_a_shape_is_canonical(first in cell(), cells in prop::collection::vec(cell(), 1..20)) {
            let mut shapes = Shapes::default();
            let _ = shapes.check("{\"a\":1,\"b\":[\"\",1]}");
            for cell in std::iter::once(&first).chain(&cells) {
                prop_assert_eq!(shapes.check(cell), canonical::check_value(cell.as_bytes()), "{}", cell);
            }
        }

        #[test]
        fn a_plain_number_is_canonical(number in number()) {
            if plain_number(number.as_bytes()) == Some(number.len()) {
                prop_assert_eq!(canonical::check_value(number.as_bytes()), Ok(ValueKind::Number), "{}", number);
            }
        }
    }

    #[test]
    fn plain_numbers_are_recognised() {
        for number in ["0", "7", "-12", "0.5", "1234.25", "0.000001", "-0.1", "123456789012345"] {
            assert_eq!(plain_number(number.as_bytes()), Some(number.len()), "{number}");
        }
        for number in ["-0", "01", "1.", "1.50", "0.0000001", "1e3", "1.5e3", "1.0", "1234567.123456789", "-", "1-2"] {
            assert_eq!(plain_number(number.as_bytes()), None, "{number}");
        }
    }
}
