//! A committed entry, taken apart.

use crate::canonical::{read_string, special_at, value_end, write_string};
use crate::error::EntryError;
use crate::member::{Member, Spans};
use crate::reader::{self, Author};
use crate::signature::Signature;
use crate::timestamp::Timestamp;
use crate::{rules, sealed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The members of a committed entry, borrowed from its canonical bytes.
///
/// Texts are unescaped; `old_value`, `new_value` and `context` are canonical JSON as it stands. A sealed
/// `reason` is the canonical JSON of its `$sealed` object; a reason that is a string never reads like one
/// (it is refused), so the text alone tells which it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a> {
    /// When it happened.
    pub timestamp: Timestamp,
    /// When the ledger committed it.
    pub recorded_at: Timestamp,
    /// What happened.
    pub event_type: Cow<'a, str>,
    /// Who acted.
    pub actor: Cow<'a, str>,
    /// What it happened to.
    pub entity_id: Cow<'a, str>,
    /// `user`, `service` or `ai_agent`.
    pub actor_type: Option<Cow<'a, str>>,
    /// For whom the actor acted.
    pub on_behalf_of: Option<Cow<'a, str>>,
    /// What kind of thing `entity_id` names.
    pub entity_type: Option<Cow<'a, str>>,
    /// `success`, `failure` or `denied`.
    pub outcome: Option<Cow<'a, str>>,
    /// Why; or a `$sealed` object.
    pub reason: Option<Cow<'a, str>>,
    /// The workflow run or W3C trace.
    pub trace_id: Option<Cow<'a, str>>,
    /// The idempotency key.
    pub id: Option<Cow<'a, str>>,
    /// The recording program.
    pub source: Option<Cow<'a, str>>,
    /// The authenticated principal that submitted the entry.
    pub recorder: Option<Cow<'a, str>>,
    /// The counter of `source`.
    pub sequence: Option<u64>,
    /// Canonical JSON of the value before.
    pub old_value: Option<&'a str>,
    /// Canonical JSON of the value after.
    pub new_value: Option<&'a str>,
    /// Canonical JSON of the context object.
    pub context: Option<&'a str>,
    /// The client's signature.
    pub signature: Option<Signature<'a>>,
    /// Random bytes that keep neighbours in a proof from being guessed.
    pub salt: Option<[u8; 16]>,
}

impl<'a> Fields<'a> {
    /// Takes apart bytes that this crate made: one scan without a tree.
    ///
    /// Names and order of the members are checked; what the values say is trusted. Use [`Fields::check`]
    /// for bytes from anywhere else.
    ///
    /// # Errors
    /// Bytes that do not have the shape of a committed entry.
    pub fn split(canonical: &'a [u8]) -> Result<Self, EntryError> {
        let text =
            std::str::from_utf8(canonical).map_err(|error| EntryError::NotCanonical { at: error.valid_up_to() })?;
        let spans = scan(canonical).map_err(|at| EntryError::NotCanonical { at })?;
        let instant = |member| {
            let literal = spans.value(text, member).unwrap_or_default();
            let inner = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
            Timestamp::read(inner.as_bytes()).map_err(|problem| rules::refused(Member::name(member), problem))
        };
        Self::assemble(text, &spans, instant(Member::Timestamp)?, instant(Member::RecordedAt)?)
    }

    /// Checks that bytes are exactly the canonical form of a valid committed entry, and takes them apart.
    ///
    /// # Errors
    /// Everything that makes them anything else.
    pub fn check(canonical: &'a [u8]) -> Result<Self, EntryError> {
        let reading = reader::read(canonical, Author::Store, &mut Vec::new())?;
        let text =
            std::str::from_utf8(canonical).map_err(|error| EntryError::NotCanonical { at: error.valid_up_to() })?;
        rules::check(text, &reading, Author::Store)?;
        let missing = |member| EntryError::Missing { member: Member::name(member) };
        let timestamp = reading.timestamp.ok_or(missing(Member::Timestamp))?;
        let recorded_at = reading.recorded_at.ok_or(missing(Member::RecordedAt))?;
        Self::assemble(text, &reading.spans, timestamp, recorded_at)
    }

    fn assemble(
        text: &'a str,
        spans: &Spans,
        timestamp: Timestamp,
        recorded_at: Timestamp,
    ) -> Result<Self, EntryError> {
        let value = |member| spans.value(text, member);
        let string = |member| value(member).map(read_string);
        let required = |member| string(member).ok_or(EntryError::Missing { member: Member::name(member) });
        Ok(Self {
            timestamp,
            recorded_at,
            event_type: required(Member::EventType)?,
            actor: required(Member::Actor)?,
            entity_id: required(Member::EntityId)?,
            actor_type: string(Member::ActorType),
            on_behalf_of: string(Member::OnBehalfOf),
            entity_type: string(Member::EntityType),
            outcome: string(Member::Outcome),
            reason: value(Member::Reason)
                .map(|value| if value.starts_with('{') { Cow::Borrowed(value) } else { read_string(value) }),
            trace_id: string(Member::TraceId),
            id: string(Member::Id),
            source: string(Member::Source),
            recorder: string(Member::Recorder),
            sequence: value(Member::Sequence).map(rules::counter).transpose()?,
            old_value: value(Member::OldValue),
            new_value: value(Member::NewValue),
            context: value(Member::Context),
            signature: value(Member::Signature).map(Signature::read).transpose()?,
            salt: value(Member::Salt).map(rules::salt).transpose()?,
        })
    }

