//! From entries to parcels: what is delivered, and what goes together.

use std::collections::BTreeSet;

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Fields;

use crate::alert::Change;
use crate::config::Grouping;
use crate::event::Event;
use crate::filter::Filter;
use crate::state::{Parcel, State};

/// The most entries that are read at once.
const CHUNK: u64 = 1024;
/// The most entries of a batch, and of those that a message for people holds.
const MAX_BATCH: usize = 500;
const MAX_LISTED: usize = 100;
/// The most bytes of entries in a message.
const MAX_BYTES: u64 = 512 * 1024;
/// The most messages that gather at once; what would begin another goes into one for all the rest.
const MAX_GATHERING: usize = 50;
/// The most batches that wait to be sent; the rest waits in the ledger.
const MAX_OUTBOX: usize = 4;
/// How long the first message waits for what belongs to it.
const SETTLE_MS: u64 = 300;
/// The key of what found no place of its own.
const REST: &str = "rest";

/// The key of checkpoints, and how often they go to people: once a day is enough for an anchor.
const CHECKPOINTS: &str = "checkpoints";
const CHECKPOINTS_MS: u64 = 86_400_000;

/// How long the next message of this key waits.
fn window_of(key: &str, window_ms: u64) -> u64 {
    if key == CHECKPOINTS { CHECKPOINTS_MS } else { window_ms }
}

/// Turns entries into parcels.
#[derive(Debug)]
pub(crate) struct Gatherer {
    pub filter: Filter,
    pub grouping: Grouping,
    /// Entries that are read again and stand in a message that waits.
    pub waiting: BTreeSet<u64>,
}

impl Gatherer {
    /// Reads the next entries; whether there are more to read at once. What cannot be read goes to `unreadable`.
    pub fn read(
        &self,
        state: &mut State,
        snapshot: &Snapshot,
        now_ms: u64,
        unreadable: &mut Vec<(u64, Error)>,
    ) -> Result<bool> {
        let end = snapshot.size().min(state.next + CHUNK);
        if state.next >= end || state.outbox.len() >= MAX_OUTBOX {
            return Ok(false);
        }
        let indices: Vec<u64> = (state.next..end).collect();
        for (index, bytes) in indices.iter().zip(readable(snapshot, &indices, unreadable)?) {
            if let Some(bytes) = bytes.filter(|bytes| self.may_take(bytes)) {
                let event = Event::read(*index, &bytes, Some(snapshot))?;
                if self.filter.takes(&event) && !self.waiting.contains(index) {
                    self.add(state, &event, bytes.len() as u64, now_ms);
                }
            }
            state.next = index + 1;
            if state.outbox.len() >= MAX_OUTBOX {
                unreadable.retain(|(index, _)| *index < state.next);
                return Ok(false);
            }
        }
        Ok(end < snapshot.size())
    }

    /// Whether an entry may be one to deliver. One that cannot be taken apart is verification's to tell of.
    fn may_take(&self, bytes: &[u8]) -> bool {
        Fields::split(bytes).is_ok_and(|fields| self.filter.may_take(&fields.event_type))
    }

    fn add(&self, state: &mut State, event: &Event, bytes: u64, now_ms: u64) {
        match self.grouping {
            Grouping::Batches => {
                let full = |parcel: &Parcel| {
                    parcel.listed.len() >= MAX_BATCH || parcel.bytes.saturating_add(bytes) > MAX_BYTES
                };
                if state.gathering.first().is_some_and(full) {
                    state.outbox.extend(state.gathering.drain(..));
                }
                match state.gathering.first_mut() {
                    Some(parcel) => parcel.add(event.index, bytes, MAX_BATCH),
                    None => state.gathering.push(Parcel::new(String::new(), event.index, bytes, now_ms + SETTLE_MS)),
                }
            }
            Grouping::Within { window_ms, by_alert } => {
                let key = match window_ms {
                    _ if self.filter.takes_as_checkpoint(event) => CHECKPOINTS.to_owned(),
                    0 => event.index.to_string(),
                    _ => key(event, by_alert),
                };
                let place = |state: &State, key: &str| state.gathering.iter().position(|parcel| parcel.key == key);
                let own = place(state, &key);
                let is_full = window_ms > 0 && own.is_none() && state.gathering.len() >= MAX_GATHERING;
                let key = if is_full { REST.to_owned() } else { key };
                let window_ms = window_of(&key, window_ms);
                match place(state, &key) {
                    Some(at) => state.gathering[at].add(event.index, bytes, MAX_LISTED),
                    None => {
                        let next = state.sent_ms.get(&key).map_or(0, |sent| sent.saturating_add(window_ms));
                        let due = next.clamp(now_ms, now_ms + window_ms) + SETTLE_MS;
                        state.gathering.push(Parcel::new(key, event.index, bytes, due));
                    }
                }
            }
        }
    }

