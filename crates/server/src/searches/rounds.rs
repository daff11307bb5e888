//! When searches run, and what becomes of what they find.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::Result;
use counterfoil_query::Engine;

use super::finding::{Run, alert, find};
use super::{Raises, Search, trail};
use crate::service::Service;

/// How often the service looks for searches that are due.
const STEP: Duration = Duration::from_secs(5);

/// Runs one that is due, records that it ran, and raises its alert.
fn run(service: &Service, engine: &Engine, search: &Search) -> Result<()> {
    let (snapshot, late) = (service.snapshot(), search.is_overdue());
    let mut found = find(engine, &snapshot, &search.wanted.sql);
    if found.run.fault.is_some() {
        // What it found before is what the next run is held against.
        found.run.digest = search.last.as_ref().map(|last| last.digest.clone()).unwrap_or_default();
    }
    let (run, wanted) = (&found.run, &search.wanted);
    // Whatever becomes of recording it, it is not due again before its time; what was not recorded is found once more then.
    service.searches.ran(search, Run { at: run.at.clone(), ..search.last.clone().unwrap_or_default() }, late);
    let writer = service.backing.writer()?;
    writer.record_act(trail::run(search, run, snapshot.size()))?;
    let other = search.last.as_ref().is_none_or(|last| last.digest != run.digest);
    let raises = match wanted.alert {
        _ if run.fault.is_some() => search.last.as_ref().is_none_or(|last| last.fault.is_none()),
        Raises::Never => false,
        Raises::Rows => run.rows > 0 && other,
        Raises::Always => true,
    };
    if raises {
        writer.record_act(alert(search, &found).entry())?;
    }
    service.searches.ran(search, found.run, late);
    service.searches.change(service.backing.folder(), |_| {})
}

/// Runs searches when they are due until the service ends, once it is known which ones the ledger has.
pub(crate) async fn keep_running(service: Arc<Service>) {
    if service.backing.writer().is_err() {
        return;
    }
    let mut known = false;
    while !service.is_ending() {
        known = known || service.blocking(|service| Ok(service.searches.take_up(service)?)).await.is_ok();
        let due = if known { service.searches.due() } else { Vec::new() };
        for search in due {
            let Ok(engine) = service.query_engine().await else { break };
            let ran = service.reading(move |service| Ok(run(service, &engine, &search)?)).await;
            if let Err(problem) = ran {
                tracing::error!(
                    detail = problem.detail,
                    "what a saved search found could not be recorded; it runs again when it is due"
                );
            }
        }
        tokio::time::sleep(STEP).await;
    }
}
