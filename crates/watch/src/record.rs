//! A committed entry as rules see it: the entry itself, and the foreign record that an import kept in it.

use std::borrow::Cow;
use std::sync::LazyLock;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::{OWN_PREFIX, Timestamp};
use rsigma_eval::{Event, EventValue, JsonEvent};
use rsigma_parser::LogSource;
use serde::{Deserialize, Serialize};
use serde_json_borrow::Value;
use sha2::{Digest, Sha256};

use crate::limits::MAX_QUOTED_BYTES;

/// Entries that no rule sees, so that alerts do not raise alerts.
const ALERTS: &str = "ledger.alert_";

/// A committed entry, read once for all rules; its texts stay where they are.
#[derive(Debug)]
pub struct Record<'e> {
    /// Its place in the ledger.
    pub index: u64,
    entry: Value<'e>,
}

/// The times of an entry, in seconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// When it happened; never after it was recorded, whatever its client says: a time of the future would outdo every
    /// later one.
    pub happened: i64,
    pub recorded: i64,
    /// When its client says that it happened.
    #[serde(skip)]
    pub claimed: i64,
}

impl Times {
    /// The later of each.
    pub fn later(self, other: Self) -> Self {
        Self {
            happened: self.happened.max(other.happened),
            recorded: self.recorded.max(other.recorded),
            claimed: self.claimed.max(other.claimed),
        }
    }
}

/// One way of seeing a record. A rule sees the views whose log source it names, and no other.
pub(crate) struct View<'r> {
    pub source: &'static LogSource,
    index: u64,
    /// Where a field is looked for, in this order.
    places: [&'r Value<'r>; 2],
}

static NOTHING: Value<'static> = Value::Null;
static ENTRY: LazyLock<LogSource> = LazyLock::new(|| source("counterfoil", "entry"));
static LEDGER: LazyLock<LogSource> = LazyLock::new(|| source("counterfoil", "ledger"));
static CLOUDTRAIL: LazyLock<LogSource> = LazyLock::new(|| source("aws", "cloudtrail"));
static SPAN: LazyLock<LogSource> = LazyLock::new(|| source("opentelemetry", "trace"));
static LOG: LazyLock<LogSource> = LazyLock::new(|| source("opentelemetry", "log"));

fn source(product: &str, service: &str) -> LogSource {
    LogSource { product: Some(product.into()), service: Some(service.into()), ..LogSource::default() }
}

impl<'e> Record<'e> {
    /// Reads an entry's canonical bytes; `None` for one that no rule may see.
    pub fn read(index: u64, canonical: &'e [u8]) -> Result<Option<Self>> {
        let broken = |error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Damaged, format!("entry {index} is not JSON: {error}"))
        };
        let text = std::str::from_utf8(canonical).map_err(|error| broken(&error))?;
        let entry = serde_json::from_str(text).map_err(|error| broken(&error))?;
        let record = Self { index, entry };
        Ok((!record.event_type().starts_with(ALERTS)).then_some(record))
    }

    /// An entry that is in no ledger, as in a rule's own tests.
    pub(crate) fn made_up(index: u64, entry: &'e serde_json::Value) -> Self {
        Self { index, entry: entry.into() }
    }

    /// The entry's event type.
    pub fn event_type(&self) -> &str {
        self.text("event_type")
    }

    /// Whether the ledger itself recorded it.
    pub(crate) fn is_own(&self) -> bool {
        self.event_type().starts_with(OWN_PREFIX)
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        member_of(&self.entry, member).and_then(Value::as_str).unwrap_or_default()
    }

    /// When it happened and was recorded.
    pub(crate) fn times(&self) -> Times {
        let seconds = |member| Timestamp::parse(self.text(member)).ok().map(|time| time.micros().div_euclid(1_000_000));
        let (claimed, recorded) = (seconds("timestamp"), seconds("recorded_at"));
        let recorded = recorded.or(claimed).unwrap_or_default();
        let claimed = claimed.unwrap_or(recorded);
        Times { happened: claimed.min(recorded), recorded, claimed }
    }

    /// The ways in which rules may see it.
    pub(crate) fn views(&self) -> impl Iterator<Item = View<'_>> {
        let source: &'static LogSource = if self.is_own() { &LEDGER } else { &ENTRY };
        let itself = View { source, index: self.index, places: [&self.entry, &NOTHING] };
        std::iter::once(itself).chain(self.foreign())
    }

    /// The record that an import or a receiver kept in `context`.
    fn foreign(&self) -> Option<View<'_>> {
        let kept = member_of(&self.entry, "context")?;
        let context = kept.as_object()?;
        let index = self.index;
        if context.contains_key("eventSource") && context.contains_key("eventName") {
            return Some(View { source: &CLOUDTRAIL, index, places: [kept, &NOTHING] });
        }
        let attributes = context.get("attributes").unwrap_or(&NOTHING);
        let (span, log) = (context.contains_key("span_id"), context.contains_key("resource"));
        let source: &'static LogSource = match (span && context.contains_key("kind"), span || log) {
            (true, _) => &SPAN,
            (false, true) => &LOG,
            (false, false) => return None,
        };
        Some(View { source, index, places: [attributes, kept] })
    }
}

