//! Times in the forms in which logs write them.

use crate::fixtures::{imported, refusal};

fn map(timestamp: &str) -> String {
    format!(
        "format = \"csv\"\ndelimiter = \";\"\nevent_type = \"x\"\nactor = \"a\"\nentity_id = \"e\"\ntimestamp = {{ from = \"t\", {timestamp} }}\n"
    )
}

fn read(timestamp: &str, text: &str) -> String {
    let rows = imported(&map(timestamp), &format!("t\n{text}\n"));
    rows[0].split('"').nth(3).unwrap().to_owned()
}

fn refused(timestamp: &str, text: &str) -> String {
    refusal(&map(timestamp), &format!("t\n{text}\n"))
}

#[test]
fn forms_that_name_a_moment() {
    for (timestamp, text, expected) in [
        ("format = \"rfc3339\"", "2026-03-02T08:00:00.123456789+01:00", "2026-03-02T07:00:00.123456789Z"),
        ("format = \"rfc3339\"", "2026-03-02 08:00:00z", "2026-03-02T08:00:00Z"),
        ("format = \"rfc3339\"", "2026-03-02t08:00:00.500-00:00", "2026-03-02T08:00:00.5Z"),
        ("format = \"epoch_s\"", "1700000000", "2023-11-14T22:13:20Z"),
        ("format = \"epoch_s\"", "1700000000.000000001", "2023-11-14T22:13:20.000000001Z"),
        ("format = \"epoch_s\"", "-1.5", "1969-12-31T23:59:58.5Z"),
        ("format = \"epoch_ms\"", "1700000000123", "2023-11-14T22:13:20.123Z"),
        ("format = \"epoch_us\"", "1700000000123456", "2023-11-14T22:13:20.123456Z"),
        ("format = \"epoch_ns\"", "1700000000123456789", "2023-11-14T22:13:20.123456789Z"),
        ("format = \"%d.%m.%Y %H:%M:%S %z\"", "02.03.2026 08:00:00 +0100", "2026-03-02T07:00:00Z"),
        ("format = \"%d/%m/%Y %H:%M\", zone = \"America/New_York\"", "02/07/2026 08:00", "2026-07-02T12:00:00Z"),
        ("zone = \"Europe/Amsterdam\"", "2026-07-02 08:00:00.25", "2026-07-02T06:00:00.25Z"),
        ("zone = \"Europe/Amsterdam\"", "2026-07-02T08:00:00Z", "2026-07-02T08:00:00Z"),
        ("zone = \"Europe/Amsterdam\", ambiguous = \"earlier\"", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ("zone = \"Europe/Amsterdam\", ambiguous = \"later\"", "2026-10-25T02:30:00", "2026-10-25T01:30:00Z"),
    ] {
        assert_eq!(read(timestamp, text), expected, "{timestamp} {text}");
    }
}

#[test]
fn forms_that_do_not() {
    for (timestamp, text, expected) in [
        ("format = \"rfc3339\"", "2026-03-02", "1 2 timestamp: time \"2026-03-02\": not RFC 3339"),
        (
            "format = \"rfc3339\"",
            "2026-03-02T08:00:00",
            "1 2 timestamp: time \"2026-03-02T08:00:00\": it names no offset; give the map a zone",
        ),
        ("format = \"rfc3339\"", "2026-06-30T23:59:60Z", "1 2 timestamp: time \"2026-06-30T23:59:60Z\": second 60"),
        (
            "format = \"rfc3339\"",
            "2026-03-02T08:00:00.1234567890Z",
            "1 2 timestamp: time \"2026-03-02T08:00:00.1234567890Z\": more than nine digits",
        ),
        (
            "format = \"rfc3339\"",
            "2026-03-02T08:00:00+25:00",
            "1 2 timestamp: time \"2026-03-02T08:00:00+25:00\": \"+25:00\" is no offset",
        ),
        (
            "format = \"rfc3339\"",
            "2026-03-02T08:00:00Zulu",
            "1 2 timestamp: time \"2026-03-02T08:00:00Zulu\": \"Zulu\" is no offset",
        ),
        ("format = \"rfc3339\"", "2026-02-30T08:00:00Z", "1 2 timestamp: time \"2026-02-30T08:00:00Z\": "),
        ("format = \"epoch_ms\"", "1.7e12", "1 2 timestamp: time \"1.7e12\": not a decimal count since 1970"),
        (
            "format = \"epoch_ns\"",
            "1700000000123456789.5",
            "1 2 timestamp: time \"1700000000123456789.5\": finer than a nanosecond",
        ),
        (
            "format = \"epoch_s\"",
            "99999999999999999999",
            "1 2 timestamp: time \"99999999999999999999\": outside the calendar",
        ),
        (
            "format = \"%Y-%m-%d %H:%M:%S %z\"",
            "2026-06-30 23:59:60 +0000",
            "1 2 timestamp: time \"2026-06-30 23:59:60 +0000\": second 60",
        ),
        ("format = \"%d.%m.%Y\", zone = \"UTC\"", "31.02.2026", "1 2 timestamp: time \"31.02.2026\": "),
        (
            "zone = \"Europe/Amsterdam\"",
            "2026-10-25T02:30:00",
            "1 2 timestamp: time \"2026-10-25T02:30:00\": a clock change makes it name two moments or none",
        ),
        (
            "zone = \"Europe/Amsterdam\"",
            "2026-03-29T02:30:00",
            "1 2 timestamp: time \"2026-03-29T02:30:00\": a clock change makes it name two moments or none",
        ),
        ("format = \"rfc3339\"", "1500-01-01T00:00:00Z", "1 2 "),
        ("format = \"rfc3339\"", "\"\"", "1 2 timestamp: column \"t\" is empty"),
    ] {
        let refused = refused(timestamp, text);
        assert!(refused.starts_with(expected), "{timestamp} {text}\n{refused}");
    }
}

/// A row that says 23:59:59 next to a 60 elsewhere is no leap second.
#[test]
fn a_sixty_elsewhere_is_no_leap_second() {
    assert_eq!(
        read("format = \"%Y-%m-%dT%H:%M:%S.%f\", zone = \"UTC\"", "2026-01-01T00:00:59.600"),
        "2026-01-01T00:00:59.6Z"
    );
}
