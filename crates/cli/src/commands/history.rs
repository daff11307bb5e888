//! `counterfoil history`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_entry::Fields;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::change::{Change, changes};
use crate::exit::{Exit, Failure, Outcome};
use crate::json;
use crate::output::{self, BOLD, CYAN, DIM, GREEN, Out, RED, YELLOW, styled};
use crate::text::{Grouped, Printable, entries};
use crate::view::View;

/// Show the life of an entity: who did what, when, and what changed
///
/// Every entry of one entity_id, oldest first, read through the ledger's indexes. Of old_value and new_value
/// the members that differ are shown, old → new.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil history audit INV-1042
  counterfoil history audit INV-1042 --json | jq .entry.actor

Exit codes: 0 shown, 7 no ledger there, or no entry of this entity, 11 what was read was tampered with. \
Other exit codes: see `counterfoil --help`.")]
pub struct History {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// The entity, exactly as entries name it.
    entity_id: String,
    /// Print a line of JSON for each entry: index, changes, entry.
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn run(self) -> Outcome {
        let view = View::of(&self.ledger)?;
        let found = view.history(&self.entity_id)?;
        if found.is_empty() {
            return Err(Failure::new(
                ErrorKind::NotFound,
                format!("no entry of {:?} among {}", self.entity_id, entries(view.size())),
            ));
        }
        if self.json {
            write_lines(&found)?;
        } else {
            self.write_timeline(&view, &found)?;
        }
        Ok(Exit::Good)
    }

    fn write_timeline(&self, view: &View, found: &[(u64, Vec<u8>)]) -> Result<(), Failure> {
        let mut out = output::stdout();
        let title = styled(BOLD, Printable(&self.entity_id));
        writeln!(out, "{title}  {} in {}", entries(found.len() as u64), view.origin()?)?;
        for (index, canonical) in found {
            let fields = Fields::split(canonical).map_err(|error| not_an_entry(*index, &error))?;
            writeln!(out)?;
            write_moment(&mut out, *index, &fields)?;
        }
        Ok(out.flush()?)
    }
}

fn not_an_entry(index: u64, error: &counterfoil_entry::EntryError) -> Failure {
    Failure::new(ErrorKind::Tampered, format!("entry {index}: {error}"))
}

fn write_moment(out: &mut Out, index: u64, fields: &Fields<'_>) -> Result<(), Failure> {
    let what = styled(outcome_style(fields), Printable(&fields.event_type));
    writeln!(out, "{}  {what}  {}", fields.timestamp, styled(DIM, format_args!("#{}", Grouped(index))))?;
    let kind = fields.actor_type.as_deref().map(|kind| format!(" ({})", kind.replace('_', " "))).unwrap_or_default();
    line(out, "by", format_args!("{}{}{}", styled(CYAN, Printable(&fields.actor)), kind, behalf(fields)))?;
    if let Some(outcome) = &fields.outcome {
        line(out, "outcome", styled(outcome_style(fields), Printable(outcome)))?;
    }
    for change in changes(fields.old_value, fields.new_value) {
        write_change(out, &change)?;
    }
    if let Some(reason) = &fields.reason {
        line(out, "reason", Printable(reason))?;
    }
    if let Some(model) = model(fields) {
        line(out, "model", Printable(&model))?;
    }
    Ok(())
}

fn line(out: &mut Out, label: &str, text: impl std::fmt::Display) -> Result<(), Failure> {
    Ok(writeln!(out, "  {} {text}", styled(DIM, format_args!("{label:<8}")))?)
}

fn behalf(fields: &Fields<'_>) -> String {
    match &fields.on_behalf_of {
        Some(principal) => format!(" on behalf of {}", Printable(principal)),
        None => String::new(),
    }
}

fn outcome_style(fields: &Fields<'_>) -> anstyle::Style {
    match fields.outcome.as_deref() {
        Some("failure") => RED,
        Some("denied") => YELLOW,
        _ => BOLD,
    }
}

fn write_change(out: &mut Out, change: &Change) -> Result<(), Failure> {
    let place = if change.member.is_empty() { String::new() } else { format!("{} ", Printable(&change.member)) };
    let old = change.old.as_ref().map(|old| styled(RED, Printable(old.get())).to_string());
    let new = change.new.as_ref().map(|new| styled(GREEN, Printable(new.get())).to_string());
    match (old, new) {
        (Some(old), Some(new)) => line(out, "change", format_args!("{place}{old} → {new}")),
        (None, Some(new)) => line(out, "set", format_args!("{place}{new}")),
        (Some(old), None) => line(out, "removed", format_args!("{place}{old}")),
        (None, None) => Ok(()),
    }
}

/// What `context` says of the model that acted: its members that begin with `model`, and the confidence.
fn model(fields: &Fields<'_>) -> Option<String> {
    let members = json::members(fields.context?)?;
    let told = members.iter().filter(|(name, _)| name.starts_with("model") || *name == "confidence");
    let parts: Vec<String> = told
        .map(|(name, value)| {
            let name = name.strip_prefix("model_").unwrap_or(name);
            let value = serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned());
            if name == "model" { value } else { format!("{name} {value}") }
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn write_lines(found: &[(u64, Vec<u8>)]) -> Result<(), Failure> {
    let mut out = output::raw_stdout();
    for (index, canonical) in found {
        let fields = Fields::split(canonical).map_err(|error| not_an_entry(*index, &error))?;
        let entry = json::raw(canonical);
        let changes = changes(fields.old_value, fields.new_value);
        output::json_line(&mut out, &Line { index: *index, changes, entry })?;
    }
    Ok(out.flush()?)
}

#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    changes: Vec<Change>,
    entry: Option<&'a RawValue>,
}
