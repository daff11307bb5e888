//! What no rule over entries can see: how the ledger, its copy, its sinks and its sources are. A condition that begins to hold
//! raises an alert, once; when it holds no more, the alert is resolved.

mod condition;
mod parts;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::Result;

use crate::inbox::{self, Ask, LEVELS, Wanted};
use crate::service::Service;
use crate::verification::conditions::{is_of_verifications, tampering, verification};
pub(crate) use condition::{Condition, first_of};
use condition::{raise, resolve};
use sources::Sources;

/// How often conditions are looked at.
const STEP: Duration = Duration::from_secs(5);

/// Most conditions that hold at once; the others wait.
const MAX_CONDITIONS: usize = 1_000;

/// What the ids of these rules begin with.
const RULES: &str = "counterfoil.";

/// The conditions of one service.
#[derive(Default)]
pub(crate) struct Conditions {
    holding: Mutex<BTreeMap<String, Condition>>,
    sources: Sources,
}

impl Conditions {
    /// Those that hold now.
    pub(crate) fn holding(&self) -> Vec<Condition> {
        self.holding.lock().expect("no panic while held").values().cloned().collect()
    }

    /// Takes up the alerts of conditions that an earlier service raised and did not resolve.
    fn remember(&self, service: &Service) {
        let ask = Ask { wanted: Wanted::Active, rules: Some(RULES), limit: MAX_CONDITIONS, ..Ask::default() };
        let found = inbox::find(&service.engine, &service.snapshot(), &ask);
        let mut holding = self.holding.lock().expect("no panic while held");
        for alert in found.alerts {
            let key = format!("{} {}", alert.rule_id, alert.group_text());
            let condition = Condition {
                id: alert.rule_id.trim_start_matches(RULES).to_owned().into(),
                title: alert.title.into(),
                level: LEVELS.into_iter().find(|level| *level == alert.level).unwrap_or("critical"),
                about: Vec::new(),
                reason: alert.why.unwrap_or_default(),
                since: alert.raised_at,
                indices: Vec::new(),
                runbook: None,
                alert: Some(alert.id),
            };
            holding.entry(key).or_insert(condition);
        }
    }

    /// Compares what holds with what held.
    fn look(&self, service: &Service) -> Result<()> {
        let mut now_holding: BTreeMap<String, Condition> =
            self.seen(service).into_iter().take(MAX_CONDITIONS).map(|condition| (condition.key(), condition)).collect();
        let before = self.holding.lock().expect("no panic while held").clone();
        let mut outcome = Ok(());
        for (key, mut condition) in before {
            match now_holding.get_mut(&key) {
                Some(still) => {
                    (still.since, still.alert) = (condition.since, condition.alert);
                }
                // What verifications found is not known yet.
                None if is_of_verifications(&condition.id) && !service.verifications.took_up() => {
                    now_holding.insert(key, condition);
                }
                None => {
                    // What could not be recorded is tried again.
                    if let Err(error) = resolve(service, condition.alert.as_deref()) {
                        condition.reason = error.message.clone();
                        outcome = Err(error);
                        now_holding.insert(key, condition);
                    }
                }
            }
        }
        for condition in now_holding.values_mut().filter(|condition| condition.alert.is_none()) {
            match raise(service, condition) {
                Ok(alert) => condition.alert = Some(alert),
                Err(error) => outcome = Err(error),
            }
        }
        *self.holding.lock().expect("no panic while held") = now_holding;
        outcome
    }

    fn seen(&self, service: &Service) -> Vec<Condition> {
        let mut seen = Vec::new();
        if service.verifications.took_up() {
            tampering(service, &self.held(), &mut seen);
            verification(service, &mut seen);
        }
        parts::look(service, &mut seen);
        self.sources.look(service, &self.held(), &mut seen);
        seen
    }

    /// The keys of those that hold.
    fn held(&self) -> BTreeSet<String> {
        self.holding.lock().expect("no panic while held").keys().cloned().collect()
    }
}

/// Looks at the conditions until the service ends.
pub(crate) async fn keep_looking(service: Arc<Service>) {
    if service.backing.folder().is_none() {
        return;
    }
    let remembered = service.blocking(|service| {
        service.conditions.remember(service);
        Ok(())
    });
    if let Err(problem) = remembered.await {
        tracing::error!(detail = problem.detail, "earlier alerts cannot be taken up");
    }
    while !service.is_ending() {
        let looked = service.blocking(|service| Ok(service.conditions.look(service)?)).await;
        if let Err(problem) = looked {
            tracing::error!(
                detail = problem.detail,
                "what should be an alert could not be recorded; it is tried again"
            );
        }
        tokio::time::sleep(STEP).await;
    }
}
