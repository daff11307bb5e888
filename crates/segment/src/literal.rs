//! How a cell stands in an entry's canonical bytes, and which cells have no place in any.
//!
//! Each function appends one member, a comma before it, or says why the cell is none; `prefix` is all that stands
//! before the value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_entry::{DateMemo, Fields, MAX_ENTRY_BYTES, Timestamp, ValueKind, canonical};

use crate::schema::Column;
use crate::shape::Shapes;

/// How a cell's text stands in the entry.
#[derive(Clone, Copy)]
pub(crate) enum Literal {
    String,
    Reason,
}

/// The `recorded_at` written last, in microseconds and as a member: all entries of a commit have the same.
#[derive(Debug, Default)]
pub(crate) struct LastCommit {
    micros: i64,
    member: Vec<u8>,
}

pub(crate) fn write_text(prefix: &str, text: &str, literal: Literal, out: &mut Vec<u8>) {
    let text = bounded(text);
    out.extend_from_slice(prefix.as_bytes());
    match literal {
        Literal::String => canonical::write_string(text, out),
        Literal::Reason if text.starts_with("{\"$sealed\":") => write_reason(text, out),
        Literal::Reason => canonical::write_string(text, out),
    }
}

/// As much of a text as an entry could hold: what is longer makes the entry too long all the same, and costs no more.
fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_ENTRY_BYTES)]
}

fn refuse_too_long(prefix: &str, cell: &str) -> Result<(), String> {
    if cell.len() > MAX_ENTRY_BYTES {
        return Err(format!("{} has {} bytes, more than any entry", member_of(prefix), cell.len()));
    }
    Ok(())
}

/// Appends a reason that may be a sealed value, which stands in the entry as an object. Only the entry crate knows
/// which texts are, so it writes an entry around the reason, and the reason's literal is cut out of that.
fn write_reason(text: &str, out: &mut Vec<u8>) {
    let epoch = Timestamp::from_micros(0);
    let mut entry = Vec::new();
    Fields { reason: Some(text.into()), ..empty_fields(epoch) }.write_canonical(&mut entry);
    let literal = entry.strip_prefix(REASON_BEFORE).and_then(|rest| rest.strip_suffix(REASON_AFTER));
    out.extend_from_slice(literal.expect("an entry around a reason begins and ends the same whatever the reason"));
}

/// What stands before and after the reason in the entry of [`write_reason`].
const REASON_BEFORE: &[u8] = br#"{"actor":"","entity_id":"","event_type":"","reason":"#;
const REASON_AFTER: &[u8] = br#","recorded_at":"1970-01-01T00:00:00Z","timestamp":"1970-01-01T00:00:00Z"}"#;

fn empty_fields<'a>(time: Timestamp) -> Fields<'a> {
    Fields {
        timestamp: time,
        recorded_at: time,
        event_type: "".into(),
        actor: "".into(),
        entity_id: "".into(),
        actor_type: None,
        on_behalf_of: None,
        entity_type: None,
        outcome: None,
        reason: None,
        trace_id: None,
        id: None,
        source: None,
        recorder: None,
        sequence: None,
        old_value: None,
        new_value: None,
        context: None,
        signature: None,
        salt: None,
    }
}

pub(crate) fn write_object(prefix: &str, json: &str, shapes: &mut Shapes, out: &mut Vec<u8>) -> Result<(), String> {
    refuse_too_long(prefix, json)?;
    match shapes.check(json) {
        Ok(ValueKind::Object) => out.extend_from_slice(prefix.as_bytes()),
        Ok(kind) => return Err(format!("{} is {kind}, not an object", member_of(prefix))),
        Err(error) => return Err(format!("{} is not one canonical JSON value: {error}", member_of(prefix))),
    }
    out.extend_from_slice(json.as_bytes());
    Ok(())
}

