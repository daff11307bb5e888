//! AWS CloudWatch Logs.

use counterfoil::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http::{Answer, Http, check_address};
use super::sigv4::Signer;
use super::{Failure, Format, Receiver, Sent};
use crate::config::{Ca, invalid};
use crate::event::Event;
use crate::message::Message;
use crate::secret::Secret;

/// The longest time between the first and the last event of a request.
const MAX_SPAN_MS: i64 = 24 * 3600 * 1000;
/// The most bytes of a request: those of its messages, and so many for each.
const MAX_BYTES: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    pub region: String,
    /// Another endpoint than AWS's own of the region.
    address: Option<String>,
    pub log_group: String,
    pub log_stream: String,
    /// Whether group and stream are made where they are not there.
    #[serde(default)]
    pub create: bool,
    /// By default `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if it is set, `AWS_SESSION_TOKEN`.
    pub access_key_id: Option<Secret>,
    pub secret_access_key: Option<Secret>,
    pub session_token: Option<Secret>,
    #[serde(default)]
    pub format: Format,
    pub ca: Ca,
}

impl Options {
    pub fn address(&self) -> String {
        let own = || format!("https://logs.{}.amazonaws.com", self.region);
        self.address.as_ref().map_or_else(own, |address| address.trim_end_matches('/').to_owned())
    }
}

/// A log stream.
pub(crate) struct CloudWatch {
    http: Http,
    options: Options,
    signer: Signer,
    session_token: Option<String>,
    host: String,
}

/// An event as the request has it.
#[derive(Serialize)]
struct LogEvent {
    timestamp: i64,
    message: String,
}

impl CloudWatch {
    pub fn open(options: &Options) -> Result<Self> {
        let address = options.address();
        check_address(&address, true)?;
        let url = url::Url::parse(&address).map_err(|error| invalid(format!("address: {error}")))?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let read = |secret: &Option<Secret>, member: &str, variable: &str| {
            secret.clone().unwrap_or_else(|| Secret::Env(variable.to_owned())).read(member)
        };
        let signer = Signer {
            access_key_id: read(&options.access_key_id, "access_key_id", "AWS_ACCESS_KEY_ID")?,
            secret_access_key: read(&options.secret_access_key, "secret_access_key", "AWS_SECRET_ACCESS_KEY")?,
            region: options.region.clone(),
            service: "logs",
        };
        let session_token = match (&options.session_token, &options.access_key_id) {
            (None, Some(_)) => None,
            (None, None) => Secret::Env("AWS_SESSION_TOKEN".to_owned()).read("session_token").ok(),
            (Some(token), _) => Some(token.read("session_token")?),
        };
        Ok(Self {
            http: Http::new(options.ca.as_deref())?,
            host: format!("{}{port}", url.host_str().unwrap_or_default()),
            options: options.clone(),
            signer,
            session_token,
        })
    }

    fn call(&self, action: &str, body: &Value) -> std::result::Result<Answer, Failure> {
        let body = body.to_string();
        let moment = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let target = format!("Logs_20140328.{action}");
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", self.host.as_str()),
            ("x-amz-date", moment.as_str()),
        ];
        headers.extend(self.session_token.as_deref().map(|token| ("x-amz-security-token", token)));
        headers.push(("x-amz-target", &target));
        let authorization = self.signer.authorization("/", &headers, &moment, body.as_bytes());
        headers.push(("authorization", &authorization));
        headers.retain(|(name, _)| *name != "host");
        self.http.post(&format!("{}/", self.options.address()), &headers, body.as_bytes())
    }

    fn create(&self) -> std::result::Result<(), Failure> {
        let names = json!({ "logGroupName": self.options.log_group, "logStreamName": self.options.log_stream });
        let group = json!({ "logGroupName": self.options.log_group });
        for (action, body) in [("CreateLogGroup", &group), ("CreateLogStream", &names)] {
            let answer = self.call(action, body)?;
            if answer.status != 200 && problem(&answer) != "ResourceAlreadyExistsException" {
                return Err(answer.later());
            }
        }
        Ok(())
    }

    /// Puts one batch; the positions in it that were refused.
    fn put(&self, events: &[LogEvent]) -> std::result::Result<Vec<(usize, String)>, Failure> {
        let body = json!({
            "logGroupName": self.options.log_group, "logStreamName": self.options.log_stream, "logEvents": events,
        });
        let mut answer = self.call("PutLogEvents", &body)?;
        if self.options.create && problem(&answer) == "ResourceNotFoundException" {
            self.create()?;
            answer = self.call("PutLogEvents", &body)?;
        }
        match (answer.status, problem(&answer).as_str()) {
            (200, _) => Ok(refused(&answer.body, events.len())),
            (400, "InvalidParameterException") => Err(Failure::Never(answer.words())),
            (400, "ResourceNotFoundException") => {
                let mend = "make the log group and stream, or write create = true";
                Err(Failure::later(format!("{}: {mend}", answer.words())))
            }
            _ => Err(answer.later()),
        }
    }
}

