//! All sinks of a ledger, each on a thread of its own: one that is slow holds up nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result, Snapshot};

use crate::config::{Config, SinkConfig};
use crate::delivery::{Delivery, Shared, Whole, now};
use crate::event::Event;
use crate::message::Message;
use crate::receiver::Failure;
use crate::state::Store;
use crate::status::Status;

/// How long a sink rests that could not begin.
const REST: Duration = Duration::from_secs(5);

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
    /// Starts to deliver what `snapshot` gives. `folder` is where the sinks remember: `state/sinks` in the ledger's folder.
    pub fn start(
        config: &Config,
        folder: &Path,
        snapshot: impl Fn() -> Result<Snapshot> + Clone + Send + 'static,
    ) -> Result<Self> {
        for sink in &config.sinks {
            sink.stays_out_of(ledger_of(folder))?;
        }
        let of = Whole { console: config.console.clone(), drill: config.drill };
        let start = |sink: &SinkConfig| Running::start(sink.clone(), of.clone(), folder, snapshot.clone());
        Ok(Self { sinks: config.sinks.iter().map(start).collect::<Result<_>>()? })
    }

    /// How each of them is, in the order of the configuration.
    pub fn status(&self) -> Vec<Status> {
        self.sinks.iter().map(|sink| sink.shared.status.lock().expect("no panic while held").clone()).collect()
    }

    /// Ends them, each after the request it is in (at most 15 seconds; a minute where Splunk has to acknowledge). What was
    /// not sent is sent after the next start.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for sink in &self.sinks {
            *sink.shared.ending.lock().expect("no panic while held") = true;
            sink.shared.woken.notify_all();
        }
        for sink in &mut self.sinks {
            if let Some(thread) = sink.thread.take() {
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
    fn start(
        config: SinkConfig,
        of: Whole,
        folder: &Path,
        snapshot: impl Fn() -> Result<Snapshot> + Clone + Send + 'static,
    ) -> Result<Self> {
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
                let opened = Delivery::open(&config, of.clone(), store.clone(), snapshot.clone(), in_thread.clone());
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
        events: vec![Event { is_test: true, ..Event::read(newest, &snapshot.entry(newest)?, snapshot)? }],
        count: 1,
        last: newest,
    };
    match receiver.send(&message) {
        Ok(sent) => match sent.refused.first() {
            None => Ok(sent.words),
            Some((_, reason)) => Err(refused(name, reason)),
        },
        Err(Failure::Later { words, .. } | Failure::Never(words)) => Err(refused(name, &words)),
    }
}

/// The ledger's folder, of the folder where its sinks remember.
fn ledger_of(folder: &Path) -> &Path {
    folder.ancestors().nth(2).unwrap_or(folder)
}

fn refused(name: &str, words: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("sink {name}: {words}"))
}
