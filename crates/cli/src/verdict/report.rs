//! The verdict on a ledger or a bundle.

use std::io::Write;

use counterfoil_evidence::{Finding, FindingClass, Report};
use serde::Serialize;

use crate::exit::Failure;
use crate::output::{self, BOLD, DIM, GREEN, Out, RED, YELLOW, styled};
use crate::text::{Counted, Grouped, Printable, entries};

/// Findings that are printed for people; --json prints all.
const MAX_FINDINGS_SHOWN: usize = 100;

/// Writes the verdict on `what`; `verified` is the answer that the exit code gives too.
pub fn write(what: &str, report: &Report, verified: bool, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&Verdict::of(report, verified));
    }
    let mut out = output::stdout();
    write_headline(&mut out, what, report, verified)?;
    write_basis(&mut out, report)?;
    write_findings(&mut out, &report.findings)?;
    Ok(out.flush()?)
}

fn write_headline(out: &mut Out, what: &str, report: &Report, verified: bool) -> std::io::Result<()> {
    let name = if report.origin.is_empty() { what.to_owned() } else { Printable(&report.origin).to_string() };
    let checked = entries(report.entries_checked);
    match report.class() {
        None if verified => writeln!(out, "{} {checked} of {name}: nothing wrong", styled(GREEN, "verified")),
        None => {
            writeln!(out, "{} {name}: an anchor is required and none was given", styled(RED.bold(), "NOT VERIFIED"))
        }
        Some(class) => {
            let count = Counted(report.findings.len() as u64, "finding", "findings");
            let word = match class {
                FindingClass::Damaged => "DAMAGED",
                FindingClass::Tampered => "TAMPERED",
            };
            writeln!(out, "{} {name}: {count} ({checked} checked)", styled(RED.bold(), word))
        }
    }
}

fn write_basis(out: &mut Out, report: &Report) -> std::io::Result<()> {
    let mut line = |label: &str, text: String| writeln!(out, "  {}  {text}", styled(DIM, format_args!("{label:<16}")));
    // Where nothing could be read there is no size.
    if report.size > 0 || report.root.is_some() {
        line("ledger size", entries(report.size).to_string())?;
    }
    if report.segments_checked > 0 {
        line("segments", Grouped(report.segments_checked).to_string())?;
    }
    if report.signatures_checked > 0 {
        line("entry signatures", Grouped(report.signatures_checked).to_string())?;
    }
    if let Some(root) = &report.root {
        line("root", root.to_string())?;
    }
    for compared in &report.compared_against {
        line("compared against", Printable(compared).to_string())?;
    }
    if !report.anchored {
        let warning = "self-consistent, not anchored: give --key or --checkpoint from outside this folder";
        let warning = if report.is_clean() { warning } else { "not anchored" };
        line("anchor", styled(YELLOW, warning).to_string())?;
    }
    for notice in &report.notices {
        line("note", Printable(notice).to_string())?;
    }
    Ok(())
}

fn write_findings(out: &mut Out, findings: &[Finding]) -> std::io::Result<()> {
    for finding in findings.iter().take(MAX_FINDINGS_SHOWN) {
        writeln!(out)?;
        let style = match finding.kind.class() {
            FindingClass::Damaged => YELLOW,
            FindingClass::Tampered => RED,
        };
        let mut place = Vec::new();
        place.extend(finding.file.as_deref().map(|file| Printable(file).to_string()));
        place.extend(finding.offset.map(|offset| format!("byte {}", Grouped(offset))));
        place.extend(finding.index.map(|index| format!("entry {}", Grouped(index))));
        let separator = if place.is_empty() { "" } else { "  " };
        writeln!(out, "{}{separator}{}", styled(style, finding.kind), styled(BOLD, place.join(", ")))?;
        writeln!(out, "  {}", Printable(&finding.message))?;
        writeln!(out, "  {}", styled(DIM, finding.kind.meaning()))?;
    }
    let more = findings.len().saturating_sub(MAX_FINDINGS_SHOWN);
    if more > 0 {
        writeln!(out, "\nand {} more; --json prints all", Counted(more as u64, "finding", "findings"))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Verdict<'a> {
    verified: bool,
    class: Option<&'static str>,
    anchored: bool,
    origin: &'a str,
    size: u64,
    root: Option<String>,
    entries_checked: u64,
    segments_checked: u64,
    signatures_checked: u64,
    compared_against: &'a [String],
    notices: &'a [String],
    findings: Vec<FindingParts<'a>>,
}

#[derive(Serialize)]
struct FindingParts<'a> {
    kind: &'static str,
    class: &'static str,
    file: Option<&'a str>,
    offset: Option<u64>,
    index: Option<u64>,
    message: &'a str,
}

impl<'a> Verdict<'a> {
    fn of(report: &'a Report, verified: bool) -> Verdict<'a> {
        let parts = |finding: &'a Finding| FindingParts {
            kind: finding.kind.name(),
            class: finding.kind.class().name(),
            file: finding.file.as_deref(),
            offset: finding.offset,
            index: finding.index,
            message: &finding.message,
        };
        Verdict {
            verified,
            class: report.class().map(FindingClass::name),
            anchored: report.anchored,
            origin: &report.origin,
            size: report.size,
            root: report.root.map(|root| root.to_string()),
            entries_checked: report.entries_checked,
            segments_checked: report.segments_checked,
            signatures_checked: report.signatures_checked,
            compared_against: &report.compared_against,
            notices: &report.notices,
            findings: report.findings.iter().map(parts).collect(),
        }
    }
}
