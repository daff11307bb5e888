//! Splunk's HTTP Event Collector. With indexer acknowledgement a message has arrived when its events are indexed.

use std::path::Path;
use std::time::{Duration, Instant};

use counterfoil::Result;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::{Answer, Http, check_address};
use super::{Failure, Format, Receiver, Sent};
use crate::config::Ca;
use crate::message::Message;
use crate::secret::Secret;

/// How long the indexer may take.
const ACK_PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked.
const ACK_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    /// `https://HOST:8088`
    pub address: String,
    pub token: Secret,
    /// Whether the token has indexer acknowledgement.
    #[serde(default = "yes")]
    pub ack: bool,
    pub index: Option<String>,
    pub sourcetype: Option<String>,
    #[serde(default)]
    pub format: Format,
    pub ca: Ca,
}

fn yes() -> bool {
    true
}

/// A collector.
pub(crate) struct Hec {
    http: Http,
    options: Options,
    authorization: String,
    /// A GUID, the same at each start.
    channel: String,
}

#[derive(Serialize)]
struct HecEvent<'a> {
    time: f64,
    host: &'a str,
    source: &'a str,
    sourcetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    event: Box<RawValue>,
    fields: Fields<'a>,
}

#[derive(Serialize)]
struct Fields<'a> {
    dedup_key: &'a str,
}

impl Hec {
    pub fn open(options: &Options, name: &str) -> Result<Self> {
        check_address(&options.address, true)?;
        let options = Options { address: options.address.trim_end_matches('/').to_owned(), ..options.clone() };
        Ok(Self {
            http: Http::new(options.ca.as_deref().map(Path::new))?,
            authorization: format!("Splunk {}", options.token.read("token")?),
            channel: channel(&options.address, name),
            options,
        })
    }

    fn post(&self, path: &str, body: &[u8]) -> std::result::Result<Answer, Failure> {
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("content-type", "application/json"),
            ("x-splunk-request-channel", self.channel.as_str()),
        ];
        let headers = if self.options.ack { &headers[..] } else { &headers[..2] };
        self.http.post(&format!("{}/services/collector/{path}", self.options.address), headers, body)
    }

    fn body(&self, message: &Message<'_>) -> Vec<u8> {
        let default = match self.options.format {
            Format::Entry => "counterfoil:entry",
            Format::Ocsf => "counterfoil:ocsf",
        };
        let mut body = Vec::new();
        for event in &message.events {
            let line = HecEvent {
                time: event.millis() as f64 / 1000.0,
                host: message.origin,
                source: "counterfoil",
                sourcetype: self.options.sourcetype.as_deref().unwrap_or(default),
                index: self.options.index.as_deref(),
                event: self.options.format.json(event, message.origin),
                fields: Fields { dedup_key: &message.dedup_key },
            };
            serde_json::to_writer(&mut body, &line).expect("texts and numbers are JSON");
            body.push(b'\n');
        }
        body
    }

    /// Asks until the indexer has what was sent.
    fn wait_for_ack(&self, id: u64) -> std::result::Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < ACK_PATIENCE {
            let answer = self.post("ack", json!({ "acks": [id] }).to_string().as_bytes())?.check()?;
            let acks: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
            if acks["acks"][id.to_string()] == Value::Bool(true) {
                return Ok(());
            }
            std::thread::sleep(ACK_PAUSE);
        }
        Err(Failure::later(format!("received, but not indexed within {} s", ACK_PATIENCE.as_secs())))
    }
}

impl Receiver for Hec {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let answer = self.post("event", &self.body(message))?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        // No data, invalid format, event field required, event field blank, error in indexed fields: about the events. The
        // other codes of a 400 are about the channel, the index or the token.
        let about_events = said["code"].as_u64().is_some_and(|code| matches!(code, 5 | 6 | 12 | 13 | 15));
        if answer.status == 400 && !about_events {
            return Err(answer.later());
        }
        let words = answer.words();
        answer.check()?;
        if !self.options.ack {
            return Ok(Sent::saying(words));
        }
        let Some(id) = said["ackId"].as_u64() else {
            let mend = "turn indexer acknowledgement on for the token, or write ack = false";
            return Err(Failure::later(format!("{words}: no acknowledgement was offered: {mend}")));
        };
        self.wait_for_ack(id)?;
        Ok(Sent::saying(format!("{words}; indexed")))
    }
}

/// A GUID made from where and who.
fn channel(address: &str, name: &str) -> String {
    let hex = hex::encode(&Sha256::digest(format!("{address}\n{name}"))[..16]);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
