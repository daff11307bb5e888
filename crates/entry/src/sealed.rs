//! The value object `{"$sealed": {ciphertext, key_id, nonce}}`: a value under a key that can be destroyed.
//!
//! Wherever an object inside `old_value`, `new_value` or `context` has a member `$sealed`, it is exactly
//! this object; `reason` may be one in the place of its text.

use crate::canonical::{check_value, members};
use crate::error::EntryError;
use crate::rules::{exact_strings, identifier, is_base64, refused};

const NAME: &str = "$sealed";

/// Checks that a canonical value is exactly a sealed value; `member` is its path.
pub(crate) fn check(member: &str, value: &str) -> Result<(), EntryError> {
    let mut found = members(value);
    let inner = match (found.next(), found.next()) {
        (Some(only), None) if only.name == NAME => only.value,
        _ => return Err(refused(member, "must be a string, or an object with $sealed and nothing beside it")),
    };
    let member = format!("{member}.{NAME}");
    if !inner.starts_with('{') {
        return Err(refused(&member, "must be an object with ciphertext, key_id and nonce"));
    }
    let [ciphertext, key_id, nonce] = exact_strings(&member, inner, ["ciphertext", "key_id", "nonce"])?;
    identifier(&format!("{member}.key_id"), &key_id, 1, 256)?;
    for (name, text) in [("ciphertext", ciphertext), ("nonce", nonce)] {
        if text.is_empty() || !is_base64(&text) {
            return Err(refused(&format!("{member}.{name}"), "must be canonical base64, padded and not empty"));
        }
    }
    Ok(())
}

/// Checks every object with a member `$sealed` within a canonical value.
pub(crate) fn check_within(path: &str, value: &str) -> Result<(), EntryError> {
    if value.starts_with('{') {
        if members(value).any(|member| member.name == NAME) {
            return check(path, value);
        }
        for member in members(value) {
            check_within(&format!("{path}.{}", member.unescaped()), member.value)?;
        }
    }
    if value.starts_with('[') {
        for (index, item) in items(value).enumerate() {
            check_within(&format!("{path}[{index}]"), item)?;
        }
    }
    Ok(())
}

/// Whether a text is the canonical form of a sealed value.
#[inline]
pub(crate) fn is_sealed(text: &str) -> bool {
    text.starts_with("{\"$sealed\":{") && check_value(text.as_bytes()).is_ok() && check("", text).is_ok()
}

/// The items of a canonical array.
fn items(array: &str) -> impl Iterator<Item = &str> {
    let mut rest = array.strip_prefix('[').unwrap_or("");
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let end = crate::canonical::value_end(rest.as_bytes(), 0).filter(|_| !rest.starts_with(']'))?;
        let (item, tail) = rest.split_at_checked(end)?;
        rest = tail;
        Some(item)
    })
}
