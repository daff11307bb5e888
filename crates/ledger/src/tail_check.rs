//! Checking the entries of the tail against their leaf hashes while the ledger already serves, and learning from them by
//! what a repeated submission is known.

use std::thread::JoinHandle;

use counterfoil_entry::Fields;

use crate::error::{Error, ErrorKind, Result};
use crate::seen::{Keys, Seen};
use crate::snapshot::Snapshot;

/// What was seen, once the tail has been read.
#[derive(Debug)]
pub(crate) struct TailCheck {
    running: Option<JoinHandle<Result<Seen>>>,
    seen: Seen,
}

impl TailCheck {
    /// Starts reading the tail of a state.
    pub fn start(snapshot: Snapshot) -> Result<Self> {
        let first = snapshot.sealed_size();
        let running = std::thread::Builder::new().name("counterfoil-tail".into()).spawn(move || read_tail(&snapshot));
        let running = running.map_err(|error| Error::unavailable(format!("no thread to check the tail: {error}")))?;
        Ok(Self { running: Some(running), seen: Seen::starting_at(first) })
    }

    /// What was seen; waits for the reading to end when that is `needed`, and is `None` while it goes on otherwise.
    pub fn get(&mut self, needed: bool) -> Result<Option<&mut Seen>> {
        if let Some(running) = self.running.take_if(|running| needed || running.is_finished()) {
            let seen = running.join();
            self.seen = seen.map_err(|_| Error::new(ErrorKind::Internal, "checking the tail came to no end"))??;
        }
        Ok(if self.running.is_some() { None } else { Some(&mut self.seen) })
    }

    /// Takes back what a commit remembered that was not written after all.
    pub fn take_back(&mut self, remembered: &[(Keys, u64)]) {
        remembered.iter().for_each(|(keys, index)| self.seen.take_back(keys, *index));
    }
}

fn read_tail(snapshot: &Snapshot) -> Result<Seen> {
    let mut seen = Seen::starting_at(snapshot.sealed_size());
    if let Some(newest) = snapshot.segments().last() {
        let states = newest.index()?.sources();
        seen.take_sources(states.map_err(|error| Error::segment(newest.name(), error))?);
    }
    let mut fault = None;
    snapshot.tail(snapshot.sealed_size()..snapshot.size(), &mut |index, bytes| match Fields::split(bytes) {
        Ok(fields) => Keys::of_fields(&fields).iter().for_each(|keys| seen.remember(keys, index)),
        Err(error) => fault = Some(Error::from(error)),
    })?;
    fault.map_or(Ok(seen), Err)
}
