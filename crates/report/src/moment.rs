//! Moments, lengths of time and numbers, in words.

use std::fmt;

use counterfoil_entry::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment, in RFC 3339. It is shown in UTC, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The moment so many microseconds after 1970.
    pub fn from_micros(micros: i64) -> Self {
        Self(Timestamp::from_micros(micros))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0.micros()
    }

    /// Year, month and day.
    pub fn date(self) -> String {
        self.0.to_string()[..10].to_owned()
    }

    /// Hours and minutes.
    pub fn time(self) -> String {
        self.0.to_string()[11..16].to_owned()
    }

    /// How long ago another moment was, in words.
    pub fn since(self, earlier: Self) -> String {
        lasting(self.micros().saturating_sub(earlier.micros()))
    }

    /// RFC 3339, as SQL and JSON take it.
    pub fn rfc3339(self) -> String {
        self.0.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        write!(f, "{} {} UTC", &text[..10], &text[11..19])
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).map(Self).map_err(de::Error::custom)
    }
}

/// A length of time in microseconds as its two largest units.
pub(crate) fn lasting(micros: i64) -> String {
    let units = [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second")];
    let mut rest = micros.max(0);
    let mut parts = Vec::new();
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(counted(count as u64, name));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    match parts.is_empty() {
        true => "less than a second".to_owned(),
        false => parts.join(" "),
    }
}

/// A whole number with a comma between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and what it counts, in the plural where that is due.
pub(crate) fn counted(number: u64, singular: &str) -> String {
    match number {
        1 => format!("1 {singular}"),
        _ if singular.ends_with("entry") => format!("{} {}ies", grouped(number), &singular[..singular.len() - 1]),
        _ => format!("{} {singular}s", grouped(number)),
    }
}

/// A part of a whole in percent; of nothing it is "–".
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}
