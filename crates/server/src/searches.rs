//! Saved searches: statements that people keep in the service, and that it runs for them on a schedule. What one finds can
//! raise an alert, which goes to the inbox and the sinks like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type};
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::Timestamp;
use counterfoil_query::Engine;
use counterfoil_watch::{Alert, GroupMember};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::moment::now;
use crate::problem::Problem;
use crate::service::{Service, act};
use crate::state;

/// The rule of the alerts of all searches.
const RULE: &str = "saved-search";

/// How often the service looks for searches that are due.
const STEP: Duration = Duration::from_secs(5);

/// Searches of one ledger.
const MAX_SEARCHES: usize = 200;

/// Characters of a name, bytes of a statement.
const MAX_NAME: usize = 100;
const MAX_SQL: usize = 32 << 10;

/// How often one may run: from every five minutes to every 31 days.
const MINUTES: std::ops::RangeInclusive<u32> = 5..=44_640;

/// Rows of an answer whose `index` an alert names.
const MAX_INDICES: usize = 100;

/// Bytes of the first row that an alert quotes.
const MAX_QUOTED: usize = 400;

/// When a search raises an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Raises {
    /// Never: it only says how many rows there are.
    #[default]
    Never,
    /// When it finds rows, and other ones than the last time.
    Rows,
    /// Each time that it ran.
    Always,
}

/// What somebody asks to be kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    sql: String,
    #[serde(default, deserialize_with = "crate::body::whole_if_any")]
    every_minutes: Option<u32>,
    #[serde(default)]
    alert: Raises,
    #[serde(default)]
    level: Level,
}

/// The level of its alerts.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Informational,
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A saved search.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) name: String,
    #[serde(flatten)]
    wanted: Wanted,
    by: String,
    changed_at: String,
    last: Option<Run>,
}

/// What running one came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Run {
    at: String,
    rows: u64,
    /// SHA-256 of the rows as JSON lines.
    digest: String,
    milliseconds: u64,
    fault: Option<String>,
}

/// What an answer holds that an alert says.
#[derive(Default)]
struct Found {
    run: Run,
    indices: Vec<u64>,
    first: Option<String>,
}

/// A search as it is told: with when it runs next.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    search: Search,
    next_at: Option<String>,
}

/// The saved searches of one ledger.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    kept: Mutex<BTreeMap<String, Search>>,
    /// Why those of the folder are not here.
    fault: Option<String>,
}

impl Search {
    /// When it is due, in microseconds.
    fn due(&self) -> Option<i64> {
        let every = i64::from(self.wanted.every_minutes?) * 60_000_000;
        let last = self.last.as_ref().and_then(|run| Timestamp::parse(&run.at).ok());
        Some(last.map_or(0, |last| last.micros() + every))
    }

    fn told(self) -> Told {
        let next = self.due().map(|due| due.max(now().micros()));
        let next_at = next.map(|at| Timestamp::from_micros(at).to_string());
        Told { search: self, next_at }
    }
}

impl Searches {
    /// Those of a ledger's folder. A file that cannot be read keeps no ledger from recording: it is a condition.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let path = folder.join("state").join(FILE);
        let read = match state::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::default(),
            read => read.and_then(|bytes| Ok(serde_json::from_slice::<Vec<Search>>(&bytes)?)),
        };
        let read = read.map_err(|error| error.to_string()).and_then(|kept| {
            let wrong = kept.iter().find_map(|search| checked(&search.name, &search.wanted).err());
            match wrong {
                _ if kept.len() > MAX_SEARCHES => Err(format!("it has more than {MAX_SEARCHES} searches")),
                Some(problem) => Err(problem.detail),
                None => Ok(kept),
            }
        });
        match read {
            Ok(kept) => {
                let kept = kept.into_iter().map(|search| (search.name.clone(), search)).collect();
                Self { kept: Mutex::new(kept), fault: None }
            }
            Err(error) => {
                let fault = format!("{}: {error}; move it away and start again", path.display());
                tracing::error!(detail = fault, "the saved searches do not run");
                Self { kept: Mutex::default(), fault: Some(fault) }
            }
        }
    }

    /// Why those of the folder do not run.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Search>> {
        self.kept.lock().expect("no panic while held")
    }

    /// All, by name.
    pub(crate) fn list(&self) -> Vec<Told> {
        self.kept().values().cloned().map(Search::told).collect()
    }

    fn due(&self) -> Vec<Search> {
        let at = now().micros();
        self.kept().values().filter(|search| search.due().is_some_and(|due| due <= at)).cloned().collect()
    }

    /// Notes what a run came to, unless somebody changed or removed the search meanwhile.
    fn ran(&self, search: &Search, run: Run) {
        if let Some(kept) = self.kept().get_mut(&search.name).filter(|kept| kept.changed_at == search.changed_at) {
            kept.last = Some(run);
        }
    }

    /// Changes them in the folder and then here; nothing is changed where writing fails.
    fn change(&self, folder: Option<&Path>, change: impl FnOnce(&mut BTreeMap<String, Search>)) -> Result<()> {
        let mut kept = self.kept();
        let mut changed = kept.clone();
        change(&mut changed);
        if let Some(folder) = folder {
            let list: Vec<&Search> = changed.values().collect();
            let bytes = serde_json::to_vec(&list).expect("searches are JSON");
            let written = state::folder(folder).and_then(|state| state::replace(&state.join(FILE), &bytes));
            written.map_err(|error| Error::new(ErrorKind::Unavailable, format!("state/{FILE}: {error}")))?;
        }
        *kept = changed;
        Ok(())
    }
}

