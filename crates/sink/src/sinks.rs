//! All sinks of a ledger, each on a thread of its own: one that is slow holds up nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Result, Snapshot};

use crate::config::{Config, SinkConfig};
use crate::delivery::{Delivery, Shared, Whole, now};
use crate::event::Event;
use crate::mark::Trail;
use crate::message::Message;
use crate::receiver::Failure;
use crate::state::Store;
use crate::status::Status;

/// How long a sink rests that could not begin.
const REST: Duration = Duration::from_secs(5);
/// How long the end waits for all sinks together; most requests end within 15 seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

/// The sinks of a ledger at work.
#[derive(Debug)]
pub struct Sinks {
    sinks: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Sinks {
    /// Starts to deliver what stands in a trail. `folder` is where the sinks remember: `state/sinks` in the ledger's folder.
    pub fn start(config: &Config, folder: &Path, trail: impl Trail) -> Result<Self> {
        for sink in &config.sinks {
            sink.stays_out_of(ledger_of(folder))?;
        }
        let of = Whole { console: config.console.clone(), drill: config.drill };
        let start = |sink: &SinkConfig| Running::start(sink.clone(), of.clone(), folder, trail.clone());
        Ok(Self { sinks: config.sinks.iter().map(start).collect::<Result<_>>()? })
    }

    /// How each of them is, in the order of the configuration.
    pub fn status(&self) -> Vec<Status> {
        self.sinks.iter().map(|sink| sink.shared.status.lock().expect("no panic while held").clone()).collect()
    }

    /// Ends them, each after the request it is in. One that hangs is left behind after 20 seconds: what was not sent, or was
    /// sent and not remembered, is sent after the next start.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for sink in &self.sinks {
            *sink.shared.ending.lock().expect("no panic while held") = true;
            sink.shared.woken.notify_all();
        }
        let until = Instant::now() + ENDS_WITHIN;
        for thread in self.sinks.iter_mut().filter_map(|sink| sink.thread.take()) {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(LOOK);
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    fn start(config: SinkConfig, of: Whole, folder: &Path, trail: impl Trail) -> Result<Self> {
        let store = Store::new(folder, &config.name)?;
        let shared = Arc::new(Shared::default());
        shared.note(|status| {
            status.name.clone_from(&config.name);
            status.r#type = config.target.name();
            status.address = config.target.address();
        });
        let name = format!("sink-{}", config.name);
        let in_thread = shared.clone();
        let work = move || {
            loop {
                let opened = Delivery::open(&config, of.clone(), store.clone(), trail.clone(), in_thread.clone());
                match opened {
                    Ok(mut delivery) => match catch_unwind(AssertUnwindSafe(|| delivery.run())) {
                        Ok(()) => return,
                        Err(_) => in_thread
                            .note_failure("a defect in Counterfoil stopped the sink; it starts anew".to_owned()),
                    },
                    Err(error) => in_thread.note_failure(error.message),
                }
                if in_thread.wait(REST) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(work);
        let thread =
            thread.map_err(|error| Error::new(ErrorKind::Unavailable, format!("no thread for a sink: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

/// Sends one message, marked as a test, to a sink of that name, and says in words what the receiver answered. The message is
/// about the newest entry of the ledger; the sink's place is left alone.
///
/// Errors: `NotFound` for a sink that is not there; `Unavailable` when the receiver does not take it, with why.
pub fn test(config: &Config, name: &str, snapshot: &Snapshot) -> Result<String> {
    let sink = config.sink(name)?;
    let mut receiver = sink.receiver()?;
    let newest = snapshot.size().checked_sub(1);
    let newest = newest.ok_or_else(|| Error::new(ErrorKind::NotFound, "the ledger has no entry to send"))?;
    let origin = snapshot.origin().as_str();
    let message = Message {
        origin,
        console: config.console.as_deref(),
        dedup_key: format!("{origin}#test-{}", now()),
        events: vec![Event { is_test: true, ..Event::read(newest, &snapshot.entry(newest)?, Some(snapshot))? }],
        count: 1,
        last: newest,
    };
    match receiver.send(&message) {
        Ok(sent) => match sent.refused.first() {
            None => Ok(sent.words),
            Some((_, reason)) => Err(refused(sink, reason)),
        },
        Err(Failure::Later { words, .. } | Failure::Never(words)) => Err(refused(sink, &words)),
    }
}

/// Sends an alert that stands in no ledger, such as what a watcher of another machine's ledger saw, to every sink that takes it,
/// and tries again for a while; the names of the sinks with what their receivers said.
///
/// Errors: `Invalid` for bytes that are no alert's entry.
pub fn send(config: &Config, origin: &str, size: u64, alert: &[u8]) -> Result<Vec<(String, Result<String>)>> {
    let event = Event::read(size, alert, None)?;
    let dedup_key = format!("{origin}#{}", event.entity_id);
    let wanting = config.sinks.iter().filter(|sink| sink.filter.takes(&event));
    Ok(std::thread::scope(|scope| {
        let sent: Vec<_> = wanting
            .map(|sink| {
                let console = config.console.as_deref();
                let (events, dedup_key) = (vec![event.clone()], dedup_key.clone());
                let message = Message { origin, console, dedup_key, events, count: 1, last: size };
                (sink.name.clone(), scope.spawn(move || send_one(sink, &message)))
            })
            .collect();
        let broke = || Error::new(ErrorKind::Internal, "a defect in Counterfoil stopped the sink");
        sent.into_iter().map(|(name, thread)| (name, thread.join().unwrap_or_else(|_| Err(broke())))).collect()
    }))
}

/// Attempts to send what nothing remembers, and the pause after the first; each further one doubles it.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

fn send_one(sink: &SinkConfig, message: &Message<'_>) -> Result<String> {
    let mut attempt = 1;
    loop {
        let sent = match sink.receiver() {
            Ok(mut receiver) => receiver.send(message),
            Err(error) => Err(Failure::later(error.message)),
        };
        match sent {
            Ok(sent) => {
                return sent.refused.first().map_or(Ok(sent.words), |(_, reason)| Err(refused(sink, reason)));
            }
            Err(Failure::Never(words)) => return Err(refused(sink, &words)),
            Err(Failure::Later { words, .. }) if attempt == ATTEMPTS => return Err(refused(sink, &words)),
            Err(Failure::Later { .. }) => std::thread::sleep(FIRST_PAUSE * (1 << (attempt - 1))),
        }
        attempt += 1;
    }
}

/// The ledger's folder, of the folder where its sinks remember.
fn ledger_of(folder: &Path) -> &Path {
    folder.ancestors().nth(2).unwrap_or(folder)
}

fn refused(sink: &SinkConfig, words: &str) -> Error {
    let (name, address) = (&sink.name, sink.address());
    Error::new(ErrorKind::Unavailable, format!("sink {name}, {address}: {words}"))
}
