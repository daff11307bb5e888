//! Following the lines of a folder's logs, one after the other.

use super::line::{Line, LineError, LineFault, Link};
use super::report::{FileReport, Finding, FindingKind, Kind, Report};

/// Findings that are kept; the rest are counted.
const MAX_FINDINGS: usize = 10_000;

/// The line that the next one must name.
#[derive(Debug, Default)]
enum Before {
    /// There is none: no line was read yet.
    #[default]
    Nothing,
    /// Its hash could not be read, which is a finding of its own.
    Unknown,
    Line {
        place: String,
        hash: String,
    },
}

/// Collects findings while the lines go by.
#[derive(Default)]
pub(super) struct Follower {
    report: Report,
    before: Before,
}

impl Follower {
    /// Goes on to the next file.
    pub(super) fn start(&mut self, name: &str, kind: Option<Kind>) {
        self.report.files.push(FileReport {
            name: name.to_owned(),
            lines: 0,
            kind,
            starts_chain: false,
            last_hash: None,
        });
    }

    /// Ends a file, with the fault that ended it early.
    pub(super) fn finish(&mut self, fault: Option<LineFault>) {
        let Some(fault) = fault else { return };
        let lines = self.report.files.last().map_or(0, |file| file.lines);
        let (line, message) = match fault {
            LineFault::Io(error) => (lines + 1, format!("cannot be read on: {error}")),
            LineFault::TooLong(line) => (line, "a line is longer than 16 MiB".to_owned()),
        };
        self.find(FindingKind::Unreadable, line, message);
        self.before = Before::Unknown;
    }

    pub(super) fn into_report(self, left_out: Vec<String>) -> Report {
        Report { left_out, ..self.report }
    }

    fn find(&mut self, kind: FindingKind, line: u64, message: String) {
        if self.report.findings.len() >= MAX_FINDINGS {
            self.report.more_findings += 1;
            return;
        }
        let file = self.report.files.last().map_or_else(String::new, |file| file.name.clone());
        self.report.findings.push(Finding { kind, file, line, message });
    }

    /// Checks one line.
    pub(super) fn line(&mut self, number: u64, text: &[u8]) {
        let Some(file) = self.report.files.last_mut() else { return };
        file.lines += 1;
        let (first, kind, name) = (file.lines == 1, file.kind, file.name.clone());
        let line = match Line::parse(text) {
            Ok(line) => line,
            Err(error) => return self.malformed(number, &error),
        };
        for member in &line.duplicates {
            let message = format!("member {member:?} stands twice; the hash covers only the last");
            self.find(FindingKind::DuplicateMember, number, message);
        }
        let Some(hash) = line.hash() else {
            self.find(FindingKind::NoHash, number, "the line carries no hash".to_owned());
            self.before = Before::Unknown;
            return;
        };
        match kind {
            Some(kind) => self.check_hash(number, &line, kind),
            None if first => {
                let message = "no line's hash is the SHA-256 of json.dumps(entry, sort_keys=True) in any of the known \
                    ways; the log may be made otherwise, or changed throughout"
                    .to_owned();
                self.find(FindingKind::UnknownKind, number, message);
            }
            None => {}
        }
        // Where the kind is unknown, links that are there are followed all the same.
        if kind.map_or(line.link() != Link::None, |kind| kind != Kind::HashOnly) {
            self.check_link(number, &line, first);
        }
        self.before = Before::Line { place: format!("{name}:{number}"), hash: hash.to_owned() };
        if let Some(file) = self.report.files.last_mut() {
            file.last_hash = Some(hash.to_owned());
        }
    }

    fn malformed(&mut self, number: u64, error: &LineError) {
        let message = match error {
            LineError::Json(error) => format!("no JSON: {error}"),
            LineError::NoObject => "no JSON object".to_owned(),
        };
        self.find(FindingKind::Malformed, number, message);
        self.before = Before::Unknown;
    }

    fn check_hash(&mut self, number: u64, line: &Line, kind: Kind) {
        // A link that is absent is found with the links.
        if line.holds(kind) && (kind != Kind::HashOnly || line.link() == Link::None) {
            return;
        }
        let (finding, message) = match line.kind() {
            Some(other) => (FindingKind::OtherKind, format!("hashed as {other}, where the file is {kind}")),
            None => (FindingKind::HashMismatch, "the hash is not this line's: the line was changed".to_owned()),
        };
        self.find(finding, number, message);
    }

    fn check_link(&mut self, number: u64, line: &Line, first: bool) {
        let fault = match (line.link(), &self.before) {
            (Link::None | Link::Start, _) if first => {
                if let Some(file) = self.report.files.last_mut() {
                    file.starts_chain = true;
                }
                return;
            }
            (Link::None, _) => (FindingKind::NoLink, "the line names no line before it".to_owned()),
            (Link::Start, _) => {
                (FindingKind::Restart, "the chain begins anew here; lines before it could have been cut".to_owned())
            }
            (Link::To(_), Before::Unknown) => return,
            (Link::To(link), Before::Line { hash, .. }) if link == hash => return,
            (Link::To(link), Before::Nothing) => (
                FindingKind::HeadMissing,
                format!("the first line follows a line with hash {}, which is not here", short(link)),
            ),
            (Link::To(link), Before::Line { place, hash }) => (
                FindingKind::BrokenLink,
                format!(
                    "names a line with hash {} before it, but {place} has {}: lines were removed, added, moved or changed",
                    short(link),
                    short(hash)
                ),
            ),
        };
        self.find(fault.0, number, fault.1);
    }
}

fn short(hash: &str) -> String {
    let start: String = hash.chars().take(12).collect();
    if start.len() < hash.len() { start + "…" } else { start }
}
