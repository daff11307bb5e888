//! The configuration of sinks: a TOML text with a `[[sink]]` table for each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::catalog;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::filter::{Filter, Level};
use crate::nearest::{did_you_mean, with_nearest};
use crate::receiver::Receiver;
use crate::receiver::{alertmanager, cloudwatch, file, hec, smtp, syslog, webhook};
use crate::secret;

/// The most sinks a ledger may have.
const MAX_SINKS: usize = 64;

/// A member's name with more edits was meant as another; the names are short.
const MOST_EDITS_OF_A_MEMBER: usize = 2;

/// The sinks of a ledger.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where the ledger's console is, for links in messages.
    pub console: Option<String>,
    /// In the order of the file.
    pub sinks: Vec<SinkConfig>,
    /// Whether all of it is a drill: every message says so, and nothing gathers for long.
    pub drill: bool,
}

/// One sink.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// Names its state on disk.
    pub name: String,
    pub(crate) filter: Filter,
    pub(crate) start: Start,
    /// The longest pause between two attempts, in seconds.
    pub(crate) retry_max_s: u64,
    pub(crate) target: Target,
}

/// Where a new sink begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Start {
    /// With what is recorded after it was first started.
    #[default]
    Now,
    /// With the ledger's first entry.
    Beginning,
}

/// What kind of receiver, and its options.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Smtp(smtp::Options),
    Webhook(webhook::Options),
    Hec(hec::Options),
    CloudWatch(cloudwatch::Options),
    Syslog(syslog::Options),
    File(file::Options),
    Alertmanager(alertmanager::Options),
}

/// The members that every sink has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    name: String,
    r#type: String,
    alerts: Option<Level>,
    #[serde(default)]
    events: Vec<String>,
    checkpoints: Option<bool>,
    #[serde(default)]
    start: Start,
    retry_max_s: Option<u64>,
}

const COMMON: [&str; 7] = ["name", "type", "alerts", "events", "checkpoints", "start", "retry_max_s"];
const TYPES: &str = "smtp, webhook, splunk_hec, cloudwatch, syslog, file, alertmanager";

impl Config {
    /// Reads a configuration. `Invalid` with the sink, the member and what to write.
    pub fn parse(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            console: Option<String>,
            #[serde(default)]
            sink: Vec<toml::Table>,
        }
        let file: File = toml::from_str(text).map_err(|error| match toml::from_str::<toml::Table>(text) {
            Ok(table) if table.get("sink").is_some_and(toml::Value::is_table) => {
                invalid("[sink] begins one table: write [[sink]], with two brackets, before each sink")
            }
            _ => invalid(with_nearest(&error.to_string(), &[])),
        })?;
        if file.sink.len() > MAX_SINKS {
            return Err(invalid(format!("{} sinks: at most {MAX_SINKS}", file.sink.len())));
        }
        if let Some(console) = &file.console {
            let is_web = url::Url::parse(console).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
            if !is_web {
                return Err(invalid(format!("console: {console:?} is no address: write https://ledger.example.com")));
            }
        }
        let sinks: Vec<SinkConfig> = file.sink.into_iter().map(SinkConfig::read).collect::<Result<_>>()?;
        let mut names = BTreeSet::new();
        match sinks.iter().find(|sink| !names.insert(&sink.name)) {
            Some(twice) => Err(invalid(format!("sink {}: the name stands twice: give each its own", twice.name))),
            None => Ok(Self {
                console: file.console.map(|link| link.trim_end_matches('/').to_owned()),
                sinks,
                drill: false,
            }),
        }
    }

    /// Reads a configuration's file. Errors as for [`Config::parse`], with the file's name.
    pub fn load(path: &Path) -> Result<Self> {
        let named = |reason: String| invalid(format!("{}: {reason}", path.display()));
        let text = secret::read_regular(path).map_err(named)?;
        Self::parse(&text).map_err(|error| named(error.message))
    }

    /// The sink of that name. `NotFound` with the names there are.
    pub fn sink(&self, name: &str) -> Result<&SinkConfig> {
        let names: Vec<&str> = self.sinks.iter().map(|sink| sink.name.as_str()).collect();
        let missing = || format!("there is no sink {name:?}; there are: {}", names.join(", "));
        let found = self.sinks.iter().find(|sink| sink.name == name);
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, missing()))
    }
}

