//! Finding one's way in bytes that are canonical already, eight bytes at a time.

use super::text::unescape;
use std::borrow::Cow;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Index of the first `"`, `\` or byte below 0x20 at or after `from`; the length where there is none.
///
/// Sixteen bytes a step: most texts in an entry are shorter, so the loop ends where the processor expects it.
#[inline]
pub(crate) fn special_at(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let found = specials(u128::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 16;
    }
    while text.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// Sixteen bytes whose lowest high bit marks the first special byte. Bits above that one may be false.
///
/// `byte ^ 2` is below 0x21 exactly for `"` and for bytes below 0x20.
#[inline]
fn specials(bytes: u128) -> u128 {
    const LOW: u128 = u128::from_le_bytes([1; 16]);
    let quote_or_control = (bytes ^ (LOW * 2)).wrapping_sub(LOW * 0x21);
    let escape = (bytes ^ (LOW * b'\\' as u128)).wrapping_sub(LOW);
    (quote_or_control | escape) & !bytes & (LOW << 7)
}

/// Whether a text is ASCII without `\` and DEL. (A canonical literal has no bytes below 0x20.)
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let odd = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        ((word ^ (LOW * b'\\' as u64)).wrapping_sub(LOW) | word.wrapping_add(LOW) | word) & HIGH != 0
    };
    let (words, rest) = text.as_chunks::<8>();
    match text.last_chunk() {
        Some(last) => !words.iter().any(odd) && !odd(last),
        None => !rest.iter().any(|&byte| byte >= 0x7F || byte == b'\\'),
    }
}

/// Index after the value that begins at `at`. `None` where the text ends before the value does.
#[inline]
pub(crate) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string_end(text, at),
        b'{' | b'[' => container_end(text, at),
        _ => {
            let length = text[at..].iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b':' | b'"'));
            Some(length.map_or(text.len(), |length| at + length)).filter(|&end| end > at)
        }
    }
}

#[inline]
fn string_end(text: &[u8], open: usize) -> Option<usize> {
    string_rest_end(text, open + 1)
}

/// Index after the string that one is inside of.
#[inline]
fn string_rest_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at = special_at(text, at);
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Eight bytes a step, without a look at each string: a bracket counts when the quotes before it are even in
/// number. Escapes would spoil that count, so the first one sends the rest to [`escaped_container_end`].
fn container_end(text: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quotes = 0;
    let mut at = open;
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*word);
        if zeros(word ^ (LOW * b'\\' as u64)) != 0 {
            break;
        }
        let quote_bits = zeros(word ^ (LOW * b'"' as u64));
        let folded = word | (LOW * 0x20);
        let mut brackets = zeros(folded ^ (LOW * b'{' as u64)) | zeros(folded ^ (LOW * b'}' as u64));
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            if (quotes + count(quote_bits & (bit - 1))).is_multiple_of(2) {
                let place = (bit.trailing_zeros() / 8) as usize;
                match word.to_le_bytes()[place] {
                    b'{' | b'[' => depth += 1,
                    _ => depth -= 1,
                }
                if depth == 0 {
                    return Some(at + place + 1);
                }
            }
            brackets ^= bit;
        }
        quotes += count(quote_bits);
        at += 8;
    }
    escaped_container_end(text, at, depth, !quotes.is_multiple_of(2))
}

/// The high bit of every byte that is zero.
#[inline]
fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word) & HIGH
}

/// How many of the high bits are set.
#[inline]
fn count(bits: u64) -> u64 {
    (bits >> 7).wrapping_mul(LOW) >> 56
}

/// Goes on byte by byte, so many levels deep, within a string or not.
#[inline(never)]
fn escaped_container_end(text: &[u8], from: usize, mut depth: usize, in_string: bool) -> Option<usize> {
    let mut at = if in_string { string_rest_end(text, from)? } else { from };
    loop {
        match *text.get(at)? {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// One member of a canonical object.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    /// The text between the quotes of the name, escapes as they stand.
    pub name: &'a str,
    /// The canonical value.
    pub value: &'a str,
    /// Name, colon and value as they stand.
    pub whole: &'a str,
}

impl<'a> Named<'a> {
    pub fn unescaped(&self) -> Cow<'a, str> {
        unescape(self.name)
    }
}

/// The members of a canonical object, in order; of nothing when it is no object.
pub(crate) fn members(object: &str) -> impl Iterator<Item = Named<'_>> {
    let mut rest = object.strip_prefix('{').unwrap_or("");
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let bytes = rest.as_bytes();
        let name_end = bytes.starts_with(b"\"").then(|| string_end(bytes, 0))??;
        let end = value_end(bytes, name_end + 1)?;
        let named =
            Named { name: rest.get(1..name_end - 1)?, value: rest.get(name_end + 1..end)?, whole: rest.get(..end)? };
        rest = rest.get(end..)?;
        Some(named)
    })
}
