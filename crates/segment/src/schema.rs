use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::schema::types::SchemaDescriptor;

/// The columns of a segment, each at its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub(crate) enum Column {
    Index,
    Timestamp,
    RecordedAt,
    TimestampNanos,
    EventType,
    Actor,
    ActorType,
    OnBehalfOf,
    EntityId,
    EntityType,
    Outcome,
    Reason,
    TraceId,
    Id,
    Source,
    Recorder,
    Sequence,
    OldValue,
    NewValue,
    OldValueType,
    NewValueType,
    Context,
    SignatureKeyId,
    SignatureAlgorithm,
    Signature,
    Salt,
}

impl Column {
    /// How many columns there are.
    pub(crate) const COUNT: usize = Column::Salt as usize + 1;

    /// The columns that hold text, in the order of the file.
    pub(crate) const TEXTS: [Column; 19] = [
        Column::EventType,
        Column::Actor,
        Column::ActorType,
        Column::OnBehalfOf,
        Column::EntityId,
        Column::EntityType,
        Column::Outcome,
        Column::Reason,
        Column::TraceId,
        Column::Id,
        Column::Source,
        Column::Recorder,
        Column::OldValue,
        Column::NewValue,
        Column::OldValueType,
        Column::NewValueType,
        Column::Context,
        Column::SignatureKeyId,
        Column::SignatureAlgorithm,
    ];

    /// The name of the column: that of the entry's member, where it holds one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Column::Index => "index",
            Column::Timestamp => "timestamp",
            Column::RecordedAt => "recorded_at",
            Column::TimestampNanos => "timestamp_nanos",
            Column::EventType => "event_type",
            Column::Actor => "actor",
            Column::ActorType => "actor_type",
            Column::OnBehalfOf => "on_behalf_of",
            Column::EntityId => "entity_id",
            Column::EntityType => "entity_type",
            Column::Outcome => "outcome",
            Column::Reason => "reason",
            Column::TraceId => "trace_id",
            Column::Id => "id",
            Column::Source => "source",
            Column::Recorder => "recorder",
            Column::Sequence => "sequence",
            Column::OldValue => "old_value",
            Column::NewValue => "new_value",
            Column::OldValueType => "old_value_type",
            Column::NewValueType => "new_value_type",
            Column::Context => "context",
            Column::SignatureKeyId => "signature_key_id",
            Column::SignatureAlgorithm => "signature_algorithm",
            Column::Signature => "signature",
            Column::Salt => "salt",
        }
    }

    /// The position among [`Column::TEXTS`]; only for those.
    pub(crate) fn text_position(self) -> usize {
        let number = self as usize;
        number - Column::EventType as usize - usize::from(self > Column::Sequence)
    }

    /// Whether every entry has this cell.
    fn required(self) -> bool {
        use Column::*;
        matches!(self, Index | Timestamp | RecordedAt | TimestampNanos | EventType | Actor | EntityId)
    }

    fn data_type(self) -> DataType {
        match self {
            Column::Index | Column::Sequence => DataType::Int64,
            Column::Timestamp | Column::RecordedAt => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Column::TimestampNanos => DataType::Int32,
            Column::Signature | Column::Salt => DataType::Binary,
            _ => DataType::Utf8,
        }
    }
}

/// Every column in the order of the file.
pub(crate) const COLUMNS: [Column; Column::COUNT] = {
    use Column::*;
    [
        Index,
        Timestamp,
        RecordedAt,
        TimestampNanos,
        EventType,
        Actor,
        ActorType,
        OnBehalfOf,
        EntityId,
        EntityType,
        Outcome,
        Reason,
        TraceId,
        Id,
        Source,
        Recorder,
        Sequence,
        OldValue,
        NewValue,
        OldValueType,
        NewValueType,
        Context,
        SignatureKeyId,
        SignatureAlgorithm,
        Signature,
        Salt,
    ]
};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |column: Column| Field::new(column.name(), column.data_type(), !column.required());
    Arc::new(Schema::new(COLUMNS.map(field).to_vec()))
});

static PARQUET_SCHEMA: LazyLock<SchemaDescriptor> = LazyLock::new(|| {
    ArrowSchemaConverter::new().schema_root("entry").convert(&SCHEMA).expect("plain columns have a Parquet form")
});

/// The columns of a segment as SQL sees them: names, Arrow types and order of `docs/formats/segment.md`.
pub fn schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The same columns as the Parquet file must declare them, exactly.
pub(crate) fn parquet_schema() -> &'static SchemaDescriptor {
    &PARQUET_SCHEMA
}
