//! What Prometheus reads.

mod watch;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use counterfoil::{OnCommit, Receipt};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use self::watch::WatchMetrics;
use crate::service::Service;
use crate::settings::Settings;
use crate::shipping::Shipping;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Proof {
    of: &'static str,
    extent: &'static str,
}

/// The service's measurements.
pub(crate) struct Metrics {
    registry: Registry,
    looking: Mutex<()>,
    append_seconds: Histogram,
    append_entries: Histogram,
    commit_entries: Histogram,
    entries: Counter,
    refused: Family<Reason, Counter>,
    requests: Family<Request, Counter>,
    waiting: Gauge,
    connections: Gauge,
    tree_size: Gauge,
    sealed_size: Gauge,
    unsealed: Gauge,
    verification_age_seconds: Gauge,
    verification_findings: Gauge,
    proof_age_seconds: Family<Proof, Gauge>,
    proof_findings: Family<Proof, Gauge>,
    proof_late: Family<Proof, Gauge>,
    proof_faults: Family<Proof, Gauge>,
    healthy: Gauge,
    only_in_copy_entries: Gauge,
    only_in_copy_bytes: Gauge,
    copy: CopyMetrics,
    lake: LakeMetrics,
    prune_failing: Gauge,
    watch: WatchMetrics,
}

/// How the table of the copy is.
#[derive(Default)]
struct LakeMetrics {
    entries: Gauge,
    failing: Gauge,
}

/// How the copy in an object store is.
#[derive(Default)]
struct CopyMetrics {
    shipped_size: Gauge,
    lag_entries: Gauge,
    lag_seconds: Gauge<f64, AtomicU64>,
    failures: Counter,
    failing: Gauge,
    last_success: Gauge<f64, AtomicU64>,
    bytes: Counter,
    waiting: Gauge,
}

impl CopyMetrics {
    fn register(&self, to: &mut Registry) {
        to.register("shipped_size", "Entries that the copy holds under a checkpoint", self.shipped_size.clone());
        let lost = "Entries that would be lost with the disk now: the copy does not hold them";
        to.register("ship_lag_entries", lost, self.lag_entries.clone());
        let seconds = "For how long the oldest entry that the copy does not hold has been waiting";
        to.register("ship_lag_seconds", seconds, self.lag_seconds.clone());
        to.register("ship_failures", "Shipments that failed since the start", self.failures.clone());
        to.register("ship_failing", "Shipments that failed since the last that worked", self.failing.clone());
        let success = "When something was shipped last, in Unix seconds; 0 before the first time";
        to.register("ship_last_success_timestamp_seconds", success, self.last_success.clone());
        to.register("ship_bytes", "Bytes put into the copy since the start", self.bytes.clone());
        to.register("ship_acks_waiting", "Requests that wait for the copy to hold their entries", self.waiting.clone());
    }

    fn look(&self, shipping: &Shipping, size: u64) {
        let lag = shipping.lag();
        self.shipped_size.set(number(lag.shipped));
        self.lag_entries.set(number(size.saturating_sub(lag.shipped)));
        self.lag_seconds.set(lag.waiting().as_secs_f64());
        raise(&self.failures, lag.failures_total);
        self.failing.set(number(lag.failures));
        self.last_success.set(lag.last_shipped_at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0));
        raise(&self.bytes, lag.bytes);
        self.waiting.set(number(shipping.waiting() as u64));
    }
}

