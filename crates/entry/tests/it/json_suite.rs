//! JSONTestSuite: what must parse, what must not, and what we decided.

use crate::files::{folder, testdata};
use crate::samples::try_canonical;

/// `y_` files that are JSON and still refused: two readings (duplicate members), U+0000, a literal of 78 bytes.
const STRICTER: [&str; 5] = [
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_object_escaped_null_in_key.json",
    "y_string_null_escape.json",
    "y_number_double_close_to_zero.json",
];

/// `i_` files that we accept: integers that keep their digits. All others are refused.
const ACCEPTED: [&str; 3] =
    ["i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json", "i_number_very_big_negative_int.json"];

#[test]
fn verdicts_are_as_decided() {
    let files = folder(&testdata("jsontestsuite/test_parsing"));
    assert_eq!(files.len(), 316);
    for (name, text) in files {
        let expected = match name.as_bytes()[0] {
            b'y' => !STRICTER.contains(&name.as_str()),
            b'n' => false,
            _ => ACCEPTED.contains(&name.as_str()),
        };
        let found = try_canonical(&text);
        assert_eq!(found.is_ok(), expected, "{name}: {found:?}");
        if let Ok(canonical) = found {
            assert_eq!(try_canonical(canonical.as_bytes()).as_ref(), Ok(&canonical), "{name}");
        }
    }
}

#[test]
fn nesting_beyond_all_bounds_is_refused_without_a_stack_overflow() {
    for text in ["[".repeat(100_000), "[{\"\":".repeat(50_000) + "\n"] {
        let error = try_canonical(text.as_bytes()).expect_err("far too deep");
        assert!(error.to_string().contains("nested deeper than 64 levels"), "{error}");
    }
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    assert_eq!(try_canonical(deepest.as_bytes()).as_ref(), Ok(&deepest));
    assert!(try_canonical(format!("[{deepest}]").as_bytes()).is_err());
}

#[test]
fn texts_with_many_readings_have_one() {
    for (name, text) in folder(&testdata("jsontestsuite/test_transform")) {
        let found = try_canonical(&text).map_err(|error| error.to_string());
        let (_, verdict) =
            TRANSFORMED.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}: {found:?}"));
        match verdict {
            Ok(canonical) => assert_eq!(found.as_deref(), Ok(*canonical), "{name}"),
            Err(part) => assert!(found.as_ref().is_err_and(|error| error.contains(part)), "{name}: {found:?}"),
        }
    }
}

type Verdict = (&'static str, Result<&'static str, &'static str>);

const TRANSFORMED: &[Verdict] = &[
    ("number_-9223372036854775808.json", Ok("[-9223372036854775808]")),
    ("number_-9223372036854775809.json", Ok("[-9223372036854775809]")),
    ("number_1.0.json", Ok("[1]")),
    ("number_1.000000000000000005.json", Err("more digits than a double can keep")),
    ("number_1000000000000000.json", Ok("[1000000000000000]")),
    ("number_10000000000000000999.json", Ok("[10000000000000000999]")),
    ("number_1e-999.json", Err("too small for a double")),
    ("number_1e6.json", Ok("[1000000]")),
    ("number_9223372036854775807.json", Ok("[9223372036854775807]")),
    ("number_9223372036854775808.json", Ok("[9223372036854775808]")),
    ("object_key_nfc_nfd.json", Ok("{\"e\u{301}\":\"NFD\",\"é\":\"NFC\"}")),
    ("object_key_nfd_nfc.json", Ok("{\"e\u{301}\":\"NFD\",\"é\":\"NFC\"}")),
    ("object_same_key_different_values.json", Err("stands twice")),
    ("object_same_key_same_value.json", Err("stands twice")),
    ("object_same_key_unclear_values.json", Err("stands twice")),
    ("string_1_escaped_invalid_codepoint.json", Err("lone surrogate")),
    ("string_1_invalid_codepoint.json", Err("not valid UTF-8")),
    ("string_2_escaped_invalid_codepoints.json", Err("lone surrogate")),
    ("string_2_invalid_codepoints.json", Err("not valid UTF-8")),
    ("string_3_escaped_invalid_codepoints.json", Err("lone surrogate")),
    ("string_3_invalid_codepoints.json", Err("not valid UTF-8")),
    ("string_with_escaped_NULL.json", Err("U+0000")),
];