    /// Appends the canonical bytes of the entry: the inverse of [`Fields::split`].
    ///
    /// The values are written as they are; whether they make a valid entry is for [`Fields::check`] to say.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let mut writer = Writer { out, separator: b'{' };
        self.write_until_recorded(&mut writer);
        writer.instant(Member::RecordedAt, self.recorded_at);
        writer.text(Member::Recorder, self.recorder.as_deref());
        if let Some(salt) = &self.salt {
            writer.text(Member::Salt, Some(&BASE64.encode(salt)));
        }
        self.write_from_sequence(&mut writer, Form::Whole);
        writer.out.push(b'}');
    }

    /// SHA-256 of the canonical bytes of the client-set members, as
    /// [`Draft::content_digest`](crate::Draft::content_digest) gives it for the draft that this entry came
    /// from, if that draft had a timestamp.
    pub fn content_digest(&self) -> [u8; 32] {
        self.client_digest(Form::Whole)
    }

    /// [`Fields::content_digest`] of the entry without its `timestamp`.
    pub fn content_digest_without_timestamp(&self) -> [u8; 32] {
        self.client_digest(Form::WithoutTimestamp)
    }

    fn client_digest(&self, form: Form) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(512);
        let mut writer = Writer { out: &mut bytes, separator: b'{' };
        self.write_until_recorded(&mut writer);
        self.write_from_sequence(&mut writer, form);
        bytes.push(b'}');
        Sha256::digest(&bytes).into()
    }

    /// Appends the canonical bytes that a signature covers: the client-set members without `signature.value`.
    pub(crate) fn write_signed_members(&self, out: &mut Vec<u8>) {
        let mut writer = Writer { out, separator: b'{' };
        self.write_until_recorded(&mut writer);
        self.write_from_sequence(&mut writer, Form::Signed);
        writer.out.push(b'}');
    }

    fn write_until_recorded(&self, writer: &mut Writer<'_>) {
        writer.text(Member::Actor, Some(&self.actor));
        writer.text(Member::ActorType, self.actor_type.as_deref());
        writer.json(Member::Context, self.context);
        writer.text(Member::EntityId, Some(&self.entity_id));
        writer.text(Member::EntityType, self.entity_type.as_deref());
        writer.text(Member::EventType, Some(&self.event_type));
        writer.text(Member::Id, self.id.as_deref());
        writer.json(Member::NewValue, self.new_value);
        writer.json(Member::OldValue, self.old_value);
        writer.text(Member::OnBehalfOf, self.on_behalf_of.as_deref());
        writer.text(Member::Outcome, self.outcome.as_deref());
        match self.reason.as_deref() {
            Some(reason) if sealed::is_sealed(reason) => writer.json(Member::Reason, Some(reason)),
            reason => writer.text(Member::Reason, reason),
        }
    }

    fn write_from_sequence(&self, writer: &mut Writer<'_>, form: Form) {
        if let Some(sequence) = self.sequence {
            writer.name(Member::Sequence);
            writer.out.extend_from_slice(sequence.to_string().as_bytes());
        }
        if let Some(signature) = &self.signature {
            writer.name(Member::Signature);
            match form {
                Form::Signed => signature.write_without_value(writer.out),
                Form::Whole | Form::WithoutTimestamp => signature.write(writer.out),
            }
        }
        writer.text(Member::Source, self.source.as_deref());
        if form != Form::WithoutTimestamp {
            writer.instant(Member::Timestamp, self.timestamp);
        }
        writer.text(Member::TraceId, self.trace_id.as_deref());
    }
}

/// Which of the client-set members are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    WithoutTimestamp,
    /// Without `signature.value`.
    Signed,
}

/// Writes members one after the other.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
}

impl Writer<'_> {
    #[inline]
    fn name(&mut self, member: Member) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(member.name().as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    #[inline]
    fn text(&mut self, member: Member, text: Option<&str>) {
        if let Some(text) = text {
            self.name(member);
            write_string(text, self.out);
        }
    }

    #[inline]
    fn json(&mut self, member: Member, value: Option<&str>) {
        if let Some(value) = value {
            self.name(member);
            self.out.extend_from_slice(value.as_bytes());
        }
    }

    #[inline]
    fn instant(&mut self, member: Member, instant: Timestamp) {
        self.name(member);
        self.out.push(b'"');
        instant.write(self.out);
        self.out.push(b'"');
    }
}

/// Finds the members of a canonical entry. The error is the offset of what does not fit.
fn scan(text: &[u8]) -> Result<Spans, usize> {
    let mut spans = Spans::NONE;
    let mut at = 0;
    let mut separator = b'{';
    let mut previous = None;
    loop {
        if text.get(at) != Some(&separator) || text.get(at + 1) != Some(&b'"') {
            return Err(at);
        }
        let name_at = at + 2;
        let length = special_at(text, name_at) - name_at;
        let member = Member::find(&text[name_at..name_at + length])
            .filter(|&member| previous.is_none_or(|previous| previous < member));
        let member = member.ok_or(name_at)?;
        let start = name_at + length + 2;
        if text.get(start - 2..start) != Some(b"\":") {
            return Err(start - 2);
        }
        let end = value_end(text, start).ok_or(start)?;
        spans.set(member, start, end);
        if text[end..] == *b"}" {
            return Ok(spans);
        }
        at = end;
        separator = b',';
        previous = Some(member);
    }
}
