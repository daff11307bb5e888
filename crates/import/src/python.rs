//! The text of Python's `json.dumps(value, sort_keys=True)`, byte for byte: `", "` and `": "` between parts, members by
//! code point, everything outside printable ASCII as `\uXXXX`, floats as `repr`, integers digit for digit.

use crate::json::{Json, Text};
use crate::number::{is_integer, shortest};

/// Appends the dump of `value`.
pub(crate) fn dump(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(literal) => out.extend_from_slice(number(literal).as_bytes()),
        Json::String(text) => string(text, out),
        Json::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                separate(position, out);
                dump(item, out);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(name, value)| (name, value)).collect();
            members.sort_by_key(|(name, _)| *name);
            dump_members(&members, out);
        }
    }
}

/// Appends the dump of an object with these members, which are in code point order.
pub(crate) fn dump_members(members: &[(&Text, &Json)], out: &mut Vec<u8>) {
    out.push(b'{');
    for (position, (name, value)) in members.iter().enumerate() {
        separate(position, out);
        string(name, out);
        out.extend_from_slice(b": ");
        dump(value, out);
    }
    out.push(b'}');
}

fn separate(position: usize, out: &mut Vec<u8>) {
    if position > 0 {
        out.extend_from_slice(b", ");
    }
}

fn string(text: &Text, out: &mut Vec<u8>) {
    out.push(b'"');
    for point in text.code_points() {
        match point {
            0x22 => out.extend_from_slice(b"\\\""),
            0x5c => out.extend_from_slice(b"\\\\"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x20..=0x7e => out.push(point as u8),
            0x1_0000.. => {
                let above = point - 0x1_0000;
                escape(0xd800 + (above >> 10), out);
                escape(0xdc00 + (above & 0x3ff), out);
            }
            _ => escape(point, out),
        }
    }
    out.push(b'"');
}

fn escape(unit: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
}

fn number(literal: &str) -> String {
    match literal {
        "-0" => "0".to_owned(),
        "NaN" | "Infinity" | "-Infinity" => literal.to_owned(),
        _ if is_integer(literal) => literal.to_owned(),
        // Every literal is one that Rust reads, rounding as Python does.
        _ => literal.parse().map_or_else(|_| literal.to_owned(), repr),
    }
}

/// Python's `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
fn repr(double: f64) -> String {
    if double.is_infinite() {
        return if double > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = shortest(double);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    let (before, after) = digits.split_at(whole.min(digits.len()));
    let after = if after.is_empty() { "0" } else { after };
    format!("{sign}{before:0<whole$}.{after}")
}
