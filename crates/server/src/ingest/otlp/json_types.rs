//! The types of single fields in OTLP/JSON, and the way from them to the protobuf types.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// Base64 of bytes values: with or without padding, as the proto3 JSON mapping asks.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Whole doubles up to here are exact integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// From the JSON form of a field to the protobuf one.
pub(super) trait Convert<T> {
    fn convert(self) -> T;
}

impl Convert<String> for String {
    fn convert(self) -> String {
        self
    }
}

impl Convert<Vec<String>> for Vec<String> {
    fn convert(self) -> Vec<String> {
        self
    }
}

impl<J: Convert<T>, T> Convert<Vec<T>> for Vec<J>
where
    J: Message,
{
    fn convert(self) -> Vec<T> {
        self.into_iter().map(Convert::convert).collect()
    }
}

impl<J: Convert<T>, T> Convert<Option<T>> for Option<J> {
    fn convert(self) -> Option<T> {
        self.map(Convert::convert)
    }
}

/// What stands in lists of messages, as opposed to texts.
pub(super) trait Message {}

impl<J> Message for Json<J> {}

/// A message: a JSON object, never a list of its fields.
#[derive(Default)]
pub(super) struct Json<J>(pub J);

impl<J: Convert<T>, T> Convert<T> for Json<J> {
    fn convert(self) -> T {
        self.0.convert()
    }
}

impl<'de, J: Deserialize<'de>> Deserialize<'de> for Json<J> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<J>(PhantomData<J>);

        impl<'de, J: Deserialize<'de>> Visitor<'de> for Fields<J> {
            type Value = J;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<J, A::Error> {
                J::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// A field that is `null` counts as absent.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A number as JSON may write it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a number, or a number in quotes")]
enum Literal {
    Unsigned(u64),
    Signed(i64),
    Double(f64),
    Text(String),
}

/// An integer: a number, or a text with a number.
#[derive(Default)]
pub(super) struct Integer<N>(pub N);

impl<N> Convert<N> for Integer<N> {
    fn convert(self) -> N {
        self.0
    }
}

impl<'de, N: TryFrom<i128>> Deserialize<'de> for Integer<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Literal::deserialize(deserializer)? {
            Literal::Unsigned(number) => Some(i128::from(number)),
            Literal::Signed(number) => Some(i128::from(number)),
            Literal::Double(number) => (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128),
            Literal::Text(text) => text.parse().ok(),
        };
        let number = number.and_then(|number| N::try_from(number).ok());
        number.map(Self).ok_or_else(|| D::Error::custom("not an integer of the field's range"))
    }
}

/// A double: a number, or a text with a number, `NaN`, `Infinity` or `-Infinity`.
pub(super) struct Double(pub f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Literal::deserialize(deserializer)? {
            Literal::Unsigned(number) => Some(number as f64),
            Literal::Signed(number) => Some(number as f64),
            Literal::Double(number) => Some(number),
            Literal::Text(text) => match text.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                digits => digits.parse().ok().filter(|number: &f64| number.is_finite()),
            },
        };
        number.map(Self).ok_or_else(|| D::Error::custom("not a number, NaN, Infinity or -Infinity"))
    }
}

/// An enumeration that protobuf holds as a number.
pub(super) trait Names {
    fn number(name: &str) -> Option<i32>;
}

impl Names for SpanKind {
    fn number(name: &str) -> Option<i32> {
        Self::from_str_name(name).map(|kind| kind as i32)
    }
}

impl Names for StatusCode {
    fn number(name: &str) -> Option<i32> {
        Self::from_str_name(name).map(|code| code as i32)
    }
}

impl Names for SeverityNumber {
    fn number(name: &str) -> Option<i32> {
        Self::from_str_name(name).map(|severity| severity as i32)
    }
}

/// A value of an enumeration: its number, or its name.
pub(super) struct Named<E>(i32, PhantomData<E>);

impl<E> Default for Named<E> {
    fn default() -> Self {
        Self(0, PhantomData)
    }
}

impl<E> Convert<i32> for Named<E> {
    fn convert(self) -> i32 {
        self.0
    }
}

impl<'de, E: Names> Deserialize<'de> for Named<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Literal::deserialize(deserializer)? {
            Literal::Unsigned(number) => i32::try_from(number).ok(),
            Literal::Signed(number) => i32::try_from(number).ok(),
            Literal::Double(_) => None,
            Literal::Text(name) => E::number(&name).or_else(|| name.parse().ok()),
        };
        number.map(|number| Self(number, PhantomData)).ok_or_else(|| D::Error::custom("no such enumeration value"))
    }
}

/// The id of a trace or a span, in hexadecimal digits of either case.
#[derive(Default)]
pub(super) struct Hex(Vec<u8>);

impl Convert<Vec<u8>> for Hex {
    fn convert(self) -> Vec<u8> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(text).map_err(|_| D::Error::custom("an id must be a text of hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}

/// Bytes in base64, with the standard or the URL alphabet.
pub(super) struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?.replace('-', "+").replace('_', "/");
        BASE64.decode(text).map(Self).map_err(|_| D::Error::custom("bytesValue must be base64"))
    }
}