/// Brings a counter up to a total that somebody else keeps.
fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Metrics {
    /// The measurements of a service that is set up like this.
    pub(crate) fn new(settings: &Settings) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("counterfoil"),
            looking: Mutex::default(),
            append_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            append_entries: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            commit_entries: Histogram::new(exponential_buckets(1.0, 4.0, 9)),
            entries: Counter::default(),
            refused: Family::default(),
            requests: Family::default(),
            waiting: Gauge::default(),
            connections: Gauge::default(),
            tree_size: Gauge::default(),
            sealed_size: Gauge::default(),
            unsealed: Gauge::default(),
            verification_age_seconds: Gauge::default(),
            verification_findings: Gauge::default(),
            proof_age_seconds: Family::default(),
            proof_findings: Family::default(),
            proof_late: Family::default(),
            proof_faults: Family::default(),
            healthy: Gauge::default(),
            only_in_copy_entries: Gauge::default(),
            only_in_copy_bytes: Gauge::default(),
            copy: CopyMetrics::default(),
            lake: LakeMetrics::default(),
            prune_failing: Gauge::default(),
            watch: WatchMetrics::default(),
        };
        metrics.registered(settings)
    }

    fn registered(mut self, settings: &Settings) -> Self {
        let to = &mut self.registry;
        to.register("append_seconds", "From an append's arrival to its receipts", self.append_seconds.clone());
        to.register("append_entries", "Entries of an append", self.append_entries.clone());
        let commits = self.commit_entries.clone();
        to.register("commit_entries", "Entries that one sync made durable: the size of a commit", commits);
        to.register("entries_recorded", "Entries recorded since the start", self.entries.clone());
        to.register("refused", "Requests that were refused, by reason", self.refused.clone());
        to.register("requests", "Requests, by route and status", self.requests.clone());
        to.register("appends_waiting", "Appends that wait for their receipts", self.waiting.clone());
        to.register("connections", "Open connections of all protocols", self.connections.clone());
        to.register("tree_size", "Entries in the ledger", self.tree_size.clone());
        to.register("sealed_size", "Entries in sealed segments", self.sealed_size.clone());
        to.register("unsealed_entries", "Entries that no segment holds yet: the seal lag", self.unsealed.clone());
        let age = self.verification_age_seconds.clone();
        to.register("verification_age_seconds", "Since the last whole verification ended; -1 before the first", age);
        let findings = self.verification_findings.clone();
        to.register("verification_findings", "Findings of the last whole verification; -1 before the first", findings);
        let age = "Since the last verification of a kind ended; of a scrub, since the oldest reading of a block";
        to.register("proof_age_seconds", age, self.proof_age_seconds.clone());
        let findings = "Findings of the last verification of a kind; -1 before the first";
        to.register("proof_findings", findings, self.proof_findings.clone());
        to.register("proof_late", "1 while a verification of a kind is late", self.proof_late.clone());
        let faults = "Verifications of a kind in a row that could not be run";
        to.register("proof_faults", faults, self.proof_faults.clone());
        to.register("healthy", "1 while the ledger takes entries", self.healthy.clone());
        let entries = self.only_in_copy_entries.clone();
        to.register("only_in_copy_entries", "Entries that were pruned: the copy alone holds them", entries);
        to.register("only_in_copy_bytes", "Bytes of the files that were pruned", self.only_in_copy_bytes.clone());
        if settings.ship.is_some() {
            self.copy.register(to);
        }
        if settings.lake.is_some() {
            to.register("lake_entries", "Entries in the Iceberg table of the copy", self.lake.entries.clone());
            let failing = "Commits to the table that failed since the last that worked";
            to.register("lake_failing", failing, self.lake.failing.clone());
        }
        if settings.prune_keep.is_some() {
            let failing = "Prunings in the background that failed since the last that worked";
            to.register("prune_failing", failing, self.prune_failing.clone());
        }
        self.watch.register(to, settings.rules.is_some(), settings.sinks.is_some());
        self
    }

    /// Counts an append to a ledger that held `before` entries: those that were there already are not recorded again.
    pub(crate) fn appended(&self, receipts: &[Receipt], before: u64, took: Duration) {
        self.append_seconds.observe(took.as_secs_f64());
        self.append_entries.observe(receipts.len() as f64);
        let new: BTreeSet<u64> =
            receipts.iter().map(|receipt| receipt.index).filter(|index| *index >= before).collect();
        self.entries.inc_by(new.len() as u64);
    }

    /// What the ledger calls after each commit.
    pub(crate) fn on_commit(&self) -> OnCommit {
        let sizes = self.commit_entries.clone();
        Arc::new(move |entries| sizes.observe(entries as f64))
    }

    pub(crate) fn refused(&self, reason: &str) {
        self.refused.get_or_create(&Reason { reason: reason.to_owned() }).inc();
    }

    pub(crate) fn answered(&self, method: &str, route: &str, status: u16) {
        let request = Request { method: method.to_owned(), route: route.to_owned(), status };
        self.requests.get_or_create(&request).inc();
    }

    /// Counts a connection for as long as the answer is held.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// The exposition text (OpenMetrics 1.0), with the ledger's present state.
    pub(crate) fn text(&self, service: &Service) -> String {
        let _one_at_a_time = self.looking.lock().expect("no panic while held");
        let snapshot = service.snapshot();
        self.tree_size.set(number(snapshot.size()));
        self.sealed_size.set(number(snapshot.sealed_size()));
        self.unsealed.set(number(snapshot.size() - snapshot.sealed_size()));
        self.waiting.set(number(service.appends_waiting() as u64));
        self.healthy.set(i64::from(service.backing.fault().is_none()));
        if let Some(shipping) = service.backing.shipping() {
            self.copy.look(shipping, snapshot.size());
        }
        self.watch.look(service);
        if let Ok(only) = snapshot.only_in_copy() {
            let gone = only.map(|only| only.gone).unwrap_or_default();
            self.only_in_copy_entries.set(number(gone.entries));
            self.only_in_copy_bytes.set(number(gone.bytes));
        }
        if let Some(lake) = service.backing.lake() {
            self.lake.entries.set(number(lake.entries()));
            self.lake.failing.set(number(lake.state().failures));
        }
        if let Some(pruning) = service.backing.pruning() {
            self.prune_failing.set(number(pruning.failures));
        }
        let last = service.verifications.last_outcome();
        self.verification_age_seconds.set(last.map_or(-1, |(age, _)| age));
        self.verification_findings.set(last.map_or(-1, |(_, findings)| number(findings)));
        for standing in service.verifications.standing() {
            let proof = Proof { of: standing.of.name(), extent: standing.extent.name() };
            self.proof_age_seconds.get_or_create(&proof).set(number(standing.age_seconds));
            self.proof_findings.get_or_create(&proof).set(standing.findings.map_or(-1, number));
            self.proof_late.get_or_create(&proof).set(i64::from(standing.late));
            self.proof_faults.get_or_create(&proof).set(number(standing.faults));
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes everything");
        text
    }
}

/// One open connection.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}
