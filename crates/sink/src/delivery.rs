//! The work of one sink: read, gather, send, remember, again.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Outcome;

use crate::config::{Grouping, SinkConfig, Start};
use crate::dead::DeadLetter;
use crate::event::Event;
use crate::gather::{Gatherer, readable};
use crate::mark::{Mark, Trail};
use crate::message::Message;
use crate::receiver::{Failure, Receiver, Sent};
use crate::state::{Parcel, State, Store};
use crate::status::Status;

/// How often it looks for new entries.
const LOOK: Duration = Duration::from_millis(100);
/// The pause after a first failure; each further one doubles it, up to the sink's `retry_max_s`.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long messages of a drill gather at most.
const DRILL_WINDOW_MS: u64 = 1000;
/// How often the place is remembered while there is nothing to send.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// How often the ledger is told how far the sink came while it delivers, and after how many entries in any case. What a crash
/// leaves in doubt is sent again from there.
const MARK_PAUSE: Duration = Duration::from_secs(300);
const MARK_ENTRIES: u64 = 1 << 20;
/// After how many entries it is told so at the end, though nothing was delivered: they need not be read again.
const MARK_ENTRIES_AT_END: u64 = 1 << 10;

/// What the thread shares with whoever started it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub status: Mutex<Status>,
    pub ending: Mutex<bool>,
    pub woken: Condvar,
}

impl Shared {
    /// Waits; whether the end was asked for.
    pub fn wait(&self, time: Duration) -> bool {
        let ending = self.ending.lock().expect("no panic while held");
        let (ending, _) = self.woken.wait_timeout_while(ending, time, |ending| !*ending).expect("no panic while held");
        *ending
    }

    pub fn note(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().expect("no panic while held"));
    }

    /// Notes that something failed, in words.
    pub fn note_failure(&self, words: String) {
        self.note(|status| {
            status.failures += 1;
            status.failures_total += 1;
            status.failing_since.get_or_insert_with(now);
            status.last_error = Some(words);
        });
    }
}

/// What all sinks of a configuration share.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// Where the console is.
    pub console: Option<String>,
    /// Whether all of it is a drill.
    pub drill: bool,
}

/// The work of one sink.
pub(crate) struct Delivery<T> {
    config: SinkConfig,
    of: Whole,
    gatherer: Gatherer,
    store: Store,
    trail: T,
    shared: Arc<Shared>,
    receiver: Option<Box<dyn Receiver>>,
    state: State,
    /// What of it is on disk, and since when.
    saved: (State, Instant),
    /// What the ledger was told last, and when by this service.
    marked: Option<(Mark, Option<Instant>)>,
    /// Whether anything was delivered since.
    delivered: bool,
    retry_at: Instant,
    failures: u32,
}

impl<T: Trail> Delivery<T> {
    /// Begins where the sink ended, as far as the ledger knows it, or where a new one begins.
    pub fn open(config: &SinkConfig, of: Whole, store: Store, trail: T, shared: Arc<Shared>) -> Result<Self> {
        let snapshot = trail.snapshot()?;
        let kept = store.load().and_then(|state| state.map(|state| state.within(&snapshot)).transpose());
        let mark = match Mark::newest(&snapshot, &config.name) {
            // What was tampered with is verification's to tell of; it must not hold up the alert about it.
            Err(_) if matches!(kept, Ok(Some(_))) => None,
            mark => mark?,
        };
        let found = match kept {
            Err(error) if error.kind == ErrorKind::Damaged && mark.is_some() => None,
            found => found?,
        };
        let begin = if config.start == Start::Now { snapshot.size() } else { 0 };
        let (state, doubt) = believed(found, mark.as_ref(), begin);
        let grouping = match config.target.grouping() {
            Grouping::Within { window_ms, by_alert } if of.drill => {
                Grouping::Within { window_ms: window_ms.min(DRILL_WINDOW_MS), by_alert }
            }
            grouping => grouping,
        };
        let waiting = state.parcels().flat_map(|parcel| &parcel.listed).filter(|index| **index >= state.next);
        let gatherer = Gatherer { filter: config.filter.clone(), grouping, waiting: waiting.copied().collect() };
        store.save(&state)?;
        let (saved, retry_at) = ((state.clone(), Instant::now()), Instant::now());
        let (config, marked) = (config.clone(), mark.map(|mark| (mark, None)));
        let mut delivery = Self {
            config,
            of,
            gatherer,
            store,
            trail,
            shared,
            receiver: None,
            state,
            saved,
            marked,
            delivered: false,
            retry_at,
            failures: 0,
        };
        if doubt.is_some() || delivery.marked.is_none() {
            delivery.mark(doubt.as_deref());
            // What is delivered first is told at once.
            delivery.marked = delivery.marked.map(|(mark, _)| (mark, None));
        }
        Ok(delivery)
    }

