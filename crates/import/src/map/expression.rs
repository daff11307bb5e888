//! The right sides of a map: where a member's value comes from, and what happens when there is none.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::Place;
use super::field::{Field, Part, template};
use super::raw::{Ambiguous, OneOrMany, RawExpression, RawMember, RawMissing, RawRule, RawUnlisted, Scalar};
use super::time::{TimeFormat, TimeKind};
use crate::error::MapError;

/// The shortest length a text may be cut to: an ellipsis, 16 digits of its digest, and something to read.
const SHORTEST_CUT: usize = 32;

/// Where a member's value comes from.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) what: What,
    pub(crate) values: Option<Values>,
    pub(crate) gap: Gap,
    /// Longer texts are cut to this many bytes, ending in `…` and 16 hexadecimal digits of their SHA-256.
    pub(crate) shorten_to: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    From(Field),
    Constant(Scalar),
    Template(Vec<Part>),
    /// The first place that holds a text.
    First(Vec<Field>),
    /// The first rule that holds.
    Rules(Vec<Rule>),
    Object(Vec<(String, Expression)>),
}

/// `is`, when the test holds; a rule without a test always does.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) test: Option<(Field, Condition)>,
    pub(crate) is: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Equals(Vec<String>),
    Prefix(Vec<String>),
    Contains(Vec<String>),
    Present(bool),
}

impl Condition {
    /// Whether it holds for a text, or for the absence of one.
    pub(crate) fn holds(&self, text: Option<&str>) -> bool {
        let any = |options: &[String], test: fn(&str, &str) -> bool| {
            text.is_some_and(|text| options.iter().any(|option| test(text, option)))
        };
        match self {
            Condition::Equals(options) => any(options, |text, option| text == option),
            Condition::Prefix(options) => any(options, |text, option| text.starts_with(option)),
            Condition::Contains(options) => any(options, |text, option| text.contains(option)),
            Condition::Present(wanted) => text.is_some() == *wanted,
        }
    }
}

/// A value map.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub(crate) listed: BTreeMap<String, String>,
    pub(crate) unlisted: Unlisted,
}

#[derive(Debug, Clone)]
pub(crate) enum Unlisted {
    Keep,
    Refuse,
    Omit,
    Use(String),
}

/// What a member does when its row has no value for it.
#[derive(Debug, Clone)]
pub(crate) enum Gap {
    Omit,
    Refuse,
    Fill(Scalar),
}

impl Expression {
    /// The row's number.
    pub(crate) fn row() -> Expression {
        Expression { what: What::From(Field::Row), values: None, gap: Gap::Refuse, shorten_to: None }
    }
}