impl Receiver for CloudWatch {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let event = |event: &Event| LogEvent {
            timestamp: event.millis(),
            message: self.options.format.json(event, message.origin).get().to_owned(),
        };
        // In the order of the ledger is in the order of time: `recorded_at` never goes back.
        let events: Vec<LogEvent> = message.events.iter().map(event).collect();
        let mut sent = Sent::saying(format!("{} events put", events.len()));
        let mut from = 0;
        while from < events.len() {
            let to = from + batch(&events[from..]);
            let refused = self.put(&events[from..to])?;
            sent.refused.extend(refused.into_iter().map(|(at, reason)| (from + at, reason)));
            from = to;
        }
        Ok(sent)
    }
}

/// How many of the events go in one request.
fn batch(events: &[LogEvent]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&LogEvent| {
        bytes += event.message.len() + EVENT_OVERHEAD;
        bytes <= MAX_BYTES && event.timestamp - events[0].timestamp < MAX_SPAN_MS
    };
    events.iter().take_while(fits).count().max(1)
}

/// The name of the exception in an answer.
fn problem(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let name = body["__type"].as_str().unwrap_or_default();
    name.rsplit('#').next().unwrap_or_default().to_owned()
}

/// The positions that an answer with success refuses: from the start those too old or expired, to the end those too new.
fn refused(answer: &str, count: usize) -> Vec<(usize, String)> {
    let body: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    let info = &body["rejectedLogEventsInfo"];
    let at = |member: &str| info[member].as_u64().and_then(|at| usize::try_from(at).ok());
    let old = at("tooOldLogEventEndIndex").unwrap_or(0);
    let expired = at("expiredLogEventEndIndex").unwrap_or(0);
    let new = at("tooNewLogEventStartIndex").unwrap_or(count);
    let reason = |position: usize| match position {
        _ if position < old => Some("too old: CloudWatch takes events of the last 14 days"),
        _ if position < expired => Some("older than the retention of the log group"),
        _ if position >= new => Some("too new: CloudWatch takes events at most two hours ahead"),
        _ => None,
    };
    (0..count).filter_map(|position| Some((position, reason(position)?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The API reference: the index of old events is exclusive, that of new ones inclusive.
    #[test]
    fn what_is_refused_is_told_as_the_reference_has_it() {
        let answer = r#"{"rejectedLogEventsInfo":{"tooOldLogEventEndIndex":2,"tooNewLogEventStartIndex":4}}"#;
        let positions: Vec<usize> = refused(answer, 6).into_iter().map(|(position, _)| position).collect();
        assert_eq!(positions, [0, 1, 4, 5]);
        assert!(refused("{}", 6).is_empty());
    }

    #[test]
    fn a_batch_keeps_to_a_day_and_a_mebibyte() {
        let event = |hours: i64, bytes: usize| LogEvent { timestamp: hours * 3_600_000, message: "x".repeat(bytes) };
        assert_eq!(batch(&[event(0, 1), event(23, 1), event(24, 1)]), 2);
        assert_eq!(batch(&[event(0, 600_000), event(0, 600_000)]), 1);
        assert_eq!(batch(&[event(0, 2_000_000)]), 1);
    }
}
