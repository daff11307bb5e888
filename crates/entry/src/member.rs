//! The members of an entry.

/// A member of an entry, in canonical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Member {
    Actor,
    ActorType,
    Context,
    EntityId,
    EntityType,
    EventType,
    Id,
    NewValue,
    OldValue,
    OnBehalfOf,
    Outcome,
    Reason,
    RecordedAt,
    Recorder,
    Salt,
    Sequence,
    Signature,
    Source,
    Timestamp,
    TraceId,
}

/// What a member's value must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// Text of so many bytes without control characters.
    Identifier { min: usize, max: usize },
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Any text, or a sealed value.
    Reason,
    /// Any value.
    Value,
    /// An object.
    Object,
    /// An instant.
    Instant,
    /// An integer from 0 to 2^63 - 1.
    Counter,
    /// A signature object.
    Signature,
    /// Sixteen bytes in base64.
    Salt,
}

impl Member {
    pub const COUNT: usize = 20;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Actor,
        Self::ActorType,
        Self::Context,
        Self::EntityId,
        Self::EntityType,
        Self::EventType,
        Self::Id,
        Self::NewValue,
        Self::OldValue,
        Self::OnBehalfOf,
        Self::Outcome,
        Self::Reason,
        Self::RecordedAt,
        Self::Recorder,
        Self::Salt,
        Self::Sequence,
        Self::Signature,
        Self::Source,
        Self::Timestamp,
        Self::TraceId,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::ActorType => "actor_type",
            Self::Context => "context",
            Self::EntityId => "entity_id",
            Self::EntityType => "entity_type",
            Self::EventType => "event_type",
            Self::Id => "id",
            Self::NewValue => "new_value",
            Self::OldValue => "old_value",
            Self::OnBehalfOf => "on_behalf_of",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::RecordedAt => "recorded_at",
            Self::Recorder => "recorder",
            Self::Salt => "salt",
            Self::Sequence => "sequence",
            Self::Signature => "signature",
            Self::Source => "source",
            Self::Timestamp => "timestamp",
            Self::TraceId => "trace_id",
        }
    }

    #[inline]
    pub fn find(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"actor" => Self::Actor,
            b"actor_type" => Self::ActorType,
            b"context" => Self::Context,
            b"entity_id" => Self::EntityId,
            b"entity_type" => Self::EntityType,
            b"event_type" => Self::EventType,
            b"id" => Self::Id,
            b"new_value" => Self::NewValue,
            b"old_value" => Self::OldValue,
            b"on_behalf_of" => Self::OnBehalfOf,
            b"outcome" => Self::Outcome,
            b"reason" => Self::Reason,
            b"recorded_at" => Self::RecordedAt,
            b"recorder" => Self::Recorder,
            b"salt" => Self::Salt,
            b"sequence" => Self::Sequence,
            b"signature" => Self::Signature,
            b"source" => Self::Source,
            b"timestamp" => Self::Timestamp,
            b"trace_id" => Self::TraceId,
            _ => return None,
        })
    }

    #[inline]
    pub fn rule(self) -> Rule {
        match self {
            Self::EventType => Rule::Identifier { min: 1, max: 128 },
            Self::Id => Rule::Identifier { min: 1, max: 64 },
            Self::Actor | Self::EntityId | Self::Source | Self::Recorder => Rule::Identifier { min: 1, max: 256 },
            Self::OnBehalfOf | Self::EntityType | Self::TraceId => Rule::Identifier { min: 0, max: 256 },
            Self::ActorType => Rule::OneOf(&["user", "service", "ai_agent"]),
            Self::Outcome => Rule::OneOf(&["success", "failure", "denied"]),
            Self::Reason => Rule::Reason,
            Self::OldValue | Self::NewValue => Rule::Value,
            Self::Context => Rule::Object,
            Self::Timestamp | Self::RecordedAt => Rule::Instant,
            Self::Sequence => Rule::Counter,
            Self::Signature => Rule::Signature,
            Self::Salt => Rule::Salt,
        }
    }

    /// Whether only the ledger sets this member.
    pub fn is_ledgers(self) -> bool {
        matches!(self, Self::RecordedAt | Self::Recorder | Self::Salt)
    }
}

/// Where each member's value stands in an entry's canonical bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spans([(u32, u32); Member::COUNT]);

impl Spans {
    pub const NONE: Self = Self([(0, 0); Member::COUNT]);

    #[inline]
    pub fn set(&mut self, member: Member, start: usize, end: usize) {
        // The callers bound the text well below 4 GiB.
        self.0[member as usize] = (start as u32, end as u32);
    }

    /// Start and end of the member's value, quotes included; `None` when it is absent.
    #[inline]
    pub fn get(&self, member: Member) -> Option<std::ops::Range<usize>> {
        let (start, end) = self.0[member as usize];
        (end > 0).then_some(start as usize..end as usize)
    }

    #[inline]
    pub fn has(&self, member: Member) -> bool {
        self.0[member as usize].1 > 0
    }

    /// The member's value in the text that the spans were made for.
    #[inline]
    pub fn value<'a>(&self, text: &'a str, member: Member) -> Option<&'a str> {
        self.get(member).map(|range| &text[range])
    }

    /// Where a member would have to be written that is absent: after the last present one before it.
    pub fn place_of(&self, member: Member) -> usize {
        self.0[..member as usize].iter().map(|span| span.1).max().unwrap_or(0).max(1) as usize
    }
}
