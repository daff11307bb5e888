//! The outcome: an entry in the ledger, a table on the terminal, a page.

use std::io::Write;
use std::path::Path;

use counterfoil_entry::Timestamp;
use counterfoil_report::Moment;
use counterfoil_report::drill::{Check, Drill, Grade};
use counterfoil_report::{drill_html, drill_pdf};
use counterfoil_server::{Drilled, LOCAL_ADMINISTRATOR};
use serde::Serialize;

use crate::exit::Failure;
use crate::files;
use crate::output::{self, BOLD, DIM, GREEN, RED, YELLOW, styled};
use crate::text::{Counted, Printable};
use crate::writer::Writer;

use super::checks::Checks;

/// A drill that ended.
pub struct Ended(Drill);

#[derive(Serialize)]
struct Told<'a> {
    passed: bool,
    checks: usize,
    failed: usize,
    not_exercised: usize,
    /// The entry that records it.
    index: Option<u64>,
    origin: &'a str,
    scratch: &'a str,
    started_at: Moment,
    seconds: u64,
    version: &'a str,
    results: &'a [Check],
}

impl Ended {
    pub fn new(origin: &str, scratch: &str, started_at: Timestamp, seconds: u64, checks: Checks) -> Self {
        Self(Drill {
            origin: origin.to_owned(),
            scratch: scratch.to_owned(),
            started_at: Moment(started_at),
            seconds,
            actor: LOCAL_ADMINISTRATOR.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            checks: checks.in_order(),
        })
    }

    pub fn passed(&self) -> bool {
        self.0.passed()
    }

    fn count(&self, grade: Grade) -> usize {
        self.0.graded(grade).count()
    }

    /// Records it in the ledger; the entry's index.
    pub fn record(&self, ledger: &Path) -> Result<u64, Failure> {
        let told = |grade| self.0.graded(grade).map(|check| format!("{}: {}", check.name, check.detail)).collect();
        let mut exercised: Vec<String> = self.0.graded(Grade::Passed).map(|check| check.part.clone()).collect();
        exercised.dedup();
        let drilled = Drilled {
            held: self.count(Grade::Passed) as u32,
            failed: self.count(Grade::Failed) as u32,
            seconds: u32::try_from(self.0.seconds).unwrap_or(u32::MAX),
            scratch: self.0.scratch.clone(),
            exercised,
            failures: told(Grade::Failed),
            not_exercised: told(Grade::NotExercised),
        };
        let writer = Writer::of(ledger)?;
        let index = writer.record_drill(&drilled)?;
        writer.close()?;
        Ok(index)
    }

    pub fn write_pages(&self, html: Option<&Path>, pdf: Option<&Path>) -> Result<(), Failure> {
        if let Some(path) = html {
            files::write_output(path, drill_html(&self.0).as_bytes())?;
        }
        if let Some(path) = pdf {
            files::write_output(path, &drill_pdf(&self.0)?)?;
        }
        Ok(())
    }

    /// Writes it to standard output.
    pub fn tell(&self, index: Option<u64>, as_json: bool) -> Result<(), Failure> {
        let (failed, not_exercised) = (self.count(Grade::Failed), self.count(Grade::NotExercised));
        let checks = self.0.checks.len() - not_exercised;
        if as_json {
            return output::json(&Told {
                passed: self.passed(),
                checks,
                failed,
                not_exercised,
                index,
                origin: &self.0.origin,
                scratch: &self.0.scratch,
                started_at: self.0.started_at,
                seconds: self.0.seconds,
                version: &self.0.version,
                results: &self.0.checks,
            });
        }
        let mut out = output::stdout();
        let mut part = "";
        for check in &self.0.checks {
            if check.part != part {
                part = &check.part;
                writeln!(out, "\n{}", styled(BOLD, part))?;
            }
            write_check(&mut out, check)?;
        }
        let word = if self.passed() { styled(GREEN.bold(), "PASSED") } else { styled(RED.bold(), "FAILED") };
        let all = Counted(checks as u64, "check", "checks");
        writeln!(
            out,
            "\n{word} {}: {all}, {failed} failed, {not_exercised} not exercised, {} s",
            self.0.origin, self.0.seconds
        )?;
        if let Some(index) = index {
            writeln!(out, "  recorded as entry {index}: ledger.drilled")?;
        }
        Ok(out.flush()?)
    }
}

fn write_check(out: &mut output::Out, check: &Check) -> std::io::Result<()> {
    let style = match check.grade {
        Grade::Passed => GREEN,
        Grade::Failed => RED.bold(),
        Grade::NotExercised => YELLOW,
    };
    let grade = styled(style, format!("{:<13}", check.grade.words()));
    let (name, detail) = (Printable(&check.name), Printable(&check.detail).to_string());
    match check.grade {
        Grade::Passed => writeln!(out, "  {grade}  {name}  {}", styled(DIM, detail)),
        _ => writeln!(out, "  {grade}  {name}\n  {:13}  {detail}", ""),
    }
}
