//! What all requests of one service share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Ledger, Receipt, Result, Snapshot};
use counterfoil_entry::{ActorType, Draft, EntryBuilder, Timestamp};
use counterfoil_query::{Engine, Limits};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinError;

use crate::access::{Caller, Denial, Denials, Role, Sessions, Tokens};
use crate::api::stream::Streams;
use crate::backing::Backing;
use crate::body::{ROOM_KIB, Room};
use crate::conditions::Conditions;
use crate::metrics::Metrics;
use crate::moment::now;
use crate::open_alerts::OpenAlerts;
use crate::problem::Problem;
use crate::processors;
use crate::readers::Readers;
use crate::recording::Load;
use crate::searches::Searches;
use crate::served::Served;
use crate::settings::Settings;
use crate::verification::Verifications;
use crate::watched::Watched;

/// How often new commits are looked for on behalf of streams.
const WATCH_STEP: Duration = Duration::from_millis(50);

/// Bodies below this are read where they arrive; longer ones on a thread that may take its time.
const SHORT_BYTES: usize = 32 << 10;

/// How long a query waits for its turn.
const QUERY_WAIT: Duration = Duration::from_secs(3);

/// A ledger that is open for requests.
pub struct Service {
    /// The ledger.
    pub(crate) backing: Backing,
    /// How it was set up.
    pub(crate) settings: Settings,
    /// Answers SQL.
    pub(crate) engine: Engine,
    /// The tokens.
    pub(crate) tokens: Tokens,
    /// The browser sessions.
    pub(crate) sessions: Sessions,
    /// What is measured.
    pub(crate) metrics: Arc<Metrics>,
    /// The verifications.
    pub(crate) verifications: Verifications,
    /// Since when it answers.
    pub(crate) started_at: Timestamp,
    /// The searches that people keep in it.
    pub(crate) searches: Searches,
    /// How many alerts are open.
    pub(crate) open_alerts: OpenAlerts,
    /// What holds of it that should not.
    pub(crate) conditions: Conditions,
    denials: Denials,
    readers: Readers,
    queries: Arc<Semaphore>,
    appends: Arc<Semaphore>,
    /// Free while nobody prunes.
    pub(crate) prunings: Arc<Semaphore>,
    /// The streams that are open.
    pub(crate) streams: Streams,
    /// Room for the bodies of requests, in KiB.
    pub(crate) room: Arc<Semaphore>,
    size: watch::Sender<u64>,
    ending: watch::Sender<bool>,
}

impl Service {
    /// Opens a ledger for requests.
    ///
    /// # Errors
    /// Those of [`Ledger::open`].
    pub fn open(mut served: Served, settings: Settings) -> Result<Arc<Self>> {
        let metrics = Arc::new(Metrics::new(&settings));
        if let Served::Ledger(_, options) = &mut served {
            options.on_commit = Some(processors::kept_apart(metrics.on_commit()));
        }
        let backing = Backing::open(served, &settings)?;
        let engine = Engine::new(Limits {
            time: settings.query_time,
            memory_bytes: settings.query_memory_bytes,
            rows: settings.query_rows,
        })?;
        let size = backing.snapshot().size();
        Ok(Arc::new(Self {
            engine,
            tokens: backing.folder().map_or_else(Tokens::in_memory, Tokens::in_folder),
            sessions: Sessions::default(),
            metrics,
            verifications: Verifications::new(&settings),
            started_at: now(),
            searches: backing.folder().map_or_else(Searches::default, Searches::in_folder),
            open_alerts: OpenAlerts::default(),
            conditions: Conditions::default(),
            denials: Denials::default(),
            readers: Readers::start()?,
            queries: Arc::new(Semaphore::new(settings.queries_at_once)),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            appends: Arc::new(Semaphore::new(settings.appends_at_once)),
            prunings: Arc::new(Semaphore::new(1)),
            streams: Streams::default(),
            size: watch::Sender::new(size),
            ending: watch::Sender::new(false),
            backing,
            settings,
        }))
    }

