//! OTLP/JSON.
//!
//! The serde implementation of `opentelemetry-proto` is not used: it refuses `null` for an absent field, `"NaN"` for a
//! double, 32-bit integers in quotes and lists without `values`, and takes an attribute with two values. These
//! types follow the proto3 JSON mapping with the deviations of the OTLP specification ("JSON Protobuf Encoding"):
//! hexadecimal ids, unknown fields ignored. Names of enumerations are taken too, although senders must send numbers.

use super::json_types::{Bytes, Convert, Double, Hex, Integer, Json, Message, Named, or_default};
use crate::ingest::Undecodable;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Kind,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// Reads the JSON body of an export of traces.
///
/// # Errors
/// Not JSON, a field of the wrong type, a field that stands twice, or `resource_spans` for `resourceSpans`.
pub fn decode_json_traces(body: &[u8]) -> Result<ExportTraceServiceRequest, Undecodable> {
    let Json(request): Json<JsonTraces> = read(body)?;
    camel_case(request.snake_case.is_some(), "resource_spans", "resourceSpans")?;
    Ok(ExportTraceServiceRequest { resource_spans: request.resource_spans.convert() })
}

/// Reads the JSON body of an export of logs.
///
/// # Errors
/// Not JSON, a field of the wrong type, a field that stands twice, or `resource_logs` for `resourceLogs`.
pub fn decode_json_logs(body: &[u8]) -> Result<ExportLogsServiceRequest, Undecodable> {
    let Json(request): Json<JsonLogs> = read(body)?;
    camel_case(request.snake_case.is_some(), "resource_logs", "resourceLogs")?;
    Ok(ExportLogsServiceRequest { resource_logs: request.resource_logs.convert() })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Undecodable> {
    serde_json::from_slice(body).map_err(|error| Undecodable(format!("not OTLP/JSON: {error}")))
}

/// An unknown name is ignored; this one would make a whole export vanish.
fn camel_case(is_snake_case: bool, given: &str, wanted: &str) -> Result<(), Undecodable> {
    if is_snake_case {
        return Err(Undecodable(format!("{given}: OTLP/JSON writes names in camelCase; send {wanted}")));
    }
    Ok(())
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonTraces {
    #[serde(deserialize_with = "or_default")]
    resource_spans: Vec<Json<JsonResourceSpans>>,
    #[serde(rename = "resource_spans")]
    snake_case: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonLogs {
    #[serde(deserialize_with = "or_default")]
    resource_logs: Vec<Json<JsonResourceLogs>>,
    #[serde(rename = "resource_logs")]
    snake_case: Option<IgnoredAny>,
}

/// Declares the JSON form of protobuf messages and the way from the one to the other, field by field.
macro_rules! messages {
    ($($json:ident => $message:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct $json {
            $(#[serde(deserialize_with = "or_default")] $field: $type,)*
        }

        impl Convert<$message> for $json {
            #[allow(clippy::needless_update, reason = "some messages have fields that JSON does not carry")]
            fn convert(self) -> $message {
                $message { $($field: self.$field.convert(),)* ..Default::default() }
            }
        }
    )*};
}

messages! {
    JsonResourceSpans => ResourceSpans {
        resource: Option<Json<JsonResource>>, scope_spans: Vec<Json<JsonScopeSpans>>, schema_url: String,
    }
    JsonScopeSpans => ScopeSpans {
        scope: Option<Json<JsonScope>>, spans: Vec<Json<JsonSpan>>, schema_url: String,
    }
    JsonSpan => Span {
        trace_id: Hex, span_id: Hex, trace_state: String, parent_span_id: Hex, flags: Integer<u32>, name: String,
        kind: Named<SpanKind>, start_time_unix_nano: Integer<u64>, end_time_unix_nano: Integer<u64>,
        attributes: Vec<Json<JsonPair>>, dropped_attributes_count: Integer<u32>,
        events: Vec<Json<JsonEvent>>, dropped_events_count: Integer<u32>,
        links: Vec<Json<JsonLink>>, dropped_links_count: Integer<u32>, status: Option<Json<JsonStatus>>,
    }
    JsonEvent => Event {
        time_unix_nano: Integer<u64>, name: String, attributes: Vec<Json<JsonPair>>,
        dropped_attributes_count: Integer<u32>,
    }
    JsonLink => Link {
        trace_id: Hex, span_id: Hex, trace_state: String, attributes: Vec<Json<JsonPair>>,
        dropped_attributes_count: Integer<u32>, flags: Integer<u32>,
    }
    JsonStatus => Status { message: String, code: Named<StatusCode> }
    JsonResourceLogs => ResourceLogs {
        resource: Option<Json<JsonResource>>, scope_logs: Vec<Json<JsonScopeLogs>>, schema_url: String,
    }
    JsonScopeLogs => ScopeLogs {
        scope: Option<Json<JsonScope>>, log_records: Vec<Json<JsonLogRecord>>, schema_url: String,
    }
    JsonLogRecord => LogRecord {
        time_unix_nano: Integer<u64>, observed_time_unix_nano: Integer<u64>, severity_number: Named<SeverityNumber>,
        severity_text: String, body: Option<JsonValue>, attributes: Vec<Json<JsonPair>>,
        dropped_attributes_count: Integer<u32>, flags: Integer<u32>, trace_id: Hex, span_id: Hex, event_name: String,
    }
    JsonResource => Resource {
        attributes: Vec<Json<JsonPair>>, dropped_attributes_count: Integer<u32>,
        entity_refs: Vec<Json<JsonEntity>>,
    }
    JsonEntity => EntityRef { schema_url: String, r#type: String, id_keys: Vec<String>, description_keys: Vec<String> }
    JsonScope => InstrumentationScope {
        name: String, version: String, attributes: Vec<Json<JsonPair>>, dropped_attributes_count: Integer<u32>,
    }
    JsonPair => KeyValue { key: String, value: Option<JsonValue> }
    JsonArray => ArrayValue { values: Vec<JsonValue> }
    JsonPairs => KeyValueList { values: Vec<Json<JsonPair>> }
}

/// An attribute value or log body: at most one of its kinds.
#[derive(Deserialize)]
#[serde(try_from = "Json<JsonKinds>")]
struct JsonValue(AnyValue);

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct JsonKinds {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Integer<i64>>,
    double_value: Option<Double>,
    array_value: Option<Json<JsonArray>>,
    kvlist_value: Option<Json<JsonPairs>>,
    bytes_value: Option<Bytes>,
}

impl TryFrom<Json<JsonKinds>> for JsonValue {
    type Error = &'static str;

    fn try_from(Json(kinds): Json<JsonKinds>) -> Result<Self, Self::Error> {
        let mut found = [
            kinds.string_value.map(Kind::StringValue),
            kinds.bool_value.map(Kind::BoolValue),
            kinds.int_value.map(|number| Kind::IntValue(number.0)),
            kinds.double_value.map(|number| Kind::DoubleValue(number.0)),
            kinds.array_value.map(|array| Kind::ArrayValue(array.convert())),
            kinds.kvlist_value.map(|list| Kind::KvlistValue(list.convert())),
            kinds.bytes_value.map(|bytes| Kind::BytesValue(bytes.0)),
        ]
        .into_iter()
        .flatten();
        let value = found.next();
        match found.next() {
            Some(_) => Err("a value has two kinds, such as stringValue and intValue; send one"),
            None => Ok(Self(AnyValue { value })),
        }
    }
}

impl Message for JsonValue {}

impl Convert<AnyValue> for JsonValue {
    fn convert(self) -> AnyValue {
        self.0
    }
}
