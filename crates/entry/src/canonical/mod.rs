//! Canonical JSON: RFC 8785, with integers kept digit for digit.
//!
//! [`canonicalise`] is the one function that makes canonical bytes; entries go through the same parser.
//! It differs from RFC 8785 in one declared point: an integer literal keeps its digits (`-0` becomes
//! `0`), so 64-bit ids and minor units beyond 2^53 survive. A number with a fraction or an exponent is
//! written as RFC 8785 writes its double, and refused when that would change it.

mod number;
mod order;
mod parser;
mod scan;
mod text;

use crate::error::EntryError;
pub(crate) use parser::Parser;
pub(crate) use scan::{is_plain, members, special_at, value_end};
pub use text::{read_string, write_string};

/// What kind of JSON value a text holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl ValueKind {
    /// The name that JSON Schema and the segment's type columns use: `string`, `number`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Object => "object",
            Self::Array => "array",
        }
    }
}

impl std::fmt::Display for ValueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Appends the canonical bytes of one JSON text to `out`.
///
/// # Errors
/// Anything that is not one JSON value in UTF-8 with unique member names, paired surrogates, no U+0000,
/// at most [`MAX_DEPTH`](crate::MAX_DEPTH) levels and exactly kept numbers. `out` then holds a partial
/// result beyond its former length.
pub fn canonicalise(json: &[u8], out: &mut Vec<u8>) -> Result<(), EntryError> {
    out.reserve(json.len());
    let mut parser = Parser::new(json, out).map_err(|e| e.located(json))?;
    parser.value().and_then(|_| parser.finish()).map_err(|e| e.located(json))?;
    parser.flush();
    Ok(())
}

/// Checks that the bytes are exactly one JSON value in canonical form and says of which kind.
///
/// A scan: nothing is allocated or copied as long as the bytes are canonical.
///
/// # Errors
/// Those of [`canonicalise`], and [`EntryError::NotCanonical`].
pub fn check_value(canonical_json: &[u8]) -> Result<ValueKind, EntryError> {
    let mut rewritten = Vec::new();
    let mut parser = Parser::new(canonical_json, &mut rewritten).map_err(|e| e.located(canonical_json))?;
    let kind = parser.value().map_err(|e| e.located(canonical_json))?;
    parser.finish().map_err(|e| e.located(canonical_json))?;
    parser.unchanged()?;
    Ok(kind)
}
