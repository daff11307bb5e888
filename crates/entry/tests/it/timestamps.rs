//! Instants: known answers, refusals, and the calendar against a day-by-day count.

use counterfoil_entry::Timestamp;
use proptest::prelude::*;

fn text(input: &str) -> String {
    Timestamp::parse(input).unwrap_or_else(|error| panic!("{input}: {error}")).to_string()
}

#[test]
fn known_answers() {
    for (input, canonical, micros, nanos) in [
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0, 0),
        ("2026-11-24T13:16:00.250000Z", "2026-11-24T13:16:00.25Z", 1_795_526_160_250_000, 0),
        ("2000-02-29T23:59:59.999999999Z", "2000-02-29T23:59:59.999999999Z", 951_868_799_999_999, 999),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z", -1, 999),
        ("1990-12-31T15:59:50-08:00", "1990-12-31T23:59:50Z", 662_687_990_000_000, 0),
        ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z", -1_041_337_172_130_000, 0),
        ("2026-01-01t00:30:00z", "2026-01-01T00:30:00Z", 1_767_227_400_000_000, 0),
        ("2026-01-01T00:30:00-00:00", "2026-01-01T00:30:00Z", 1_767_227_400_000_000, 0),
        ("2025-12-31T23:59:59.000000001-23:59", "2026-01-01T23:58:59.000000001Z", 1_767_311_939_000_000, 1),
        ("1678-01-01T00:00:00Z", "1678-01-01T00:00:00Z", -9_214_560_000_000_000, 0),
        ("2261-12-31T23:59:59.999999999Z", "2261-12-31T23:59:59.999999999Z", 9_214_646_399_999_999, 999),
        ("2262-01-01T00:30:00+01:00", "2261-12-31T23:30:00Z", 9_214_644_600_000_000, 0),
    ] {
        let instant = Timestamp::parse(input).unwrap_or_else(|error| panic!("{input}: {error}"));
        assert_eq!(instant.to_string(), canonical, "{input}");
        assert_eq!((instant.micros(), instant.nanos_below_micro()), (micros, nanos), "{input}");
    }
}

#[test]
fn what_is_refused_says_why() {
    for (input, why) in [
        ("2026-06-30T23:59:60Z", "has second 60; send a leap second as the second before it or after it"),
        ("2026-02-29T00:00:00Z", "has a field out of its range; no such date or time of day exists"),
        ("1900-02-29T00:00:00Z", "has a field out of its range; no such date or time of day exists"),
        ("2026-13-01T00:00:00Z", "has a field out of its range; no such date or time of day exists"),
        ("2026-11-00T00:00:00Z", "has a field out of its range; no such date or time of day exists"),
        ("2026-11-24T24:00:00Z", "has a field out of its range; no such date or time of day exists"),
        ("2026-11-24T13:60:00Z", "has a field out of its range; no such date or time of day exists"),
        ("2026-11-24T13:16:00.1234567891Z", "has more than nine fraction digits; nanoseconds are the finest kept"),
        ("2026-11-24T13:16:00.0000000000Z", "has more than nine fraction digits; nanoseconds are the finest kept"),
        ("2026-11-24T13:16:00.Z", "has a decimal point without digits after it"),
        ("2026-11-24T13:16:00", "has no offset; end it with Z or an offset such as +02:00"),
        ("2026-11-24T13:16:00+0200", "ends with something that is neither Z nor an offset such as +02:00"),
        ("2026-11-24T13:16:00Z[Europe/Zurich]", "ends with something that is neither Z nor an offset such as +02:00"),
        ("2026-11-24T13:16:00+24:00", "has an offset out of range; send Z or an offset such as +02:00"),
        ("2026-11-24 13:16:00Z", "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        ("24.11.2026", "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        ("", "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        ("２０２６-11-24T13:16:00Z", "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        ("+026-11-24T13:16:00Z", "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z"),
        ("1677-12-31T23:59:59.999999999Z", "lies outside the years 1678 to 2261 (UTC)"),
        ("2262-01-01T00:00:00Z", "lies outside the years 1678 to 2261 (UTC)"),
        ("0000-01-01T00:00:00Z", "lies outside the years 1678 to 2261 (UTC)"),
    ] {
        let error = Timestamp::parse(input).expect_err(input);
        assert_eq!(error.to_string(), format!("timestamp: {why}"), "{input}");
    }
}

#[test]
fn every_day_of_the_range_follows_the_day_before() {
    const DAY: i64 = 86_400_000_000;
    let (mut year, mut month, mut day) = (1678, 1, 1);
    let mut micros = Timestamp::MIN.micros();
    while micros <= Timestamp::MAX.micros() {
        let expected = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
        assert_eq!(Timestamp::from_micros(micros).to_string(), expected);
        assert_eq!(Timestamp::parse(&expected).expect("a day").micros(), micros);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
        (year, month, day) = match (month, day) {
            (12, 31) => (year + 1, 1, 1),
            (_, last) if last == days => (year, month + 1, 1),
            _ => (year, month, day + 1),
        };
        micros += DAY;
    }
    assert_eq!((year, month, day), (2262, 1, 1));
}

#[test]
fn parts_out_of_range_are_refused_and_clock_readings_are_clamped() {
    assert!(Timestamp::from_parts(0, 1000).is_err());
    assert!(Timestamp::from_parts(Timestamp::MIN.micros() - 1, 999).is_err());
    assert!(Timestamp::from_parts(Timestamp::MAX.micros() + 1, 0).is_err());
    assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    assert_eq!(text(&Timestamp::from_micros(i64::MAX).to_string()), "2261-12-31T23:59:59.999999Z");
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.micros()..=Timestamp::MAX.micros(), 0_u16..1000)
        .prop_map(|(micros, nanos)| Timestamp::from_parts(micros, nanos).expect("in range"))
}

proptest! {
    #[test]
    fn text_and_instant_are_inverse(instant in instant()) {
        let mut bytes = Vec::new();
        instant.write(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(Timestamp::parse(&text).unwrap(), instant);
        let fraction = text[19..].trim_end_matches('Z');
        prop_assert!(fraction.is_empty() || (fraction.len() > 1 && !fraction.ends_with('0')), "{}", text);
    }

    #[test]
    fn order_is_order_in_time(a in instant(), b in instant()) {
        let nanos = |instant: Timestamp| i128::from(instant.micros()) * 1000 + i128::from(instant.nanos_below_micro());
        prop_assert_eq!(a.cmp(&b), nanos(a).cmp(&nanos(b)));
    }

    #[test]
    fn an_offset_moves_the_clock_not_the_instant(instant in instant(), offset in -1439_i64..=1439) {
        let local = instant.micros() + offset * 60_000_000;
        prop_assume!(Timestamp::from_parts(local, 0).is_ok());
        let local = Timestamp::from_parts(local, instant.nanos_below_micro()).unwrap().to_string();
        let sign = if offset < 0 { '-' } else { '+' };
        let text = format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), offset.abs() / 60, offset.abs() % 60);
        prop_assert_eq!(Timestamp::parse(&text).unwrap(), instant);
    }
}
