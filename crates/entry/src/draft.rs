//! A client's entry, before the ledger has recorded it.

use crate::MAX_ENTRY_BYTES;
use crate::builder::EntryBuilder;
use crate::canonical::{read_string, write_string};
use crate::error::EntryError;
use crate::member::{Member, Spans};
use crate::reader::{self, Author};
use crate::rules;
use crate::signature::Signature;
use crate::timestamp::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Bytes kept for `,"recorded_at":"…"` at its longest.
const RECORDED_AT_ROOM: usize = 47;
/// Bytes kept for `,"timestamp":"…"` at its longest, when the client gave none.
const TIMESTAMP_ROOM: usize = 45;
/// Bytes kept for `,"recorder":"…"`: 256 bytes that may all need an escape.
const RECORDER_ROOM: usize = 14 + 2 * 256;
/// Bytes kept for `,"salt":"…"`.
const SALT_ROOM: usize = 34;

/// A checked entry as its client wrote it: the canonical bytes of the client-set members.
///
/// A draft always fits: its size was checked with room for everything that the ledger adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    bytes: String,
    spans: Spans,
    timestamp: Option<Timestamp>,
    /// Where `recorded_at` and `recorder` go.
    ledger_place: usize,
    /// Where the timestamp goes when the client gave none.
    timestamp_place: usize,
}

impl Draft {
    /// Most canonical bytes that a client's members may take (45 fewer when `timestamp` is left out).
    pub const MAX_BYTES: usize = MAX_ENTRY_BYTES - RECORDED_AT_ROOM - RECORDER_ROOM - SALT_ROOM;

    /// Reads a client's entry from JSON.
    ///
    /// # Errors
    /// Whatever `docs/formats/entry.md` refuses, among it members that only the ledger sets and event types
    /// that begin with `ledger.`.
    pub fn parse(json: &[u8]) -> Result<Self, EntryError> {
        Self::read(json, Author::Client)
    }

    /// Reads an entry about the ledger's own acts: its event type must begin with `ledger.`.
    ///
    /// # Errors
    /// As [`Draft::parse`]; and `source`, `sequence` and `signature` are refused.
    pub fn parse_own(json: &[u8]) -> Result<Self, EntryError> {
        Self::read(json, Author::Ledger)
    }

    /// Starts an entry from its three required members.
    pub fn builder(event_type: &str, actor: &str, entity_id: &str) -> EntryBuilder {
        EntryBuilder::new(event_type, actor, entity_id)
    }

    fn read(json: &[u8], author: Author) -> Result<Self, EntryError> {
        let mut bytes = Vec::with_capacity(json.len());
        let reading = reader::read(json, author, &mut bytes)?;
        let bytes = String::from_utf8(bytes)
            .map_err(|error| EntryError::NotCanonical { at: error.utf8_error().valid_up_to() })?;
        rules::check(&bytes, &reading, author)?;
        let limit = if reading.timestamp.is_some() { Self::MAX_BYTES } else { Self::MAX_BYTES - TIMESTAMP_ROOM };
        if bytes.len() > limit {
            return Err(EntryError::TooLarge { length: bytes.len(), limit });
        }
        let (ledger_place, timestamp_place) =
            (reading.spans.place_of(Member::RecordedAt), reading.spans.place_of(Member::Timestamp));
        Ok(Self { bytes, spans: reading.spans, timestamp: reading.timestamp, ledger_place, timestamp_place })
    }

