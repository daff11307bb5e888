//! Which files of a folder are logs, and in which order rotation made them.

use std::cmp::Ordering;

const EXTENSIONS: [&str; 4] = [".jsonl", ".ndjson", ".json", ".log"];
/// A numeric ending of this many digits or more is a date, which grows; a shorter one counts backwards.
const DATE_DIGITS: usize = 6;

/// Whether a file name is that of a log.
pub(super) fn is_log(name: &str) -> bool {
    !name.starts_with('.') && split(name).is_some()
}

/// The order in which two logs were written: by name with numbers as numbers; of one log, the rotated parts first
/// (dates growing, counts falling: `.2` is older than `.1`), the file without an ending last.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((base_a, ending_a), (base_b, ending_b)) = (split(a).unwrap_or((a, "")), split(b).unwrap_or((b, "")));
    natural(base_a, base_b).then_with(|| {
        let (age_a, age_b) = (Ending::of(ending_a), Ending::of(ending_b));
        match (age_a, age_b) {
            (Ending::Count, Ending::Count) => natural(ending_b, ending_a),
            (Ending::Other, Ending::Other) => natural(ending_a, ending_b),
            _ => age_a.cmp(&age_b),
        }
        .then_with(|| a.cmp(b))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Other,
    Count,
    None,
}

impl Ending {
    fn of(ending: &str) -> Ending {
        let digits = ending.trim_start_matches(['.', '-', '_']);
        match digits {
            "" => Ending::None,
            _ if digits.len() < DATE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ending::Count,
            _ => Ending::Other,
        }
    }
}

/// A name without `.gz`, cut after its extension.
fn split(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    EXTENSIONS
        .iter()
        .filter_map(|extension| name.rfind(extension).map(|at| at + extension.len()))
        .filter(|&end| name[end..].is_empty() || name[end..].starts_with(['.', '-', '_']))
        .max()
        .map(|end| name.split_at(end))
}

/// Text order with runs of digits as numbers.
fn natural(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let (digits_a, digits_b) = (digits(a), digits(b));
        if digits_a > 0 && digits_b > 0 {
            let (run_a, run_b) = (a[..digits_a].trim_start_matches('0'), b[..digits_b].trim_start_matches('0'));
            match run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b)) {
                Ordering::Equal => (a, b) = (&a[digits_a..], &b[digits_b..]),
                unequal => return unequal,
            }
            continue;
        }
        let (mut rest_a, mut rest_b) = (a.chars(), b.chars());
        match (rest_a.next(), rest_b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) if x == y => (a, b) = (rest_a.as_str(), rest_b.as_str()),
            (x, y) => return x.cmp(&y),
        }
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_parts_come_oldest_first() {
        let expected = [
            "a-2.jsonl",
            "a-10.jsonl",
            "a.jsonl",
            "b.log-20251231.gz",
            "b.log-20260101",
            "b.log",
            "c.log.10",
            "c.log.9.gz",
            "c.log.1",
            "c.log",
        ];
        let mut names = expected;
        names.reverse();
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, expected);
    }

    #[test]
    fn only_logs_are_logs() {
        for log in ["a.log", "a.jsonl.gz", "a.log.3", "a.ndjson-2026-01-01"] {
            assert!(is_log(log), "{log}");
        }
        for other in ["README.md", ".a.log.swp", "a.logx", "a.txt", "logs"] {
            assert!(!is_log(other), "{other}");
        }
    }
}