/// Turns the written right sides into checked ones and notes every place they read.
pub(crate) struct Compiler<'a> {
    toml: &'a str,
    csv: bool,
    pub(crate) places: Vec<Place>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(toml: &'a str, csv: bool) -> Compiler<'a> {
        Compiler { toml, csv, places: Vec::new() }
    }

    /// A fault at byte `at` of the map.
    pub(crate) fn fault(&self, at: usize, key: &str, message: String) -> MapError {
        MapError { line: super::line_of(self.toml, at), key: key.to_owned(), message }
    }

    pub(crate) fn place(&mut self, at: Option<usize>, key: &str, field: Field) {
        self.places.push(Place { line: at.and_then(|at| super::line_of(self.toml, at)), key: key.to_owned(), field });
    }

    /// A member that is text.
    pub(crate) fn text(
        &mut self,
        key: &str,
        member: Spanned<RawMember>,
        required: bool,
    ) -> Result<Expression, MapError> {
        let at = member.span().start;
        let expression = self.plain(key, member, required)?;
        match expression.what {
            What::Object(_) => Err(self.fault(at, key, "takes a text, not an object".to_owned())),
            _ => Ok(expression),
        }
    }

    /// A member that may be any JSON value.
    pub(crate) fn value(&mut self, key: &str, member: Spanned<RawMember>) -> Result<Expression, MapError> {
        self.plain(key, member, false)
    }

    /// A member and, for `timestamp`, how its text is read.
    pub(crate) fn time(&mut self, member: Spanned<RawMember>) -> Result<(Expression, TimeFormat), MapError> {
        let key = "timestamp";
        let at = member.span().start;
        let RawMember::Table(mut raw) = member.into_inner() else {
            let message = "needs a table, such as { from = \"time\", format = \"rfc3339\" }";
            return Err(self.fault(at, key, message.to_owned()));
        };
        let kind = match raw.format.take() {
            None => TimeKind::Rfc3339,
            Some(format) => TimeKind::parse(format.get_ref())
                .map_err(|message| self.fault(format.span().start, "timestamp.format", message))?,
        };
        let zone = match raw.zone.take() {
            None => None,
            Some(zone) => Some(TimeZone::get(zone.get_ref()).map_err(|_| {
                let message = format!("{:?} is no IANA time zone, such as Europe/Paris", zone.get_ref());
                self.fault(zone.span().start, "timestamp.zone", message)
            })?),
        };
        let time = TimeFormat { kind, zone, ambiguous: raw.ambiguous.take().unwrap_or(Ambiguous::Refuse) };
        raw.missing.get_or_insert(RawMissing::Refuse);
        if raw.fill.is_some() {
            raw.missing = None;
        }
        let expression = self.table(key, at, *raw, false)?;
        Ok((expression, time))
    }

    /// `context."*"`: the object whose members become members of `context`.
    pub(crate) fn spread(&mut self, key: &str, member: Spanned<RawMember>) -> Result<Field, MapError> {
        let at = member.span().start;
        match self.plain(key, member, false)?.what {
            What::From(field) if !self.csv => Ok(field),
            _ => Err(self.fault(at, key, "takes { from = \"a JSON object\" } alone".to_owned())),
        }
    }

    fn plain(&mut self, key: &str, member: Spanned<RawMember>, required: bool) -> Result<Expression, MapError> {
        let at = member.span().start;
        match member.into_inner() {
            RawMember::Constant(constant) => {
                Ok(Expression { what: What::Constant(constant), values: None, gap: Gap::Omit, shorten_to: None })
            }
            RawMember::Table(raw) => {
                if raw.format.is_some() || raw.zone.is_some() || raw.ambiguous.is_some() {
                    let message = "only timestamp has a format, a zone and ambiguous";
                    return Err(self.fault(at, key, message.to_owned()));
                }
                self.table(key, at, *raw, required)
            }
        }
    }

    fn table(&mut self, key: &str, at: usize, mut raw: RawExpression, required: bool) -> Result<Expression, MapError> {
        let gap = match (raw.missing, raw.fill.take()) {
            (Some(_), Some(_)) => Err("has both `missing` and `fill`"),
            (None, Some(fill)) => Ok(Gap::Fill(fill)),
            (Some(RawMissing::Omit), None) if required => Err("cannot be omitted: every entry needs it"),
            (Some(RawMissing::Omit), None) => Ok(Gap::Omit),
            (Some(RawMissing::Refuse), None) => Ok(Gap::Refuse),
            (None, None) => Ok(if required { Gap::Refuse } else { Gap::Omit }),
        }
        .map_err(|message| self.fault(at, key, message.to_owned()))?;
        if raw.shorten_to.is_some_and(|length| length < SHORTEST_CUT) {
            let message = format!("shorten_to is at least {SHORTEST_CUT}");
            return Err(self.fault(at, key, message));
        }
        let shorten_to = raw.shorten_to;
        let values = self.values(key, at, &mut raw)?;
        let what = self.what(key, at, raw)?;
        Ok(Expression { what, values, gap, shorten_to })
    }

    fn values(&self, key: &str, at: usize, raw: &mut RawExpression) -> Result<Option<Values>, MapError> {
        let Some(listed) = raw.values.take() else {
            return match (raw.unlisted, &raw.otherwise, &raw.rules) {
                (Some(_), ..) => Err(self.fault(at, key, "`unlisted` needs `values`".to_owned())),
                (None, Some(_), None) => Err(self.fault(at, key, "`otherwise` needs `values` or `rules`".to_owned())),
                _ => Ok(None),
            };
        };
        if raw.rules.is_some() || raw.object.is_some() {
            return Err(self.fault(at, key, "`values` cannot follow `rules` or `object`".to_owned()));
        }
        let unlisted = match (raw.unlisted, raw.otherwise.take()) {
            (Some(_), Some(_)) => {
                return Err(self.fault(at, key, "has both `unlisted` and `otherwise`".to_owned()));
            }
            (None, Some(text)) => Unlisted::Use(text),
            (None | Some(RawUnlisted::Keep), None) => Unlisted::Keep,
            (Some(RawUnlisted::Refuse), None) => Unlisted::Refuse,
            (Some(RawUnlisted::Omit), None) => Unlisted::Omit,
        };
        Ok(Some(Values { listed, unlisted }))
    }

    fn what(&mut self, key: &str, at: usize, raw: RawExpression) -> Result<What, MapError> {
        let ways = [
            raw.from.is_some(),
            raw.constant.is_some(),
            raw.template.is_some(),
            raw.first.is_some(),
            raw.rules.is_some(),
            raw.object.is_some(),
        ];
        if ways.iter().filter(|way| **way).count() != 1 {
            let message = "needs exactly one of from, constant, template, first, rules and object";
            return Err(self.fault(at, key, message.to_owned()));
        }
        if let Some(from) = raw.from {
            return self.field(key, &from).map(What::From);
        }
        if let Some(constant) = raw.constant {
            return Ok(What::Constant(constant));
        }
        if let Some(text) = raw.template {
            return self.template(key, &text);
        }
        if let Some(places) = raw.first {
            let fields: Result<_, _> = places.iter().map(|place| self.field(key, place)).collect();
            return fields.map(What::First);
        }
        if let Some(rules) = raw.rules {
            return self.rules(key, rules, raw.otherwise);
        }
        let mut members = Vec::new();
        for (name, member) in raw.object.into_iter().flatten() {
            let expression = self.value(&format!("{key}.{name}"), member)?;
            members.push((name, expression));
        }
        Ok(What::Object(members))
    }

    fn field(&mut self, key: &str, text: &Spanned<String>) -> Result<Field, MapError> {
        let at = text.span().start;
        let field = Field::parse(text.get_ref(), self.csv).map_err(|message| self.fault(at, key, message))?;
        self.place(Some(at), key, field.clone());
        Ok(field)
    }

    fn template(&mut self, key: &str, text: &Spanned<String>) -> Result<What, MapError> {
        let at = text.span().start;
        let parts = template(text.get_ref(), self.csv).map_err(|message| self.fault(at, key, message))?;
        for part in &parts {
            if let Part::Field { field, .. } = part {
                self.place(Some(at), key, field.clone());
            }
        }
        Ok(What::Template(parts))
    }

    fn rules(&mut self, key: &str, raw: Vec<RawRule>, otherwise: Option<String>) -> Result<What, MapError> {
        let mut rules = Vec::new();
        for rule in raw {
            let field = self.field(key, &rule.when)?;
            let conditions = [
                rule.equals.map(OneOrMany::into_vec).map(Condition::Equals),
                rule.prefix.map(OneOrMany::into_vec).map(Condition::Prefix),
                rule.contains.map(OneOrMany::into_vec).map(Condition::Contains),
                rule.present.map(Condition::Present),
            ];
            let mut conditions = conditions.into_iter().flatten();
            let (Some(condition), None) = (conditions.next(), conditions.next()) else {
                let message = "a rule needs exactly one of equals, prefix, contains and present";
                return Err(self.fault(rule.when.span().start, key, message.to_owned()));
            };
            rules.push(Rule { test: Some((field, condition)), is: rule.is });
        }
        rules.extend(otherwise.map(|is| Rule { test: None, is }));
        Ok(What::Rules(rules))
    }
}
