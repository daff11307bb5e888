//! Times of foreign logs, read into RFC 3339 UTC text.

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::{AmbiguousTimestamp, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::raw::Ambiguous;

/// How a log writes its times.
#[derive(Debug, Clone)]
pub(crate) struct TimeFormat {
    pub(crate) kind: TimeKind,
    /// The zone of times that name none.
    pub(crate) zone: Option<TimeZone>,
    pub(crate) ambiguous: Ambiguous,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimeKind {
    Rfc3339,
    /// Decimal count since 1970 whose unit has this many decimal places of a second (0, 3, 6, 9).
    Epoch(u32),
    Pattern(String),
}

impl TimeKind {
    /// Reads the `format` of a map.
    pub(crate) fn parse(text: &str) -> Result<TimeKind, String> {
        match text {
            "rfc3339" => Ok(TimeKind::Rfc3339),
            "epoch_s" => Ok(TimeKind::Epoch(0)),
            "epoch_ms" => Ok(TimeKind::Epoch(3)),
            "epoch_us" => Ok(TimeKind::Epoch(6)),
            "epoch_ns" => Ok(TimeKind::Epoch(9)),
            _ if text.contains('%') => {
                jiff::fmt::strtime::format(text, &Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC))
                    .map_err(|error| format!("pattern {text:?}: {error}"))?;
                Ok(TimeKind::Pattern(text.to_owned()))
            }
            _ => Err(format!(
                "{text:?} is no time format: rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns or a strptime pattern"
            )),
        }
    }
}

impl TimeFormat {
    /// The moment that `text` names, as RFC 3339 in UTC.
    pub(crate) fn read(&self, text: &str) -> Result<String, String> {
        let moment = match &self.kind {
            TimeKind::Rfc3339 => self.rfc3339(text),
            TimeKind::Epoch(places) => epoch(text, *places),
            TimeKind::Pattern(pattern) => self.pattern(pattern, text),
        }
        .map_err(|reason| format!("time {text:?}: {reason}"))?;
        Ok(moment.to_string())
    }

    fn rfc3339(&self, text: &str) -> Result<Timestamp, String> {
        let (civil, offset) = split_rfc3339(text)?;
        let civil: DateTime = civil.to_ascii_uppercase().parse().map_err(|error: jiff::Error| error.to_string())?;
        match offset {
            "" => self.in_zone(civil),
            _ => offset_of(offset)?.to_timestamp(civil).map_err(|error| error.to_string()),
        }
    }

    fn pattern(&self, pattern: &str, text: &str) -> Result<Timestamp, String> {
        let parsed = BrokenDownTime::parse(pattern, text).map_err(|error| error.to_string())?;
        if parsed.second() == Some(59) && reads_second_60(pattern, text) {
            return Err("second 60 is not supported".to_owned());
        }
        if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return parsed.to_timestamp().map_err(|error| error.to_string());
        }
        let civil = parsed.to_datetime().map_err(|error| error.to_string())?;
        self.in_zone(civil)
    }

    fn in_zone(&self, civil: DateTime) -> Result<Timestamp, String> {
        let zone =
            self.zone.as_ref().ok_or("it names no offset; give the map a zone, such as zone = \"Europe/Amsterdam\"")?;
        let moment: AmbiguousTimestamp = zone.to_ambiguous_timestamp(civil);
        match self.ambiguous {
            Ambiguous::Refuse => moment.unambiguous().map_err(|_| {
                "a clock change makes it name two moments or none; choose with ambiguous = \"earlier\" or \"later\""
                    .to_owned()
            }),
            Ambiguous::Earlier => moment.earlier().map_err(|error| error.to_string()),
            Ambiguous::Later => moment.later().map_err(|error| error.to_string()),
        }
    }
}

/// Parts `2024-02-29T12:00:00.5` from its offset, and refuses every other shape.
fn split_rfc3339(text: &str) -> Result<(&str, &str), String> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    let fits = bytes.len() >= SHAPE.len()
        && bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b't' | b' '),
            _ => byte == shape,
        });
    if !fits {
        return Err("not RFC 3339, such as 2024-02-29T12:00:00Z".to_owned());
    }
    if &bytes[17..19] == b"60" {
        return Err("second 60 is not supported".to_owned());
    }
    let digits = match bytes.get(SHAPE.len()) {
        Some(b'.') => bytes[SHAPE.len() + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => return Ok(text.split_at(SHAPE.len())),
    };
    match digits {
        0 => Err("no digits after the point".to_owned()),
        1..=9 => Ok(text.split_at(SHAPE.len() + 1 + digits)),
        _ => Err("more than nine digits after the point".to_owned()),
    }
}

fn offset_of(text: &str) -> Result<Offset, String> {
    if matches!(text, "Z" | "z") {
        return Ok(Offset::UTC);
    }
    let wrong = || format!("{text:?} is no offset, such as Z or +02:00");
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let two = |digits: &str| {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse::<i32>().ok())
            .flatten()
    };
    match (two(hours), two(minutes)) {
        (Some(hours @ 0..=23), Some(minutes @ 0..=59)) => {
            Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// A count since 1970, exactly; a fraction may bring it to nanoseconds.
fn epoch(text: &str, places: u32) -> Result<Timestamp, String> {
    let wrong = || "not a decimal count since 1970".to_owned();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
        return Err(wrong());
    }
    let fraction = fraction.trim_end_matches('0');
    let left = (9 - places) as usize;
    if fraction.len() > left {
        return Err("finer than a nanosecond".to_owned());
    }
    let nanoseconds: i128 = format!("{whole}{fraction:0<left$}").parse().map_err(|_| wrong())?;
    let nanoseconds = if negative { -nanoseconds } else { nanoseconds };
    SignedDuration::try_from_nanos_i128(nanoseconds)
        .and_then(|since| Timestamp::from_duration(since).ok())
        .ok_or_else(|| "outside the calendar".to_owned())
}

/// Whether the text has 60 where the pattern reads seconds; jiff reads it as 59.
fn reads_second_60(pattern: &str, text: &str) -> bool {
    text.match_indices("60").any(|(at, _)| {
        let other = format!("{}58{}", &text[..at], &text[at + 2..]);
        BrokenDownTime::parse(pattern, &other).is_ok_and(|parsed| parsed.second() == Some(58))
    })
}
