//! One kind of verification of a service: when it ran, when it is due, whether it is late.

use std::time::Duration;

use counterfoil_entry::Timestamp;

use super::kind::{Extent, Kind};
use super::run::Run;
use super::scrub;
use crate::moment::{later, now, since};

/// One that could not be run is tried again this soon.
const RETRY: Duration = Duration::from_secs(300);

/// A first one waits this long for the service to come to rest.
const REST: Duration = Duration::from_secs(60);

/// How much later than its interval one may be.
const SLACK: Duration = Duration::from_secs(600);

/// How often a verification that comes to the same again is recorded.
const REPEAT: Duration = Duration::from_secs(3600);

/// One kind of verification of a service.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub kind: Kind,
    /// How often it is due; zero is never.
    pub period: Duration,
    pub due: Timestamp,
    /// The last that was run to its end.
    pub last: Option<Run>,
    /// Why the last could not be run, and how many in a row.
    pub fault: Option<String>,
    pub faults: u64,
    pub running_since: Option<Timestamp>,
    since: Timestamp,
    recorded: Option<Run>,
    /// Those that are not recorded since.
    unrecorded: u64,
}

impl Lane {
    pub fn new(kind: Kind, period: Duration) -> Self {
        let since = now();
        let wait = match kind.extent {
            Extent::New => period,
            Extent::Whole => period.min(REST),
            Extent::Scrub => scrub::step(period),
        };
        Self {
            kind,
            period,
            due: later(since, wait),
            last: None,
            fault: None,
            faults: 0,
            running_since: None,
            since,
            recorded: None,
            unrecorded: 0,
        }
    }

    /// Takes up the newest that an earlier service recorded.
    pub fn remember(&mut self, run: &Run) {
        if self.recorded.is_none() {
            self.recorded = Some(run.clone());
        }
        if self.last.is_none() && run.fault.is_none() {
            self.last = Some(run.clone());
            if self.kind.extent == Extent::Whole {
                self.due = self.due.max(later(run.ended(), self.period));
            }
        }
    }

    pub fn begin(&mut self) {
        let begun = now();
        self.running_since = Some(begun);
        // Whatever becomes of it, it is not begun again at once.
        self.due = later(begun, self.period.min(RETRY));
    }

    /// There is something again to go on from.
    pub fn go_on(&mut self) {
        if self.faults > 0 {
            (self.faults, self.fault, self.due) = (0, None, now());
        }
    }

    /// Takes in one that ended; the entry to record of it, if one is to be.
    pub fn finish(&mut self, run: Run) -> Option<Run> {
        if let Some(fault) = &run.fault {
            self.faults += 1;
            self.fault = Some(fault.clone());
        } else {
            (self.faults, self.fault) = (0, None);
            let begun = self.running_since.unwrap_or_else(now);
            let pause = if self.kind == scrub::KIND { scrub::step(self.period) } else { self.period };
            self.due = later(begun, pause).max(later(now(), Duration::from_millis(500)));
            self.last = Some(run.clone());
        }
        self.worth_recording(run)
    }

    /// What is recorded of it. The ledger does not feed itself: what comes to the same every few minutes is one entry an hour.
    fn worth_recording(&mut self, run: Run) -> Option<Run> {
        self.unrecorded += 1;
        let often = self.kind.extent == Extent::New || run.fault.is_some();
        let repeats = |before: &Run| before.agrees_with(&run) && since(before.ended()) < REPEAT;
        if often && self.recorded.as_ref().is_some_and(repeats) {
            return None;
        }
        let run = Run { runs: std::mem::take(&mut self.unrecorded), ..run };
        self.recorded = Some(run.clone());
        Some(run)
    }

    /// How long ago what it last looked at was looked at; since the start where nothing was.
    pub fn age(&self) -> Duration {
        since(self.last.as_ref().map_or(self.since, Run::ended))
    }

    /// Whether it is later than it may be.
    pub fn is_late(&self) -> bool {
        let period = self.period;
        let allowed = match self.kind.extent {
            Extent::Scrub => period + period / 4,
            _ => period * 2 + period.min(SLACK),
        };
        !period.is_zero() && self.age() > allowed && since(self.since) > allowed.min(SLACK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verification::kind::Of;

    fn ago(seconds: u64) -> Timestamp {
        Timestamp::from_micros(now().micros() - i64::try_from(seconds).expect("small") * 1_000_000)
    }

    /// Whether one of this extent is late, which a service that began so long ago ran so long ago.
    fn is_late(extent: Extent, period: u64, began: u64, ran: Option<u64>) -> bool {
        let kind = Kind { of: Of::Ledger, extent };
        let mut lane = Lane::new(kind, Duration::from_secs(period));
        lane.since = ago(began);
        let run = |ran| Run { finished_at: ago(ran).to_string(), ..Run::begun(kind, ago(ran), 1) };
        lane.last = ran.map(run);
        lane.is_late()
    }

    #[test]
    fn one_is_late_when_twice_its_interval_and_what_it_may_take_has_passed() {
        const HOUR: u64 = 3_600;
        let long_ago = Some(9_000 * HOUR);
        for (extent, period, began, ran, late) in [
            (Extent::New, 300, HOUR, Some(890), false),
            (Extent::New, 300, HOUR, Some(910), true),
            (Extent::New, 300, 890, None, false),
            (Extent::New, 300, 910, None, true),
            (Extent::Whole, 24 * HOUR, 100 * HOUR, Some(48 * HOUR + 590), false),
            (Extent::Whole, 24 * HOUR, 100 * HOUR, Some(48 * HOUR + 610), true),
            (Extent::Scrub, 6 * HOUR, 100 * HOUR, Some(7 * HOUR), false),
            (Extent::Scrub, 6 * HOUR, 100 * HOUR, Some(8 * HOUR), true),
            // Who was stopped for long has ten minutes to begin.
            (Extent::Whole, 24 * HOUR, 590, long_ago, false),
            (Extent::Whole, 24 * HOUR, 610, long_ago, true),
            // Never is never late.
            (Extent::Whole, 0, 100 * HOUR, long_ago, false),
        ] {
            assert_eq!(is_late(extent, period, began, ran), late, "{extent:?} {period} {began} {ran:?}");
        }
    }
}