impl View<'_> {
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Whether this is an entry of a client, as it is.
    pub fn is_of_client(&self) -> bool {
        std::ptr::eq(self.source, &*ENTRY)
    }

    /// The text of a field, if it is there: what entries are grouped by. It takes a bounded room, and different ones stay
    /// different.
    pub fn group(&self, field: &str) -> Option<Cow<'_, str>> {
        match self.get_field(field)? {
            EventValue::Str(text) => Some(bounded(text)),
            other => other.as_str().map(|text| bounded(Cow::Owned(text.into_owned()))),
        }
    }
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.places.iter().find_map(|place| find(place, path))
    }

    fn any_string_value(&self, holds: &dyn Fn(&str) -> bool) -> bool {
        self.places.iter().any(|place| any_text(place, &mut |text| holds(text)))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit_string_values(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        for place in self.places {
            any_text(place, &mut |text| {
                visit(text);
                false
            });
        }
    }

    /// Asked for where a result carries the whole event; ours carry its place.
    fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn visit_top_level_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        // Names with dots stand at the top of OpenTelemetry's attributes.
        let [Value::Object(members), Value::Null] = self.places else { return false };
        members.keys().for_each(visit);
        true
    }
}

/// A text of any length as one of bounded length: its beginning and its digest.
pub(crate) fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= MAX_QUOTED_BYTES {
        return text;
    }
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    let begin = &text[..text.floor_char_boundary(MAX_QUOTED_BYTES - digest.len() - '…'.len_utf8())];
    Cow::Owned(format!("{begin}…{digest}"))
}

fn member_of<'v>(place: &'v Value<'v>, name: &str) -> Option<&'v Value<'v>> {
    place.as_object()?.get(name)
}

/// Whether this holds for any text in a value.
fn any_text(value: &Value<'_>, holds: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Value::Str(text) => holds(text),
        Value::Array(members) => members.iter().any(|member| any_text(member, holds)),
        Value::Object(members) => members.values().any(|member| any_text(member, holds)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A field by its name or dotted path; names of arrays lead to all their members.
fn find<'v>(place: &'v Value<'v>, path: &str) -> Option<EventValue<'v>> {
    let members = place.as_object()?;
    if let Some(value) = members.get(path) {
        return Some(textual(value));
    }
    if let Some(dot) = path.bytes().position(|byte| byte == b'.') {
        match members.get(&path[..dot]) {
            Some(inner @ Value::Object(_)) => return find(inner, &path[dot + 1..]),
            Some(Value::Array(members)) if !is_selective(path) => return across(members, &path[dot + 1..]),
            Some(Value::Array(_)) => return by_path(place, path),
            Some(_) => return None,
            None => {}
        }
    }
    is_selective(path).then(|| by_path(place, path))?
}

/// Whether a path selects members of arrays, or has names that hold what stands for that.
fn is_selective(path: &str) -> bool {
    path.bytes().any(|byte| matches!(byte, b'[' | b'\\'))
}

/// What is found in the members of an array: any of it may match.
fn across<'v>(members: &'v [Value<'v>], path: &str) -> Option<EventValue<'v>> {
    let mut found = Vec::new();
    for value in members.iter().filter_map(|member| find(member, path)) {
        match value {
            EventValue::Array(several) => found.extend(several),
            one => found.push(one),
        }
    }
    match found.len() {
        0 | 1 => found.pop(),
        _ => Some(EventValue::Array(found)),
    }
}

/// The engine's own walk, for paths that select members of arrays.
fn by_path(place: &Value<'_>, path: &str) -> Option<EventValue<'static>> {
    let whole = match path.contains('\\') {
        true => place.into(),
        false => {
            let root = path.split(['.', '[']).next()?;
            serde_json::json!({ root: serde_json::Value::from(member_of(place, root)?) })
        }
    };
    Some(owned(JsonEvent::owned(whole).get_field(path)?))
}

/// What was found, as one that needs no record: objects are their text, but as members of arrays stay what they are.
fn owned(value: EventValue<'_>) -> EventValue<'static> {
    match value {
        object @ EventValue::Map(_) => EventValue::Str(Cow::Owned(object.to_json().to_string())),
        other => kept(other),
    }
}

fn kept(value: EventValue<'_>) -> EventValue<'static> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Owned(text.into_owned())),
        EventValue::Int(number) => EventValue::Int(number),
        EventValue::Float(number) => EventValue::Float(number),
        EventValue::Bool(truth) => EventValue::Bool(truth),
        EventValue::Null => EventValue::Null,
        EventValue::Array(members) => EventValue::Array(members.into_iter().map(kept).collect()),
        EventValue::Map(members) => {
            let owned = members.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), kept(value)));
            EventValue::Map(owned.collect())
        }
    }
}

/// A value as rules compare it: an object is its JSON text, so that `field|contains` reaches into it.
fn textual<'v>(value: &'v Value<'v>) -> EventValue<'v> {
    match value {
        Value::Object(_) => EventValue::Str(Cow::Owned(value.to_string())),
        other => itself(other),
    }
}

/// A value as it is. Members of arrays are, so that `lines[any]` can look into each.
fn itself<'v>(value: &'v Value<'v>) -> EventValue<'v> {
    match value {
        Value::Null => EventValue::Null,
        Value::Bool(truth) => EventValue::Bool(*truth),
        Value::Number(number) => {
            let (whole, large) = (number.as_i64(), number.as_u64());
            match (whole, large) {
                (Some(number), _) => EventValue::Int(number),
                // Digit for digit; compared as a number all the same.
                (None, Some(number)) => EventValue::Str(Cow::Owned(number.to_string())),
                (None, None) => EventValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            }
        }
        Value::Str(text) => EventValue::Str(Cow::Borrowed(text)),
        Value::Array(members) => EventValue::Array(members.iter().map(itself).collect()),
        Value::Object(members) => {
            EventValue::Map(members.iter().map(|(name, value)| (Cow::Borrowed(name), itself(value))).collect())
        }
    }
}
