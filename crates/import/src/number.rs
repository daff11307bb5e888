//! JSON number literals as text: what is one, and which of them an entry can hold without changing its value.

/// The longest literal an entry holds (docs/formats: numbers).
const MAX_LITERAL: usize = 64;
/// Digits that always name one double without doubt.
const MAX_SIGNIFICANT: usize = 17;

/// Length of the JSON number literal `text` starts with; 0 when there is none.
pub(crate) fn literal_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(end);
    match bytes.get(end) {
        Some(b'0') => end += 1,
        _ if whole > 0 => end += whole,
        _ => return 0,
    }
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        end += if fraction > 0 { fraction + 1 } else { 0 };
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { exponent + 1 + sign } else { 0 };
    }
    end
}

/// Whether `text` is one JSON number literal and nothing else.
pub(crate) fn is_literal(text: &str) -> bool {
    !text.is_empty() && literal_length(text) == text.len()
}

/// Whether a literal has neither fraction nor exponent.
pub(crate) fn is_integer(literal: &str) -> bool {
    !literal.contains(['.', 'e', 'E'])
}

/// Whether an entry holds `text` exactly: an integer of any size, or a number with a fraction or exponent whose digits
/// survive as a double (the shortest digits of its double, or, unless it is whole, at most 17 significant ones). At most
/// 64 bytes.
pub(crate) fn is_exact(text: &str) -> bool {
    if !is_literal(text) || text.len() > MAX_LITERAL {
        return false;
    }
    if is_integer(text) {
        return true;
    }
    let Ok(double) = text.parse::<f64>() else {
        return false;
    };
    let (written, shortest) = (significant(text), significant(&shortest(double)));
    if !double.is_finite() || (double == 0.0) != written.is_empty() {
        return false;
    }
    written == shortest || (written.len() <= MAX_SIGNIFICANT && !is_whole(text))
}

/// Whether a literal is a whole number with a point.
fn is_whole(literal: &str) -> bool {
    let fraction = literal.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().all(|byte| byte == b'0') && !literal.contains(['e', 'E'])
}

/// A finite double in scientific notation with the fewest digits that name it; of two such texts at equal distance the
/// one with the even last digit, as Python and JavaScript choose (Rust's own formatting takes the greater).
pub(crate) fn shortest(double: f64) -> String {
    let text = format!("{double:e}");
    let digits = text.split('e').next().map_or(0, |mantissa| mantissa.bytes().filter(u8::is_ascii_digit).count());
    let rounded = format!("{double:.*e}", digits.saturating_sub(1));
    if rounded.parse() == Ok(double) { rounded } else { text }
}

/// The digits of a literal without sign, point, exponent, and zeros at either end.
fn significant(literal: &str) -> String {
    let mantissa = literal.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_follow_rfc_8259() {
        for good in ["0", "-0", "10", "-1.5", "1e5", "1E+05", "0.0"] {
            assert!(is_literal(good), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "+1", "1e", "1,5", "0x1", "NaN", " 1"] {
            assert!(!is_literal(bad), "{bad}");
        }
    }

    #[test]
    fn of_two_shortest_texts_the_even_one_is_taken() {
        assert_eq!(shortest(569258140037981.0 / 8.0), "7.115726750474762e13");
        assert_eq!(shortest(5e-324), "5e-324");
        assert_eq!(shortest(9007199254740993.0), "9.007199254740992e15");
    }

    #[test]
    fn exactness_follows_the_entry_format() {
        for good in [
            "9007199254740993",
            "123456789012345678901234567890",
            "34.33634285099345",
            "333333333.33333329",
            "1.0",
            "1e2",
            "-0.0",
            "1e23",
            "0e400",
        ] {
            assert!(is_exact(good), "{good}");
        }
        for bad in ["1e400", "1e-400", "12345678901234567.89", "0.1000000000000000055", "9007199254740993.0"] {
            assert!(!is_exact(bad), "{bad}");
        }
        assert!(is_exact(&"9".repeat(64)));
        assert!(!is_exact(&"9".repeat(65)));
    }
}
