//! Rules over a ledger's entries, and alerts that are entries themselves.
//!
//! [`RuleSet`] reads a folder of Sigma documents (detections, correlations, filters) and of detectors, for what Sigma
//! cannot say; documents that do not hold are left out and named. [`Engine`] takes entries in the order of the ledger and
//! says which rules fire. [`Watcher`] does so with a ledger that goes on: it remembers on the disk where it is, and every
//! [`Alert`] is in the ledger once. `docs/guides/rules.md` is the form of the documents.

mod alert;
mod correlation;
mod detector;
mod document;
mod engine;
mod explain;
mod folder;
pub mod limits;
mod mark;
mod names;
mod problem;
mod record;
mod rehearsal;
mod rule;
mod set;
mod shipped;
mod source;
mod state;
mod trial;
mod watcher;

pub use alert::{ALERT_RAISED, Alert, GroupMember};
pub use engine::{Engine, Firing, Load};
pub use folder::Texts;
pub use problem::Problem;
pub use record::Record;
pub use rehearsal::{Rehearsed, Turnout, rehearse};
pub use rule::{Place, RuleInfo, RuleKind};
pub use set::RuleSet;
pub use shipped::shipped;
pub use trial::{Trial, run_tests};
pub use watcher::{Start, Step, Watcher, now};