pub(crate) fn write_value(
    prefix: &str,
    cell: &str,
    kind: ValueKind,
    shapes: &mut Shapes,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    refuse_too_long(prefix, cell)?;
    out.extend_from_slice(prefix.as_bytes());
    if kind == ValueKind::String {
        canonical::write_string(cell, out);
        return Ok(());
    }
    match shapes.check(cell) {
        Ok(found) if found == kind => out.extend_from_slice(cell.as_bytes()),
        Ok(found) => return Err(format!("{} is {found}, its type column says {kind}", member_of(prefix))),
        Err(error) => return Err(format!("{} is not one canonical JSON value: {error}", member_of(prefix))),
    }
    Ok(())
}

pub(crate) fn write_time(
    prefix: &str,
    micros: i64,
    nanos: i32,
    date: &mut DateMemo,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let below = u16::try_from(nanos).ok().filter(|below| *below <= 999);
    let nanos = below.ok_or_else(|| format!("timestamp_nanos is {nanos}, not 0 to 999"))?;
    let time = Timestamp::from_parts(micros, nanos).map_err(|error| format!("{}: {error}", member_of(prefix)))?;
    out.extend_from_slice(prefix.as_bytes());
    time.write_near(date, out);
    out.push(b'"');
    Ok(())
}

pub(crate) fn write_recorded_at(micros: i64, last: &mut LastCommit, out: &mut Vec<u8>) -> Result<(), String> {
    if last.member.is_empty() || last.micros != micros {
        last.member.clear();
        write_time(",\"recorded_at\":\"", micros, 0, &mut DateMemo::default(), &mut last.member)?;
        last.micros = micros;
    }
    out.extend_from_slice(&last.member);
    Ok(())
}

pub(crate) fn write_sequence(sequence: i64, out: &mut Vec<u8>) -> Result<(), String> {
    if sequence < 0 {
        return Err(format!("sequence is {sequence}"));
    }
    out.extend_from_slice(format!(",\"sequence\":{sequence}").as_bytes());
    Ok(())
}

pub(crate) fn write_signature(
    algorithm: Option<&str>,
    key_id: Option<&str>,
    value: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let (algorithm, key_id, value) = match (algorithm, key_id, value) {
        (Some(algorithm), Some(key_id), Some(value)) => (algorithm, key_id, value),
        (None, None, None) => return Ok(()),
        _ => return Err("the signature columns are neither all set nor all null".into()),
    };
    out.extend_from_slice(b",\"signature\":{\"algorithm\":");
    canonical::write_string(algorithm, out);
    out.extend_from_slice(b",\"key_id\":");
    canonical::write_string(key_id, out);
    write_bytes::<64>(",\"value\":\"", "signature", value, out)?;
    out.push(b'}');
    Ok(())
}

/// Appends exactly `N` bytes as base64.
pub(crate) fn write_bytes<const N: usize>(
    prefix: &str,
    column: &str,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if bytes.len() != N {
        return Err(format!("{column} has {} bytes, not {N}", bytes.len()));
    }
    let mut text = [0; 88];
    let length = BASE64.encode_slice(bytes, &mut text).expect("64 bytes take 88 characters");
    out.extend_from_slice(prefix.as_bytes());
    out.extend_from_slice(&text[..length]);
    out.push(b'"');
    Ok(())
}

/// The member's name inside what is written before its value.
pub(crate) fn member_of(prefix: &str) -> &str {
    prefix.split('"').nth(1).unwrap_or(prefix)
}

/// What stands before a text member's value.
pub(crate) fn member_prefix(column: Column) -> &'static str {
    match column {
        Column::Actor => ",\"actor\":",
        Column::ActorType => ",\"actor_type\":",
        Column::Context => ",\"context\":",
        Column::EntityId => ",\"entity_id\":",
        Column::EntityType => ",\"entity_type\":",
        Column::EventType => ",\"event_type\":",
        Column::Id => ",\"id\":",
        Column::OnBehalfOf => ",\"on_behalf_of\":",
        Column::Outcome => ",\"outcome\":",
        Column::Reason => ",\"reason\":",
        Column::Recorder => ",\"recorder\":",
        Column::Source => ",\"source\":",
        Column::TraceId => ",\"trace_id\":",
        _ => unreachable!("not a text member"),
    }
}
