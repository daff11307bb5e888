//! Reading every sealed block again within a time, a few segments at a time: those first whose files look otherwise than when
//! they were read last, then those that were read longest ago.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use counterfoil::{Error, Result, SealedSegment, Snapshot, Stamp};
use counterfoil_entry::Timestamp;
use counterfoil_evidence::Finding;
use serde::{Deserialize, Serialize};

use super::kind::{Extent, Kind, Of};
use super::run::{Run, Told};
use crate::moment::now;
use crate::service::Service;
use crate::state;

/// The kind that this is.
pub(super) const KIND: Kind = Kind { of: Of::Ledger, extent: Extent::Scrub };

/// How many steps a period has. All segments are read in three quarters of them: the rest is for what takes longer.
const STEPS: u32 = 60;
const READ_WITHIN: f64 = 0.75;

/// What is known of a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    /// When it was read, or first met, in microseconds since 1970.
    at: i64,
    /// Whether it was only met.
    #[serde(default)]
    unread: bool,
    stamps: [Option<Stamp>; 3],
    /// Whether something is wrong with it: then it is read at each step.
    #[serde(default)]
    suspect: bool,
    #[serde(skip)]
    findings: Vec<Told>,
}

/// The segments as they were read last, by their first entry.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    seen: Option<BTreeMap<u64, Seen>>,
    /// Since when this round goes on: it ends when every segment was read.
    round: Option<Timestamp>,
    told: Vec<Told>,
}

/// How often a step is due.
pub(super) fn step(period: Duration) -> Duration {
    (period / STEPS).clamp(Duration::from_millis(500), Duration::from_secs(60))
}

impl Scrub {
    /// Reads the segments whose turn it is. What is known now, and whether it is to be recorded: at the end of a round, and when
    /// other findings came up.
    pub fn go_on(&mut self, service: &Service, period: Duration) -> Result<(Run, bool)> {
        let snapshot = service.snapshot();
        let mut seen = self.seen.take().unwrap_or_else(|| remembered(service));
        let (read, fault) = read_due(&mut seen, &snapshot, period, &|| service.snapshot());
        let begun = *self.round.get_or_insert_with(now);
        let oldest = seen.values().map(|seen| seen.at).min().unwrap_or_else(|| now().micros());
        let told: Vec<Told> = seen.values().flat_map(|seen| seen.findings.iter().cloned()).collect();
        let read = read > 0;
        if read && let Some(path) = path(service) {
            keep(&path, &seen);
        }
        let all_read = seen.values().all(|seen| !seen.unread);
        self.seen = Some(seen);
        if let Some(fault) = fault {
            return Err(fault);
        }
        let ends = read && oldest >= begun.micros() && all_read;
        let news = told != self.told;
        self.told.clone_from(&told);
        if ends {
            self.round = None;
        }
        let run = Run::begun(KIND, begun, snapshot.sealed_size());
        let finished_at = Timestamp::from_micros(oldest).to_string();
        let run = Run { finished_at, entries_checked: snapshot.sealed_size(), ..run };
        Ok((run.with(told), ends || news))
    }
}

/// Reads the segments whose turn it is: how many, and why others could not be read.
fn read_due(
    seen: &mut BTreeMap<u64, Seen>,
    snapshot: &Snapshot,
    period: Duration,
    newest: &dyn Fn() -> Snapshot,
) -> (usize, Option<Error>) {
    let segments = snapshot.segments();
    let known: Vec<u64> = segments.iter().map(SealedSegment::first).collect();
    seen.retain(|first, _| known.binary_search(first).is_ok());
    let steps = period.as_secs_f64() * READ_WITHIN / step(period).as_secs_f64();
    let at_once = (segments.len() as f64 / steps.max(1.0)).ceil() as usize;
    let due = now().micros() - (period.as_micros() as f64 * READ_WITHIN) as i64;
    let (mut first, mut turn) = (Vec::new(), Vec::new());
    for segment in segments {
        let stamps = segment.stamps();
        let met = Seen { at: now().micros(), unread: true, stamps, suspect: false, findings: Vec::new() };
        let last = seen.entry(segment.first()).or_insert(met);
        if last.suspect || last.stamps != stamps {
            first.push(segment);
        } else if last.unread || last.at <= due || last.at > now().micros() {
            // A moment that is yet to come is none.
            turn.push(((!last.unread, last.at), segment));
        }
    }
    turn.sort_by_key(|(place, _)| *place);
    let turn = turn.into_iter().take(at_once).map(|(_, segment)| segment);
    let (mut read, mut fault) = (0, None);
    for segment in first.into_iter().chain(turn) {
        let stamps = segment.stamps();
        let findings: Vec<Told> = match reread(&segment, newest) {
            Ok(findings) => findings.iter().map(Told::of).collect(),
            Err(error) => {
                fault = Some(error);
                // The others have their turn before it has the next.
                if let Some(last) = seen.get_mut(&segment.first()) {
                    last.at = now().micros();
                    last.unread = true;
                }
                continue;
            }
        };
        let last = Seen { at: now().micros(), unread: false, stamps, suspect: !findings.is_empty(), findings };
        seen.insert(segment.first(), last);
        read += 1;
    }
    (read, fault)
}

/// Reads a segment again. It may have been pruned since the snapshot was taken, whose trail does not say so.
fn reread(segment: &SealedSegment, newest: &dyn Fn() -> Snapshot) -> Result<Vec<Finding>> {
    let findings = segment.reread()?;
    let now = || newest().segments().into_iter().find(|now| now.first() == segment.first());
    match findings.is_empty() {
        true => Ok(findings),
        false => now().map_or(Ok(findings), |now| now.reread()),
    }
}

/// What an earlier service read. Whoever may write there can put a reading off by one period, and no longer.
fn remembered(service: &Service) -> BTreeMap<u64, Seen> {
    let text = path(service).and_then(|path| state::read(&path).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn keep(path: &std::path::Path, seen: &BTreeMap<u64, Seen>) {
    let text = serde_json::to_vec(seen).expect("numbers are JSON");
    if let Err(error) = state::replace(path, &text) {
        tracing::warn!(detail = %error, "which segments were read is not kept; they are read again after a restart");
    }
}

fn path(service: &Service) -> Option<PathBuf> {
    service.backing.folder().map(|folder| folder.join("state").join("scrub.json"))
}
