//! One line of a log and the ways its hash may have been made.

use std::io;

use sha2::{Digest, Sha256};

use super::report::Kind;
use crate::json::{Json, JsonError, Text, parse};
use crate::python::dump_members;

const HASH: &str = "hash";
const PREV_HASH: &str = "prev_hash";

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum LineFault {
    Io(io::Error),
    TooLong(u64),
}

/// Why a line is no entry of a log.
#[derive(Debug)]
pub(super) enum LineError {
    Json(JsonError),
    NoObject,
}

/// One line.
pub(super) struct Line {
    /// Members in code point order.
    members: Vec<(Text, Json)>,
    pub(super) duplicates: Vec<String>,
}

impl Line {
    pub(super) fn parse(text: &[u8]) -> Result<Line, LineError> {
        let document = parse(text).map_err(LineError::Json)?;
        let Json::Object(mut members) = document.value else {
            return Err(LineError::NoObject);
        };
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Line { members, duplicates: document.duplicates })
    }

    fn member(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    }

    /// The hash the line carries.
    pub(super) fn hash(&self) -> Option<&str> {
        match self.member(HASH) {
            Some(Json::String(text)) => text.as_str(),
            _ => None,
        }
    }

    /// What the line says came before it.
    pub(super) fn link(&self) -> Link<'_> {
        match self.member(PREV_HASH) {
            None => Link::None,
            Some(Json::String(text)) => match text.as_str() {
                Some(hash) if is_digest(hash) => Link::To(hash),
                _ => Link::Start,
            },
            Some(_) => Link::Start,
        }
    }

    /// The way in which its hash is right, if there is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        let kinds: &[Kind] = match self.link() {
            Link::None => &[Kind::HashOnly, Kind::ChainedAfterHashing],
            _ => &[Kind::Chained, Kind::ChainedAfterHashing, Kind::LinkOutsideHash],
        };
        kinds.iter().copied().find(|kind| self.holds(*kind))
    }

    /// Whether its hash is right for logs of this kind.
    pub(super) fn holds(&self, kind: Kind) -> bool {
        let made = match kind {
            Kind::HashOnly | Kind::Chained => self.digest(|name| name != Some(HASH), None),
            Kind::LinkOutsideHash => self.unlinked_digest(),
            Kind::ChainedAfterHashing => {
                let earlier = Json::String(Text::from(self.unlinked_digest().as_str()));
                self.digest(|_| true, Some(&earlier))
            }
        };
        self.hash() == Some(made.as_str())
    }

    fn unlinked_digest(&self) -> String {
        self.digest(|name| name != Some(HASH) && name != Some(PREV_HASH), None)
    }

    /// SHA-256 of the dump of some members, with another value for `hash`.
    fn digest(&self, wanted: impl Fn(Option<&str>) -> bool, hash: Option<&Json>) -> String {
        let members: Vec<_> = self
            .members
            .iter()
            .filter(|(name, _)| wanted(name.as_str()))
            .map(|(name, value)| match hash {
                Some(hash) if name.as_str() == Some(HASH) => (name, hash),
                _ => (name, value),
            })
            .collect();
        let mut dump = Vec::with_capacity(512);
        dump_members(&members, &mut dump);
        hex::encode(Sha256::digest(&dump))
    }
}

/// What a line's `prev_hash` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// There is no `prev_hash`.
    None,
    /// A chain starts here: `null`, an empty text, zeros, or a word.
    Start,
    /// The hash of the line before.
    To(&'a str),
}

/// Whether a text is a SHA-256 in hexadecimal, other than the zeros that stand for no line.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.bytes().any(|byte| byte != b'0')
}