    /// The state after the last commit.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.backing.snapshot()
    }

    /// Runs what waits for a disk on a thread that may wait.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> std::result::Result<T, Problem> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        let service = Arc::clone(self);
        finished(tokio::task::spawn_blocking(move || work(&service)).await)
    }

    /// Runs what reads the ledger on a thread that may wait and that lets those who record go first.
    pub(crate) async fn reading<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> std::result::Result<T, Problem> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        let service = Arc::clone(self);
        finished(self.readers.run(move || work(&service)).await)
    }

    /// Reads a body of this length, where it arrived or on a thread that may take its time.
    pub(crate) async fn unhurried<T: Send + 'static>(
        self: &Arc<Self>,
        length: usize,
        work: impl FnOnce(&Self) -> std::result::Result<T, Problem> + Send + 'static,
    ) -> std::result::Result<T, Problem> {
        match length {
            ..SHORT_BYTES => work(self),
            _ => self.blocking(work).await,
        }
    }

    /// A place among the appends that may wait for the ledger at once, for a body with its room.
    ///
    /// # Errors
    /// `denied` where the ledger is only read; `busy` when all are taken.
    pub(crate) fn load(&self, room: Room) -> std::result::Result<Load, Problem> {
        self.backing.writer()?;
        let place = Arc::clone(&self.appends).try_acquire_owned().map_err(|_| {
            let waiting = self.settings.appends_at_once;
            Problem::busy(format!("{waiting} appends wait for the ledger already; retry in a moment"))
        })?;
        Ok(Load::new(place, room))
    }

    /// How many appends wait for the ledger.
    pub(crate) fn appends_waiting(&self) -> usize {
        self.settings.appends_at_once - self.appends.available_permits()
    }

    /// Records drafts in the name of a principal; waits for the disk.
    ///
    /// # Errors
    /// Those of [`Ledger::append_batch_as`].
    pub(crate) fn append_now(&self, recorder: &str, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        let (since, before) = (Instant::now(), self.snapshot().size());
        let receipts = self.backing.writer()?.append_batch_as(recorder, drafts)?;
        self.metrics.appended(&receipts, before, since.elapsed());
        Ok(receipts)
    }

    /// Records drafts in the name of a principal, without holding a thread meanwhile; the load is held until the ledger
    /// has answered.
    ///
    /// # Errors
    /// Those of [`Ledger::append_batch_as`].
    pub(crate) async fn append(
        self: &Arc<Self>,
        recorder: &Arc<str>,
        mut drafts: Vec<Draft>,
        load: Load,
    ) -> std::result::Result<Vec<Receipt>, Problem> {
        let (since, before) = (Instant::now(), self.snapshot().size());
        let (tell, told) = oneshot::channel();
        let (metrics, held) = (Arc::clone(&self.metrics), load.clone());
        let then = move |answer: Result<Vec<Receipt>>| {
            if let Ok(receipts) = &answer {
                metrics.appended(receipts, before, since.elapsed());
            }
            drop(held);
            drop(tell.send(answer));
        };
        let recorded = if self.backing.writer()?.append_batch_then(recorder, &mut drafts, then) {
            told.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Closed, "the ledger was closed")))
        } else {
            let recorder = Arc::clone(recorder);
            let work = move |service: &Self| {
                let _load = load;
                Ok(service.append_now(&recorder, drafts))
            };
            self.blocking(work).await?
        };
        recorded.map_err(|error| Problem::from(error).by(recorder))
    }

    /// The query engine with a place among the queries that may run at once: the place is free again when its queries have
    /// really ended and it was dropped.
    ///
    /// # Errors
    /// `busy` when no place becomes free in time.
    pub(crate) async fn query_engine(&self) -> std::result::Result<Engine, Problem> {
        let place = tokio::time::timeout(QUERY_WAIT, Arc::clone(&self.queries).acquire_owned()).await;
        let busy = || {
            let running = self.settings.queries_at_once;
            Problem::busy(format!("{running} queries run already; retry in a moment"))
        };
        Ok(self.engine.holding(place.map_err(|_| busy())?.map_err(|_| busy())?))
    }

    /// Records an act of the service, on behalf of whoever caused it.
    ///
    /// # Errors
    /// Those of [`Ledger::record_act`].
    pub(crate) async fn record(self: &Arc<Self>, act: EntryBuilder) -> std::result::Result<(), Problem> {
        self.blocking(move |service| Ok(service.backing.record(act)?)).await
    }

    /// Records what an auditor read; nothing for other roles.
    ///
    /// # Errors
    /// Those of [`Ledger::record_act`]: what cannot be recorded is not answered.
    pub(crate) async fn record_reading(
        self: &Arc<Self>,
        caller: &Caller,
        context: Value,
    ) -> std::result::Result<(), Problem> {
        if caller.principal.role != Role::Auditor {
            return Ok(());
        }
        let origin = self.snapshot().origin().to_string();
        self.record(act("ledger.query_run", caller.name(), &origin, "ledger", context)).await
    }

    /// Notes a denied request, as an entry or as a number.
    pub(crate) async fn deny(self: &Arc<Self>, denial: Denial) {
        if let Some(entry) = self.denials.note(denial.clone())
            && let Err(problem) = self.record(entry).await
        {
            tracing::error!(detail = problem.detail, "a denied request could not be recorded; it is counted");
            self.denials.count(denial, 1);
        }
    }

    /// The number of entries, as it grows.
    pub(crate) fn sizes(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }

    /// Resolves when the service ends.
    pub(crate) async fn ended(&self) {
        let mut ending = self.ending.subscribe();
        let _ = ending.wait_for(|ending| *ending).await;
    }

    /// Whether the service ends.
    pub(crate) fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Tells streams and connections to end.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Looks again and again at a ledger that somebody else writes.
    pub(crate) async fn keep_looking(self: Arc<Self>) {
        let Some(step) = self.backing.watched().map(Watched::step) else { return };
        loop {
            tokio::time::sleep(step).await;
            let look = |service: &Self| Ok(service.backing.watched().map(Watched::refresh));
            let _ = self.blocking(look).await;
        }
    }

    /// Keeps what is not caused by a request going, until the service ends.
    pub(crate) async fn keep_watch(self: Arc<Self>) {
        let mut step = tokio::time::interval(WATCH_STEP);
        let mut settled = Instant::now();
        while !self.is_ending() {
            step.tick().await;
            let size = self.snapshot().size();
            self.size.send_if_modified(|known| std::mem::replace(known, size) != size);
            if settled.elapsed() > crate::access::DENIALS_PERIOD {
                settled = Instant::now();
                self.settle(false).await;
            }
        }
    }

    /// Records the denials that were only counted.
    pub(crate) async fn settle(self: &Arc<Self>, ends: bool) {
        let work = move |service: &Self| {
            let record = |act| service.backing.record(act);
            Ok(service.denials.settle(ends, record)?)
        };
        let settled = self.blocking(work).await;
        if let Err(problem) = settled {
            tracing::error!(detail = problem.detail, "the number of denied requests could not be recorded");
        }
    }

    /// Records that the service starts or stops.
    pub(crate) async fn record_life(self: &Arc<Self>, event_type: &str) -> std::result::Result<(), Problem> {
        let origin = self.snapshot().origin().to_string();
        let context = json!({"version": env!("CARGO_PKG_VERSION"), "pid": std::process::id()});
        self.record(act(event_type, "counterfoil", &origin, "ledger", context)).await
    }

    /// Closes the ledger; the last one to hold the service does it.
    ///
    /// # Errors
    /// Those of [`Ledger::close`].
    pub(crate) fn close(self: Arc<Self>) -> Result<()> {
        match Arc::try_unwrap(self) {
            Ok(service) => service.backing.close(),
            // Somebody still reads: dropping the last reference closes it as well.
            Err(service) => service.backing.writer().map_or(Ok(()), Ledger::publish),
        }
    }
}

