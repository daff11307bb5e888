//! Alerts and entries of a ledger, delivered to people and to SIEMs.
//!
//! A sink reads committed entries behind a durable cursor of its own and sends them as messages: at least once, in order,
//! through outages of the receiver and sudden ends of this program. Alerts are entries (`ledger.alert_raised`), so nothing
//! that was raised can get lost here: what is not delivered is still in the ledger, and the cursor says from where.
//! What operators should know is in `docs/guides/alerts.md`.

mod alert;
mod config;
mod dead;
mod delivery;
mod event;
mod filter;
mod gather;
mod mark;
mod message;
mod nearest;
mod ocsf;
mod receiver;
mod secret;
mod sinks;
mod state;
mod status;
mod text;

pub use config::{Config, SinkConfig};
pub use filter::Level;
pub use mark::Trail;
pub use sinks::{Sinks, send, test};
pub use status::Status;

/// What fuzzing does with a configuration from a stranger: nothing but an error may come of it.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(error) = Config::parse(text)
    {
        assert!(!error.message.is_empty());
    }
}
