//! String literals.

use super::scan::{is_plain, special_at};
use std::borrow::Cow;

/// Appends the canonical literal of a text, quotes included (RFC 8785, section 3.2.2.2).
#[inline]
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = special_at(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(&byte) = bytes.get(at) else { break };
        write_escape(byte, out);
        from = at + 1;
    }
    out.push(b'"');
}

/// The text of a canonical string literal, quotes included.
///
/// Escapes that no canonical literal holds are read too, as far as they make sense; a lone surrogate
/// becomes U+FFFD. Text outside the quotes is not looked at.
#[inline]
pub fn read_string(literal: &str) -> Cow<'_, str> {
    let inner = literal.strip_prefix('"').unwrap_or(literal);
    unescape(inner.strip_suffix('"').unwrap_or(inner))
}

/// The text between the quotes of a canonical literal, unescaped.
#[inline]
pub(crate) fn unescape(inner: &str) -> Cow<'_, str> {
    if is_plain(inner.as_bytes()) { Cow::Borrowed(inner) } else { resolve_escapes(inner) }
}

fn resolve_escapes(inner: &str) -> Cow<'_, str> {
    let Some(first) = inner.find('\\') else { return Cow::Borrowed(inner) };
    let mut text = String::with_capacity(inner.len());
    text.push_str(&inner[..first]);
    let mut rest = &inner[first..];
    while let Some(tail) = rest.strip_prefix('\\') {
        let (character, used) = match tail.as_bytes().first() {
            Some(b'u') => code_point(tail.as_bytes()),
            Some(&byte) if byte.is_ascii() => (short_escape(byte).unwrap_or(char::from(byte)), 1),
            _ => (char::REPLACEMENT_CHARACTER, 0),
        };
        text.push(character);
        let tail = tail.get(used..).unwrap_or("");
        let next = tail.find('\\').unwrap_or(tail.len());
        text.push_str(&tail[..next]);
        rest = &tail[next..];
    }
    Cow::Owned(text)
}

/// Appends the escape of a byte that may not stand in a string literal.
pub(super) fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The character of a two-byte escape, by its second byte.
pub(super) fn short_escape(byte: u8) -> Option<char> {
    Some(match byte {
        b'"' | b'\\' | b'/' => char::from(byte),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// The four hexadecimal digits after `u`, as a UTF-16 code unit.
pub(super) fn code_unit(text: &[u8]) -> Option<u16> {
    let digits: &[u8; 4] = text.get(1..)?.first_chunk()?;
    digits.iter().try_fold(0_u16, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)? as u16))
}

/// The character of `uXXXX` or `uXXXX\uXXXX` and the bytes it takes.
fn code_point(text: &[u8]) -> (char, usize) {
    let units =
        [code_unit(text), text.get(5..).filter(|tail| tail.starts_with(b"\\u")).and_then(|tail| code_unit(&tail[1..]))];
    let mut units = char::decode_utf16(units.into_iter().map_while(|unit| unit));
    match units.next() {
        Some(Ok(character)) => (character, if u32::from(character) > 0xFFFF { 11 } else { 5 }),
        Some(Err(_)) => (char::REPLACEMENT_CHARACTER, 5),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}
