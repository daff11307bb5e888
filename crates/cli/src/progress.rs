//! A progress bar that appears only where somebody waits for it.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a command runs before its bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a bar counts.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Entries, shown as numbers.
    Entries,
    /// Bytes of an input file.
    Bytes,
    /// Questions that are asked of a ledger.
    Steps,
}

/// A bar on standard error, shown after a second and only on a terminal. It is gone when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: AtomicBool,
}

impl Progress {
    /// A bar towards `total`; without a total it only counts.
    pub fn new(what: &'static str, unit: Unit, total: Option<u64>) -> Progress {
        let bar = match total {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()),
        };
        bar.set_style(style(unit, total.is_some()));
        bar.set_message(what);
        Progress { bar, started: Instant::now(), shown: AtomicBool::new(!std::io::stderr().is_terminal()) }
    }

    /// Notes how far the work is.
    pub fn at(&self, done: u64) {
        self.bar.set_position(done);
        if self.started.elapsed() >= PATIENCE && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Notes that so many more are done.
    pub fn more(&self, count: u64) {
        self.at(self.bar.position() + count);
    }

    /// Notes how far the work is, and how much there is in all.
    pub fn of(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.at(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(unit: Unit, bounded: bool) -> ProgressStyle {
    let template = match (unit, bounded) {
        (Unit::Entries, true) => "{msg} {bar:30} {human_pos} of {human_len} entries, {eta} left",
        (Unit::Entries, false) => "{msg} {spinner} {human_pos} entries",
        (Unit::Steps, _) => "{msg} {bar:30} {pos} of {len}",
        (Unit::Bytes, true) => "{msg} {bar:30} {bytes} of {total_bytes}, {eta} left",
        (Unit::Bytes, false) => "{msg} {spinner} {bytes}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
