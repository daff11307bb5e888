//! Messages of the output plugin `pgoutput`, protocol version 1 (PostgreSQL, "Logical Replication Message Formats").

use bytes::Buf;
use counterfoil::{Error, ErrorKind, Result};

use crate::wire::{Texts, utf8};

/// Microseconds from 1970 to 2000, PostgreSQL's first day.
const EPOCH_2000_MICROS: i64 = 946_684_800_000_000;
/// The most columns that a table can have.
const MAX_COLUMNS: u16 = 1_664;

/// One message, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    Begin(Begin),
    Commit { end: u64 },
    Relation { table: u32, is_audit_log: bool, columns: Vec<String> },
    Insert { table: u32, new: Texts },
    Update { table: u32, new: Texts },
    Delete { table: u32, old: Texts },
    Truncate { tables: Vec<u32> },
    Other,
}

/// How a transaction begins: what the write-ahead log says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Begin {
    /// Where it commits.
    pub commit: u64,
    /// When it committed, in microseconds since 1970.
    pub at_micros: i64,
    /// The lower half of its number.
    pub transaction: u32,
}

impl Message {
    pub fn parse(mut input: &[u8]) -> Result<Self> {
        let input = &mut input;
        Ok(match u8(input)? {
            b'B' => {
                let (commit, micros) = (u64(input)?, u64(input)? as i64);
                let at_micros = micros.saturating_add(EPOCH_2000_MICROS);
                Self::Begin(Begin { commit, at_micros, transaction: u32(input)? })
            }
            b'C' => {
                u8(input)?;
                u64(input)?;
                Self::Commit { end: u64(input)? }
            }
            b'R' => {
                let table = u32(input)?;
                let is_audit_log = (text(input)?, text(input)?) == ("counterfoil".to_owned(), "audit_log".to_owned());
                u8(input)?;
                let columns = (0..count(input)?).map(|_| {
                    u8(input)?;
                    let name = text(input)?;
                    u32(input)?;
                    u32(input)?;
                    Ok(name)
                });
                Self::Relation { table, is_audit_log, columns: columns.collect::<Result<_>>()? }
            }
            b'I' => {
                let table = u32(input)?;
                u8(input)?;
                Self::Insert { table, new: tuple(input)? }
            }
            b'U' => {
                let table = u32(input)?;
                if u8(input)? != b'N' {
                    tuple(input)?;
                    u8(input)?;
                }
                Self::Update { table, new: tuple(input)? }
            }
            b'D' => {
                let table = u32(input)?;
                u8(input)?;
                Self::Delete { table, old: tuple(input)? }
            }
            b'T' => {
                let tables = u32(input)?.min(u32::from(MAX_COLUMNS));
                u8(input)?;
                Self::Truncate { tables: (0..tables).map(|_| u32(input)).collect::<Result<_>>()? }
            }
            _ => Self::Other,
        })
    }
}

fn tuple(input: &mut &[u8]) -> Result<Texts> {
    let columns = (0..count(input)?).map(|_| match u8(input)? {
        b't' => {
            let length = u32(input)? as usize;
            let (text, rest) = input.split_at_checked(length).ok_or_else(short)?;
            *input = rest;
            utf8(text).map(Some)
        }
        // NULL, or a long value that an update left as it was.
        b'n' | b'u' => Ok(None),
        _ => Err(short()),
    });
    columns.collect()
}

fn count(input: &mut &[u8]) -> Result<u16> {
    let count = input.try_get_u16().map_err(|_| short())?;
    if count > MAX_COLUMNS { Err(short()) } else { Ok(count) }
}

fn u8(input: &mut &[u8]) -> Result<u8> {
    input.try_get_u8().map_err(|_| short())
}

fn u32(input: &mut &[u8]) -> Result<u32> {
    input.try_get_u32().map_err(|_| short())
}

fn u64(input: &mut &[u8]) -> Result<u64> {
    input.try_get_u64().map_err(|_| short())
}

fn text(input: &mut &[u8]) -> Result<String> {
    let end = input.iter().position(|byte| *byte == 0).ok_or_else(short)?;
    let text = utf8(&input[..end])?;
    *input = &input[end + 1..];
    Ok(text)
}

fn short() -> Error {
    Error::new(ErrorKind::Unavailable, "the replication stream has a message that is not of pgoutput's version 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_a_message_is_an_error_and_no_panic() {
        let mut insert = b"I\0\0\x40\x01N\0\x03t\0\0\0\x02hin".to_vec();
        insert.extend_from_slice(b"t\0\0\0\x01x");
        let whole = Message::parse(&insert).unwrap();
        let new = vec![Some("hi".to_owned()), None, Some("x".to_owned())];
        assert_eq!(whole, Message::Insert { table: 0x4001, new });
        for length in 0..insert.len() {
            assert!(Message::parse(&insert[..length]).is_err(), "{length}");
        }
    }
}
