//! What holds for any JSON: one canonical form whatever the writing, and no verdict that serde_json denies.

use crate::samples::{self, Choices, canonical, try_canonical};
use counterfoil_entry::EntryError;
use proptest::prelude::*;
use serde_json::Value;

/// Equal, where numbers may differ by what serde_json's quick reading of a decimal may cost: a few units of the last
/// place, which below the smallest normal number is a fixed amount and no longer a share of the value.
fn alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= a.abs().max(f64::MIN_POSITIVE) * 2e-15
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| alike(value, other)))
        }
        _ => left == right,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_writing_gives_the_same_canonical_form(value in samples::json(), first: u64, second: u64) {
        let (mut one, mut other) = (String::new(), String::new());
        samples::write(&value, &mut Choices(first), &mut one);
        samples::write(&value, &mut Choices(second), &mut other);
        let form = canonical(&one);
        prop_assert_eq!(&form, &canonical(&other));
        prop_assert_eq!(&form, &canonical(&form), "idempotent");
        let (before, after) = (serde_json::from_str::<Value>(&one).unwrap(), serde_json::from_str::<Value>(&form).unwrap());
        prop_assert!(alike(&before, &after), "{} became {}", one, form);
    }

    #[test]
    fn members_stand_in_utf16_order(value in samples::object(), seed: u64) {
        let mut written = String::new();
        samples::write(&value, &mut Choices(seed), &mut written);
        let form = canonical(&written);
        let members: std::collections::HashMap<String, Value> = serde_json::from_str(&form).unwrap();
        let mut names: Vec<&String> = members.keys().collect();
        names.sort_by_key(|name| name.encode_utf16().collect::<Vec<_>>());
        let mut at = 0;
        for name in names {
            let mut literal = if at == 0 { b"{".to_vec() } else { b",".to_vec() };
            counterfoil_entry::canonical::write_string(name, &mut literal);
            literal.push(b':');
            prop_assert!(form.as_bytes()[at..].starts_with(&literal), "{} at {}", form, at);
            let mut rest = serde_json::Deserializer::from_str(&form[at + literal.len()..]).into_iter::<serde::de::IgnoredAny>();
            rest.next();
            at += literal.len() + rest.byte_offset();
        }
    }

    #[test]
    fn damaged_json_is_judged_as_serde_json_judges_it(
        value in samples::json(),
        seed: u64,
        damage in proptest::collection::vec((any::<u16>(), 0_usize..3, proptest::sample::select(DAMAGE.to_vec())), 0..4),
    ) {
        let mut written = String::new();
        samples::write(&value, &mut Choices(seed), &mut written);
        let mut bytes = written.into_bytes();
        for (place, how, byte) in damage {
            let place = usize::from(place) % bytes.len().max(1);
            match how {
                0 => bytes.insert(place, byte),
                1 if place < bytes.len() => bytes[place] = byte,
                _ if place < bytes.len() => drop(bytes.remove(place)),
                _ => {}
            }
        }
        let theirs = serde_json::from_slice::<Value>(&bytes);
        match try_canonical(&bytes) {
            Ok(form) => {
                let theirs = theirs.map_err(|error| TestCaseError::fail(format!("we accept, they say {error}")))?;
                prop_assert!(alike(&theirs, &serde_json::from_str(&form).unwrap()));
            }
            Err(EntryError::Duplicate { .. } | EntryError::Number { .. } | EntryError::Text { .. }) => {}
            Err(error) => prop_assert!(theirs.is_err(), "they accept, we say {}", error),
        }
    }
}

const DAMAGE: &[u8] = b"{}[]\",:0123456789-+.eEtrufalsn\\/ \n\t\x00\x1f\x7f\x80\xc3\xed\xef\xf0";
