//! What a file looks like that is not of the map's format.

use crate::map::Format;

/// What a file that begins with this line looks like, with what to do, when the map says `format`; none where that
/// cannot be told.
pub(super) fn mismatch(line: &[u8], format: Format) -> Option<String> {
    let line = line.trim_ascii();
    let (looks, advice) = match line {
        [b'{', .., b'}'] => ("JSON lines", "write format = \"jsonl\""),
        [b'{', rest @ ..] if rest.trim_ascii_start().starts_with(b"\"Records\"") => {
            ("a file of the form {\"Records\": […]}", "write format = \"records\"")
        }
        [b'{', ..] => ("one JSON document over several lines", "write one object a line (jq -c . makes them)"),
        [b'[', ..] => ("a JSON array", "write format = \"json-array\""),
        _ if line.iter().any(|byte| b",;\t".contains(byte)) => ("CSV", "write format = \"csv\""),
        _ => return None,
    };
    Some(format!("this looks like {looks}; the map says {}: {advice}", format.name()))
}
