//! Numbers, against ECMAScript's own text of a hundred thousand and a million doubles.

use crate::files::{read, testdata};
use crate::samples::{canonical, try_canonical};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

#[test]
fn the_published_doubles_are_written_as_published() {
    for line in String::from_utf8(read(&testdata("jcs-cyberphone/es6-numbers-3000.txt"))).expect("ASCII").lines() {
        let (bits, expected) = line.split_once(',').expect("two columns");
        let double = f64::from_bits(u64::from_str_radix(bits, 16).expect("hexadecimal"));
        assert_eq!(canonical(expected), expected, "{bits}: is its own canonical form");
        assert_eq!(canonical(&format!("{double:e}")), expected, "{bits}: shortest digits");
        assert_eq!(canonical(&format!("{double:.16e}")), expected, "{bits}: 17 digits");
    }
}

/// The generator that the published hashes are about: fixed values, 2,000 serial ones, then a chain of hashes.
fn published_doubles() -> impl Iterator<Item = u64> {
    let head = String::from_utf8(read(&testdata("jcs-cyberphone/es6-numbers-3000.txt"))).expect("ASCII");
    let fixed_and_serial: Vec<u64> =
        head.lines().take(2168).map(|line| u64::from_str_radix(line.split(',').next().unwrap(), 16).unwrap()).collect();
    let mut block = [0_u8; 32];
    let random = std::iter::repeat_with(move || {
        block = Sha256::digest(block).into();
        block.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect::<Vec<_>>()
    });
    let usable = |bits: &u64| f64::from_bits(*bits) != 0.0 && f64::from_bits(*bits).is_finite();
    fixed_and_serial.into_iter().chain(random.flatten().filter(usable))
}

#[test]
fn a_million_doubles_hash_to_the_published_digest() {
    let mut hash = Sha256::new();
    let mut line = Vec::new();
    let mut digests = Vec::new();
    for (count, bits) in published_doubles().take(1_000_000).enumerate() {
        line.clear();
        line.extend_from_slice(format!("{bits:x},").as_bytes());
        counterfoil_entry::canonical::canonicalise(format!("{:e}", f64::from_bits(bits)).as_bytes(), &mut line)
            .unwrap();
        line.push(b'\n');
        hash.update(&line);
        if count + 1 == 100_000 || count + 1 == 1_000_000 {
            digests.push(hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        }
    }
    assert_eq!(digests[0], "22776e6d4b49fa294a0d0f349268e5c28808fe7e0cb2bcbe28f63894e494d4c7");
    assert_eq!(digests[1], "49415fee2c56c77864931bd3624faad425c3c577d6d74e89a83bc725506dad16");
}

#[test]
fn integers_keep_their_digits() {
    for digits in ["0", "-1", "9007199254740993", "-9223372036854775809", "340282366920938463463374607431768211455"] {
        assert_eq!(canonical(digits), digits);
    }
    assert_eq!(canonical("-0"), "0");
    let longest = "9".repeat(64);
    assert_eq!(canonical(&longest), longest);
}

#[test]
fn fractions_and_exponents_are_written_as_their_double() {
    for (literal, written) in [
        ("1.0", "1"),
        ("1e2", "100"),
        ("-0.0", "0"),
        ("0e99999999999999999999", "0"),
        ("1e23", "1e+23"),
        ("1E+21", "1e+21"),
        ("123e18", "123000000000000000000"),
        ("0.10", "0.1"),
        ("1200.00", "1200"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("0.0000010", "0.000001"),
        ("-12.50", "-12.5"),
        ("333333333.33333329", "333333333.3333333"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("100000000000000000000.000", "100000000000000000000"),
        ("0.000000000000000000000000000000000000000000000000001", "1e-51"),
    ] {
        assert_eq!(canonical(literal), written, "{literal}");
    }
}

#[test]
fn a_number_that_would_change_is_refused() {
    for (literal, why) in [
        ("1e400", "is too large for a double; send it as a string"),
        ("-1e309", "is too large for a double; send it as a string"),
        ("1e-400", "is too small for a double; send it as a string"),
        ("12345678901234567.89", "has more digits than a double can keep; send it as a string"),
        ("9007199254740993.0", "is a whole number that a double cannot keep; write it without the fraction"),
        ("90071992547409930.00", "is a whole number that a double cannot keep; write it without the fraction"),
        ("0.1000000000000000055511151231257827", "has more digits than a double can keep; send it as a string"),
        ("1.000000000000000005", "has more digits than a double can keep; send it as a string"),
    ] {
        let error = try_canonical(literal.as_bytes()).expect_err(literal);
        assert_eq!(error.to_string(), format!("the number {literal} {why}"));
    }
    let long = "1".repeat(65);
    let error = try_canonical(long.as_bytes()).expect_err("65 digits");
    assert_eq!(error.to_string(), format!("the number {long} takes more than 64 bytes; send it as a string"));
}

proptest! {
    #[test]
    fn any_short_decimal_keeps_its_value(whole in 0_u64..10_000_000_000, fraction in "[0-9]{1,5}", negative: bool) {
        let literal = format!("{}{whole}.{fraction}", if negative { "-" } else { "" });
        let written = canonical(&literal);
        prop_assert_eq!(written.parse::<f64>().unwrap(), literal.parse::<f64>().unwrap());
        let mut buffer = ryu_js::Buffer::new();
        prop_assert_eq!(&written, buffer.format(literal.parse::<f64>().unwrap()));
    }

    #[test]
    fn a_literal_is_accepted_exactly_when_the_rule_says_so(digits in "[1-9][0-9]{0,24}", exponent in -330_i32..300) {
        let literal = format!("{digits}e{exponent}");
        let double: f64 = literal.parse().unwrap();
        let significant = digits.trim_end_matches('0');
        let usable = double.is_finite() && double != 0.0;
        let shortest = format!("{double:e}").split('e').next().unwrap().replace('.', "");
        let kept = usable && (significant == shortest.trim_end_matches('0') || significant.len() <= 17);
        prop_assert_eq!(try_canonical(literal.as_bytes()).is_ok(), kept, "{}", literal);
    }
}
