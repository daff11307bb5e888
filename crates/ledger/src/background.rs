//! Work that must not hold up whoever records.

/// How much less of a busy processor a background thread gets: a tenth of what others get.
const NICE: i32 = 10;

/// Lowers the priority of the calling thread for good: while the processors are busy, what waits for an answer goes first. For
/// threads that read; they hold no lock that a commit takes.
pub fn run_in_background() {
    // Without the priority the work is done all the same.
    let _ = rustix::process::nice(NICE);
}