    /// Works until the end is asked for.
    pub fn run(&mut self) {
        loop {
            let more = self.turn().unwrap_or_else(|error| {
                self.fail(error.message, None);
                false
            });
            if self.shared.wait(if more { Duration::ZERO } else { LOOK }) {
                // What is not remembered is read again, and what the ledger was not told is sent again.
                let _ = self.store.save(&self.state);
                self.mark_at_end();
                return;
            }
        }
    }

    /// One round; whether there is more to do at once.
    fn turn(&mut self) -> Result<bool> {
        let snapshot = self.trail.snapshot()?;
        self.forget_what_is_gone(&snapshot)?;
        let mut unreadable = Vec::new();
        let more = self.gatherer.read(&mut self.state, &snapshot, now_ms(), &mut unreadable)?;
        self.bury_unreadable(&unreadable, &snapshot)?;
        self.gatherer.freeze(&mut self.state, now_ms());
        self.note_place(&snapshot);
        self.mark_when_due();
        if self.state.outbox.is_empty() {
            if self.has_changed() || self.saved.1.elapsed() > SAVE_PAUSE {
                self.save_changes()?;
            }
            return Ok(more);
        }
        if Instant::now() < self.retry_at {
            return Ok(false);
        }
        self.save_changes()?;
        self.send(&snapshot)?;
        self.note_place(&snapshot);
        Ok(Instant::now() >= self.retry_at)
    }

    /// Sends the message whose turn it is.
    fn send(&mut self, snapshot: &Snapshot) -> Result<()> {
        let parcel = self.state.outbox.front().expect("there is one").clone();
        let mut unreadable = Vec::new();
        let Some(message) = message(&parcel, snapshot, &self.of, &mut unreadable)? else {
            self.bury_unreadable(&unreadable, snapshot)?;
            self.state.outbox.pop_front();
            return Ok(());
        };
        let indices: Vec<u64> = message.events.iter().map(|event| event.index).collect();
        let sent = match &mut self.receiver {
            Some(receiver) => receiver.send(&message),
            None => match self.config.receiver() {
                Ok(receiver) => self.receiver.insert(receiver).send(&message),
                Err(error) => Err(Failure::later(error.message)),
            },
        };
        match sent {
            Ok(sent) => {
                self.bury_unreadable(&unreadable, snapshot)?;
                self.arrived(&parcel, &indices, snapshot, sent)
            }
            Err(Failure::Later { words, after }) => {
                // What was open may be what is broken, and credentials may have changed.
                self.receiver = None;
                self.fail(words, after);
                Ok(())
            }
            Err(Failure::Never(reason)) => self.refused(&parcel, snapshot, &reason),
        }
    }

    fn arrived(&mut self, parcel: &Parcel, indices: &[u64], snapshot: &Snapshot, sent: Sent) -> Result<()> {
        for (position, reason) in &sent.refused {
            self.bury(&indices[*position..=*position], 1, snapshot, reason)?;
        }
        self.state.outbox.pop_front();
        (self.failures, self.delivered) = (0, true);
        self.shared.note(|status| {
            status.last_success = Some(now());
            status.last_answer = Some(sent.words);
            (status.failing_since, status.last_error, status.failures) = (None, None, 0);
            status.messages_total += 1;
            let taken = parcel.count.saturating_sub(sent.refused.len() as u64);
            status.entries_total = status.entries_total.saturating_add(taken);
        });
        Ok(())
    }

    /// A batch is halved until the entry stands alone that the receiver does not take; a message that is one goes to the
    /// dead letters.
    fn refused(&mut self, parcel: &Parcel, snapshot: &Snapshot, reason: &str) -> Result<()> {
        if self.gatherer.grouping == Grouping::Batches && parcel.listed.len() > 1 {
            let (first, second) = parcel.halves();
            self.state.outbox.pop_front();
            self.state.outbox.push_front(second);
            self.state.outbox.push_front(first);
            return Ok(());
        }
        self.bury(&parcel.listed, parcel.count, snapshot, reason)?;
        self.state.outbox.pop_front();
        self.failures = 0;
        Ok(())
    }

    fn bury(&mut self, indices: &[u64], count: u64, snapshot: &Snapshot, reason: &str) -> Result<()> {
        let dedup_key = format!("{}#{}", snapshot.origin(), indices[0]);
        self.store.bury(&DeadLetter { at: now(), reason, dedup_key: &dedup_key, indices, count })?;
        self.state.dead_letters = self.state.dead_letters.saturating_add(1);
        self.delivered = true;
        Ok(())
    }

    /// Entries that cannot be read are told of by verification; here it is kept that they were not delivered.
    fn bury_unreadable(&mut self, unreadable: &[(u64, Error)], snapshot: &Snapshot) -> Result<()> {
        let Some((_, error)) = unreadable.first() else { return Ok(()) };
        let indices: Vec<u64> = unreadable.iter().map(|(index, _)| *index).collect();
        self.bury(&indices, indices.len() as u64, snapshot, &format!("it cannot be read: {error}"))
    }

