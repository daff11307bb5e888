//! The searches as the ledger has them. The file in `state/` is a copy of that, and whoever may write it must not speak for
//! somebody else, nor let a search rest.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::{Error, ErrorKind, Result, Snapshot};
use counterfoil_entry::{EntryBuilder, Fields, Timestamp};
use counterfoil_query::Order;
use serde_json::{Value, json};

use super::finding::Run;
use super::{Search, Wanted};
use crate::service::{Service, act};

const SAVED: &str = "ledger.search_saved";
const REMOVED: &str = "ledger.search_removed";
const RUN: &str = "ledger.search_run";

/// Most changes of searches that are looked at, the newest.
const MAX_CHANGES: usize = 100_000;

/// Names of searches that differ that are told.
const MAX_NAMED: usize = 10;

/// The entry of a search that is kept, with what it found when it was.
pub(super) fn saved(search: &Search, run: &Run) -> EntryBuilder {
    let mut context = serde_json::to_value(&search.wanted).expect("a search is JSON");
    for (member, value) in
        [("rows", json!(run.rows)), ("digest", json!(run.digest)), ("milliseconds", json!(run.milliseconds))]
    {
        context[member] = value;
    }
    act(SAVED, &search.by, &search.name, "search", context)
}

/// The entry of a search that is forgotten.
pub(super) fn removed(by: &str, name: &str) -> EntryBuilder {
    act(REMOVED, by, name, "search", json!({}))
}

/// The entry of a run.
pub(super) fn run(search: &Search, run: &Run, tree_size: u64) -> EntryBuilder {
    let context = json!({"rows": run.rows, "digest": run.digest, "milliseconds": run.milliseconds,
        "tree_size": tree_size, "saved_by": search.by});
    let entry = act(RUN, "counterfoil", &search.name, "search", context);
    match &run.fault {
        Some(fault) => entry.outcome(counterfoil_entry::Outcome::Failure).reason(fault),
        None => entry,
    }
}

/// Those that were saved and not removed since, each with its newest run.
pub(super) fn kept(service: &Service) -> Result<BTreeMap<String, Search>> {
    let snapshot = service.snapshot();
    let changes = format!("event_type IN ('{SAVED}', '{REMOVED}')");
    let indices = service.engine.select_indices(&snapshot, &changes, Order::Newest(MAX_CHANGES))?;
    let (mut known, mut kept) = (BTreeSet::new(), BTreeMap::new());
    for (index, bytes) in indices.iter().zip(snapshot.entries(&indices)?) {
        let fields = fields(*index, &bytes)?;
        if known.insert(fields.entity_id.to_string()) && fields.event_type == SAVED {
            let search = search(&fields, *index)?;
            kept.insert(search.name.clone(), search);
        }
    }
    for search in kept.values_mut() {
        if let Some(run) =
            newest_run(&snapshot, &search.name)?.filter(|run| moment(&run.at) > moment(&search.changed_at))
        {
            search.last = Some(run);
        }
    }
    Ok(kept)
}

/// Takes from a file what the ledger bears out, and says where they differ. That a search ran earlier than the ledger says is
/// believed: it only runs sooner.
pub(super) fn compare(kept: &mut BTreeMap<String, Search>, file: &BTreeMap<String, Search>) -> Option<String> {
    let names: BTreeSet<&String> = kept.keys().chain(file.keys()).collect();
    let same = |one: &Search, other: &Search| (&one.by, &one.wanted) == (&other.by, &other.wanted);
    let differs = |name: &&&String| match (kept.get(**name), file.get(**name)) {
        (Some(one), Some(other)) => !same(one, other),
        _ => true,
    };
    let differing: Vec<String> = names.iter().filter(differs).map(|name| format!("{name:?}")).collect();
    for (name, search) in kept.iter_mut() {
        let Some(other) = file.get(name).filter(|other| same(search, other)).and_then(|other| other.last.as_ref())
        else {
            continue;
        };
        if let Some(run) = search.last.as_mut().filter(|run| moment(&other.at) < moment(&run.at)) {
            run.at.clone_from(&other.at);
        }
    }
    (!differing.is_empty()).then(|| {
        let named = differing[..differing.len().min(MAX_NAMED)].join(", ");
        format!("{} of them are not those of the ledger, which hold: {named}", differing.len())
    })
}

/// Never for what is no time: such a run is as if it had not been.
fn moment(text: &str) -> i64 {
    Timestamp::parse(text).map_or(i64::MAX, Timestamp::micros)
}

fn newest_run(snapshot: &Snapshot, name: &str) -> Result<Option<Run>> {
    let Some((index, bytes)) = snapshot.newest_acts(name, &[RUN], 1)?.pop() else { return Ok(None) };
    let fields = fields(index, &bytes)?;
    let fault = fields.reason.as_ref().map(ToString::to_string);
    Ok(Some(Run { fault, ..read_run(&fields, &context(&fields)) }))
}

fn search(fields: &Fields<'_>, index: u64) -> Result<Search> {
    let mut context = context(fields);
    let run = read_run(fields, &context);
    let members = context.as_object_mut().into_iter();
    members.for_each(|members| members.retain(|member, _| !["rows", "digest", "milliseconds"].contains(&&**member)));
    let wanted: Wanted = serde_json::from_value(context)
        .map_err(|error| Error::new(ErrorKind::Damaged, format!("entry {index}: {error}")))?;
    Ok(Search {
        name: fields.entity_id.to_string(),
        by: fields.actor.to_string(),
        changed_at: fields.recorded_at.to_string(),
        last: Some(run),
        late: false,
        wanted,
    })
}

fn read_run(fields: &Fields<'_>, context: &Value) -> Run {
    Run {
        at: fields.recorded_at.to_string(),
        rows: context["rows"].as_u64().unwrap_or_default(),
        digest: context["digest"].as_str().unwrap_or_default().to_owned(),
        milliseconds: context["milliseconds"].as_u64().unwrap_or_default(),
        fault: None,
    }
}

fn fields(index: u64, bytes: &[u8]) -> Result<Fields<'_>> {
    Fields::split(bytes).map_err(|error| Error::new(ErrorKind::Damaged, format!("entry {index}: {error}")))
}

fn context(fields: &Fields<'_>) -> Value {
    fields.context.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}
