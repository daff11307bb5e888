//! What the members of an entry must say.

use crate::canonical::{is_plain, members, read_string};
use crate::error::{EntryError, shown};
use crate::member::{Member, Rule, Spans};
use crate::reader::{Author, Reading};
use crate::sealed;
use crate::signature::Signature;
use crate::{MAX_ENTRY_BYTES, OWN_PREFIX};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;

/// Checks the members of an entry that has been read; `text` is its canonical form.
pub(crate) fn check(text: &str, reading: &Reading, author: Author) -> Result<(), EntryError> {
    let spans = &reading.spans;
    for member in [Member::EventType, Member::Actor, Member::EntityId] {
        present(spans, member)?;
    }
    for member in Member::ALL {
        if let Some(value) = spans.value(text, member) {
            check_member(member, value)?;
        }
    }
    if reading.saw_dollar {
        for member in [Member::OldValue, Member::NewValue, Member::Context] {
            spans.value(text, member).map_or(Ok(()), |value| sealed::check_within(member.name(), value))?;
        }
    }
    check_company(spans)?;
    check_author(text, reading, author)?;
    if text.len() > MAX_ENTRY_BYTES {
        return Err(EntryError::TooLarge { length: text.len(), limit: MAX_ENTRY_BYTES });
    }
    Ok(())
}

/// Checks the stable name of a principal before the ledger writes it as `recorder`.
///
/// # Errors
/// Empty, longer than 256 bytes, or with a control character.
pub fn check_recorder(name: &str) -> Result<(), EntryError> {
    identifier(Member::Recorder.name(), name, 1, 256)
}

fn present(spans: &Spans, member: Member) -> Result<(), EntryError> {
    if spans.has(member) { Ok(()) } else { Err(EntryError::Missing { member: member.name() }) }
}

fn check_member(member: Member, value: &str) -> Result<(), EntryError> {
    match member.rule() {
        Rule::Identifier { min, max } => match &value[1..value.len() - 1] {
            plain if is_plain(plain.as_bytes()) => length(member.name(), plain, min, max),
            _ => identifier(member.name(), &read_string(value), min, max),
        },
        Rule::OneOf(names) => one_of(member, &read_string(value), names),
        Rule::Reason => reason(value),
        Rule::Counter => counter(value).map(drop),
        Rule::Signature => Signature::read(value).map(drop),
        Rule::Salt => salt(value).map(drop),
        Rule::Value | Rule::Object | Rule::Instant => Ok(()),
    }
}

/// Checks a text that names something.
pub(crate) fn identifier(member: &str, text: &str, min: usize, max: usize) -> Result<(), EntryError> {
    length(member, text, min, max)?;
    if text.chars().any(char::is_control) {
        return Err(refused(member, "holds a control character; an identifier may not"));
    }
    Ok(())
}

#[inline]
fn length(member: &str, text: &str, min: usize, max: usize) -> Result<(), EntryError> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    Err(EntryError::Length { member: member.into(), length: text.len(), min, max })
}

fn one_of(member: Member, text: &str, names: &[&str]) -> Result<(), EntryError> {
    if names.contains(&text) {
        return Ok(());
    }
    Err(refused(member.name(), format!("\"{}\" is not one of {}", shown(text), names.join(", "))))
}

fn reason(value: &str) -> Result<(), EntryError> {
    if value.starts_with('{') {
        return sealed::check(Member::Reason.name(), value);
    }
    if sealed::is_sealed(&read_string(value)) {
        return Err(refused(
            Member::Reason.name(),
            "is a $sealed value written as a string; send it as the object itself",
        ));
    }
    Ok(())
}

/// The counter of a source.
pub(crate) fn counter(value: &str) -> Result<u64, EntryError> {
    let number = value.parse().ok().filter(|&number| number <= i64::MAX as u64);
    number.ok_or_else(|| {
        refused(Member::Sequence.name(), format!("{} is not an integer from 0 to 9223372036854775807", shown(value)))
    })
}

/// The sixteen bytes of a salt literal.
pub(crate) fn salt(value: &str) -> Result<[u8; 16], EntryError> {
    decode(&read_string(value))
        .ok_or_else(|| refused(Member::Salt.name(), "must be 16 bytes in canonical base64 (24 characters)"))
}

/// So many bytes from canonical base64 (RFC 4648, section 4, padded).
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes = (text.len() == N.div_ceil(3) * 4).then(|| BASE64.decode(text).ok())??;
    bytes.try_into().ok()
}

/// Whether a text is canonical base64.
pub(crate) fn is_base64(text: &str) -> bool {
    BASE64.decode(text).is_ok()
}

/// Members that need one another.
fn check_company(spans: &Spans) -> Result<(), EntryError> {
    let pair = [Member::Source, Member::Sequence];
    for (member, needs) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        if spans.has(member) && !spans.has(needs) {
            return Err(EntryError::Alone { member: member.name(), needs: needs.name() });
        }
    }
    if spans.has(Member::Signature) {
        for needed in [Member::Timestamp, Member::Source, Member::Sequence] {
            if !spans.has(needed) {
                let problem = format!("a signed entry needs {} too, so that nobody can replay it", needed.name());
                return Err(refused(Member::Signature.name(), problem));
            }
        }
    }
    Ok(())
}

/// What depends on who wrote the entry.
fn check_author(text: &str, reading: &Reading, author: Author) -> Result<(), EntryError> {
    let spans = &reading.spans;
    let event_type = spans.value(text, Member::EventType).map_or(Cow::Borrowed(""), read_string);
    let own = event_type.starts_with(OWN_PREFIX);
    match author {
        Author::Client if own => {
            return Err(refused("event_type", "names beginning with \"ledger.\" are the ledger's own; choose another"));
        }
        Author::Ledger if !own => return Err(refused("event_type", "the ledger's own acts begin with \"ledger.\"")),
        _ => {}
    }
    if own && spans.has(Member::Source) {
        return Err(refused("source", "the ledger's own entries carry no source, sequence or signature"));
    }
    if author == Author::Store {
        present(spans, Member::RecordedAt)?;
        present(spans, Member::Timestamp)?;
        if reading.recorded_at.is_some_and(|instant| instant.nanos_below_micro() > 0) {
            return Err(refused("recorded_at", "has digits below a microsecond; the ledger records microseconds"));
        }
    }
    Ok(())
}

/// An error about a value that is of the right type.
pub(crate) fn refused(member: &str, problem: impl Into<String>) -> EntryError {
    EntryError::Value { member: member.into(), problem: problem.into() }
}

/// The string members of an object that must have exactly these members, in this (canonical) order.
pub(crate) fn exact_strings<'a, const N: usize>(
    member: &str,
    object: &'a str,
    names: [&str; N],
) -> Result<[Cow<'a, str>; N], EntryError> {
    let mut found = members(object);
    let mut texts = [const { Cow::Borrowed("") }; N];
    for (text, name) in texts.iter_mut().zip(names) {
        let named = found.next().filter(|named| named.name == name);
        let named =
            named.ok_or_else(|| refused(member, format!("must have exactly the members {}", names.join(", "))))?;
        if !named.value.starts_with('"') {
            return Err(refused(&format!("{member}.{name}"), format!("must be {}", "a string")));
        }
        *text = read_string(named.value);
    }
    match found.next() {
        Some(more) => Err(refused(
            member,
            format!("must have exactly the members {}; drop {}", names.join(", "), shown(&more.unescaped())),
        )),
        None => Ok(texts),
    }
}