/// The file in the ledger's `state/`.
const FILE: &str = "searches.json";

/// Keeps a search, in the place of one of the same name. It is run first: what cannot run is not kept.
pub(crate) fn save(
    service: &Service,
    engine: &Engine,
    by: &str,
    name: &str,
    wanted: Wanted,
) -> std::result::Result<(Told, bool), Problem> {
    checked(name, &wanted)?;
    let writer = service.backing.writer()?;
    if let Some(fault) = service.searches.fault() {
        return Err(Problem::from(Error::new(ErrorKind::Unavailable, fault)));
    }
    let found = find(engine, &service.snapshot(), &wanted.sql);
    if let Some(fault) = found.run.fault {
        return Err(Problem::invalid(format!("the statement does not run, so it is not kept: {fault}")));
    }
    let known = service.searches.kept().contains_key(name);
    if !known && service.searches.kept().len() >= MAX_SEARCHES {
        return Err(Problem::invalid(format!("there are {MAX_SEARCHES} saved searches already: remove one")));
    }
    let search = Search {
        name: name.to_owned(),
        by: by.to_owned(),
        changed_at: now().to_string(),
        last: Some(found.run),
        wanted,
    };
    let context = serde_json::to_value(&search.wanted).expect("a search is JSON");
    writer.record_act(act("ledger.search_saved", by, name, "search", context))?;
    let kept = search.clone();
    service.searches.change(service.backing.folder(), |searches| drop(searches.insert(name.to_owned(), kept)))?;
    Ok((search.told(), !known))
}

fn checked(name: &str, wanted: &Wanted) -> std::result::Result<(), Problem> {
    let may_stand = |letter: char| letter.is_ascii_alphanumeric() || " ._()-".contains(letter);
    let begins = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.trim() == name;
    if name.chars().count() > MAX_NAME || !begins || !name.chars().all(may_stand) {
        return Err(Problem::invalid(format!(
            "a name has 1 to {MAX_NAME} letters from A to Z, digits, spaces and . _ ( ) - and begins with a letter or a digit"
        )));
    }
    if wanted.sql.len() > MAX_SQL {
        return Err(Problem::invalid(format!("a saved statement has at most {MAX_SQL} bytes")));
    }
    match wanted.every_minutes {
        Some(every) if !MINUTES.contains(&every) => {
            Err(Problem::invalid(format!("every_minutes is {} to {}", MINUTES.start(), MINUTES.end())))
        }
        _ => Ok(()),
    }
}

/// Forgets a search.
pub(crate) fn remove(service: &Service, by: &str, name: &str) -> std::result::Result<(), Problem> {
    let writer = service.backing.writer()?;
    if !service.searches.kept().contains_key(name) {
        return Err(Problem::not_found(format!("no saved search is called {name:?}")));
    }
    writer.record_act(act("ledger.search_removed", by, name, "search", json!({})))?;
    service.searches.change(service.backing.folder(), |searches| drop(searches.remove(name)))?;
    Ok(())
}

