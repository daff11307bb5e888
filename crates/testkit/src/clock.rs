//! A clock that tests set.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use counterfoil::Clock;

/// How far both clocks go on each time that the wall clock is read.
const TICK_MICROS: u64 = 100;

/// A wall clock that can be stepped and a monotonic one that cannot; both tick by 100 µs at each look at the wall clock.
#[derive(Debug)]
pub struct SimulatedClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl SimulatedClock {
    /// A clock that shows this many microseconds since 1970.
    pub fn new(micros: i64) -> Self {
        Self { wall: AtomicI64::new(micros), monotonic: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let micros = time.as_micros() as u64;
        self.monotonic.fetch_add(micros, Ordering::SeqCst);
        self.wall.fetch_add(micros as i64, Ordering::SeqCst);
    }

    /// Sets the wall clock ahead or back, as an administrator or a broken time server does.
    pub fn step(&self, micros: i64) {
        self.wall.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now_micros(&self) -> i64 {
        self.advance(Duration::from_micros(TICK_MICROS));
        self.wall.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::SeqCst))
    }
}
