//! Values for parameters: from their bytes to literals of a statement.

use bytes::{Buf, Bytes};
use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType as SqlType, ExactNumberInfo, Expr, TimezoneInfo, Value as Literal,
};
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, ToSpan};
use postgres_types::{Kind, Type};

use crate::pg::frame::Fields;
use crate::pg::refusal::Refusal;

/// Most elements of an array.
const MAX_ELEMENTS: usize = 10_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// A number as its text; one that a float cannot hold exactly stays exact.
    Number(String),
    Float(f64),
    Text(String),
    /// A moment as text, with its zone.
    Moment(String),
    Date(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// Reads a value of this type, in binary or text.
    ///
    /// # Errors
    /// For bytes that are none, and types that are not taken.
    pub(crate) fn read(bytes: Option<&Bytes>, of: &Type, binary: bool) -> Result<Self, Refusal> {
        let Some(bytes) = bytes else {
            return Ok(Self::Null);
        };
        if let Kind::Array(element) = of.kind() {
            return if binary { array(bytes.clone()) } else { list(&text(bytes)?, element) };
        }
        match binary {
            true => Self::from_binary(bytes, of),
            false => Self::from_text(text(bytes)?, of),
        }
    }

    fn from_text(text: String, of: &Type) -> Result<Self, Refusal> {
        let wrong = || invalid(&text, of);
        Ok(match *of {
            Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Self::Int(text.trim().parse().map_err(|_| wrong())?),
            Type::FLOAT4 | Type::FLOAT8 => Self::Float(text.trim().parse().map_err(|_| wrong())?),
            Type::NUMERIC => {
                let number = text.trim();
                let plain = number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
                number.parse::<f64>().ok().filter(|_| plain).ok_or_else(wrong)?;
                Self::Number(number.to_owned())
            }
            Type::BOOL => match text.trim().to_ascii_lowercase().as_str() {
                "t" | "true" | "on" | "yes" | "y" | "1" => Self::Bool(true),
                "f" | "false" | "off" | "no" | "n" | "0" => Self::Bool(false),
                _ => return Err(wrong()),
            },
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Self::Moment(text),
            Type::DATE => Self::Date(text),
            Type::BYTEA => {
                let digits = text.strip_prefix("\\x").ok_or_else(wrong)?;
                Self::Bytes(hex::decode(digits).map_err(|_| wrong())?)
            }
            _ => Self::Text(text),
        })
    }

    fn from_binary(bytes: &Bytes, of: &Type) -> Result<Self, Refusal> {
        let wrong = || Refusal::new("22P03", format!("{} bytes are no {of} in binary", bytes.len()));
        macro_rules! fixed {
            ($number:ty) => {
                <$number>::from_be_bytes(bytes.as_ref().try_into().map_err(|_| wrong())?)
            };
        }
        Ok(match *of {
            Type::INT2 => Self::Int(fixed!(i16).into()),
            Type::INT4 => Self::Int(fixed!(i32).into()),
            Type::INT8 => Self::Int(fixed!(i64)),
            Type::OID => Self::Int(fixed!(u32).into()),
            Type::FLOAT4 => Self::Float(fixed!(f32).into()),
            Type::FLOAT8 => Self::Float(fixed!(f64)),
            Type::BOOL => Self::Bool(fixed!(u8) != 0),
            Type::NUMERIC => Self::Number(numeric(bytes.clone()).ok_or_else(wrong)?),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Self::Moment(moment(fixed!(i64)).ok_or_else(wrong)?),
            Type::DATE => Self::Date(day(fixed!(i32)).ok_or_else(wrong)?),
            Type::UUID => {
                let digits = hex::encode(bytes);
                let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.get(range));
                let groups: Option<Vec<&str>> = groups.into_iter().collect();
                Self::Text(groups.filter(|_| digits.len() == 32).ok_or_else(wrong)?.join("-"))
            }
            Type::BYTEA => Self::Bytes(bytes.to_vec()),
            Type::JSONB => Self::Text(text(bytes.get(1..).ok_or_else(wrong)?)?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON | Type::CHAR => {
                Self::Text(text(bytes)?)
            }
            _ => return Err(Refusal::unsupported(format!("parameters of the type {of} are not taken in binary"))),
        })
    }

    /// The value as it is recorded: numbers as texts, which keep every digit.
    pub(crate) fn shown(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(number) => number.to_string().into(),
            Self::Float(number) => number.to_string().into(),
            Self::Number(text) | Self::Text(text) | Self::Moment(text) | Self::Date(text) => text.as_str().into(),
            Self::Bytes(bytes) => hex::encode(bytes).into(),
            Self::List(values) => values.iter().map(Self::shown).collect(),
        }
    }

    /// The value in a statement.
    pub(crate) fn into_literal(self, of: &Type) -> Expr {
        let string = |text: String| literal(Literal::SingleQuotedString(text));
        match self {
            Self::Null => match sql_type(of) {
                Some(data_type) => cast(literal(Literal::Null), data_type),
                None => literal(Literal::Null),
            },
            Self::Bool(value) => literal(Literal::Boolean(value)),
            Self::Int(number @ 0..) => literal(Literal::Number(number.to_string(), false)),
            Self::Int(number) => cast(string(number.to_string()), SqlType::BigInt(None)),
            Self::Number(number) => {
                let data_type = decimal(&number).unwrap_or(SqlType::DoublePrecision);
                cast(string(number), data_type)
            }
            Self::Float(number) => cast(string(number.to_string()), SqlType::DoublePrecision),
            Self::Text(text) => string(text),
            Self::Moment(text) => cast(string(text), SqlType::Timestamp(None, TimezoneInfo::WithTimeZone)),
            Self::Date(text) => cast(string(text), SqlType::Date),
            Self::Bytes(bytes) => literal(Literal::HexStringLiteral(hex::encode(bytes))),
            Self::List(values) => {
                let element = match of.kind() {
                    Kind::Array(element) => element.clone(),
                    _ => Type::TEXT,
                };
                let elem = values.into_iter().map(|value| value.into_literal(&element)).collect();
                Expr::Array(Array { elem, named: true })
            }
        }
    }
}

