//! A map as it is written: the TOML text, before its parts are checked against one another.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

/// Form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    Csv,
    Jsonl,
    JsonArray,
    Records,
    /// One of the three JSON forms, told apart by the first bytes.
    Json,
}

impl Format {
    /// Its name in a map.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::JsonArray => "json-array",
            Format::Records => "records",
            Format::Json => "json",
        }
    }
}

/// How much of the record goes into `context` beside the members named there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keep {
    /// Every column.
    All,
    /// Every column whose value no member of the entry carries whole.
    Rest,
    /// Nothing.
    Mapped,
}

/// What becomes of a row whose entry would be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TooLarge {
    Refuse,
    /// The largest kept members are replaced by their length and SHA-256.
    Shorten,
}

/// What becomes of a JSON number that an entry cannot hold exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InexactNumbers {
    Refuse,
    String,
}

/// What a CSV column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CellType {
    String,
    Number,
    NumberOrString,
    Boolean,
    Json,
}

/// What a value map does with a value that it does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawUnlisted {
    Keep,
    Refuse,
    Omit,
}

/// What a member does when its row has no value for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawMissing {
    Refuse,
    Omit,
}

/// Which of two moments a local time means when clocks go back (or none, when they go forward).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ambiguous {
    Refuse,
    Earlier,
    Later,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMap {
    pub(crate) description: Option<String>,
    pub(crate) extends: Option<Spanned<String>>,
    pub(crate) format: Option<Format>,
    pub(crate) delimiter: Option<Spanned<char>>,
    pub(crate) keep: Option<Keep>,
    pub(crate) keep_in: Option<String>,
    pub(crate) too_large: Option<TooLarge>,
    pub(crate) inexact_numbers: Option<InexactNumbers>,
    pub(crate) timestamp: Option<Spanned<RawMember>>,
    pub(crate) event_type: Option<Spanned<RawMember>>,
    pub(crate) actor: Option<Spanned<RawMember>>,
    pub(crate) actor_type: Option<Spanned<RawMember>>,
    pub(crate) on_behalf_of: Option<Spanned<RawMember>>,
    pub(crate) entity_id: Option<Spanned<RawMember>>,
    pub(crate) entity_type: Option<Spanned<RawMember>>,
    pub(crate) old_value: Option<Spanned<RawMember>>,
    pub(crate) new_value: Option<Spanned<RawMember>>,
    pub(crate) outcome: Option<Spanned<RawMember>>,
    pub(crate) reason: Option<Spanned<RawMember>>,
    pub(crate) trace_id: Option<Spanned<RawMember>>,
    pub(crate) id: Option<Spanned<RawMember>>,
    pub(crate) source: Option<Spanned<RawMember>>,
    pub(crate) sequence: Option<Spanned<RawMember>>,
    #[serde(default)]
    pub(crate) context: BTreeMap<String, Spanned<RawMember>>,
    #[serde(default)]
    pub(crate) types: BTreeMap<String, CellType>,
}

impl RawMap {
    /// This map where it says something, `base` where it does not. `context` and `types` are joined key by key.
    pub(crate) fn over(mut self, base: RawMap) -> RawMap {
        macro_rules! inherit {
            ($($key:ident),*) => { $(self.$key = self.$key.or(base.$key);)* };
        }
        inherit!(
            format,
            delimiter,
            keep,
            keep_in,
            too_large,
            inexact_numbers,
            timestamp,
            event_type,
            actor,
            actor_type,
            on_behalf_of,
            entity_id,
            entity_type,
            old_value,
            new_value,
            outcome,
            reason,
            trace_id,
            id,
            source,
            sequence
        );
        for (name, member) in base.context {
            self.context.entry(name).or_insert(member);
        }
        for (column, kind) in base.types {
            self.types.entry(column).or_insert(kind);
        }
        self
    }
}

/// A constant of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar {
    String(String),
    Integer(i64),
    Boolean(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::String(text) => f.write_str(text),
            Scalar::Integer(number) => write!(f, "{number}"),
            Scalar::Boolean(truth) => write!(f, "{truth}"),
        }
    }
}

/// The right side of a member: a bare constant or a table.
#[derive(Debug)]
pub(crate) enum RawMember {
    Constant(Scalar),
    Table(Box<RawExpression>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpression {
    pub(crate) from: Option<Spanned<String>>,
    pub(crate) constant: Option<Scalar>,
    pub(crate) template: Option<Spanned<String>>,
    pub(crate) first: Option<Vec<Spanned<String>>>,
    pub(crate) rules: Option<Vec<RawRule>>,
    pub(crate) object: Option<BTreeMap<String, Spanned<RawMember>>>,
    pub(crate) values: Option<BTreeMap<String, String>>,
    pub(crate) unlisted: Option<RawUnlisted>,
    pub(crate) otherwise: Option<String>,
    pub(crate) missing: Option<RawMissing>,
    pub(crate) fill: Option<Scalar>,
    pub(crate) shorten_to: Option<usize>,
    pub(crate) format: Option<Spanned<String>>,
    pub(crate) zone: Option<Spanned<String>>,
    pub(crate) ambiguous: Option<Ambiguous>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRule {
    pub(crate) when: Spanned<String>,
    pub(crate) equals: Option<OneOrMany>,
    pub(crate) prefix: Option<OneOrMany>,
    pub(crate) contains: Option<OneOrMany>,
    pub(crate) present: Option<bool>,
    pub(crate) is: String,
}

/// A text or a list of texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        struct Constant;
        impl Visitor<'_> for Constant {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an integer or a boolean")
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::String(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(truth))
            }
        }
        deserializer.deserialize_any(Constant)
    }
}

impl<'de> Deserialize<'de> for RawMember {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawMember, D::Error> {
        struct Member;
        impl<'de> Visitor<'de> for Member {
            type Value = RawMember;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an integer, a boolean or a table such as { from = \"column\" }")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawMember, E> {
                Ok(RawMember::Constant(Scalar::String(text.to_owned())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<RawMember, E> {
                Ok(RawMember::Constant(Scalar::Integer(number)))
            }
            fn visit_bool<E>(self, truth: bool) -> Result<RawMember, E> {
                Ok(RawMember::Constant(Scalar::Boolean(truth)))
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<RawMember, A::Error> {
                RawExpression::deserialize(MapAccessDeserializer::new(table))
                    .map(|expression| RawMember::Table(Box::new(expression)))
            }
        }
        deserializer.deserialize_any(Member)
    }
}
