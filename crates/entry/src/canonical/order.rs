//! The order of member names.

use super::text::unescape;
use std::cmp::Ordering;

/// Order of two names as they stand between the quotes of canonical literals: by the UTF-16 code units of
/// their texts (RFC 8785, section 3.2.3).
#[inline]
pub(crate) fn name_order(left: &[u8], right: &[u8]) -> Ordering {
    let Some(at) = left.iter().zip(right).position(|(a, b)| a != b) else {
        return left.len().cmp(&right.len());
    };
    if left[at] == b'\\' || right[at] == b'\\' || left[..at].contains(&b'\\') {
        let text = |name: &[u8]| unescape(&String::from_utf8_lossy(name)).into_owned();
        return text_order(text(left).as_bytes(), text(right).as_bytes());
    }
    byte_order(left[at], right[at])
}

fn text_order(left: &[u8], right: &[u8]) -> Ordering {
    let differing = left.iter().zip(right).find(|(a, b)| a != b);
    differing.map_or(left.len().cmp(&right.len()), |(&a, &b)| byte_order(a, b))
}

/// Order by the first byte of UTF-8 that differs.
///
/// UTF-8 order and UTF-16 order differ in one place: a supplementary character (lead byte F0..F4) is a
/// surrogate pair in UTF-16 and sorts before U+E000..U+FFFF (lead bytes EE and EF).
#[inline]
fn byte_order(left: u8, right: u8) -> Ordering {
    match (left, right) {
        (0xF0.., 0xEE | 0xEF) => Ordering::Less,
        (0xEE | 0xEF, 0xF0..) => Ordering::Greater,
        _ => left.cmp(&right),
    }
}