impl SinkConfig {
    fn read(mut table: toml::Table) -> Result<Self> {
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or("without a name").to_owned();
        let at = |reason: String| invalid(format!("sink {name}: {reason}"));
        let common = COMMON.iter().filter_map(|member| table.remove_entry(*member)).collect::<toml::Table>();
        if let Some(member) = ["name", "type"].into_iter().find(|member| !common.contains_key(*member)) {
            let meant = catalog::spelt_like(member, table.keys().map(String::as_str), MOST_EDITS_OF_A_MEMBER);
            let meant = meant.map(|key| format!(": did you mean it by {key:?}?")).unwrap_or_default();
            return Err(at(format!("{member} is missing{meant}")));
        }
        let common: Common = read(common).map_err(at)?;
        check_name(&common.name).map_err(at)?;
        let target = Target::read(&common.r#type, table).map_err(at)?;
        common.events.iter().try_for_each(|pattern| check_pattern(pattern)).map_err(at)?;
        let alerts = common.alerts.or(common.events.is_empty().then_some(Level::Informational));
        let retry_max_s = common.retry_max_s.unwrap_or(300);
        if !(1..=3600).contains(&retry_max_s) {
            return Err(at(format!("retry_max_s: {retry_max_s} is not between 1 and 3600 seconds")));
        }
        let checkpoints = common.checkpoints.unwrap_or(alerts.is_some() && target.keeps_what_it_gets());
        let filter = Filter { alerts, events: common.events, checkpoints };
        let sink = Self { name: common.name, filter, start: common.start, retry_max_s, target };
        sink.receiver().map_err(|error| at(error.message))?;
        Ok(sink)
    }

    /// The kind of its receiver, as the configuration names it.
    pub fn kind(&self) -> &'static str {
        self.target.name()
    }

    /// Where it delivers, without anything that is secret.
    pub fn address(&self) -> String {
        self.target.address()
    }

    /// Refuses a file that would be written among the ledger's own.
    pub fn stays_out_of(&self, ledger: &Path) -> Result<()> {
        let Target::File(options) = &self.target else { return Ok(()) };
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = real(options.address.parent().unwrap_or(&options.address));
        if !folder.starts_with(real(ledger)) {
            return Ok(());
        }
        let (name, file) = (&self.name, options.address.display());
        Err(invalid(format!("sink {name}: address: {file} stands in the ledger's folder: write it elsewhere")))
    }

    /// Event types that it takes beside alerts, as its filter names them: a type, or a prefix with `*` behind it.
    pub fn events(&self) -> &[String] {
        &self.filter.events
    }

    /// The receiver, with its credentials as they are now.
    pub(crate) fn receiver(&self) -> Result<Box<dyn Receiver>> {
        Ok(match &self.target {
            Target::Smtp(options) => Box::new(smtp::Mail::open(options)?),
            Target::Webhook(options) => Box::new(webhook::Webhook::open(options)?),
            Target::Hec(options) => Box::new(hec::Hec::open(options, &self.name)?),
            Target::CloudWatch(options) => Box::new(cloudwatch::CloudWatch::open(options)?),
            Target::Syslog(options) => Box::new(syslog::Syslog::open(options)?),
            Target::File(options) => Box::new(file::LogFile::open(options)?),
            Target::Alertmanager(options) => Box::new(alertmanager::Alertmanager::open(options)?),
        })
    }
}

