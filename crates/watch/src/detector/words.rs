//! Figures and lengths of time as alerts say them.

/// Seconds of each unit, largest first.
const UNITS: [(i64, &str); 4] = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];

/// A length of time in its largest unit that is at least one: `3 days`, `1.5 hours`.
pub(crate) fn length(seconds: i64) -> String {
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| seconds.abs() >= *unit).unwrap_or(UNITS[3]);
    let count = (seconds as f64 / unit as f64 * 10.0).round() / 10.0;
    format!("{} {name}{}", figure(count), if count == 1.0 { "" } else { "s" })
}

/// A number with at most two decimals.
pub(super) fn figure(value: f64) -> String {
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn days(seconds: i64) -> f64 {
    seconds as f64 / 86_400.0
}
