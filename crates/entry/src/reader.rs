//! Reading an entry member by member through the canonical parser.

use crate::MAX_ENTRY_BYTES;
use crate::canonical::{Parser, ValueKind, read_string, write_string};
use crate::error::{Checked, EntryError, shown};
use crate::member::{Member, Rule, Spans};
use crate::timestamp::Timestamp;

/// Who an entry's bytes come from: this decides which members may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// A client: no ledger-set members, no `ledger.` event types.
    Client,
    /// The ledger, about its own acts: no ledger-set members yet, only `ledger.` event types.
    Ledger,
    /// The ledger's store: a committed entry.
    Store,
}

/// An entry's canonical members and where they stand.
pub(crate) struct Reading {
    pub spans: Spans,
    pub timestamp: Option<Timestamp>,
    pub recorded_at: Option<Timestamp>,
    /// Whether a `$sealed` value may be among the members.
    pub saw_dollar: bool,
}

/// Raw text that is refused unread: white space and escapes may blow an entry up, but not without end.
const MAX_RAW_BYTES: usize = 16 * MAX_ENTRY_BYTES;

/// Reads the members of one entry. Their values are canonical afterwards and of the right type.
///
/// `out` must be empty. It receives the canonical bytes; those of a stored entry must be canonical already
/// and are not copied.
pub(crate) fn read(json: &[u8], author: Author, out: &mut Vec<u8>) -> Result<Reading, EntryError> {
    if json.len() > MAX_RAW_BYTES {
        return Err(EntryError::TooLarge { length: json.len(), limit: MAX_ENTRY_BYTES });
    }
    let located = |error: Box<EntryError>| error.located(json);
    let mut parser = Parser::new(json, out).map_err(located)?;
    let reading = read_members(&mut parser, author).map_err(located)?;
    if author == Author::Store {
        parser.unchanged()?;
    } else {
        parser.flush();
    }
    Ok(reading)
}

fn read_members(parser: &mut Parser<'_, '_>, author: Author) -> Checked<Reading> {
    let mut reading = Reading { spans: Spans::NONE, timestamp: None, recorded_at: None, saw_dollar: false };
    if parser.peek() != b'{' {
        return not_an_object(parser);
    }
    let opened = parser.position();
    parser.enter()?;
    let mut sorted = true;
    if parser.peek() != b'}' {
        let mut previous = None;
        loop {
            let member = read_member(parser, author, &mut reading)?;
            sorted &= previous.is_none_or(|previous| previous < member);
            previous = Some(member);
            if !parser.more(b'}')? {
                break;
            }
        }
    }
    parser.leave();
    if !sorted {
        sort(parser, opened, &mut reading.spans);
    }
    parser.finish()?;
    reading.saw_dollar = parser.saw_dollar;
    Ok(reading)
}

#[inline]
fn read_member(parser: &mut Parser<'_, '_>, author: Author, reading: &mut Reading) -> Checked<Member> {
    parser.peek();
    let at = parser.offset();
    let name = parser.name()?;
    let Some(member) = Member::find(parser.written(name.clone())) else {
        let name = read_string(&String::from_utf8_lossy(parser.written(name))).into_owned();
        return Err(EntryError::Unknown { member: shown(&name), at }.into());
    };
    if member.is_ledgers() && author != Author::Store {
        return Err(EntryError::LedgerOnly { member: member.name().into(), at }.into());
    }
    if reading.spans.has(member) {
        return Err(EntryError::Duplicate { member: member.name().into(), at }.into());
    }
    parser.peek();
    let at = parser.offset();
    let start = parser.position();
    let kind = parser.value()?;
    check_kind(member, kind, at)?;
    if let Rule::Instant = member.rule() {
        let instant = normalise_instant(parser, start, member)?;
        if member == Member::Timestamp {
            reading.timestamp = Some(instant)
        } else {
            reading.recorded_at = Some(instant)
        }
    }
    reading.spans.set(member, start, parser.position());
    Ok(member)
}

#[inline]
fn check_kind(member: Member, found: ValueKind, at: usize) -> Checked<()> {
    let (fits, expected) = match member.rule() {
        Rule::Identifier { .. } | Rule::OneOf(_) | Rule::Salt => (found == ValueKind::String, "a string"),
        Rule::Instant => (found == ValueKind::String, "an RFC 3339 timestamp in a string"),
        Rule::Reason => (matches!(found, ValueKind::String | ValueKind::Object), "a string (or a $sealed object)"),
        Rule::Value => (true, ""),
        Rule::Object | Rule::Signature => (found == ValueKind::Object, "an object"),
        Rule::Counter => (found == ValueKind::Number, "an integer"),
    };
    if fits { Ok(()) } else { Err(EntryError::WrongType { member: String::new(), at, expected, found }.into()) }
}

/// Reads the instant that was written since `start` and writes its canonical text in its place.
#[inline]
fn normalise_instant(parser: &mut Parser<'_, '_>, start: usize, member: Member) -> Checked<Timestamp> {
    parser.settle(start);
    let literal = parser.written(start..parser.position());
    let inner = &literal[1..literal.len() - 1];
    let refused = |problem: &str| EntryError::Value { member: member.name().into(), problem: problem.into() };
    if let Ok(instant) = Timestamp::read(inner)
        && Timestamp::is_canonical(inner)
    {
        return Ok(instant);
    }
    let literal = String::from_utf8_lossy(literal);
    let instant = Timestamp::read(read_string(&literal).as_bytes()).map_err(refused)?;
    let mut canonical = Vec::with_capacity(32);
    write_string(&instant.to_string(), &mut canonical);
    parser.replace(start, &canonical);
    Ok(instant)
}

/// Brings the members into canonical order.
#[inline(never)]
fn sort(parser: &mut Parser<'_, '_>, start: usize, spans: &mut Spans) {
    parser.flush();
    let length = parser.position() - start;
    let mut sorted = Vec::with_capacity(length);
    for member in Member::ALL {
        let Some(range) = spans.get(member) else { continue };
        sorted.push(if sorted.is_empty() { b'{' } else { b',' });
        sorted.push(b'"');
        sorted.extend_from_slice(member.name().as_bytes());
        sorted.extend_from_slice(b"\":");
        let from = start + sorted.len();
        sorted.extend_from_slice(parser.written(range.clone()));
        spans.set(member, from, start + sorted.len());
    }
    sorted.push(b'}');
    parser.replace(start, &sorted);
}

#[cold]
fn not_an_object(parser: &mut Parser<'_, '_>) -> Checked<Reading> {
    let at = parser.offset();
    let found = parser.value()?;
    Err(EntryError::WrongType { member: "entry".into(), at, expected: "an object", found }.into())
}
