//! Values from requests as SQL literals.

/// A text as a string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text as the pattern of LIKE that finds it anywhere.
pub(crate) fn pattern(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    literal(&format!("%{escaped}%"))
}
