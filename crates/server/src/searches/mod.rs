//! Saved searches: statements that people keep in the service, and that it runs for them on a schedule. What one finds can
//! raise an alert, which goes to the inbox and the sinks like any other.

mod finding;
mod rounds;
mod trail;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::Timestamp;
use counterfoil_query::Engine;
use counterfoil_sink::Level;
use serde::{Deserialize, Serialize};

use crate::moment::now;
use crate::problem::Problem;
use crate::service::Service;
use crate::state;
use finding::{Run, find};
pub(crate) use rounds::keep_running;

/// Searches of one ledger.
const MAX_SEARCHES: usize = 200;

/// Searches that one person keeps: nobody takes the room of the others.
const MAX_OF_ONE: usize = 20;

/// Characters of a name, bytes of a statement as JSON: an entry has room for it.
const MAX_NAME: usize = 100;
const MAX_SQL: usize = 32 << 10;

/// How often one may run: from every five minutes to every 31 days.
const MINUTES: std::ops::RangeInclusive<u32> = 5..=44_640;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    sql: String,
    #[serde(default, deserialize_with = "crate::body::whole_if_any")]
    every_minutes: Option<u32>,
    #[serde(default)]
    alert: Raises,
    #[serde(default = "medium")]
    level: Level,
}

/// The level of its alerts unless said.
fn medium() -> Level {
    Level::Medium
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
    /// Whether it last began later than it may.
    #[serde(skip)]
    late: bool,
}

/// A search as it is told: with when it runs next.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    search: Search,
    next_at: Option<String>,
    /// Whether it began more than its own interval after its time, or has not begun by then.
    late: bool,
}

/// The saved searches of one ledger.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    kept: Mutex<BTreeMap<String, Search>>,
    /// Held by whoever changes which there are, in the ledger and here.
    changing: Mutex<()>,
    /// Why those of the folder could not be read.
    unread: Option<String>,
    /// What is wrong with those of the folder.
    fault: Mutex<Option<String>>,
}

impl Search {
    /// How often it is to run, in microseconds.
    fn every(&self) -> Option<i64> {
        Some(i64::from(self.wanted.every_minutes?) * 60_000_000)
    }

    /// When it is due, in microseconds.
    fn due(&self) -> Option<i64> {
        let last = self.last.as_ref().and_then(|run| Timestamp::parse(&run.at).ok());
        let every = self.every()?;
        Some(last.map_or(0, |last| last.micros().saturating_add(every)))
    }

    /// Whether it should have begun more than its own interval ago.
    fn is_overdue(&self) -> bool {
        let latest = self.due().zip(self.every()).map(|(due, every)| due.saturating_add(every));
        latest.is_some_and(|latest| latest < now().micros())
    }

    fn told(self) -> Told {
        let next = self.due().map(|due| due.max(now().micros()));
        let next_at = next.map(|at| Timestamp::from_micros(at).to_string());
        Told { next_at, late: self.late || self.is_overdue(), search: self }
    }
}

impl Searches {
    /// Those of a ledger's folder, until it is known which ones the ledger has. A file that cannot be read keeps no ledger
    /// from recording: it is a condition.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let path = folder.join("state").join(FILE);
        let read = match state::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::default(),
            read => read.and_then(|bytes| Ok(serde_json::from_slice::<Vec<Search>>(&bytes)?)),
        };
        match read {
            Ok(kept) => {
                let kept = kept.into_iter().map(|search| (search.name.clone(), search)).collect();
                Self { kept: Mutex::new(kept), ..Self::default() }
            }
            Err(error) => Self { unread: Some(format!("it cannot be read: {error}")), ..Self::default() },
        }
    }

    /// Takes up those that the ledger has, and says where the folder had others.
    fn take_up(&self, service: &Service) -> Result<()> {
        let _changing = self.changing.lock().expect("no panic while held");
        let mut kept = trail::kept(service).inspect_err(|error| {
            self.note(Some(format!("what the ledger has cannot be read, so none runs: {}", error.message)));
        })?;
        let differing = trail::compare(&mut kept, &self.kept());
        let fault = self.unread.clone().or(differing);
        let to_mend = service.backing.folder().filter(|_| fault.is_some());
        self.change(to_mend, |searches| *searches = kept)?;
        self.note(fault);
        Ok(())
    }

    fn note(&self, fault: Option<String>) {
        let fault = fault.map(|fault| format!("state/{FILE}: {fault}"));
        if let Some(fault) = &fault {
            tracing::error!(detail = fault, "the saved searches of the folder are not believed");
        }
        *self.fault.lock().expect("no panic while held") = fault;
    }

    /// What is wrong with those of the folder.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().expect("no panic while held").clone()
    }

    /// How many began later than they may.
    pub(crate) fn late(&self) -> usize {
        self.kept().values().filter(|search| search.late || search.is_overdue()).count()
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
    fn ran(&self, search: &Search, run: Run, late: bool) {
        if let Some(kept) = self.kept().get_mut(&search.name).filter(|kept| kept.changed_at == search.changed_at) {
            (kept.last, kept.late) = (Some(run), late);
        }
    }

    /// Whether there is one of this name already; refused where there is no room for one more of this person's.
    fn has_room(&self, by: &str, name: &str) -> std::result::Result<bool, Problem> {
        let kept = self.kept();
        let known = kept.contains_key(name);
        let own = kept.values().filter(|search| search.by == by && search.name != name).count();
        if own >= MAX_OF_ONE {
            return Err(Problem::invalid(format!(
                "{by} keeps {MAX_OF_ONE} searches already, the most of one person: remove one"
            )));
        }
        if !known && kept.len() >= MAX_SEARCHES {
            return Err(Problem::invalid(format!("there are {MAX_SEARCHES} saved searches already: remove one")));
        }
        Ok(known)
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
    let found = find(engine, &service.snapshot(), &wanted.sql);
    if let Some(fault) = found.run.fault {
        return Err(Problem::invalid(format!("the statement does not run, so it is not kept: {fault}")));
    }
    let searches = &service.searches;
    let _changing = searches.changing.lock().expect("no panic while held");
    let known = searches.has_room(by, name)?;
    let mut search =
        Search { name: name.to_owned(), by: by.to_owned(), changed_at: String::new(), last: None, late: false, wanted };
    let receipt = writer.record_act(trail::saved(&search, &found.run))?;
    (search.changed_at, search.last) = (receipt.recorded_at.to_string(), Some(found.run));
    let kept = search.clone();
    searches.change(service.backing.folder(), |searches| drop(searches.insert(name.to_owned(), kept)))?;
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
    if serde_json::to_string(&wanted.sql).is_ok_and(|sql| sql.len() > MAX_SQL) {
        return Err(Problem::invalid(format!("a saved statement has at most {MAX_SQL} bytes as JSON")));
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
    let _changing = service.searches.changing.lock().expect("no panic while held");
    if !service.searches.kept().contains_key(name) {
        return Err(Problem::not_found(format!("no saved search is called {name:?}")));
    }
    writer.record_act(trail::removed(by, name))?;
    service.searches.change(service.backing.folder(), |searches| drop(searches.remove(name)))?;
    Ok(())
}
