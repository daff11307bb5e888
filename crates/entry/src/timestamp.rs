//! Instants, and their one text.

use crate::error::EntryError;
use std::fmt;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// Longest canonical text: `2026-11-24T13:16:00.123456789Z`.
pub(crate) const MAX_TEXT: usize = 30;

/// An instant in UTC, from the beginning of 1678 to the end of 2261, to the nanosecond.
///
/// Order is order in time. The canonical text is RFC 3339 with `Z` and a fraction without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: i64,
    nanos: u16,
}

impl Timestamp {
    /// The first instant: 1678-01-01T00:00:00Z.
    pub const MIN: Self = Self { micros: days_from_civil(1678, 1, 1) * MICROS_PER_DAY, nanos: 0 };
    /// The last instant: 2261-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self { micros: days_from_civil(2262, 1, 1) * MICROS_PER_DAY - 1, nanos: 999 };

    /// Reads an RFC 3339 timestamp with any offset. Lowercase `t` and `z` and the offset `-00:00` are accepted.
    ///
    /// # Errors
    /// Second 60, more than nine fraction digits, a year outside 1678–2261, or anything that is not RFC 3339.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        Self::read(text.as_bytes())
            .map_err(|problem| EntryError::Value { member: "timestamp".into(), problem: problem.into() })
    }

    /// The instant so many microseconds after 1970-01-01T00:00:00Z; the nearest one where that is out of range.
    pub fn from_micros(micros: i64) -> Self {
        Self { micros, nanos: 0 }.clamp(Self::MIN, Self { nanos: 0, ..Self::MAX })
    }

    /// The instant so many microseconds after 1970-01-01T00:00:00Z, and 0 to 999 nanoseconds more.
    ///
    /// # Errors
    /// An instant outside 1678–2261, or more than 999 nanoseconds.
    pub fn from_parts(micros: i64, nanos_below: u16) -> Result<Self, EntryError> {
        let instant = Self { micros, nanos: nanos_below };
        if nanos_below > 999 || instant < Self::MIN || instant > Self::MAX {
            let problem =
                format!("{micros} microseconds and {nanos_below} nanoseconds is no instant of the years 1678 to 2261");
            return Err(EntryError::Value { member: "timestamp".into(), problem });
        }
        Ok(instant)
    }

    /// Whole microseconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn micros(self) -> i64 {
        self.micros
    }

    /// The nanoseconds beyond [`Timestamp::micros`], 0 to 999.
    pub fn nanos_below_micro(self) -> u16 {
        self.nanos
    }

    /// Appends the canonical text.
    pub fn write(self, out: &mut Vec<u8>) {
        self.write_near(&mut DateMemo::default(), out);
    }

    /// [`Timestamp::write`], faster when the one written before with the same memo was on the same day.
    #[inline]
    pub fn write_near(self, memo: &mut DateMemo, out: &mut Vec<u8>) {
        let (text, length) = self.text(memo);
        out.extend_from_slice(&text[..length]);
    }

    /// The canonical text and its length.
    #[inline]
    pub(crate) fn text(self, memo: &mut DateMemo) -> ([u8; MAX_TEXT], usize) {
        let day = self.micros.div_euclid(MICROS_PER_DAY);
        let in_day = self.micros - day * MICROS_PER_DAY;
        let second = (in_day / MICROS_PER_SECOND) as u32;
        let nanos = (in_day % MICROS_PER_SECOND) as u32 * 1000 + u32::from(self.nanos);
        if memo.day != Some(day) {
            *memo = DateMemo::of(day);
        }
        let mut text = memo.text;
        put(&mut text, 11, second / 3600);
        put(&mut text, 14, second / 60 % 60);
        put(&mut text, 17, second % 60);
        put(&mut text, 20, nanos / 10_000_000);
        put(&mut text, 22, nanos / 100_000 % 100);
        put(&mut text, 24, nanos / 1000 % 100);
        put(&mut text, 26, nanos / 10 % 100);
        text[28] = b'0' + (nanos % 10) as u8;
        let mut end = 29;
        while text[end - 1] == b'0' && end > 20 {
            end -= 1;
        }
        end -= usize::from(end == 20);
        text[end] = b'Z';
        (text, end + 1)
    }

    /// Whether a text that [`Timestamp::read`] accepts is the canonical one.
    pub(crate) fn is_canonical(text: &[u8]) -> bool {
        match text {
            [.., before, b'Z'] => text[10] == b'T' && (text.len() == 20 || *before != b'0'),
            _ => false,
        }
    }

    /// Reads an RFC 3339 timestamp; the error says what is wrong and what to send.
    pub(crate) fn read(text: &[u8]) -> Result<Self, &'static str> {
        const SHAPE: &str = "is not an RFC 3339 timestamp such as 2026-11-24T13:16:00.25Z";
        const OUTSIDE: &str = "lies outside the years 1678 to 2261 (UTC)";
        let (head, tail) = text.split_first_chunk::<19>().ok_or(SHAPE)?;
        let marks = [head[4], head[7], head[10].to_ascii_uppercase(), head[13], head[16]];
        let number = |at: usize| two_digits(head[at], head[at + 1]);
        let fields = [number(0), number(2), number(5), number(8), number(11), number(14), number(17)];
        if marks != *b"--T::" || fields.iter().any(|&field| field > 99) {
            return Err(SHAPE);
        }
        let [century, year, month, day, hour, minute, second] = fields;
        let year = century * 100 + year;
        if !(1677..=2262).contains(&year) {
            return Err(OUTSIDE);
        }
        if second == 60 {
            return Err("has second 60; send a leap second as the second before it or after it");
        }
        if !(1..=12).contains(&month)
            || day == 0
            || day > days_in_month(year, month)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return Err("has a field out of its range; no such date or time of day exists");
        }
        let (nanos, zone) = fraction(tail)?;
        let days = days_from_civil(year, month, day);
        let seconds = days * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second) - offset_seconds(zone)?;
        let instant =
            Self { micros: seconds * MICROS_PER_SECOND + i64::from(nanos / 1000), nanos: (nanos % 1000) as u16 };
        if instant < Self::MIN || instant > Self::MAX {
            return Err(OUTSIDE);
        }
        Ok(instant)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, length) = self.text(&mut DateMemo::default());
        text[..length].iter().try_for_each(|&byte| fmt::Write::write_char(f, char::from(byte)))
    }
}

