//! `counterfoil report`

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use counterfoil::{Clock, SystemClock};
use counterfoil_report::report::{Evidence, Report as Figures, Step};
use counterfoil_report::{Moment, report_html, report_pdf, sql};

use crate::compliance::{self, Period, moment};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output;
use crate::text::{Printable, entries};
use crate::view::View;

/// Write the compliance report of a period, as HTML and as PDF
///
/// Counts, overrides and refusals with charts, checkpoints and roots, verifications and drills, alerts with their ages,
/// reviews, gaps, retention and locks, access: each part with the clauses that it supports. What the report cannot show
/// comes first, in words. It says how anybody checks it, with commands that can be copied; --bundle writes the evidence
/// bundle that proves the entries that it singles out, under the checkpoint of the period's end.
///
/// The ledger is verified first, as by `counterfoil verify`. A damaged one has a report all the same, of what can still be
/// read; that it is damaged is its first sentence, and the exit code says so too.
///
/// A period is a span of the time of recording: --from is its first moment, --to the first moment after it. A date is its
/// first moment in UTC.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["html", "pdf", "json"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  counterfoil report audit --from 2026-07-01 --to 2026-10-01 --pdf q3.pdf
  counterfoil report audit --from 2026-07-01 --to 2026-10-01 \\
    --html q3.html --pdf q3.pdf --bundle q3.bundle.json
  counterfoil report http://127.0.0.1:7411 --from 2026-11-27 \\
    --to 2026-11-28 --json | jq .overrides.by_model

Exit codes: 0 written, 2 dates or files are wrong or --copy is that of another ledger, 7 no ledger there, 10 or 11 written, and the ledger is damaged or tampered \
with. Other exit codes: see `counterfoil --help`.")]
pub struct Report {
    /// The ledger's folder, the URL of the service that holds it, or a copy at s3://BUCKET/PREFIX.
    ledger: PathBuf,
    /// The first moment of the period: a date or an RFC 3339 time.
    #[arg(long, value_name = "DATE", value_parser = moment)]
    from: Moment,
    /// The first moment after the period.
    #[arg(long, value_name = "DATE", value_parser = moment)]
    to: Moment,
    /// Write the report as one HTML file; - is standard output.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report as PDF (PDF/A-2a, PDF/UA-1); - is standard output.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// Write the evidence bundle that proves the entries that the report singles out.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Where the copy under lock is [default: where the service ships to, or the ledger last said that it did].
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    copy: Option<String>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(super) fn run(self) -> Outcome {
        if self.from >= self.to {
            return Err(Failure::invalid("--from is the first moment of the period and --to the first one after it"));
        }
        compliance::refuse_outputs(self.html.as_deref(), self.pdf.as_deref(), self.bundle.as_deref(), self.json)?;
        let view = View::of(&self.ledger)?;
        let period = Period {
            ledger: &self.ledger,
            from: self.from,
            to: self.to,
            copy: self.copy.as_deref(),
            now: Moment::from_micros(SystemClock::default().now_micros()),
        };
        let (mut report, exit) = compliance::gather(&view, &period)?;
        if let Some(file) = &self.bundle {
            report.integrity.bundle = match prove(&view, &report, file) {
                Err(failure) if exit != Exit::Good => {
                    output::tell(&failure);
                    None
                }
                proven => proven?,
            };
        }
        if let Some(file) = &self.html {
            files::write_output(file, report_html(&report)?.as_bytes())?;
        }
        if let Some(file) = &self.pdf {
            files::write_output(file, &report_pdf(&report)?)?;
        }
        if self.json {
            output::json(&report)?;
        }
        tell(&report, exit);
        Ok(exit)
    }
}

/// Writes the bundle; none when the report singles out no entry.
fn prove(view: &View, report: &Figures, file: &Path) -> Result<Option<Evidence>, Failure> {
    let scope = &report.scope;
    let mut condition = sql::over(sql::SINGLED_OUT, scope.first, scope.end, Step::of(scope.from, scope.to));
    if !report.unread.is_empty() {
        condition.push_str(&format!(" AND {}", sql::outside(&report.unread)));
    }
    let proven = compliance::prove(view, condition, report.integrity.signed().size, file)?;
    if proven.is_none() {
        output::note("the report singles out no entry, so there is no bundle");
    }
    Ok(proven)
}

fn tell(report: &Figures, exit: Exit) {
    let (scope, check) = (&report.scope, &report.check);
    output::note(format_args!(
        "{} of {}, {} to {}",
        entries(scope.end - scope.first),
        Printable(&scope.origin),
        scope.from,
        scope.to
    ));
    if !scope.over {
        output::note(format_args!("the period is not over: entries are counted until {}", scope.written));
    }
    match (exit, &check.fault) {
        (Exit::Bad(kind), _) => {
            let word = output::styled(output::RED, kind.name().to_uppercase());
            output::note(format_args!(
                "{word}: the report says so first; `counterfoil verify` lists everything that is wrong"
            ));
        }
        (Exit::Good, Some(fault)) => output::note(format_args!("the ledger was not verified: {}", Printable(fault))),
        (Exit::Good, None) => {
            let word = output::styled(output::GREEN, "verified");
            output::note(format_args!("{word} first, {} in all: nothing wrong", entries(check.entries)));
        }
    }
}
