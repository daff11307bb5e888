//! How the rules, the conditions and the sinks are.

use std::sync::atomic::AtomicU64;

use counterfoil_entry::Timestamp;
use counterfoil_sink::Status;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{number, raise};
use crate::service::Service;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sink {
    sink: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Level {
    level: &'static str,
}

/// The measurements of watching and telling.
#[derive(Default)]
pub(super) struct WatchMetrics {
    rules: RuleMetrics,
    conditions: Family<Level, Gauge>,
    searches_late: Gauge,
    sinks: SinkMetrics,
}

#[derive(Default)]
struct RuleMetrics {
    loaded: Gauge,
    skipped: Gauge,
    behind: Gauge,
    alerts: Counter,
    standing: Gauge,
}

#[derive(Default)]
struct SinkMetrics {
    messages: Family<Sink, Counter>,
    entries: Family<Sink, Counter>,
    failures: Family<Sink, Counter>,
    failing: Family<Sink, Gauge>,
    waiting: Family<Sink, Gauge>,
    dead_letters: Family<Sink, Gauge>,
    last_success: Family<Sink, Gauge<f64, AtomicU64>>,
}

impl WatchMetrics {
    pub(super) fn register(&self, to: &mut Registry, rules: bool, sinks: bool) {
        let conditions = "Conditions that hold and should not, by level";
        to.register("conditions", conditions, self.conditions.clone());
        let late = "Saved searches that began, or wait, more than their own interval after their time";
        to.register("searches_late", late, self.searches_late.clone());
        if rules {
            self.rules.register(to);
        }
        if sinks {
            self.sinks.register(to);
        }
    }

    pub(super) fn look(&self, service: &Service) {
        let holding = service.conditions.holding();
        for level in crate::inbox::LEVELS {
            let count = holding.iter().filter(|condition| condition.level() == level).count();
            self.conditions.get_or_create(&Level { level }).set(number(count as u64));
        }
        self.searches_late.set(number(service.searches.late() as u64));
        if let Some(state) = service.backing.watching() {
            self.rules.loaded.set(number(state.loaded as u64));
            self.rules.skipped.set(number(state.skipped.len() as u64));
            self.rules.behind.set(number(state.behind));
            self.rules.standing.set(i64::from(state.fault.is_some()));
            raise(&self.rules.alerts, state.alerts);
        }
        for status in service.backing.sinks() {
            self.sinks.look(&status);
        }
    }
}

impl RuleMetrics {
    fn register(&self, to: &mut Registry) {
        to.register("rules_loaded", "Rules in force", self.loaded.clone());
        to.register("rules_skipped", "Rules that were left out, with a reason", self.skipped.clone());
        to.register("rules_behind_entries", "Entries that the rules have not seen yet", self.behind.clone());
        to.register("rules_standing", "1 while the rules cannot go on", self.standing.clone());
        to.register("alerts_raised", "Alerts that rules raised since the start", self.alerts.clone());
    }
}

impl SinkMetrics {
    fn register(&self, to: &mut Registry) {
        to.register("sink_messages", "Messages that arrived since the start", self.messages.clone());
        to.register("sink_entries", "Entries that those messages stood for", self.entries.clone());
        to.register("sink_failures", "Attempts that failed since the start", self.failures.clone());
        to.register("sink_failing", "Attempts that failed since the last that worked", self.failing.clone());
        to.register("sink_waiting_entries", "Entries that did not arrive yet", self.waiting.clone());
        to.register("sink_dead_letters", "Messages that were refused for good", self.dead_letters.clone());
        let success = "When a message arrived last, in Unix seconds; 0 before the first time";
        to.register("sink_last_success_timestamp_seconds", success, self.last_success.clone());
    }

    fn look(&self, status: &Status) {
        let of = Sink { sink: status.name.clone() };
        raise(&self.messages.get_or_create(&of), status.messages_total);
        raise(&self.entries.get_or_create(&of), status.entries_total);
        raise(&self.failures.get_or_create(&of), status.failures_total);
        self.failing.get_or_create(&of).set(number(status.failures));
        self.waiting.get_or_create(&of).set(number(status.waiting.saturating_add(status.behind)));
        self.dead_letters.get_or_create(&of).set(number(status.dead_letters));
        let last = status.last_success.as_deref().and_then(|at| Timestamp::parse(at).ok());
        self.last_success.get_or_create(&of).set(last.map_or(0.0, |at| at.micros() as f64 / 1e6));
    }
}
