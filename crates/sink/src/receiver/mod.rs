//! Where messages go, each kind in a file of its own.

use std::time::Duration;

use crate::message::Message;

pub(crate) mod alertmanager;
pub(crate) mod cloudwatch;
pub(crate) mod file;
pub(crate) mod hec;
pub(crate) mod http;
mod sigv4;
pub(crate) mod smtp;
pub(crate) mod syslog;
mod template;
mod tls;
pub(crate) mod webhook;

/// How long a receiver may take to connect, and to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Takes messages.
pub(crate) trait Receiver {
    /// Sends a message and returns when the receiver has it.
    fn send(&mut self, message: &Message<'_>) -> Result<Sent, Failure>;
}

/// What came of a message that the receiver took.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// What the receiver said.
    pub words: String,
    /// Positions of entries that it refused for good all the same, and why.
    pub refused: Vec<(usize, String)>,
}

impl Sent {
    pub fn saying(words: impl Into<String>) -> Self {
        Self { words: words.into(), refused: Vec::new() }
    }
}

/// Why a message did not arrive.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may arrive later, as it is; not before the receiver's own time, if it named one.
    Later { words: String, after: Option<Duration> },
    /// The receiver refuses this message for good.
    Never(String),
}

impl Failure {
    pub fn later(words: impl Into<String>) -> Self {
        Self::Later { words: words.into(), after: None }
    }
}

/// What an error says, with what stands beneath it.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = error.source();
    }
    words
}

/// How SIEMs are sent an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// The entry with its place.
    #[default]
    Entry,
    /// An OCSF event.
    Ocsf,
}

impl Format {
    /// An entry's JSON in this format.
    pub fn json(self, event: &crate::event::Event, origin: &str) -> Box<serde_json::value::RawValue> {
        match self {
            Self::Entry => event.json(origin),
            Self::Ocsf => crate::ocsf::event(event, origin),
        }
    }
}
