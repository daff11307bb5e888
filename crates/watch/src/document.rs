//! From a file's text to documents, each with its place and its tests.

use std::str::FromStr;

use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, Detection, FilterRule, Level, Modifier,
    SigmaRule, SigmaValue, Status, parse_sigma_yaml,
};
use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use crate::detector::DetectorRule;
use crate::limits::{MAX_DOCUMENTS, MAX_PATTERN_BYTES};
use crate::rule::Place;

/// A document that could be read.
#[derive(Debug)]
pub(crate) enum Document {
    Detection(Box<SigmaRule>),
    Correlation(Box<CorrelationRule>),
    Filter(Box<FilterRule>),
    Detector(Box<DetectorRule>),
}

/// What became of one document of a file.
#[derive(Debug)]
pub(crate) struct Read {
    pub place: Place,
    pub title: Option<String>,
    /// The document, or why it is left out.
    pub document: Result<Document, String>,
    /// What is odd about it, and does not keep it out.
    pub warnings: Vec<String>,
}

/// Reads every document of a file. A text that is no YAML ends the file there.
pub(crate) fn read_file(file: &str, text: &str) -> Vec<Read> {
    let mut found = Vec::new();
    let mut shared = None;
    for (position, document) in yaml_serde::Deserializer::from_str(text).enumerate() {
        let place = Place { file: file.to_owned(), document: position + 1 };
        let bad = |place, why: String| Read { place, title: None, document: Err(why), warnings: Vec::new() };
        if position == MAX_DOCUMENTS {
            found.push(bad(
                place,
                format!("a file has at most {MAX_DOCUMENTS} documents; this one and the rest are left out"),
            ));
            break;
        }
        match Value::deserialize(document) {
            Err(error) => {
                found.push(bad(place, format!("it is no YAML, and what follows in the file is left out: {error}")));
                break;
            }
            Ok(Value::Null) => {}
            Ok(Value::Mapping(members)) => found.extend(read(place, members, &mut shared)),
            Ok(_) => found.push(bad(place, "it is not a mapping of `title`, `detection` and so on".into())),
        }
    }
    found
}

/// Reads one document; `action: global` is remembered for those that follow.
fn read(place: Place, mut members: Mapping, shared: &mut Option<Mapping>) -> Option<Read> {
    let action = members.remove("action");
    match action.as_ref().map(|action| action.as_str().unwrap_or_default()) {
        Some("global") => {
            *shared = Some(members);
            return None;
        }
        Some("reset") => {
            *shared = None;
            return None;
        }
        Some(other) => {
            let why = format!("`action: {other}` is not supported; write the rule out");
            return Some(Read { place, title: title(&members), document: Err(why), warnings: Vec::new() });
        }
        None => {}
    }
    for (name, value) in shared.iter().flatten() {
        members.entry(name.clone()).or_insert(value.clone());
    }
    let mut warnings = Vec::new();
    let title = title(&members);
    let document = parse(members, &mut warnings).and_then(|document| check(&document).map(|()| document));
    Some(Read { place, title, document, warnings })
}

fn title(members: &Mapping) -> Option<String> {
    members.get("title").and_then(Value::as_str).map(str::to_owned)
}

fn parse(mut members: Mapping, warnings: &mut Vec<String>) -> Result<Document, String> {
    if members.contains_key("detector") {
        drop_unknown::<Level>("level", &mut members, warnings);
        drop_unknown::<Status>("status", &mut members, warnings);
        let detector = yaml_serde::from_value(Value::Mapping(members)).map_err(|error| error.to_string())?;
        return Ok(Document::Detector(Box::new(detector)));
    }
    let unconditional = members.get("correlation").is_some_and(|correlation| correlation.get("condition").is_none());
    let text = yaml_serde::to_string(&Value::Mapping(members)).map_err(|error| error.to_string())?;
    let mut read = parse_sigma_yaml(&text).map_err(|error| error.to_string())?;
    let document = if let Some(rule) = read.rules.pop() {
        Document::Detection(Box::new(rule))
    } else if let Some(mut rule) = read.correlations.pop() {
        if unconditional && rule.correlation_type == CorrelationType::Temporal {
            // All of its rules, where the parser says one.
            let all = vec![(ConditionOperator::Gte, rule.rules.len() as u64)];
            rule.condition = CorrelationCondition::Threshold { predicates: all, field: None, percentile: None };
        }
        Document::Correlation(Box::new(rule))
    } else if let Some(filter) = read.filters.pop() {
        Document::Filter(Box::new(filter))
    } else {
        return Err(read.errors.join("; "));
    };
    warnings.extend(read.errors);
    Ok(document)
}

/// Leaves out a level or a status that Sigma does not know, as its parser does.
fn drop_unknown<T: FromStr>(name: &str, members: &mut Mapping, warnings: &mut Vec<String>) {
    let unknown = members.get(name).filter(|value| value.as_str().is_none_or(|text| text.parse::<T>().is_err()));
    if let Some(value) = unknown {
        warnings.push(format!("invalid {name}: '{}'", value.as_str().unwrap_or("no text")));
        members.remove(name);
    }
}

/// Refuses what the engine would take and mean something else by, and what costs too much.
fn check(document: &Document) -> Result<(), String> {
    let named = match document {
        Document::Detection(rule) => &rule.detection.named,
        Document::Filter(filter) => &filter.detection.named,
        Document::Correlation(_) | Document::Detector(_) => return Ok(()),
    };
    named.values().try_for_each(check_detection)
}

fn check_detection(detection: &Detection) -> Result<(), String> {
    match detection {
        Detection::AllOf(items) => items.iter().try_for_each(|item| {
            let field = item.field.name.as_deref().unwrap_or("a keyword");
            if item.field.has_modifier(Modifier::Expand) {
                let value = item.values.iter().find_map(text).unwrap_or_default();
                return Err(format!("{field}|expand: no value is configured for {value}; write the values out"));
            }
            let long = item.values.iter().filter_map(text).find(|text| text.len() > MAX_PATTERN_BYTES);
            match long {
                Some(text) if item.field.has_modifier(Modifier::Re) => Err(format!(
                    "{field}|re: a pattern of {} bytes is over the limit of {MAX_PATTERN_BYTES}",
                    text.len()
                )),
                _ => Ok(()),
            }
        }),
        Detection::AnyOf(inner) | Detection::And(inner) => inner.iter().try_for_each(check_detection),
        Detection::ArrayMatch { body, .. } => check_detection(body),
        Detection::Conditional { named, .. } => named.values().try_for_each(check_detection),
        Detection::Keywords(_) => Ok(()),
    }
}

fn text(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => Some(text.original.clone()),
        _ => None,
    }
}
