//! `counterfoil catalog`

use std::io::Write;

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_entry::catalog::{self, EventType};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, BOLD, CYAN, DIM, Out, styled};
use crate::text::did_you_mean;

/// List the event types that Counterfoil knows
///
/// An entry may have any event type; the catalog says which names to prefer, what each means and which members it
/// needs, and `append --strict` holds entries to it. Clause tags say which rules entries of a type can serve as
/// evidence for, not that anything complies.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil catalog
  counterfoil catalog manual_override
  counterfoil catalog manual_override --json-schema > override.schema.json

Exit codes: 0 listed, 7 no such event type. Other exit codes: see `counterfoil --help`.")]
pub struct Catalog {
    /// Only this event type.
    event_type: Option<String>,
    /// Print JSON Schema 2020-12 for the event type, or for any entry.
    #[arg(long, conflicts_with = "json")]
    json_schema: bool,
    /// Print the catalog as JSON.
    #[arg(long)]
    json: bool,
}

impl Catalog {
    pub(super) fn run(self) -> Outcome {
        let event = self.event_type.as_deref().map(find).transpose()?;
        if self.json_schema {
            output::json(&catalog::json_schema(event))?;
            return Ok(Exit::Good);
        }
        let listed: Vec<&EventType> = match event {
            Some(event) => vec![event],
            None => catalog::all().iter().collect(),
        };
        if self.json {
            output::json(&listed.iter().map(|event| Listed::of(event)).collect::<Vec<_>>())?;
        } else {
            let mut out = output::stdout();
            match event {
                Some(event) => describe(&mut out, event)?,
                None => list(&mut out, &listed)?,
            }
            out.flush()?;
        }
        Ok(Exit::Good)
    }
}

fn find(name: &str) -> Result<&'static EventType, Failure> {
    catalog::find(name).ok_or_else(|| {
        let near = did_you_mean(name, catalog::all().iter().map(|event| event.name));
        Failure::new(ErrorKind::NotFound, format!("the catalog has no event type {name:?}{near}"))
            .advise("`counterfoil catalog` lists all.")
    })
}

fn list(out: &mut Out, events: &[&EventType]) -> Result<(), Failure> {
    let width = events.iter().map(|event| event.name.len()).max().unwrap_or_default();
    let mut domain = "";
    for event in events {
        if event.domain != domain {
            let gap = if domain.is_empty() { "" } else { "\n" };
            domain = event.domain;
            let author = if event.is_own() { ", written by the ledger itself" } else { "" };
            writeln!(out, "{gap}{}{}", styled(BOLD, domain), styled(DIM, author))?;
        }
        let padding = " ".repeat(width - event.name.len());
        writeln!(out, "  {}{padding}  {}", styled(CYAN, event.name), event.description)?;
        let needs = needs(event);
        if !needs.is_empty() {
            writeln!(out, "  {}  {}", " ".repeat(width), styled(DIM, format_args!("needs {}", needs.join(", "))))?;
        }
    }
    Ok(())
}

fn describe(out: &mut Out, event: &EventType) -> Result<(), Failure> {
    let needs = needs(event);
    let author = if event.is_own() { "only the ledger itself" } else { "any client" };
    writeln!(out, "{}", styled(BOLD, event.name))?;
    writeln!(out, "{}", event.description)?;
    writeln!(out)?;
    writeln!(out, "domain           {}", event.domain)?;
    writeln!(out, "recorded by      {author}")?;
    writeln!(out, "needs            {}", if needs.is_empty() { "nothing more".to_owned() } else { needs.join(", ") })?;
    writeln!(out, "retention class  {}", event.retention_class)?;
    writeln!(out, "clauses          {}", event.clauses.join(", "))?;
    Ok(())
}

/// The members that an entry of the type must have, beside those that every entry has.
fn needs(event: &EventType) -> Vec<String> {
    let members = event.members.iter().map(|&member| member.to_owned());
    members.chain(event.context.iter().map(|member| format!("context.{member}"))).collect()
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    domain: &'static str,
    description: &'static str,
    required_members: Vec<&'static str>,
    required_context: Vec<&'static str>,
    retention_class: &'static str,
    clauses: Vec<&'static str>,
}

impl Listed {
    fn of(event: &EventType) -> Listed {
        Listed {
            name: event.name,
            domain: event.domain,
            description: event.description,
            required_members: event.members.clone(),
            required_context: event.context.clone(),
            retention_class: event.retention_class,
            clauses: event.clauses.clone(),
        }
    }
}
