//! Numbering and signing of entries, and one sync for callers that come together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use counterfoil::{Error, ErrorKind, Ledger};
use counterfoil_entry::canonical::write_string;
use counterfoil_entry::{Draft, Timestamp};

use crate::receipt::Receipt;
use crate::repeat;
use crate::signer::Signer;

/// Entries that are put into one commit, beyond the first caller's.
const MAX_TOGETHER: usize = 4096;

type Answer = Result<Vec<Receipt>, Error>;

/// A recording program and its gapless counter.
#[derive(Debug)]
pub struct Source {
    name: Arc<str>,
    /// The name as JSON.
    literal: Vec<u8>,
    /// In a spool: what is added to a place in this ledger, so that places go on from the ledger before.
    offset: Option<u64>,
    signer: Option<Signer>,
    /// The next number; whoever holds it commits.
    next: Mutex<u64>,
    /// Callers that wait for a commit.
    waiting: Mutex<Vec<Caller>>,
}

#[derive(Debug)]
struct Caller {
    entries: Vec<Draft>,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// Reads an entry of a batch.
pub fn draft(json: &[u8], position: usize) -> Result<Draft, Error> {
    Draft::parse(json).map_err(|error| at(position, error.into()))
}

fn at(position: usize, mut error: Error) -> Error {
    error.position = Some(position);
    error
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    /// A source that gives out numbers from `next` on. With an `offset`, its receipts are those of a spool ledger that
    /// begins at this place.
    pub fn new(name: &str, next: u64, offset: Option<u64>, signer: Option<Signer>) -> Self {
        let mut literal = Vec::new();
        write_string(name, &mut literal);
        Self { name: name.into(), literal, offset, signer, next: Mutex::new(next), waiting: Mutex::default() }
    }

    /// Numbers entries, signs them and records them: in the order of their numbers, all of them or nothing.
    pub fn append(&self, ledger: &Ledger, entries: Vec<Draft>) -> Answer {
        let answer = Arc::new(Mutex::new(None));
        lock(&self.waiting).push(Caller { entries, answer: answer.clone() });
        let mut next = lock(&self.next);
        if let Some(answer) = lock(&answer).take() {
            return answer;
        }
        loop {
            let callers = self.take_some();
            self.commit(ledger, &mut next, callers);
            if let Some(answer) = lock(&answer).take() {
                return answer;
            }
        }
    }

    fn take_some(&self) -> Vec<Caller> {
        let mut waiting = lock(&self.waiting);
        let mut entries = 0;
        let fits = waiting.iter().take_while(|caller| {
            entries += caller.entries.len();
            entries <= MAX_TOGETHER
        });
        let count = fits.count().max(1).min(waiting.len());
        waiting.drain(..count).collect()
    }

    /// Commits the entries of all these callers at once. A caller with an entry that the ledger refuses is told so and
    /// left out.
    fn commit(&self, ledger: &Ledger, next: &mut u64, mut callers: Vec<Caller>) {
        while !callers.is_empty() {
            let outcome = self.numbered(&callers, *next).and_then(|(drafts, numbers, after)| {
                let receipts = ledger.append_batch(drafts)?;
                *next = after;
                Ok((receipts, numbers))
            });
            match outcome {
                Ok((receipts, numbers)) => {
                    let mut given =
                        receipts.into_iter().zip(numbers).map(|(receipt, number)| self.receipt(receipt, number));
                    for caller in callers {
                        let own = given.by_ref().take(caller.entries.len()).collect();
                        lock(&caller.answer).replace(Ok(own));
                    }
                    return;
                }
                Err(error) => match error.position.and_then(|position| owner(&callers, position)) {
                    Some((caller, position)) if error.kind != ErrorKind::Unavailable => {
                        if self.repeats(&error, &mut callers[caller].entries[position], ledger) {
                            continue;
                        }
                        let caller = callers.remove(caller);
                        lock(&caller.answer).replace(Err(Error { position: Some(position), ..error }));
                    }
                    _ => {
                        for caller in callers {
                            lock(&caller.answer).replace(Err(error.clone()));
                        }
                        return;
                    }
                },
            }
        }
    }

    /// Whether an entry that the ledger calls a conflict is a repeat, in whose place the recorded entry then stands.
    fn repeats(&self, error: &Error, entry: &mut Draft, ledger: &Ledger) -> bool {
        if error.kind != ErrorKind::Conflict || self.signer.is_none() {
            return false;
        }
        let Ok(Some(first)) = repeat::first_of(entry, ledger) else { return false };
        *entry = first;
        true
    }

    /// The drafts of all callers, their numbers, and the number after the last.
    #[expect(clippy::type_complexity, reason = "three lists that belong together for three lines")]
    fn numbered(&self, callers: &[Caller], first: u64) -> Result<(Vec<Draft>, Vec<Option<u64>>, u64), Error> {
        let mut next = first;
        let (mut drafts, mut numbers) = (Vec::<Draft>::new(), Vec::new());
        let mut places = HashMap::new();
        for entry in callers.iter().flat_map(|caller| &caller.entries) {
            if let Some(id) = entry.id().filter(|_| self.signer.is_some() && entry.signature().is_none()) {
                let earlier: Option<&Draft> = places.get(&id).map(|place: &usize| &drafts[*place]);
                if let Some(earlier) = earlier
                    && repeat::repeats(entry, earlier)?
                {
                    let again = earlier.clone();
                    drafts.push(again);
                    numbers.push(None);
                    continue;
                }
                places.entry(id).or_insert(drafts.len());
            }
            let number = self.numbers(entry).then_some(next);
            let draft = self.completed(entry, number).map_err(|error| match error.kind {
                ErrorKind::Unavailable => error,
                _ => at(drafts.len(), error),
            })?;
            drafts.push(draft);
            numbers.push(number);
            next += u64::from(number.is_some());
        }
        Ok((drafts, numbers, next))
    }

    /// Whether an entry gets a number: one that has an `id` is known by that, but what is signed needs one even so.
    fn numbers(&self, entry: &Draft) -> bool {
        entry.source().is_none() && (self.signer.is_some() || entry.id().is_none())
    }

    /// The entry with its number, and signed if this source signs and nobody has. What is signed says its time itself.
    fn completed(&self, entry: &Draft, number: Option<u64>) -> Result<Draft, Error> {
        let signer = self.signer.as_ref().filter(|_| entry.signature().is_none());
        if number.is_none() && signer.is_none() {
            return Ok(entry.clone());
        }
        let own = entry.client_bytes();
        let mut json = Vec::with_capacity(own.len() + self.literal.len() + 96);
        json.extend_from_slice(&own[..own.len() - 1]);
        if signer.is_some() && entry.timestamp().is_none() {
            json.extend_from_slice(b",\"timestamp\":\"");
            now().write(&mut json);
            json.push(b'"');
        }
        if let Some(number) = number {
            json.extend_from_slice(b",\"source\":");
            json.extend_from_slice(&self.literal);
            json.extend_from_slice(format!(",\"sequence\":{number}").as_bytes());
        }
        json.push(b'}');
        let draft = Draft::parse(&json)?;
        match signer {
            Some(signer) => signer.sign(&draft),
            None => Ok(draft),
        }
    }

    fn receipt(&self, receipt: counterfoil::Receipt, number: Option<u64>) -> Receipt {
        let Some(offset) = self.offset else {
            let source = number.map(|_| self.name.clone());
            return Receipt { source, sequence: number, ..Receipt::from(receipt) };
        };
        Receipt {
            index: None,
            leaf_hash: None,
            tree_size: None,
            recorded_at: None,
            checkpoint: None,
            source: Some(self.name.clone()),
            sequence: number,
            spooled: Some(offset + receipt.index),
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Which caller the entry at this position of the whole batch is from, and its position there.
fn owner(callers: &[Caller], position: usize) -> Option<(usize, usize)> {
    let mut before = 0;
    for (number, caller) in callers.iter().enumerate() {
        if position < before + caller.entries.len() {
            return Some((number, position - before));
        }
        before += caller.entries.len();
    }
    None
}
