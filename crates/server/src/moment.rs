//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use counterfoil_entry::Timestamp;

/// Now, to the microsecond.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A moment that much later.
pub(crate) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.micros().saturating_add(by))
}

/// How long ago a moment was; nothing for one to come.
pub(crate) fn since(moment: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(now().micros().saturating_sub(moment.micros())).unwrap_or_default())
}
