//! How far the last verification came without a finding: what the next one goes on from. It lies where whoever may write the
//! ledger may write too, so it is believed as far as the ledger itself agrees.

use std::path::PathBuf;
use std::sync::Mutex;

use counterfoil::{Error, ErrorKind, Result, Snapshot, Verified};

use super::kind::Of;
use crate::service::Service;
use crate::state;

/// Where it is kept: in the ledger's `state/`, or in memory where nothing may be written.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<Verified>>);

impl Kept {
    /// The state, if there is one and the ledger agrees with it.
    pub fn read(&self, service: &Service, of: Of, snapshot: &Snapshot) -> Result<Option<Verified>> {
        let Some(state) = self.stored(service, of)? else { return Ok(None) };
        if state.agrees_with(snapshot)? {
            return Ok(Some(state));
        }
        tracing::warn!(
            of = of.name(),
            "the ledger does not agree with what was verified earlier: everything is read again"
        );
        Ok(None)
    }

    fn stored(&self, service: &Service, of: Of) -> Result<Option<Verified>> {
        let Some(path) = path(service, of) else { return Ok(self.0.lock().expect("no panic while held").clone()) };
        match state::read(&path) {
            Ok(text) => Ok(Verified::parse(&text)
                .inspect_err(|error| tracing::warn!(detail = error.message, "everything is read again"))
                .ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, format!("{}: {error}", path.display()))),
        }
    }

    /// Keeps a state that goes further than the one before.
    pub fn write(&self, service: &Service, of: Of, before: Option<u64>, state: Verified) {
        if before.is_some_and(|before| before >= state.size()) {
            return;
        }
        let Some(path) = path(service, of) else {
            *self.0.lock().expect("no panic while held") = Some(state);
            return;
        };
        if let Err(error) = state::replace(&path, state.to_text().as_bytes()) {
            tracing::warn!(detail = %error, "how far the verification came is not kept; the next reads it again");
        }
    }
}

fn path(service: &Service, of: Of) -> Option<PathBuf> {
    let name = format!("verified-{}.json", of.name());
    service.backing.folder().map(|folder| folder.join("state").join(name))
}
