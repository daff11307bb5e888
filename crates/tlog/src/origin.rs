//! Names: a log's origin and the name of a key.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The identity of a log: the first line of its checkpoints (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// The name in front of a note's signature and in a verifier key (C2SP signed-note).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl Origin {
    /// An origin that can also name a key: not empty, without white space, `+` and control characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_name(text).map(|()| Self(text.to_owned()))
    }

    /// The origin line of a checkpoint found elsewhere. Other logs may use spaces and `+`: C2SP only advises
    /// against it, so only an empty line and control characters are refused.
    pub fn from_line(line: &str) -> Result<Self, Error> {
        match line {
            "" => Err(Error::InvalidName("it is empty")),
            _ if line.contains(char::is_control) => Err(Error::InvalidName("it contains a control character")),
            _ => Ok(Self(line.to_owned())),
        }
    }

    /// The text of the origin line, without its newline.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyName {
    /// A name that is not empty and without white space, `+` and control characters.
    pub fn new(text: &str) -> Result<Self, Error> {
        check_name(text).map(|()| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_name(text: &str) -> Result<(), Error> {
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.contains(char::is_whitespace) {
        "it contains white space"
    } else if text.contains('+') {
        "it contains a plus sign"
    } else if text.contains(char::is_control) {
        "it contains a control character"
    } else {
        return Ok(());
    };
    Err(Error::InvalidName(reason))
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl FromStr for KeyName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl From<&KeyName> for Origin {
    fn from(name: &KeyName) -> Self {
        Self(name.0.clone())
    }
}

impl TryFrom<&Origin> for KeyName {
    type Error = Error;

    fn try_from(origin: &Origin) -> Result<Self, Error> {
        Self::new(&origin.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
