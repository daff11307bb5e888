//! When verifications run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use counterfoil_query::Order;
use tokio::sync::oneshot;

use super::Turn;
use super::kind::Kind;
use super::run::Run;
use crate::service::Service;

/// Entries among which earlier runs are looked for at the start, so that its cost does not grow with the ledger.
const LOOK_BACK: u64 = 1 << 20;

/// Most runs that are taken up: with one an hour of two kinds, a daily one is among them.
const MAX_TAKEN_UP: usize = 200;

/// How long it rests before it tries again what it could not do.
const REST: Duration = Duration::from_secs(30);

/// Takes up what earlier services verified, then verifies as often as the settings say.
pub(crate) async fn rounds(service: Arc<Service>) {
    let known = take_up(&service).await;
    service.verifications.took_up.store(true, Ordering::Release);
    let later = async {
        let mut known = known;
        while !known {
            tokio::time::sleep(REST).await;
            known = take_up(&service).await;
        }
    };
    let due = Kind::all(&service.settings).into_iter().filter(|(_, period)| !period.is_zero());
    let lanes = futures::future::join_all(due.map(|(kind, _)| keep_to(Arc::clone(&service), kind)));
    tokio::join!(later, lanes);
}

/// Runs the verifications of one kind, each when it is due.
async fn keep_to(service: Arc<Service>, kind: Kind) {
    loop {
        let wait = service.verifications.due_in(kind);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            continue;
        }
        let (tell, told) = oneshot::channel();
        let then = move || {
            // Who waited may have ended.
            let _ = tell.send(());
        };
        let begun = Turn::take(&service, kind).map(|turn| turn.go("counterfoil".to_owned(), then));
        match begun {
            Some(Ok(())) => {
                let _ = told.await;
            }
            Some(Err(problem)) => {
                tracing::error!(%kind, detail = problem.detail, "the scheduled verification was left out");
                tokio::time::sleep(REST).await;
            }
            // Somebody started one by hand.
            None => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Whether what earlier services verified could be read.
async fn take_up(service: &Arc<Service>) -> bool {
    match service.blocking(|service| Ok(earlier(service)?)).await {
        Ok(runs) => {
            service.verifications.remember(runs);
            true
        }
        Err(problem) => {
            tracing::error!(detail = problem.detail, "earlier verifications cannot be read; it is tried again");
            false
        }
    }
}

fn earlier(service: &Service) -> counterfoil::Result<Vec<Run>> {
    let snapshot = service.snapshot();
    let from = snapshot.size().saturating_sub(LOOK_BACK);
    let runs = format!("index >= {from} AND event_type = 'ledger.verified'");
    let indices = service.engine.select_indices(&snapshot, &runs, Order::Newest(MAX_TAKEN_UP))?;
    let mut runs = Vec::with_capacity(indices.len());
    for bytes in snapshot.entries(&indices)? {
        let fields = counterfoil_entry::Fields::split(&bytes)?;
        runs.extend(fields.context.and_then(|context| serde_json::from_str(context).ok()));
    }
    Ok(runs)
}
