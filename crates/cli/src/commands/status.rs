//! `counterfoil status`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{SourceStatus, Status as State};
use serde::Serialize;

use crate::exit::{Exit, Outcome};
use crate::output::{self, BOLD, DIM, Out, YELLOW, styled};
use crate::remote::Remote;
use crate::text::{Counted, Grouped, Printable, entries};
use crate::view::{Lake, OnlyInCopy, Shipping, View};

/// Gaps that are printed for a source; --json prints all.
const MAX_GAPS_SHOWN: usize = 5;

/// Show what a ledger holds: size, segments, the copy that a service keeps, sources and their gaps
///
/// A gap is a run of sequence numbers that a source never sent: an entry that was not recorded, or not yet. It is no
/// error and closes when it is filled.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil status audit
  counterfoil status audit --json | jq '.sources[] | select(.gaps != [])'

Exit codes: 0 shown, 7 no ledger there. Other exit codes: see `counterfoil --help`.")]
pub struct Status {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> Outcome {
        let view = match Remote::of(&self.ledger)? {
            Some(service) => View::through(service)?,
            None => View::of(&self.ledger)?,
        };
        let state = view.status()?;
        if self.json {
            output::json(&Parts::of(&state, &view)?)?;
        } else {
            let mut out = output::stdout();
            write_state(&mut out, &state)?;
            view.shipping().map_or(Ok(()), |shipping| write_shipping(&mut out, shipping))?;
            view.only_in_copy()?.map_or(Ok(()), |only| write_only_in_copy(&mut out, &only))?;
            view.lake().map_or(Ok(()), |lake| write_lake(&mut out, lake))?;
            write_gaps(&mut out, &state)?;
            state.sources.iter().try_for_each(|source| write_source(&mut out, source))?;
            out.flush()?;
        }
        Ok(Exit::Good)
    }
}

fn write_state(out: &mut Out, state: &State) -> std::io::Result<()> {
    let mut line = |label: &str, text: String| writeln!(out, "{}  {text}", styled(DIM, format_args!("{label:<8}")));
    line("ledger", styled(BOLD, &state.origin).to_string())?;
    line("entries", Grouped(state.size).to_string())?;
    line("root", state.root.to_string())?;
    line(
        "sealed",
        format!(
            "{} in {} of at most {} each",
            Grouped(state.sealed_size),
            Counted(state.segments as u64, "segment", "segments"),
            Grouped(state.segment_span)
        ),
    )?;
    line("journal", entries(state.size - state.sealed_size).to_string())
}

fn write_gaps(out: &mut Out, state: &State) -> std::io::Result<()> {
    let gaps: usize = state.sources.iter().map(|source| source.gaps.len()).sum();
    let gaps = match gaps {
        0 => "no gaps".to_owned(),
        count => styled(YELLOW, Counted(count as u64, "gap", "gaps")).to_string(),
    };
    writeln!(out, "{}  {}, {gaps}", styled(DIM, "sources "), Grouped(state.sources.len() as u64))
}

fn write_shipping(out: &mut Out, shipping: &Shipping) -> std::io::Result<()> {
    let behind = match shipping.lag_entries {
        0 => "nothing is missing there".to_owned(),
        count if shipping.lag_seconds > 0.0 => {
            format!("{} not there yet, the oldest for {:.0} s", entries(count), shipping.lag_seconds)
        }
        count => format!("{} not there yet", entries(count)),
    };
    let shipped = entries(shipping.shipped_size);
    writeln!(out, "{}  {shipped} at {}; {behind}", styled(DIM, "shipped "), Printable(&shipping.to))?;
    let Some(fault) = &shipping.fault else { return Ok(()) };
    let state = if shipping.stopped { "stopped for good" } else { "fails and goes on" };
    let tries = Counted(shipping.failures, "attempt", "attempts");
    writeln!(
        out,
        "          {}",
        styled(YELLOW, format_args!("{state}, {tries}: {}", Printable(fault.lines().next().unwrap_or_default())))
    )
}

fn write_only_in_copy(out: &mut Out, only: &OnlyInCopy) -> std::io::Result<()> {
    writeln!(
        out,
        "{}  {} in {}, {} bytes, are at {} only",
        styled(DIM, "pruned  "),
        entries(only.entries),
        Counted(only.segments, "segment", "segments"),
        Grouped(only.bytes),
        Printable(&only.place)
    )
}

fn write_lake(out: &mut Out, lake: &Lake) -> std::io::Result<()> {
    let there = entries(lake.entries);
    let behind = match lake.lag_entries {
        0 => String::new(),
        count => format!("; {} sealed and not there", entries(count)),
    };
    writeln!(out, "{}  {there} at {}{behind}", styled(DIM, "lake    "), Printable(&lake.to))?;
    let Some(fault) = &lake.fault else { return Ok(()) };
    let tries = Counted(lake.failures, "attempt", "attempts");
    let first = Printable(fault.lines().next().unwrap_or_default()).to_string();
    writeln!(out, "          {}", styled(YELLOW, format_args!("fails and goes on, {tries}: {first}")))
}

fn write_source(out: &mut Out, source: &SourceStatus) -> std::io::Result<()> {
    let recorder =
        source.recorder.as_deref().map(|name| format!(" (recorder {})", Printable(name))).unwrap_or_default();
    writeln!(out, "  {}{recorder} up to {}", Printable(&source.source), Grouped(source.last))?;
    let range = |&(first, last): &(u64, u64)| match first == last {
        true => Grouped(first).to_string(),
        false => format!("{}–{}", Grouped(first), Grouped(last)),
    };
    let shown: Vec<String> = source.gaps.iter().take(MAX_GAPS_SHOWN).map(range).collect();
    if shown.is_empty() {
        return Ok(());
    }
    let more = match source.gaps.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {} more", Grouped(more as u64)),
    };
    writeln!(out, "    {}", styled(YELLOW, format_args!("missing {}{more}", shown.join(", "))))
}

#[derive(Serialize)]
struct Parts<'a> {
    origin: &'a str,
    size: u64,
    root: String,
    sealed_size: u64,
    segments: usize,
    segment_span: u64,
    in_journal: u64,
    sources: Vec<SourceParts<'a>>,
    /// Of a running service alone.
    shipping: Option<&'a Shipping>,
    only_in_copy: Option<OnlyInCopy>,
    /// Of a running service alone.
    lake: Option<&'a Lake>,
}

#[derive(Serialize)]
struct SourceParts<'a> {
    recorder: Option<&'a str>,
    source: &'a str,
    last: u64,
    gaps: &'a [(u64, u64)],
}

impl<'a> Parts<'a> {
    fn of(state: &'a State, view: &'a View) -> counterfoil::Result<Parts<'a>> {
        let source = |source: &'a SourceStatus| SourceParts {
            recorder: source.recorder.as_deref(),
            source: &source.source,
            last: source.last,
            gaps: &source.gaps,
        };
        Ok(Parts {
            origin: &state.origin,
            size: state.size,
            root: state.root.to_string(),
            sealed_size: state.sealed_size,
            segments: state.segments,
            segment_span: state.segment_span,
            in_journal: state.size - state.sealed_size,
            sources: state.sources.iter().map(source).collect(),
            shipping: view.shipping(),
            only_in_copy: view.only_in_copy()?,
            lake: view.lake(),
        })
    }
}
