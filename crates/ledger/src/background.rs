//! Work that must not hold up whoever records.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::thread::{Pid, gettid};

/// How much less of a busy processor a background thread gets: a tenth of what others get.
const NICE: i32 = 10;

static THREADS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

thread_local! {
    static LISTED: RefCell<Option<Listed>> = const { RefCell::new(None) };
}

/// A thread's place in the list, for as long as it lives.
struct Listed(Pid);

impl Drop for Listed {
    fn drop(&mut self) {
        threads().retain(|thread| *thread != self.0);
    }
}

fn threads() -> MutexGuard<'static, Vec<Pid>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lowers the priority of the calling thread for good: while the processors are busy, what waits for an answer goes first. For
/// threads that read; they hold no lock that a commit takes.
pub fn run_in_background() {
    // Without the priority the work is done all the same.
    let _ = rustix::process::nice(NICE);
    list();
}

/// What a helper of the calling thread does first: it inherits the priority, and is listed as well.
pub(crate) fn like_the_caller() -> impl Fn() + Copy + Send + Sync {
    let listed = LISTED.with_borrow(Option::is_some);
    move || {
        if listed {
            list();
        }
    }
}

fn list() {
    LISTED.with_borrow_mut(|listed| {
        listed.get_or_insert_with(|| {
            let thread = gettid();
            threads().push(thread);
            Listed(thread)
        });
    });
}

/// The threads of this process that run in the background now.
pub fn background_threads() -> Vec<Pid> {
    threads().clone()
}