/// Bytes of a context that are recorded as they are; a longer one is told by the beginnings of its long members.
const MAX_CONTEXT_BYTES: usize = 48 << 10;

/// Bytes of such a beginning, and of a member that is told whole.
const BEGINNING_BYTES: usize = 4 << 10;

/// A context that an entry has room for: the long members as their beginnings, lengths and digests.
fn fitting(mut context: Value) -> Value {
    let Some(members) = context.as_object_mut() else { return context };
    if serde_json::to_vec(members).is_ok_and(|text| text.len() <= MAX_CONTEXT_BYTES) {
        return context;
    }
    for (name, value) in std::mem::take(members) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if text.len() <= BEGINNING_BYTES {
            members.insert(name, value);
            continue;
        }
        members.insert(format!("{name}_bytes"), json!(text.len()));
        members.insert(format!("{name}_sha256"), json!(hex::encode(Sha256::digest(&text))));
        members.insert(name, json!(text[..text.floor_char_boundary(BEGINNING_BYTES)]));
    }
    context
}

/// What a thread that may wait came to.
fn finished<T>(
    done: std::result::Result<std::result::Result<T, Problem>, JoinError>,
) -> std::result::Result<T, Problem> {
    done.unwrap_or_else(|error| Err(Problem::internal(format!("the request broke off: {error}"))))
}

/// One of the ledger's own entries about what somebody did to it.
pub(crate) fn act(event_type: &str, actor: &str, entity_id: &str, entity_type: &str, context: Value) -> EntryBuilder {
    let act = Draft::builder(event_type, actor, entity_id).entity_type(entity_type).context(fitting(context));
    match actor {
        "counterfoil" => act.actor_type(ActorType::Service),
        _ => act,
    }
}
