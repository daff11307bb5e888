//! How what the service consists of is: the copy, the disk, the rules, the sinks, the searches.

use std::time::Duration;

use rustix::fs::statvfs;

use super::condition::Condition;
use crate::moment::now;
use crate::service::Service;
use crate::upkeep;

/// How far the copy may be behind.
const MAX_SHIP_LAG: Duration = Duration::from_secs(300);

/// How long a sink may fail, and the rules may stand still.
const PATIENCE: Duration = Duration::from_secs(300);
const MAX_STANDSTILL: Duration = Duration::from_secs(60);

/// The share of the disk, in percent, that is to stay free, and the bytes.
const MIN_FREE_PERCENT: u64 = 5;
const MIN_FREE_BYTES: u64 = 1 << 30;

/// What of them should not be as it is.
pub(super) fn look(service: &Service, seen: &mut Vec<Condition>) {
    copy(service, seen);
    beside_copy(service, seen);
    disk(service, seen);
    watcher(service, seen);
    sinks(service, seen);
    searches(service, seen);
}

fn copy(service: &Service, seen: &mut Vec<Condition>) {
    let Some(shipping) = service.backing.shipping() else { return };
    let lag = shipping.lag();
    let fault = lag.fault.clone().unwrap_or_else(|| "it is slow".to_owned());
    if lag.stopped {
        seen.push(Condition::new("ship-stopped", "The copy holds another history", "critical", fault));
    } else if lag.waiting() > MAX_SHIP_LAG {
        let reason =
            format!("the oldest entry that the copy does not hold waits for {} s: {fault}", lag.waiting().as_secs());
        seen.push(Condition::new("ship-lag", "The copy is behind", "high", reason));
    } else if lag.failures == 0 && (lag.fault.is_some() || lag.taken > 0) {
        let taken = format!("{} of its keys were taken: verify the copy names them", lag.taken);
        let reason = lag.fault.clone().unwrap_or(taken);
        seen.push(Condition::new("ship-foreign", "Somebody else writes into the copy", "high", reason));
    }
}

/// What works with the copy: its table, and pruning.
fn beside_copy(service: &Service, seen: &mut Vec<Condition>) {
    let mut failing = |id, title, state: upkeep::State| {
        if let (Some(fault), Some(since)) = (&state.fault, state.failing().filter(|since| *since > PATIENCE)) {
            let reason = format!("nothing works for {} s: {fault}", since.as_secs());
            seen.push(Condition::new(id, title, "medium", reason));
        }
    };
    if let Some(lake) = service.backing.lake() {
        failing("lake-failing", "The lake table does not grow", lake.state());
    }
    if let Some(pruning) = service.backing.pruning() {
        failing("prune-failing", "Old segments cannot be pruned", pruning);
    }
}

fn disk(service: &Service, seen: &mut Vec<Condition>) {
    if let Some(fault) = service.backing.fault() {
        seen.push(Condition::new("ledger-fault", "The ledger cannot seal, publish or record", "critical", fault));
    }
    let Some(stat) = service.backing.folder().and_then(|folder| statvfs(folder).ok()) else { return };
    let (free, all) = (stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize);
    if free < MIN_FREE_BYTES || free < all / 100 * MIN_FREE_PERCENT {
        let reason = format!("{} MiB are free of {} MiB", free >> 20, all >> 20);
        seen.push(Condition::new("disk-filling", "The ledger's disk is almost full", "high", reason));
    }
}

fn watcher(service: &Service, seen: &mut Vec<Condition>) {
    let Some(state) = service.backing.watching() else { return };
    let stands = state.moved.is_some_and(|moved| moved.elapsed() > MAX_STANDSTILL);
    if stands || state.moved.is_none() && state.fault.is_some() {
        let reason = state.fault.unwrap_or_else(|| format!("{} entries wait", state.behind));
        seen.push(Condition::new("watcher-stalled", "The rules do not see new entries", "critical", reason));
    }
    if let Some(forgot) = state.forgot {
        seen.push(Condition::new("rules-memory", "What the rules remembered is not believed", "high", forgot));
    }
    if let [first, ..] = state.skipped.as_slice() {
        let reason = format!("left out: {}; the first is {first}", state.skipped.len());
        seen.push(Condition::new("rules-skipped", "Rules are left out", "medium", reason));
    }
}

fn sinks(service: &Service, seen: &mut Vec<Condition>) {
    for sink in service.backing.sinks() {
        let about = vec![("sink", sink.name.clone())];
        let since = sink.failing_since.as_deref().and_then(|since| counterfoil_entry::Timestamp::parse(since).ok());
        let failing = since.map(|since| (now().micros() - since.micros()).max(0) as u64 / 1_000_000);
        if let Some(seconds) = failing.filter(|seconds| *seconds > PATIENCE.as_secs()) {
            let reason = format!("nothing arrives for {seconds} s: {}", sink.last_error.unwrap_or_default());
            let failing = Condition::new("sink-failing", "Alerts do not arrive", "high", reason);
            seen.push(Condition { about: about.clone(), ..failing });
        }
        if sink.dead_letters > 0 {
            let reason =
                format!("{} messages were refused for good: state/sinks/{}.dead", sink.dead_letters, sink.name);
            let dead = Condition::new("sink-refused", "Messages were refused for good", "medium", reason);
            seen.push(Condition { about, ..dead });
        }
    }
}

fn searches(service: &Service, seen: &mut Vec<Condition>) {
    if let Some(fault) = service.searches.fault() {
        seen.push(Condition::new("searches-changed", "The saved searches were changed in the folder", "medium", fault));
    }
}
