//! Recording what is good of several entries.

use std::sync::Arc;

use axum::http::StatusCode;
use counterfoil::{Error, ErrorKind, Receipt};
use counterfoil_entry::Draft;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::access::Principal;
use crate::body::Room;
use crate::problem::{DeniedBecause, Problem};
use crate::service::Service;

/// What an append takes until the ledger has answered it, whether or not its client waited for that: a place among the
/// appends, and the room of its body. Clones are the same load.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    _held: Arc<(OwnedSemaphorePermit, Room)>,
}

impl Load {
    pub(crate) fn new(place: OwnedSemaphorePermit, room: Room) -> Self {
        Self { _held: Arc::new((place, room)) }
    }
}

/// An entry that was not recorded.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Refusal {
    /// Its place among those that were sent, from 0.
    pub(crate) position: usize,
    /// The kind of the error.
    pub(crate) kind: &'static str,
    /// What is wrong.
    pub(crate) detail: String,
}

/// What became of several entries, each by its place among those that were sent.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) receipts: Vec<(usize, Receipt)>,
    pub(crate) refused: Vec<Refusal>,
}

impl Outcomes {
    pub(crate) fn refuse(&mut self, position: usize, kind: &'static str, detail: impl Into<String>) {
        self.refused.push(Refusal { position, kind, detail: detail.into() });
    }

    /// Takes an entry in, unless its event type is not for this principal.
    pub(crate) fn admit(&mut self, principal: &Principal, position: usize, draft: Draft, to: &mut Vec<(usize, Draft)>) {
        match check_prefix(principal, &draft) {
            Ok(()) => to.push((position, draft)),
            Err(problem) => self.refuse(position, problem.kind, problem.detail),
        }
    }

    /// Records what is good: an entry that the ledger refuses for one of these reasons is left out; what stands before and
    /// behind it goes in.
    ///
    /// # Errors
    /// Any other reason, once what stands before is recorded.
    pub(crate) fn record(
        &mut self,
        service: &Service,
        principal: &Principal,
        mut good: Vec<(usize, Draft)>,
        left_out: &[ErrorKind],
    ) -> Result<(), Problem> {
        while !good.is_empty() {
            let drafts = good.iter().map(|(_, draft)| draft.clone()).collect();
            match service.append_now(&principal.name, drafts) {
                Ok(receipts) => self.receipts.extend(good.drain(..).map(|(position, _)| position).zip(receipts)),
                Err(error @ Error { position: Some(at), .. }) if at < good.len() => {
                    let before: Vec<(usize, Draft)> = good.drain(..at).collect();
                    if !before.is_empty() {
                        let (positions, drafts): (Vec<_>, Vec<_>) = before.into_iter().unzip();
                        self.receipts.extend(positions.into_iter().zip(service.append_now(&principal.name, drafts)?));
                    }
                    if !left_out.contains(&error.kind) {
                        return Err(error.into());
                    }
                    let (position, _) = good.remove(0);
                    self.refuse(position, error.kind.name(), error.message);
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.refused.sort_by_key(|refusal| refusal.position);
        Ok(())
    }

    /// The highest index of what was recorded.
    pub(crate) fn last(&self) -> Option<u64> {
        self.receipts.iter().map(|(_, receipt)| receipt.index).max()
    }

    /// What is noted of a request of which something was denied.
    pub(crate) fn denied(&self, principal: &Principal) -> Option<DeniedBecause> {
        let denied = self.refused.iter().find(|refusal| refusal.kind == "denied")?;
        Some(DeniedBecause { who: Arc::clone(&principal.name), reason: denied.detail.clone() })
    }

    /// Why nothing at all was recorded: of one kind when all reasons are.
    pub(crate) fn nothing(self) -> Problem {
        let first = self.refused.first().map(|refusal| (refusal.kind, refusal.detail.as_str()));
        let (kind, reason) = first.unwrap_or(("invalid", "there is no entry"));
        let detail = format!("none of {} entries was recorded; the first: {reason}", self.refused.len());
        let agreed = self.refused.iter().all(|refusal| refusal.kind == kind);
        let kind = if agreed { kind } else { "invalid" };
        let problem = Problem::new(kind, status_of_entry(kind), detail);
        problem.with(self.refused)
    }
}

fn status_of_entry(kind: &str) -> StatusCode {
    match kind {
        "conflict" => StatusCode::CONFLICT,
        "denied" => StatusCode::FORBIDDEN,
        "busy" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// Refuses an event type that the principal's credential is not for.
pub(crate) fn check_prefix(principal: &Principal, draft: &Draft) -> Result<(), Problem> {
    if principal.may_record(&draft.event_type()) {
        return Ok(());
    }
    let detail = format!("{} may not record events of the type {:?}", principal.name, draft.event_type());
    Err(Problem::denied(detail).by(&principal.name))
}