    /// A ledger that was restored from a copy may end before what was read: what is gone cannot be sent.
    fn forget_what_is_gone(&mut self, snapshot: &Snapshot) -> Result<()> {
        let size = snapshot.size();
        if self.state.next <= size {
            return Ok(());
        }
        let all = self.state.gathering.drain(..).chain(self.state.outbox.drain(..));
        let gone: Vec<Parcel> = all.collect();
        for parcel in &gone {
            self.bury(&parcel.listed, parcel.count, snapshot, "the ledger was restored and ends before this entry")?;
        }
        self.state.next = size;
        self.save_changes()
    }

    fn fail(&mut self, words: String, after: Option<Duration>) {
        let most = Duration::from_secs(self.config.retry_max_s);
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(most);
        let pause = pause.mul_f64(0.5 + random() / 2.0).max(after.unwrap_or_default().min(most));
        self.retry_at = Instant::now() + pause;
        self.failures += 1;
        self.shared.note_failure(words);
    }

    /// Whether more changed than how far it has read.
    fn has_changed(&self) -> bool {
        let rest = |state: &State| (state.outbox.len(), state.dead_letters, state.gathering.clone());
        rest(&self.state) != rest(&self.saved.0)
    }

    fn save_changes(&mut self) -> Result<()> {
        if self.state != self.saved.0 {
            self.store.save(&self.state)?;
            self.saved = (self.state.clone(), Instant::now());
        }
        Ok(())
    }

    fn mark_when_due(&mut self) {
        let Some((mark, at)) = &self.marked else { return self.mark(None) };
        let rested = at.is_none_or(|at| at.elapsed() >= MARK_PAUSE);
        if self.delivered && rested || self.state.next.saturating_sub(mark.next) >= MARK_ENTRIES {
            self.mark(None);
        }
    }

    fn mark_at_end(&mut self) {
        let is_new = |(mark, _): &(Mark, Option<Instant>)| {
            let read = self.state.next.saturating_sub(mark.next);
            self.delivered || read >= MARK_ENTRIES_AT_END || mark.messages != self.state.digest()
        };
        if self.marked.as_ref().is_none_or(is_new) {
            self.mark(None);
        }
    }

    /// Tells the ledger how far it came, and what was in doubt before. What cannot be recorded is sent again after a crash.
    fn mark(&mut self, doubt: Option<&str>) {
        let mark = Mark::of(&self.state);
        let entry = mark.entry(&self.config.name);
        let entry = doubt.into_iter().fold(entry, |entry, why| entry.outcome(Outcome::Failure).reason(why));
        let _ = self.trail.record(entry);
        (self.marked, self.delivered) = (Some((mark, Some(Instant::now()))), false);
    }

    fn note_place(&self, snapshot: &Snapshot) {
        let state = &self.state;
        self.shared.note(|status| {
            (status.waiting, status.next, status.dead_letters) = (state.waiting(), state.next, state.dead_letters);
            status.behind = snapshot.size().saturating_sub(state.next);
        });
    }
}

/// What of a state is believed: what the ledger knows of. Whoever may write it must not make the sink pass anything over, so
/// what may not have been delivered since is delivered again; what was under way stays the message that it was. With why, where
/// that is in doubt.
fn believed(found: Option<State>, mark: Option<&Mark>, begin: u64) -> (State, Option<String>) {
    let Some(mark) = mark else {
        return (found.unwrap_or_else(|| State { next: begin, ..State::default() }), None);
    };
    let known = found.as_ref().is_some_and(|state| state.digest() == mark.messages);
    let (from, reached) = (mark.from, found.as_ref().map(|state| state.next));
    let state = found.unwrap_or_default();
    if known {
        return (State { next: mark.next, ..state }, None);
    }
    let doubt = match reached {
        Some(reached) => {
            format!("its state says that it came to entry {reached}, and the ledger knows of no more than {from}")
        }
        None => "its state is gone or cannot be read".to_owned(),
    };
    let state = State { next: from, gathering: Vec::new(), ..state };
    (state, Some(format!("{doubt}: what it takes is delivered again from entry {from}")))
}

/// The message of a parcel; none if nothing of it can be read any more.
fn message<'a>(
    parcel: &Parcel,
    snapshot: &'a Snapshot,
    of: &'a Whole,
    unreadable: &mut Vec<(u64, Error)>,
) -> Result<Option<Message<'a>>> {
    let entries = parcel.listed.iter().zip(readable(snapshot, &parcel.listed, unreadable)?);
    let event = |(index, bytes): (&u64, Option<Vec<u8>>)| Some(Event::read(*index, &bytes?, Some(snapshot)));
    let mut events = entries.filter_map(event).collect::<Result<Vec<_>>>()?;
    events.iter_mut().for_each(|event| event.is_drill |= of.drill);
    let origin = snapshot.origin().as_str();
    let dedup_key = parcel.dedup_key(origin);
    let console = of.console.as_deref();
    let message = Message { origin, console, dedup_key, events, count: parcel.count, last: parcel.last };
    Ok((!message.events.is_empty()).then_some(message))
}

/// Now, RFC 3339.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64)
}

/// From 0 to 1.
fn random() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}
