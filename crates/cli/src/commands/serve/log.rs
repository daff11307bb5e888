//! The log of a service, on standard error.

use clap::ValueEnum;
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// How it is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Starts it; what is logged says the filter.
pub(super) fn start(filter: Option<&str>, format: LogFormat) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter.unwrap_or("info"));
    let filter = filter.map_err(|error| Failure::invalid(format!("--log: {error}")))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.with_target(false).init(),
    }
    Ok(())
}
