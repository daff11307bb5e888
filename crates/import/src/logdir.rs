//! Folders of JSON-lines logs that carry their own hashes: every line has `hash`, the SHA-256 in hexadecimal of Python's
//! `json.dumps(entry, sort_keys=True)` without `hash`, and usually `prev_hash`, the hash of the line before.
//!
//! [`verify`] finds out how each file was hashed, recomputes every hash, follows the links across rotated files, and
//! says what such a log cannot show (see [`Kind::cannot_detect`]).

mod chain;
mod line;
mod order;
mod report;

use std::fs;
use std::io::BufRead;
use std::path::Path;

pub use report::{FileReport, Finding, FindingKind, Kind, LogDirError, Report};

use crate::input::{self, MAX_ROW};
use chain::Follower;
use line::{Line, LineFault};

/// Lines of each file from which the kind is told.
const SAMPLE_LINES: usize = 1_000;

/// Checks every line of every log in `dir`. Logs are the files called `….jsonl`, `….ndjson`, `….json` or `….log`, also
/// with what rotation adds (`audit.log.1`, `audit.log-20260101.gz`), in the order of their rotation; other files and
/// folders inside are named in [`Report::left_out`]. `progress` is told the bytes of each line, decompressed.
///
/// # Errors
/// The folder cannot be read, or holds no log. What is wrong with the logs is a finding, not an error.
pub fn verify(dir: &Path, progress: &mut dyn FnMut(u64)) -> Result<Report, LogDirError> {
    let (names, left_out) = list(dir)?;
    if names.is_empty() {
        return Err(LogDirError::NoLogs(dir.to_owned()));
    }
    let samples: Vec<_> = names.iter().map(|name| sample(&dir.join(name))).collect();
    let common = Kind::most_common(samples.iter().copied().flatten());
    let mut follower = Follower::default();
    for (name, kind) in names.iter().zip(samples) {
        follower.start(name, kind.or(common));
        let read = each_line(&dir.join(name), |number, text| {
            follower.line(number, text);
            progress(text.len() as u64);
            true
        });
        follower.finish(read.err());
    }
    Ok(follower.into_report(left_out))
}

fn list(dir: &Path) -> Result<(Vec<String>, Vec<String>), LogDirError> {
    let unreadable = |source| LogDirError::Unreadable { dir: dir.to_owned(), source };
    let (mut logs, mut left_out) = (Vec::new(), Vec::new());
    for file in fs::read_dir(dir).map_err(unreadable)? {
        let file = file.map_err(unreadable)?;
        let name = file.file_name().to_string_lossy().into_owned();
        if file.path().is_file() && order::is_log(&name) && dir.join(&name) == file.path() {
            logs.push(name);
        } else {
            left_out.push(name);
        }
    }
    logs.sort_by(|a, b| order::compare(a, b));
    left_out.sort();
    Ok((logs, left_out))
}

/// How most of the first lines are hashed; none when no line's hash is right in any way.
fn sample(path: &Path) -> Option<Kind> {
    let mut kinds = Vec::new();
    let mut left = SAMPLE_LINES;
    // A file that cannot be read is a finding of the pass that follows.
    let _ = each_line(path, |_, text| {
        if let Ok(line) = Line::parse(text) {
            kinds.extend(line.kind());
        }
        left -= 1;
        left > 0
    });
    Kind::most_common(kinds.into_iter())
}

/// Hands over every line that is not blank, with its number, while `visit` answers true.
fn each_line(path: &Path, mut visit: impl FnMut(u64, &[u8]) -> bool) -> Result<(), LineFault> {
    let file = fs::File::open(path).map_err(LineFault::Io)?;
    let mut reader = input::open(Box::new(file)).map_err(LineFault::Io)?;
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let mut limited = std::io::Read::take(&mut reader, MAX_ROW as u64 + 1);
        limited.read_until(b'\n', &mut text).map_err(LineFault::Io)?;
        if text.len() > MAX_ROW {
            return Err(LineFault::TooLong(number));
        }
        if text.is_empty() {
            break;
        }
        if !text.trim_ascii().is_empty() && !visit(number, &text) {
            break;
        }
    }
    Ok(())
}