/// Nanoseconds of the fraction, 0 where there is none, and what follows it.
fn fraction(tail: &[u8]) -> Result<(u32, &[u8]), &'static str> {
    let Some(digits) = tail.strip_prefix(b".") else { return Ok((0, tail)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match count {
        0 => Err("has a decimal point without digits after it"),
        1..=9 => {
            let value = digits[..count].iter().fold(0, |sum, &digit| sum * 10 + u32::from(digit - b'0'));
            Ok((value * 10_u32.pow(9 - count as u32), &digits[count..]))
        }
        _ => Err("has more than nine fraction digits; nanoseconds are the finest kept"),
    }
}

/// Seconds east of UTC.
fn offset_seconds(zone: &[u8]) -> Result<i64, &'static str> {
    match *zone {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two_digits(h1, h2), two_digits(m1, m2));
            if hours > 23 || minutes > 59 {
                return Err("has an offset out of range; send Z or an offset such as +02:00");
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            Ok(if sign == b'-' { -seconds } else { seconds })
        }
        [] => Err("has no offset; end it with Z or an offset such as +02:00"),
        _ => Err("ends with something that is neither Z nor an offset such as +02:00"),
    }
}

/// The number that two digits make; more than 99 when one is no digit.
#[inline]
fn two_digits(tens: u8, ones: u8) -> u32 {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { u32::MAX >> 8 } else { u32::from(tens) * 10 + u32::from(ones) }
}

/// The date written last: timestamps that are written one after another mostly share it.
#[derive(Debug, Clone)]
pub struct DateMemo {
    day: Option<i64>,
    text: [u8; MAX_TEXT],
}

impl DateMemo {
    fn of(days: i64) -> Self {
        let (year, month, day) = civil_from_days(days);
        let mut text = Self::default().text;
        put(&mut text, 0, year as u32 / 100);
        put(&mut text, 2, year as u32 % 100);
        put(&mut text, 5, month);
        put(&mut text, 8, day);
        Self { day: Some(days), text }
    }
}

impl Default for DateMemo {
    fn default() -> Self {
        Self { day: None, text: *b"0000-00-00T00:00:00.000000000Z" }
    }
}

#[inline]
fn put(text: &mut [u8; MAX_TEXT], at: usize, number: u32) {
    text[at] = b'0' + (number / 10) as u8;
    text[at + 1] = b'0' + (number % 10) as u8;
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in 400 Gregorian years.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: i64 = 719_468;

/// Days since 1970-01-01. Years begin in March here, so that the leap day is the last of its year.
const fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    let year = (year - (month <= 2) as u32) as i64;
    let year_of_era = year % 400;
    let day_of_year = ((153 * ((month + 9) % 12) + 2) / 5 + day - 1) as i64;
    year / 400 * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH_DAYS
}

/// Year, month and day of a day after 0000-03-01, counted from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + EPOCH_DAYS;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = (day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100)) as u32;
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