impl Target {
    fn read(name: &str, table: toml::Table) -> std::result::Result<Self, String> {
        Ok(match name {
            "smtp" => Self::Smtp(read(table)?),
            "webhook" => Self::Webhook(read(table)?),
            "splunk_hec" => Self::Hec(read(table)?),
            "cloudwatch" => Self::CloudWatch(read(table)?),
            "syslog" => Self::Syslog(read(table)?),
            "file" => Self::File(read(table)?),
            "alertmanager" => Self::Alertmanager(read(table)?),
            other => {
                let near = did_you_mean(other, TYPES.split(", "));
                return Err(format!("type: {other:?} is none of {TYPES}{near}"));
            }
        })
    }

    /// The type's name, as the configuration has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Smtp(_) => "smtp",
            Self::Webhook(_) => "webhook",
            Self::Hec(_) => "splunk_hec",
            Self::CloudWatch(_) => "cloudwatch",
            Self::Syslog(_) => "syslog",
            Self::File(_) => "file",
            Self::Alertmanager(_) => "alertmanager",
        }
    }

    /// Whether what is sent there is kept, as an anchor has to be: chat and paging only tell somebody.
    fn keeps_what_it_gets(&self) -> bool {
        !matches!(self, Self::Webhook(_) | Self::Alertmanager(_))
    }

    /// The address without anything that is secret.
    pub fn address(&self) -> String {
        match self {
            Self::Smtp(options) => options.address.clone(),
            Self::Webhook(options) => options.address.shown(),
            Self::Hec(options) => options.address.clone(),
            Self::CloudWatch(options) => options.address(),
            Self::Syslog(options) => options.address.clone(),
            Self::File(options) => options.address.display().to_string(),
            Self::Alertmanager(options) => options.address.clone(),
        }
    }

    /// How its messages come about.
    pub fn grouping(&self) -> Grouping {
        let within = |window_s| Grouping::Within { window_ms: window_s * 1000, by_alert: false };
        match self {
            Self::Smtp(options) => within(options.group_s),
            Self::Webhook(options) => match options.template {
                webhook::Template::Ocsf => Grouping::Batches,
                webhook::Template::Pagerduty => Grouping::Within { window_ms: options.group_s * 1000, by_alert: true },
                _ => within(options.group_s),
            },
            _ => Grouping::Batches,
        }
    }
}

/// How entries become messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// Each entry stands for itself; what waits goes in one request.
    Batches,
    /// A message for all that belongs together within a window; the first one goes at once.
    Within {
        window_ms: u64,
        /// What becomes of an alert is told of each alone: the receiver keeps a state for each.
        by_alert: bool,
    },
}

/// The default of `group_s`.
pub(crate) fn minute() -> u64 {
    60
}

/// A file of certificates.
pub(crate) type Ca = Option<PathBuf>;

fn read<T: DeserializeOwned>(table: toml::Table) -> std::result::Result<T, String> {
    table.try_into().map_err(|error: toml::de::Error| with_nearest(&error.to_string(), &COMMON).replace('\n', ": "))
}

/// Refuses a pattern that no entry can meet. What the ledger itself records is known; programs may have types of their own.
fn check_pattern(pattern: &str) -> std::result::Result<(), String> {
    if pattern.is_empty() {
        return Err(format!("events: {pattern:?} names nothing: write an event type, or a prefix with * behind it"));
    }
    let own = || catalog::all().iter().filter(|event| event.is_own()).map(|event| event.name);
    let is_met = match pattern.strip_suffix('*') {
        Some(prefix) => own().any(|name| name.starts_with(prefix)),
        None => own().any(|name| name == pattern),
    };
    if is_met || !pattern.starts_with("ledger.") {
        return Ok(());
    }
    Err(format!("events: the ledger records no {pattern:?}{}", did_you_mean(pattern, own())))
}

fn check_name(name: &str) -> std::result::Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if (1..=64).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err("name: write 1 to 64 of a–z, 0–9, - and _: it names a file".to_owned())
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
