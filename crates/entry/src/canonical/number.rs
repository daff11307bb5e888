//! Numbers with a fraction or an exponent.

/// Longest number literal, in bytes.
pub(crate) const MAX_LITERAL: usize = 64;

/// As many significant digits as always survive the way through a double and back.
pub(crate) const EXACT_DIGITS: usize = 15;

/// As many significant digits as any double ever needs: what a program prints that wants its doubles back.
const ENOUGH_DIGITS: usize = 17;

/// Writes a literal with a fraction or an exponent as RFC 8785 (ECMAScript) writes its double.
///
/// Accepted when the digits and the exponent stay the same, or when the literal has no more digits than a double
/// may need and is not a whole number with a point: people write amounts so. Digits are compared, never big numbers.
///
/// # Errors
/// Why the number cannot be kept.
pub(crate) fn decimal<'b>(literal: &str, buffer: &'b mut ryu_js::Buffer) -> Result<&'b str, &'static str> {
    let double: f64 = literal.parse().map_err(|_| "is not a number")?;
    let given = Digits::of(literal.as_bytes());
    if double.is_infinite() {
        return Err("is too large for a double; send it as a string");
    }
    if double == 0.0 && given.count > 0 {
        return Err("is too small for a double; send it as a string");
    }
    let written = buffer.format_finite(double);
    let is_whole = given.exponent >= 0 && !literal.contains(['e', 'E']);
    if Digits::of(written.as_bytes()) == given || (given.count <= ENOUGH_DIGITS && !is_whole) {
        return Ok(written);
    }
    Err(match is_whole {
        true => "is a whole number that a double cannot keep; write it without the fraction",
        false => "has more digits than a double can keep; send it as a string",
    })
}

/// The significant digits of a literal, and the power of ten of the last one.
#[derive(PartialEq, Eq)]
struct Digits {
    digits: [u8; MAX_LITERAL],
    count: usize,
    exponent: i64,
}

impl Digits {
    fn of(literal: &[u8]) -> Self {
        let mut found = Self { digits: [0; MAX_LITERAL], count: 0, exponent: 0 };
        let end = literal.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(literal.len());
        let mut in_fraction = false;
        for &byte in &literal[..end] {
            match byte {
                b'.' => in_fraction = true,
                b'0'..=b'9' => {
                    found.exponent -= i64::from(in_fraction);
                    if found.count > 0 || byte != b'0' {
                        found.digits[found.count] = byte;
                        found.count += 1;
                    }
                }
                _ => {}
            }
        }
        while found.count > 0 && found.digits[found.count - 1] == b'0' {
            found.count -= 1;
            found.digits[found.count] = 0;
            found.exponent += 1;
        }
        found.exponent = if found.count == 0 { 0 } else { found.exponent.saturating_add(power(&literal[end..])) };
        found
    }
}

/// The number after `e`; 0 where there is none.
fn power(text: &[u8]) -> i64 {
    let size = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0_i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if text.get(1) == Some(&b'-') { -size } else { size }
}