    /// The canonical bytes of the client-set members: an object of its own.
    pub fn client_bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    /// What happened.
    pub fn event_type(&self) -> Cow<'_, str> {
        self.text(Member::EventType).unwrap_or_default()
    }

    /// Who acted.
    pub fn actor(&self) -> Cow<'_, str> {
        self.text(Member::Actor).unwrap_or_default()
    }

    /// What it happened to.
    pub fn entity_id(&self) -> Cow<'_, str> {
        self.text(Member::EntityId).unwrap_or_default()
    }

    /// The idempotency key.
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.text(Member::Id)
    }

    /// The recording program and its counter.
    pub fn source(&self) -> Option<(Cow<'_, str>, u64)> {
        let sequence = self.spans.value(&self.bytes, Member::Sequence)?;
        Some((self.text(Member::Source)?, sequence.parse().ok()?))
    }

    /// When it happened, if the client said so.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The client's signature.
    pub fn signature(&self) -> Option<Signature<'_>> {
        Signature::read(self.spans.value(&self.bytes, Member::Signature)?).ok()
    }

    /// The canonical JSON of `context`, if there is one.
    pub fn context(&self) -> Option<&str> {
        self.spans.value(&self.bytes, Member::Context)
    }

    fn text(&self, member: Member) -> Option<Cow<'_, str>> {
        self.spans.value(&self.bytes, member).map(read_string)
    }

    pub(crate) fn has(&self, member: Member) -> bool {
        self.spans.has(member)
    }

    /// Where an absent member would have to be written.
    pub(crate) fn place_of(&self, member: Member) -> usize {
        self.spans.place_of(member)
    }

    /// SHA-256 of the canonical bytes of the client-set members: equal for a repeat of the same entry.
    pub fn content_digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// [`Draft::content_digest`] of the entry without its `timestamp`, for a repeat that omits it.
    pub fn content_digest_without_timestamp(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        match self.spans.get(Member::Timestamp) {
            Some(span) => {
                digest.update(&self.bytes[..span.start - ",\"timestamp\":".len()]);
                digest.update(&self.bytes[span.end..]);
            }
            None => digest.update(&self.bytes),
        }
        digest.finalize().into()
    }

    /// Most bytes that [`Draft::write_entry`] appends with this recorder; never over
    /// [`MAX_ENTRY_BYTES`] for a recorder that [`check_recorder`](crate::check_recorder) accepts.
    pub fn canonical_len(&self, recorder: Option<&str>) -> usize {
        let timestamp = if self.timestamp.is_some() { 0 } else { TIMESTAMP_ROOM };
        let recorder = recorder
            .map_or(0, |name| 14 + name.len() + name.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count());
        self.bytes.len() + RECORDED_AT_ROOM + timestamp + recorder
    }

    /// Appends the whole canonical entry.
    ///
    /// `recorded_at` is taken in whole microseconds and stands in for a timestamp that the client did not
    /// give. `recorder` must have passed [`check_recorder`](crate::check_recorder).
    pub fn write_entry(&self, recorded_at: Timestamp, recorder: Option<&str>, out: &mut Vec<u8>) {
        let bytes = self.bytes.as_bytes();
        let recorded_at = Timestamp::from_micros(recorded_at.micros());
        out.reserve(self.canonical_len(recorder));
        out.extend_from_slice(&bytes[..self.ledger_place]);
        out.extend_from_slice(b",\"recorded_at\":\"");
        recorded_at.write(out);
        out.push(b'"');
        if let Some(name) = recorder {
            out.extend_from_slice(b",\"recorder\":");
            write_string(name, out);
        }
        if self.timestamp.is_some() {
            out.extend_from_slice(&bytes[self.ledger_place..]);
            return;
        }
        let place = self.timestamp_place.max(self.ledger_place);
        out.extend_from_slice(&bytes[self.ledger_place..place]);
        out.extend_from_slice(b",\"timestamp\":\"");
        recorded_at.write(out);
        out.push(b'"');
        out.extend_from_slice(&bytes[place..]);
    }

    /// Appends the canonical bytes that a signature covers: the client-set members without `signature.value`.
    pub(crate) fn write_signed_members(&self, out: &mut Vec<u8>) {
        let Some(span) = self.spans.get(Member::Signature) else {
            out.extend_from_slice(self.bytes.as_bytes());
            return;
        };
        let signature = &self.bytes[span.clone()];
        let value_at = signature.find(",\"value\":").unwrap_or(signature.len() - 1);
        out.extend_from_slice(&self.bytes.as_bytes()[..span.start + value_at]);
        out.push(b'}');
        out.extend_from_slice(&self.bytes.as_bytes()[span.end..]);
    }
}
