//! What is recorded of denied requests: each as it happens, until there are too many; then their number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use counterfoil::Result;
use counterfoil_entry::{Draft, EntryBuilder, Outcome};
use serde_json::json;

use crate::access::caller::Peer;
use crate::problem::{DeniedBecause, RefusedBecause};
use crate::service::Service;

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

impl Period {
    fn count(&mut self, denial: Denial, number: u64) {
        match self.counted.len() < MAX_KINDS || self.counted.contains_key(&denial) {
            true => *self.counted.entry(denial).or_default() += number,
            false => self.others += number,
        }
    }
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
        period.count(denial, 1);
        None
    }

    /// Counts denials that could not be recorded, so that they are recorded later.
    pub(crate) fn count(&self, denial: Denial, number: u64) {
        self.0.lock().expect("no panic while held").count(denial, number);
    }

    /// Records what was only counted, when a period has passed or the service ends; what cannot be recorded stays counted.
    ///
    /// # Errors
    /// One of those of `record`.
    pub(crate) fn settle(&self, ends: bool, mut record: impl FnMut(EntryBuilder) -> Result<()>) -> Result<()> {
        let (counted, others) = {
            let mut period = self.0.lock().expect("no panic while held");
            if !ends && period.since.elapsed() < PERIOD {
                return Ok(());
            }
            period.since = Instant::now();
            period.entries = 0;
            (std::mem::take(&mut period.counted), std::mem::take(&mut period.others))
        };
        let mut settled = Ok(());
        for (denial, number) in counted {
            if let Err(error) = record(entry(&denial, number)) {
                settled = Err(error);
                self.count(denial, number);
            }
        }
        if others > 0 {
            let several = "several";
            let denial = Denial {
                who: several.into(),
                peer: several.into(),
                what: several.into(),
                reason: "more kinds of denied requests than are counted apart".into(),
            };
            if let Err(error) = record(entry(&denial, others)) {
                settled = Err(error);
                self.0.lock().expect("no panic while held").others += others;
            }
        }
        settled
    }
}

/// Counts every request that is refused and records each that is denied, whatever refused it.
pub(crate) async fn note_refusals(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map_or("unknown", |peer| &peer.0).to_owned();
    let what = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    if let Some(RefusedBecause(kind)) = response.extensions().get() {
        service.metrics.refused(kind);
    }
    if let Some(DeniedBecause { who, reason }) = response.extensions().get() {
        service.deny(Denial { who: who.to_string(), peer, what, reason: reason.clone() }).await;
    }
    response
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
    let mut clean: String = printable.take(64).collect();
    if clean.trim().is_empty() {
        clean = "unknown".to_owned();
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use counterfoil::{Error, ErrorKind};

    fn denial(number: usize) -> Denial {
        let [who, peer, reason] = ["unknown", "127.0.0.1", "no token"].map(str::to_owned);
        Denial { who, peer, what: format!("GET /{number}"), reason }
    }

    /// What is recorded of denials: the numbers of each entry.
    fn settled(denials: &Denials) -> Vec<u64> {
        let mut counts = Vec::new();
        let recorded = denials.settle(true, |entry| {
            let draft = entry.build_own()?;
            let text = String::from_utf8(draft.client_bytes().to_vec()).expect("text");
            let count = text.split("\"count\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
            counts.push(count.and_then(|count| count.parse().ok()).expect("a count"));
            Ok(())
        });
        recorded.expect("recorded");
        counts
    }

    #[test]
    fn denials_that_cannot_be_recorded_stay_counted() {
        let denials = Denials::default();
        for _ in 0..ENTRIES_A_PERIOD {
            assert!(denials.note(denial(0)).is_some());
        }
        for number in 0..MAX_KINDS + 10 {
            assert!(denials.note(denial(number)).is_none());
            assert!(denials.note(denial(number)).is_none());
        }
        let full = |_| Err(Error::new(ErrorKind::Unavailable, "the disk is full"));
        assert_eq!(denials.settle(true, full).expect_err("full").kind, ErrorKind::Unavailable);
        denials.count(denial(0), 1);
        let counts = settled(&denials);
        assert_eq!(counts.len(), MAX_KINDS + 1);
        assert_eq!(counts.iter().sum::<u64>(), 2 * (MAX_KINDS as u64 + 10) + 1);
        assert!(settled(&denials).is_empty());
    }
}