    /// Moves what is due to what is sent; whether anything moved. While something is being sent, a message for people goes
    /// on growing.
    pub fn freeze(&self, state: &mut State, now_ms: u64) -> bool {
        let window_ms = match self.grouping {
            Grouping::Batches => 0,
            Grouping::Within { window_ms, .. } => window_ms,
        };
        if !state.outbox.is_empty() {
            return false;
        }
        // A clock that went back must not hold a message longer than a window.
        let is_due = |parcel: &Parcel| {
            let window_ms = window_of(&parcel.key, window_ms);
            parcel.due_ms <= now_ms || parcel.due_ms > now_ms + window_ms + SETTLE_MS
        };
        let (due, gathering) = state.gathering.drain(..).partition(is_due);
        state.gathering = gathering;
        let due: Vec<Parcel> = due;
        let open = |key: &str, sent: u64| sent <= now_ms && now_ms < sent.saturating_add(window_of(key, window_ms));
        state.sent_ms.retain(|key, sent| open(key, *sent));
        let sent = due.iter().filter(|parcel| window_of(&parcel.key, window_ms) > 0);
        state.sent_ms.extend(sent.map(|parcel| (parcel.key.clone(), now_ms)));
        state.outbox.extend(due);
        !state.outbox.is_empty()
    }
}

/// The canonical bytes of entries, none for those that were tampered with or damaged: they must not hold up the alert that
/// tells of them.
pub(crate) fn readable(
    snapshot: &Snapshot,
    indices: &[u64],
    unreadable: &mut Vec<(u64, Error)>,
) -> Result<Vec<Option<Vec<u8>>>> {
    match snapshot.entries(indices) {
        Ok(entries) => return Ok(entries.into_iter().map(Some).collect()),
        Err(error) if !is_broken(&error) => return Err(error),
        Err(_) => {}
    }
    let mut one = |index: &u64| match snapshot.entry(*index) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_broken(&error) => {
            unreadable.push((*index, error));
            Ok(None)
        }
        Err(error) => Err(error),
    };
    indices.iter().map(&mut one).collect()
}

fn is_broken(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Tampered | ErrorKind::Damaged)
}

impl Parcel {
    fn new(key: String, index: u64, bytes: u64, due_ms: u64) -> Self {
        Self { key, listed: vec![index], bytes, count: 1, last: index, due_ms }
    }

    fn add(&mut self, index: u64, bytes: u64, most: usize) {
        if self.listed.len() < most && self.bytes.saturating_add(bytes) <= MAX_BYTES {
            self.listed.push(index);
            self.bytes += bytes;
        }
        self.count = self.count.saturating_add(1);
        self.last = index;
    }

    /// Its halves, of a batch that is refused as a whole.
    pub fn halves(&self) -> (Self, Self) {
        let half = |listed: &[u64]| Self {
            listed: listed.to_vec(),
            count: listed.len() as u64,
            last: listed[listed.len() - 1],
            ..self.clone()
        };
        let (first, second) = self.listed.split_at(self.listed.len() / 2);
        (half(first), half(second))
    }
}

/// What entries of one message have in common.
fn key(event: &Event, by_alert: bool) -> String {
    match &event.alert {
        Some(alert) if alert.change == Change::Raised => {
            let group: Vec<String> = alert.group.iter().map(|(field, value)| format!("{field}={value}")).collect();
            format!("{} {}{}", alert.rule, group.join(" "), if alert.is_drill { " drill" } else { "" })
        }
        Some(alert) if by_alert => format!("{} {}", event.event_type, alert.id),
        _ => event.event_type.clone(),
    }
}