/// Runs a statement to its end and keeps of the rows what is told.
fn find(engine: &Engine, snapshot: &Snapshot, sql: &str) -> Found {
    let since = Instant::now();
    let mut found = Found::default();
    let (mut lines_seen, mut indices) = (Vec::new(), BTreeSet::new());
    let outcome = engine.query(snapshot, sql).and_then(|answer| {
        for batch in answer {
            let batch = batch?;
            let lines = lines(&batch)?;
            lines_seen.extend(lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(digest_of));
            found.run.rows += batch.num_rows() as u64;
            let line = lines.split(|byte| *byte == b'\n').next().map(String::from_utf8_lossy);
            found.first = found.first.take().or(line.map(|line| line.into_owned()).filter(|line| !line.is_empty()));
            let known = indices_in(&batch).filter(|index| *index < snapshot.size());
            indices.extend(known.take(MAX_INDICES - indices.len()));
        }
        Ok(())
    });
    found.indices = indices.into_iter().collect();
    found.run.at = now().to_string();
    found.run.milliseconds = since.elapsed().as_millis() as u64;
    // Rows that nothing orders come as they like.
    lines_seen.sort_unstable();
    found.run.digest = hex::encode(digest_of(lines_seen.as_flattened()));
    found.run.fault = outcome.err().map(|error| error.message);
    found
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = LineDelimitedWriter::new(Vec::new());
    let written = writer.write(batch).and_then(|()| writer.finish());
    written.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    Ok(writer.into_inner())
}

/// The entries that the rows are, where a column `index` says so.
fn indices_in(batch: &RecordBatch) -> impl Iterator<Item = u64> {
    let column = batch.column_by_name("index").filter(|column| *column.data_type() == DataType::Int64);
    column
        .into_iter()
        .flat_map(|column| column.as_primitive::<Int64Type>().iter().flatten())
        .filter_map(|index| u64::try_from(index).ok())
}

/// Runs one that is due, records that it ran, and raises its alert.
fn run(service: &Service, engine: &Engine, search: &Search) -> Result<()> {
    let snapshot = service.snapshot();
    let mut found = find(engine, &snapshot, &search.wanted.sql);
    if found.run.fault.is_some() {
        // What it found before is what the next run is held against.
        found.run.digest = search.last.as_ref().map(|last| last.digest.clone()).unwrap_or_default();
    }
    let (run, wanted) = (&found.run, &search.wanted);
    // Whatever becomes of recording it, it is not due again before its time; what was not recorded is found once more then.
    service.searches.ran(search, Run { at: run.at.clone(), ..search.last.clone().unwrap_or_default() });
    let context = json!({"rows": run.rows, "digest": run.digest, "milliseconds": run.milliseconds,
        "tree_size": snapshot.size(), "saved_by": search.by});
    let mut entry = act("ledger.search_run", "counterfoil", &search.name, "search", context);
    if let Some(fault) = &run.fault {
        entry = entry.outcome(counterfoil_entry::Outcome::Failure).reason(fault);
    }
    let writer = service.backing.writer()?;
    writer.record_act(entry)?;
    let other = search.last.as_ref().is_none_or(|last| last.digest != run.digest);
    let raises = match wanted.alert {
        _ if run.fault.is_some() => search.last.as_ref().is_none_or(|last| last.fault.is_none()),
        Raises::Never => false,
        Raises::Rows => run.rows > 0 && other,
        Raises::Always => true,
    };
    if raises {
        writer.record_act(alert(search, &found).entry())?;
    }
    service.searches.ran(search, found.run);
    service.searches.change(service.backing.folder(), |_| {})
}

fn alert(search: &Search, found: &Found) -> Alert {
    let run = &found.run;
    let why = match (&run.fault, &found.first) {
        (Some(fault), _) => format!("the saved search could not run: {fault}"),
        (None, Some(first)) => {
            let first = &first[..first.floor_char_boundary(MAX_QUOTED)];
            if run.rows == 1 { format!("one row: {first}") } else { format!("{} rows; the first is {first}", run.rows) }
        }
        (None, None) => "no rows".to_owned(),
    };
    let identity = hex::encode(Sha256::digest(format!("{} {} {}", search.name, run.at, run.digest)));
    Alert {
        id: format!("alert-{}", &identity[..32]),
        rule_id: RULE.to_owned(),
        title: search.name.clone(),
        level: search.wanted.level.name(),
        author: Some(search.by.clone()),
        description: None,
        references: Vec::new(),
        tags: Vec::new(),
        indices: found.indices.clone(),
        group: vec![GroupMember { field: "search".to_owned(), value: search.name.clone() }],
        value: Some(run.rows as f64),
        drill: false,
        why: Some(why),
    }
}

/// Runs searches when they are due until the service ends.
pub(crate) async fn keep_running(service: Arc<Service>) {
    if service.backing.writer().is_err() {
        return;
    }
    while !service.is_ending() {
        for search in service.searches.due() {
            let Ok(engine) = service.query_engine().await else { break };
            let ran = service.reading(move |service| Ok(run(service, &engine, &search)?)).await;
            if let Err(problem) = ran {
                tracing::error!(
                    detail = problem.detail,
                    "what a saved search found could not be recorded; it runs again when it is due"
                );
            }
        }
        tokio::time::sleep(STEP).await;
    }
}
