//! What a client may set for its connection, and what it is shown of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pg::refusal::Refusal;

/// What the service says it is, in PostgreSQL's terms.
pub(crate) const SERVER_VERSION: &str = concat!("16.0 (counterfoil ", env!("CARGO_PKG_VERSION"), ")");

/// What is reported to every client that signs in.
const REPORTED: [&str; 11] = [
    "server_version",
    "server_encoding",
    "client_encoding",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "integer_datetimes",
    "standard_conforming_strings",
    "default_transaction_read_only",
    "in_hot_standby",
    "is_superuser",
];

/// Every setting that is known here, with its value at first.
const KNOWN: [(&str, &str); 35] = [
    ("application_name", ""),
    ("bytea_output", "hex"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("DateStyle", "ISO, MDY"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("IntervalStyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("row_security", "on"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "160000"),
    ("session_authorization", ""),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("TimeZone", "UTC"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("xmloption", "content"),
];

/// What cannot be set: it says what the service is.
const FIXED: [&str; 9] = [
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "max_identifier_length",
    "max_index_keys",
    "server_encoding",
    "server_version",
    "server_version_num",
    "session_authorization",
];

/// Longest value that is kept.
const MAX_VALUE_BYTES: usize = 1_000;

/// The settings of one connection, as far as they differ.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    set: BTreeMap<&'static str, String>,
    user: String,
    /// Whether statements of the transaction see one state of the ledger.
    steady: bool,
}

impl Preferences {
    pub(crate) fn new(user: String) -> Self {
        Self { set: BTreeMap::new(), user, steady: false }
    }

    /// A setting's value by its name, however it is written.
    pub(crate) fn get(&self, name: &str) -> Option<(&'static str, &str)> {
        let (name, first) = *KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let value = match name {
            "session_authorization" => self.user.as_str(),
            "transaction_isolation" | "default_transaction_isolation" if self.steady => "repeatable read",
            _ => self.set.get(name).map_or(first, String::as_str),
        };
        Some((name, value))
    }

    /// Notes how transactions are kept apart.
    pub(crate) fn note_isolation(&mut self, steady: bool) {
        self.steady = steady;
    }

    /// Every setting.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KNOWN.iter().filter_map(|(name, _)| self.get(name))
    }

    /// What a client that signed in is told.
    pub(crate) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        REPORTED.iter().chain(&["application_name", "session_authorization"]).filter_map(|name| self.get(name))
    }

    /// Sets a value; answers the setting's own name.
    ///
    /// # Errors
    /// For what is no setting, and for values that would change what answers mean.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<&'static str, Refusal> {
        let Some((name, _)) = self.get(name) else {
            return Err(Refusal::new("42704", format!("there is no setting {name}")));
        };
        if FIXED.contains(&name) {
            return Err(Refusal::new("55P02", format!("{name} cannot be set")));
        }
        let folded = value.to_ascii_lowercase();
        let allowed = match name {
            "client_encoding" => ["utf8", "utf-8", "unicode", "sql_ascii"].contains(&folded.as_str()),
            "DateStyle" => folded.starts_with("iso"),
            "IntervalStyle" => folded == "postgres",
            "bytea_output" => folded == "hex",
            "standard_conforming_strings" => folded == "on",
            "TimeZone" => ["utc", "etc/utc", "gmt", "z", "zulu", "default", "0", "+00:00"].contains(&folded.as_str()),
            "statement_timeout" => duration(&folded).is_some(),
            _ => value.len() <= MAX_VALUE_BYTES,
        };
        if !allowed {
            let hint = match name {
                "TimeZone" => "times are told in UTC; write timestamp AT TIME ZONE 'Europe/Berlin' for others",
                _ => "other values would not be kept to",
            };
            return Err(Refusal::new("22023", format!("{name} cannot be {value:?} here: {hint}")));
        }
        match folded.as_str() {
            "default" => drop(self.set.remove(name)),
            _ => drop(self.set.insert(name, value.to_owned())),
        }
        Ok(name)
    }

    /// Goes back to the first value of a setting, or of all.
    pub(crate) fn reset(&mut self, name: Option<&str>) {
        match name.and_then(|name| self.get(name)).map(|(name, _)| name) {
            Some(name) => drop(self.set.remove(name)),
            None if name.is_none() => self.set.clear(),
            None => {}
        }
    }

    /// How long a statement may run, if the client limits it.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let (_, value) = self.get("statement_timeout")?;
        duration(&value.to_ascii_lowercase()).filter(|time| !time.is_zero())
    }
}

/// A time with its unit; milliseconds without one.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(text.trim().len());
    let (number, unit) = text.trim().split_at(digits);
    let number: u64 = if number.is_empty() && unit == "default" { 0 } else { number.parse().ok()? };
    let factor = match unit.trim() {
        "" | "ms" | "default" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(factor)?))
}
