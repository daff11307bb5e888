//! The verdict on a folder of plain logs.

use std::io::Write;
use std::path::Path;

use counterfoil::ErrorKind;
use counterfoil_import::logdir::{Finding, FindingKind, Report};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::output::{self, BOLD, DIM, GREEN, RED, YELLOW, styled};
use crate::text::{Counted, Grouped, Printable};

/// Findings that are printed for people; --json prints all that were kept.
const MAX_FINDINGS_SHOWN: usize = 100;

/// How a verification of such a folder ends: unreadable lines alone are damage, everything else is tampering.
pub fn exit(report: &Report) -> Exit {
    let damage = |finding: &Finding| matches!(finding.kind, FindingKind::Unreadable | FindingKind::Malformed);
    match report.findings.as_slice() {
        [] => Exit::Good,
        findings if findings.iter().all(damage) && report.more_findings == 0 => Exit::Bad(ErrorKind::Damaged),
        _ => Exit::Bad(ErrorKind::Tampered),
    }
}

/// Whether these are logs that nobody ever gave hashes.
pub fn has_no_hashes(report: &Report) -> bool {
    let lacks = |finding: &Finding| finding.kind == FindingKind::NoHash;
    let never = report.files.iter().all(|file| file.last_hash.is_none());
    never && !report.findings.is_empty() && report.findings.iter().all(lacks)
}

/// Writes the verdict.
pub fn write(dir: &Path, report: &Report, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&Verdict::of(report));
    }
    let mut out = output::stdout();
    let lines: u64 = report.files.iter().map(|file| file.lines).sum();
    let lines = Counted(lines, "line", "lines");
    let count = report.findings.len() as u64 + report.more_findings;
    match exit(report) {
        Exit::Good => writeln!(out, "{} {lines} in {}: nothing wrong", styled(GREEN, "verified"), dir.display())?,
        Exit::Bad(kind) => {
            let word = kind.name().to_uppercase();
            let findings = Counted(count, "finding", "findings");
            writeln!(out, "{} {}: {findings} ({lines} checked)", styled(RED.bold(), word), dir.display())?;
        }
    }
    for file in &report.files {
        let kind = file.kind.map_or("unknown kind of hashes", |kind| kind.as_str());
        let lines = Counted(file.lines, "line", "lines");
        writeln!(out, "  {}  {lines}, {}", Printable(&file.name), styled(DIM, kind))?;
    }
    for name in &report.left_out {
        writeln!(out, "  {}  {}", Printable(name), styled(DIM, "not a log, not looked at"))?;
    }
    for finding in report.findings.iter().take(MAX_FINDINGS_SHOWN) {
        let place = format!("{}:{}", Printable(&finding.file), finding.line);
        writeln!(out, "\n{}  {}", styled(RED, finding.kind.as_str()), styled(BOLD, place))?;
        writeln!(out, "  {}", Printable(&finding.message))?;
    }
    let more = count.saturating_sub(MAX_FINDINGS_SHOWN as u64);
    if more > 0 {
        writeln!(out, "\nand {} more", Grouped(more))?;
    }
    let limits = report.cannot_detect();
    if !limits.is_empty() {
        writeln!(out, "\n{}", styled(YELLOW, "What logs of this kind cannot show:"))?;
        limits.iter().try_for_each(|limit| writeln!(out, "  {limit}"))?;
    }
    Ok(out.flush()?)
}

#[derive(Serialize)]
struct Verdict<'a> {
    verified: bool,
    files: Vec<FileParts<'a>>,
    left_out: &'a [String],
    findings: Vec<FindingParts<'a>>,
    more_findings: u64,
    cannot_detect: Vec<String>,
}

#[derive(Serialize)]
struct FileParts<'a> {
    file: &'a str,
    lines: u64,
    kind: Option<&'static str>,
    starts_chain: bool,
    last_hash: Option<&'a str>,
}

#[derive(Serialize)]
struct FindingParts<'a> {
    kind: &'static str,
    file: &'a str,
    line: u64,
    message: &'a str,
}

impl<'a> Verdict<'a> {
    fn of(report: &'a Report) -> Verdict<'a> {
        let files = report.files.iter().map(|file| FileParts {
            file: &file.name,
            lines: file.lines,
            kind: file.kind.map(|kind| kind.as_str()),
            starts_chain: file.starts_chain,
            last_hash: file.last_hash.as_deref(),
        });
        let findings = report.findings.iter().map(|finding| FindingParts {
            kind: finding.kind.as_str(),
            file: &finding.file,
            line: finding.line,
            message: &finding.message,
        });
        Verdict {
            verified: exit(report) == Exit::Good,
            files: files.collect(),
            left_out: &report.left_out,
            findings: findings.collect(),
            more_findings: report.more_findings,
            cannot_detect: report.cannot_detect(),
        }
    }
}
