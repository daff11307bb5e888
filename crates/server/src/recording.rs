//! Recording what is good of several entries.

use counterfoil::{Error, ErrorKind, Receipt};
use counterfoil_entry::Draft;
use serde::Serialize;

use crate::access::Principal;
use crate::problem::Problem;
use crate::service::Service;

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

    /// Records what is good: an entry that the ledger refuses is left out; what stands before and behind it goes in.
    ///
    /// # Errors
    /// What is no fault of one entry.
    pub(crate) fn record(
        &mut self,
        service: &Service,
        principal: &Principal,
        mut good: Vec<(usize, Draft)>,
    ) -> Result<(), Problem> {
        while !good.is_empty() {
            let drafts = good.iter().map(|(_, draft)| draft.clone()).collect();
            match service.append_now(&principal.name, drafts) {
                Ok(receipts) => self.receipts.extend(good.drain(..).map(|(position, _)| position).zip(receipts)),
                Err(Error { position: Some(at), kind, message, .. }) if at < good.len() && is_about_one(kind) => {
                    let before: Vec<(usize, Draft)> = good.drain(..at).collect();
                    let (position, _) = good.remove(0);
                    self.refuse(position, kind.name(), message);
                    if !before.is_empty() {
                        let (positions, drafts): (Vec<_>, Vec<_>) = before.into_iter().unzip();
                        self.receipts.extend(positions.into_iter().zip(service.append_now(&principal.name, drafts)?));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.refused.sort_by_key(|refusal| refusal.position);
        Ok(())
    }
}

fn is_about_one(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Denied | ErrorKind::Busy)
}

/// Refuses an event type that the principal's credential is not for.
pub(crate) fn check_prefix(principal: &Principal, draft: &Draft) -> Result<(), Problem> {
    if principal.may_record(&draft.event_type()) {
        return Ok(());
    }
    let detail = format!("{} may not record events of the type {:?}", principal.name, draft.event_type());
    Err(Problem::denied(detail))
}
