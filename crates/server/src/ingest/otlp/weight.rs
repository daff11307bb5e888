//! How much memory an export takes once it is decoded, found before it is: an empty message of two bytes becomes a structure
//! of some hundred.

use std::mem::size_of;

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A list that grows has room for twice what it holds.
const SPARE: usize = 2;

/// Deepest nesting that is decoded; prost refuses what is deeper.
const MAX_DEPTH: usize = 100;

/// A type of message: what one more of it takes in its list, and the fields in which messages or texts are listed.
pub struct Shape {
    bytes: usize,
    parts: &'static [(u32, &'static Shape)],
}

/// An export of traces.
pub static TRACES: Shape = Shape { bytes: 0, parts: &[(1, &RESOURCE_SPANS)] };

/// An export of logs.
pub static LOGS: Shape = Shape { bytes: 0, parts: &[(1, &RESOURCE_LOGS)] };

static RESOURCE_SPANS: Shape = Shape { bytes: size_of::<ResourceSpans>(), parts: &[(1, &RESOURCE), (2, &SCOPE_SPANS)] };
static SCOPE_SPANS: Shape = Shape { bytes: size_of::<ScopeSpans>(), parts: &[(1, &SCOPE), (2, &SPAN)] };
static SPAN: Shape = Shape { bytes: size_of::<Span>(), parts: &[(9, &PAIR), (11, &EVENT), (13, &LINK)] };
static EVENT: Shape = Shape { bytes: size_of::<Event>(), parts: &[(3, &PAIR)] };
static LINK: Shape = Shape { bytes: size_of::<Link>(), parts: &[(4, &PAIR)] };

static RESOURCE_LOGS: Shape = Shape { bytes: size_of::<ResourceLogs>(), parts: &[(1, &RESOURCE), (2, &SCOPE_LOGS)] };
static SCOPE_LOGS: Shape = Shape { bytes: size_of::<ScopeLogs>(), parts: &[(1, &SCOPE), (2, &LOG)] };
static LOG: Shape = Shape { bytes: size_of::<LogRecord>(), parts: &[(5, &INLINE), (6, &PAIR)] };

static RESOURCE: Shape = Shape { bytes: 0, parts: &[(1, &PAIR), (3, &ENTITY)] };
static ENTITY: Shape = Shape { bytes: size_of::<EntityRef>(), parts: &[(3, &TEXT), (4, &TEXT)] };
static SCOPE: Shape = Shape { bytes: 0, parts: &[(3, &PAIR)] };
static TEXT: Shape = Shape { bytes: size_of::<String>(), parts: &[] };
static PAIR: Shape = Shape { bytes: size_of::<KeyValue>(), parts: &[(2, &INLINE)] };
static INLINE: Shape = Shape { bytes: 0, parts: &[(5, &ARRAY), (6, &PAIRS)] };
static VALUE: Shape = Shape { bytes: size_of::<AnyValue>(), parts: &[(5, &ARRAY), (6, &PAIRS)] };
static ARRAY: Shape = Shape { bytes: 0, parts: &[(1, &VALUE)] };
static PAIRS: Shape = Shape { bytes: 0, parts: &[(1, &PAIR)] };

/// What an object of OTLP/JSON takes: of most exports, most are attributes and their values.
const OBJECT_BYTES: usize = 128;

/// Bytes of memory that the objects of an OTLP/JSON export take once it is decoded, about.
pub fn json_weight(export: &[u8]) -> usize {
    let (mut objects, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in export {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' if !in_text => objects += 1,
            _ => {}
        }
    }
    objects.saturating_mul(OBJECT_BYTES)
}

/// Bytes of memory that the lists of a protobuf export take once it is decoded.
pub fn weight(export: &[u8], shape: &Shape) -> usize {
    let mut weight = 0;
    // What is broken is decoded up to there, and weighed up to there.
    let _ = weigh(export, shape, 0, &mut weight);
    weight.saturating_mul(SPARE)
}

fn weigh(mut message: &[u8], shape: &Shape, depth: usize, weight: &mut usize) -> Option<()> {
    while !message.is_empty() && depth < MAX_DEPTH {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        let part = shape.parts.iter().find(|(known, _)| *known == tag && wire_type == WireType::LengthDelimited);
        match part {
            None => skip_field(wire_type, tag, &mut message, DecodeContext::default()).ok()?,
            Some((_, part)) => {
                let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
                let (inner, rest) = message.split_at_checked(length)?;
                *weight = weight.saturating_add(part.bytes);
                weigh(inner, part, depth + 1, weight)?;
                message = rest;
            }
        }
    }
    Some(())
}
