//! A committed entry as rules see it: the entry itself, and the foreign record that an import kept in it.

use std::borrow::Cow;
use std::sync::LazyLock;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::{OWN_PREFIX, Timestamp};
use rsigma_eval::{Event, EventValue, JsonEvent};
use rsigma_parser::LogSource;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Entries that no rule sees, so that alerts do not raise alerts.
const ALERTS: &str = "ledger.alert_";

/// A committed entry, read once for all rules.
#[derive(Debug)]
pub struct Record {
    /// Its place in the ledger.
    pub index: u64,
    entry: Value,
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
    places: [&'r Value; 2],
}

static NOTHING: Value = Value::Null;
static ENTRY: LazyLock<LogSource> = LazyLock::new(|| source("counterfoil", "entry"));
static LEDGER: LazyLock<LogSource> = LazyLock::new(|| source("counterfoil", "ledger"));
static CLOUDTRAIL: LazyLock<LogSource> = LazyLock::new(|| source("aws", "cloudtrail"));
static SPAN: LazyLock<LogSource> = LazyLock::new(|| source("opentelemetry", "trace"));
static LOG: LazyLock<LogSource> = LazyLock::new(|| source("opentelemetry", "log"));

fn source(product: &str, service: &str) -> LogSource {
    LogSource { product: Some(product.into()), service: Some(service.into()), ..LogSource::default() }
}

impl Record {
    /// Reads an entry's canonical bytes; `None` for one that no rule may see.
    pub fn read(index: u64, canonical: &[u8]) -> Result<Option<Self>> {
        let entry: Value = serde_json::from_slice(canonical)
            .map_err(|error| Error::new(ErrorKind::Damaged, format!("entry {index} is not JSON: {error}")))?;
        let record = Self { index, entry };
        Ok((!record.event_type().starts_with(ALERTS)).then_some(record))
    }

    /// An entry that is in no ledger, as in a rule's own tests.
    pub(crate) fn made_up(index: u64, entry: Value) -> Self {
        Self { index, entry }
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
        self.entry[member].as_str().unwrap_or_default()
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
        let kept = &self.entry["context"];
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

    /// The text of a field, if it is there: what entries are grouped by.
    pub fn group(&self, field: &str) -> Option<String> {
        let value = self.get_field(field)?;
        value.as_str().map(Cow::into_owned)
    }
}

impl Event for View<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.places.iter().find_map(|place| find(place, path))
    }

    fn any_string_value(&self, holds: &dyn Fn(&str) -> bool) -> bool {
        self.places.iter().any(|place| JsonEvent::borrow(place).any_string_value(holds))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        self.visit_string_values(&mut |text| all.push(Cow::Owned(text.to_owned())));
        all
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.places.iter().for_each(|place| JsonEvent::borrow(place).visit_string_values(visit));
    }

    /// What a correlation keeps of an entry: its place.
    fn to_json(&self) -> Value {
        let mut kept = Map::new();
        kept.insert("id".into(), self.index.to_string().into());
        Value::Object(kept)
    }

    fn visit_top_level_keys(&self, visit: &mut dyn FnMut(&str)) -> bool {
        // Names with dots stand at the top of OpenTelemetry's attributes.
        let [Value::Object(members), Value::Null] = self.places else { return false };
        members.keys().for_each(|name| visit(name));
        true
    }
}

/// A field by its name or dotted path; names of arrays lead to all their members.
fn find<'v>(place: &'v Value, path: &str) -> Option<EventValue<'v>> {
    let members = place.as_object()?;
    if let Some(value) = members.get(path) {
        return Some(textual(value));
    }
    let (first, rest) = path.split_once('.')?;
    if path.contains(['[', '\\']) {
        return by_path(place, path);
    }
    match members.get(first)? {
        inner @ Value::Object(_) => find(inner, rest),
        Value::Array(_) => by_path(place, path),
        _ => None,
    }
}

/// The engine's own walk, for paths that select or cross members of arrays.
fn by_path<'v>(place: &'v Value, path: &str) -> Option<EventValue<'v>> {
    let event = JsonEvent::borrow(place);
    let found = event.get_field(path)?;
    Some(owned(found))
}

fn owned(value: EventValue<'_>) -> EventValue<'static> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Owned(text.into_owned())),
        EventValue::Int(number) => EventValue::Int(number),
        EventValue::Float(number) => EventValue::Float(number),
        EventValue::Bool(truth) => EventValue::Bool(truth),
        EventValue::Null => EventValue::Null,
        EventValue::Array(members) => EventValue::Array(members.into_iter().map(owned).collect()),
        object @ EventValue::Map(_) => EventValue::Str(Cow::Owned(object.to_json().to_string())),
    }
}

/// A value as rules compare it: an object is its JSON text, so that `field|contains` reaches into it.
fn textual(value: &Value) -> EventValue<'_> {
    match value {
        Value::Object(_) => EventValue::Str(Cow::Owned(value.to_string())),
        Value::Array(members) => EventValue::Array(members.iter().map(textual).collect()),
        other => EventValue::from(other),
    }
}
