//! Programs that record with numbers of their own: which are missing, and which of them have gone silent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use counterfoil::SourceStatus;

use super::condition::{Condition, first_of};
use crate::service::Service;

/// Conditions of one kind that the sources of one recorder may have at once; the others share one.
const MAX_OF_RECORDER: usize = 50;

const GAP: &str = "source-gap";
const SILENT: &str = "source-silent";

/// What is known of the sources of one ledger.
#[derive(Default)]
pub(super) struct Sources {
    rhythms: Mutex<BTreeMap<(Option<String>, String), Rhythm>>,
    /// The sources at a size of the ledger: finding them reads the tail.
    known: Mutex<(u64, Vec<SourceStatus>)>,
}

/// How often a source records.
struct Rhythm {
    last: u64,
    heard: Instant,
    /// The average pause between two numbers, in seconds, and how many were seen.
    pause: f64,
    seen: u64,
}

impl Rhythm {
    /// Numbers after which a rhythm is known.
    const KNOWN: u64 = 20;

    /// How long its silence may be.
    fn patience(&self) -> Option<Duration> {
        (self.seen >= Self::KNOWN).then(|| Duration::from_secs_f64((self.pause * 10.0).clamp(300.0, 7.0 * 86_400.0)))
    }

    fn hear(&mut self, last: u64) {
        if last == self.last {
            return;
        }
        let numbers = last.saturating_sub(self.last).max(1);
        let pause = self.heard.elapsed().as_secs_f64() / numbers as f64;
        let weight = if self.seen == 0 { 1.0 } else { 0.1 };
        self.pause += weight * (pause - self.pause);
        (self.last, self.heard, self.seen) = (last, Instant::now(), self.seen.saturating_add(numbers));
    }
}

impl Sources {
    pub(super) fn look(&self, service: &Service, held: &BTreeSet<String>, seen: &mut Vec<Condition>) {
        let mut sources = self.known.lock().expect("no panic while held");
        let size = service.snapshot().size();
        if sources.0 != size {
            let Ok(status) = service.backing.status() else { return };
            *sources = (size, status.sources);
        }
        let sources = &sources.1;
        let mut rhythms = self.rhythms.lock().expect("no panic while held");
        let known: BTreeSet<(Option<&str>, &str)> =
            sources.iter().map(|source| (source.recorder.as_deref(), source.source.as_str())).collect();
        rhythms.retain(|(recorder, source), _| known.contains(&(recorder.as_deref(), source.as_str())));
        let mut found: BTreeMap<(&str, &'static str), Vec<Condition>> = BTreeMap::new();
        for source in sources {
            let recorder = source.recorder.as_deref().unwrap_or_default();
            let about =
                vec![("source", source.source.clone()), ("recorder", source.recorder.clone().unwrap_or_default())];
            if let Some((first, last)) = source.gaps.first() {
                let missing = source.gaps.iter().map(|(first, last)| (last - first).saturating_add(1));
                let missing = missing.fold(0, u64::saturating_add);
                let reason = format!("{missing} numbers never arrived, the first from {first} to {last}");
                let gap = Condition::new(GAP, "Entries of a source are missing", "high", reason);
                found.entry((recorder, GAP)).or_default().push(Condition { about: about.clone(), ..gap });
            }
            let fresh = Rhythm { last: source.last, heard: Instant::now(), pause: 0.0, seen: 0 };
            let rhythm = rhythms.entry((source.recorder.clone(), source.source.clone())).or_insert(fresh);
            rhythm.hear(source.last);
            let silent = rhythm.heard.elapsed();
            if rhythm.patience().is_some_and(|patience| silent > patience) {
                let (silent, pause) = (silent.as_secs(), rhythm.pause);
                let reason = format!("nothing for {silent} s; it used to record every {pause:.0} s");
                let silence = Condition::new(SILENT, "A source has gone silent", "medium", reason);
                found.entry((recorder, SILENT)).or_default().push(Condition { about, ..silence });
            }
        }
        for ((recorder, id), conditions) in found {
            // Sources are named by whoever records: one recorder must not hide the others.
            let rest = first_of(conditions, MAX_OF_RECORDER, held, seen);
            if rest > 0 {
                let reason = format!("{rest} more sources of this recorder: GET /api/v1/sources names them");
                let (title, level) = if id == GAP {
                    ("Entries of many sources of a recorder are missing", "high")
                } else {
                    ("Many sources of a recorder have gone silent", "medium")
                };
                let others = Condition::new(id, title, level, reason);
                seen.push(Condition {
                    about: vec![("recorder", recorder.to_owned()), ("others", "all".into())],
                    ..others
                });
            }
        }
    }
}