fn literal(value: Literal) -> Expr {
    Expr::Value(value.into())
}

fn cast(expr: Expr, data_type: SqlType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// The type of a NULL, where it has one that matters.
fn sql_type(of: &Type) -> Option<SqlType> {
    Some(match *of {
        Type::BOOL => SqlType::Boolean,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => SqlType::BigInt(None),
        Type::FLOAT4 | Type::FLOAT8 => SqlType::DoublePrecision,
        Type::NUMERIC => SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(38, 10)),
        Type::TEXT | Type::VARCHAR => SqlType::Text,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        Type::DATE => SqlType::Date,
        _ => return None,
    })
}

/// The type that holds a number exactly, if there is one.
fn decimal(number: &str) -> Option<SqlType> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let exact = fraction.bytes().all(|byte| byte.is_ascii_digit()) && !whole.contains(['e', 'E']);
    let fits = whole.len() + fraction.len() <= 38;
    (exact && fits).then_some(SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(38, fraction.len() as i64)))
}

fn text(bytes: &[u8]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::new("22021", "a parameter is not UTF-8"))?;
    Ok(text.to_owned())
}

fn invalid(text: &str, of: &Type) -> Refusal {
    let shown: String = text.chars().take(60).collect();
    Refusal::new("22P02", format!("{shown:?} is no {of}"))
}

/// Microseconds since 2000.
fn moment(micros: i64) -> Option<String> {
    let epoch = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
    let at = epoch.checked_add(SignedDuration::from_micros(micros)).ok()?;
    Some(format!("{at}Z"))
}

/// Days since 2000.
fn day(days: i32) -> Option<String> {
    Some(Date::constant(2000, 1, 1).checked_add(days.days()).ok()?.to_string())
}

/// A number in groups of four decimal digits.
fn numeric(mut bytes: Bytes) -> Option<String> {
    const NEGATIVE: u16 = 0x4000;
    if bytes.remaining() < 8 {
        return None;
    }
    let (groups, weight) = (bytes.get_u16(), bytes.get_i16());
    let (sign, scale) = (bytes.get_u16(), bytes.get_u16());
    if bytes.remaining() != usize::from(groups) * 2 || ![0, NEGATIVE].contains(&sign) || weight > 1_000 {
        return None;
    }
    let digits: Vec<u16> = (0..groups).map(|_| bytes.get_u16()).collect();
    let group = |place: i32| match usize::try_from(place) {
        Ok(place) => digits.get(place).copied().unwrap_or_default(),
        Err(_) => 0,
    };
    let weight = i32::from(weight);
    let mut whole: String = (0..=weight).map(|place| format!("{:04}", group(place))).collect();
    let zeros = whole.len() - whole.trim_start_matches('0').len();
    whole.drain(..zeros);
    let places = (i32::from(scale) + 3) / 4;
    let mut fraction: String = (weight + 1..weight + 1 + places).map(|place| format!("{:04}", group(place))).collect();
    fraction.truncate(scale.into());
    let minus = if sign == NEGATIVE { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { &whole };
    Some(if fraction.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") })
}

/// An array of one dimension in binary.
fn array(bytes: Bytes) -> Result<Value, Refusal> {
    let mut fields = Fields(bytes);
    let dimensions = fields.int32()?;
    let (_nulls, element) = (fields.int32()?, fields.int32()?);
    if dimensions == 0 {
        return Ok(Value::List(Vec::new()));
    }
    if dimensions != 1 {
        return Err(Refusal::unsupported("arrays have one dimension here"));
    }
    let (count, _lower) = (usize::try_from(fields.int32()?).unwrap_or_default(), fields.int32()?);
    check_count(count)?;
    let element = Type::from_oid(element as u32).unwrap_or(Type::TEXT);
    let values = (0..count).map(|_| Value::read(fields.value()?.as_ref(), &element, true));
    values.collect::<Result<_, _>>().map(Value::List)
}

/// An array of one dimension as text: `{a,"b c",NULL}`.
pub(crate) fn list(text: &str, element: &Type) -> Result<Value, Refusal> {
    let wrong = || Refusal::new("22P02", "an array is written {a,\"b c\",NULL}");
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(wrong)?;
    let mut values = Vec::new();
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() || !values.is_empty() {
        let (mut item, mut quoted, mut open) = (String::new(), false, false);
        let ended = loop {
            match chars.next() {
                None if open => return Err(wrong()),
                None => break true,
                Some('"') => (quoted, open) = (true, !open),
                Some('\\') => item.push(chars.next().ok_or_else(wrong)?),
                Some(',') if !open => break false,
                Some('{' | '}') if !open => return Err(Refusal::unsupported("arrays have one dimension here")),
                Some(other) => item.push(other),
            }
        };
        values.push(match (quoted, item.trim()) {
            (false, null) if null.eq_ignore_ascii_case("null") => Value::Null,
            (false, "") => return Err(wrong()),
            (false, bare) => Value::from_text(bare.to_owned(), element)?,
            (true, _) => Value::from_text(item, element)?,
        });
        check_count(values.len())?;
        if ended {
            break;
        }
    }
    Ok(Value::List(values))
}

fn check_count(count: usize) -> Result<(), Refusal> {
    match count <= MAX_ELEMENTS {
        true => Ok(()),
        false => Err(Refusal::new("54000", format!("an array has at most {MAX_ELEMENTS} elements here"))),
    }
}
