//! What is recorded of denied requests: each as it happens, until there are too many; then their number.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use counterfoil::{Ledger, Result};
use counterfoil_entry::{Draft, EntryBuilder, Outcome};
use serde_json::json;

/// Denials a period that become an entry each; what comes beyond them is counted.
const ENTRIES_A_PERIOD: usize = 20;

/// The period.
pub(crate) const PERIOD: Duration = Duration::from_secs(60);

/// Most different denials that are counted apart.
const MAX_KINDS: usize = 200;

/// One request that was not allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Denial {
    /// Who asked, as far as that is known.
    pub(crate) who: String,
    /// From where: an address without port, or the socket.
    pub(crate) peer: String,
    /// Over which protocol and what for.
    pub(crate) what: String,
    /// Why not.
    pub(crate) reason: String,
}

#[derive(Debug)]
struct Period {
    since: Instant,
    entries: usize,
    counted: BTreeMap<Denial, u64>,
    others: u64,
}

/// The denials of one service.
#[derive(Debug)]
pub(crate) struct Denials(Mutex<Period>);

impl Default for Denials {
    fn default() -> Self {
        Self(Mutex::new(Period { since: Instant::now(), entries: 0, counted: BTreeMap::new(), others: 0 }))
    }
}

impl Denials {
    /// Notes one; the entry to record now, if it is to have one of its own.
    pub(crate) fn note(&self, denial: Denial) -> Option<EntryBuilder> {
        let mut period = self.0.lock().expect("no panic while held");
        if period.entries < ENTRIES_A_PERIOD {
            period.entries += 1;
            return Some(entry(&denial, 1));
        }
        match period.counted.len() < MAX_KINDS || period.counted.contains_key(&denial) {
            true => *period.counted.entry(denial).or_default() += 1,
            false => period.others += 1,
        }
        None
    }

    /// Records what was only counted, when a period has passed or the service ends.
    pub(crate) fn settle(&self, ledger: &Ledger, ends: bool) -> Result<()> {
        let (counted, others) = {
            let mut period = self.0.lock().expect("no panic while held");
            if !ends && period.since.elapsed() < PERIOD {
                return Ok(());
            }
            period.since = Instant::now();
            period.entries = 0;
            (std::mem::take(&mut period.counted), std::mem::take(&mut period.others))
        };
        for (denial, count) in counted {
            ledger.record_act(entry(&denial, count))?;
        }
        if others > 0 {
            let several = "several";
            let denial = Denial {
                who: several.into(),
                peer: several.into(),
                what: several.into(),
                reason: "more kinds of denied requests than are counted apart".into(),
            };
            ledger.record_act(entry(&denial, others))?;
        }
        Ok(())
    }
}

fn entry(denial: &Denial, count: u64) -> EntryBuilder {
    Draft::builder("ledger.access_denied", &clean(&denial.who), &clean(&denial.what))
        .entity_type("request")
        .outcome(Outcome::Denied)
        .reason(&denial.reason)
        .context(json!({"peer": denial.peer, "count": count}))
}

/// A text as an identifier: what a stranger sent must not make the entry invalid.
fn clean(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut clean: String = printable.take(60).collect();
    if clean.trim().is_empty() {
        clean = "unknown".to_owned();
    }
    clean
}
