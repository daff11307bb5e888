//! Numbering of entries, and one sync for callers that come together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counterfoil::{Error, ErrorKind, Ledger};
use counterfoil_entry::Draft;
use counterfoil_entry::canonical::write_string;

use crate::encode::Encoded;
use crate::receipt::Receipt;

/// Entries that are put into one commit, beyond the first caller's.
const MAX_TOGETHER: usize = 4096;

type Answer = Result<Vec<Receipt>, Error>;

/// A recording program and its gapless counter.
#[derive(Debug)]
pub struct Source {
    name: Arc<str>,
    /// The name as JSON.
    literal: Vec<u8>,
    /// What is added to a place in this ledger, so that places go on from the ledger before.
    offset: u64,
    /// The next number; whoever holds it commits.
    next: Mutex<u64>,
    /// Callers that wait for a commit.
    waiting: Mutex<Vec<Caller>>,
}

#[derive(Debug)]
struct Caller {
    entries: Vec<Encoded>,
    answer: Arc<Mutex<Option<Answer>>>,
}

/// Reads an entry of a batch.
pub fn draft(json: &[u8], position: usize) -> Result<Draft, Error> {
    Draft::parse(json).map_err(|error| {
        let mut error = Error::from(error);
        error.position = Some(position);
        error
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source {
    /// A source that gives out numbers from `next` on, in a spool ledger that begins at place `offset`.
    pub fn new(name: &str, next: u64, offset: u64) -> Self {
        let mut literal = Vec::new();
        write_string(name, &mut literal);
        Self { name: name.into(), literal, offset, next: Mutex::new(next), waiting: Mutex::default() }
    }

    /// Numbers entries and records them: in the order of their numbers, all of them or nothing.
    pub fn append(&self, ledger: &Ledger, entries: Vec<Encoded>) -> Answer {
        for (position, entry) in entries.iter().enumerate() {
            draft(&entry.json, position)?;
        }
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
                        receipts.into_iter().zip(numbers).map(|(receipt, number)| self.spooled(&receipt, number));
                    for caller in callers {
                        let own = given.by_ref().take(caller.entries.len()).collect();
                        lock(&caller.answer).replace(Ok(own));
                    }
                    return;
                }
                Err(error) => match error.position.and_then(|position| owner(&callers, position)) {
                    Some((caller, position)) if error.kind != ErrorKind::Unavailable => {
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

    /// The drafts of all callers, their numbers, and the number after the last.
    #[expect(clippy::type_complexity, reason = "three lists that belong together for three lines")]
    fn numbered(&self, callers: &[Caller], first: u64) -> Result<(Vec<Draft>, Vec<Option<u64>>, u64), Error> {
        let mut next = first;
        let (mut drafts, mut numbers) = (Vec::new(), Vec::new());
        for entry in callers.iter().flat_map(|caller| &caller.entries) {
            if entry.known {
                drafts.push(draft(&entry.json, drafts.len())?);
                numbers.push(None);
                continue;
            }
            let mut json = Vec::with_capacity(entry.json.len() + self.literal.len() + 48);
            json.extend_from_slice(&entry.json[..entry.json.len() - 1]);
            json.extend_from_slice(b",\"source\":");
            json.extend_from_slice(&self.literal);
            json.extend_from_slice(format!(",\"sequence\":{next}}}").as_bytes());
            drafts.push(draft(&json, drafts.len())?);
            numbers.push(Some(next));
            next += 1;
        }
        Ok((drafts, numbers, next))
    }

    fn spooled(&self, receipt: &counterfoil::Receipt, number: Option<u64>) -> Receipt {
        Receipt {
            index: None,
            leaf_hash: None,
            tree_size: None,
            recorded_at: None,
            checkpoint: None,
            source: Some(self.name.clone()),
            sequence: number,
            spooled: Some(self.offset + receipt.index),
        }
    }
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
