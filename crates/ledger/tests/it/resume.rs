//! A verification that goes on where an earlier one ended reads only what is new, and is taken in by nothing that is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions, Verified, VerifyOptions, verify};
use counterfoil_entry::Draft;
use counterfoil_evidence::{FindingKind, Report};
use tempfile::TempDir;

fn create(path: &Path) -> Ledger {
    let mut options = CreateOptions::new("example.com/resume").unwrap();
    options.segment_span = 256;
    Ledger::create(path, options, OpenOptions::default()).unwrap()
}

/// Entries with ids and sequences, the first with this number.
fn append(ledger: &Ledger, first: usize, count: usize) {
    let draft = |number| {
        let draft = Draft::builder("invoice_approved", "bot", &format!("INV-{number}"));
        draft.id(&format!("id-{number}")).source("erp", number as u64).build().unwrap()
    };
    ledger.append_batch((first..first + count).map(draft).collect()).unwrap();
    ledger.seal().unwrap();
}

fn run(path: &Path, resume: Option<&Verified>) -> (Report, Vec<Verified>) {
    let states = Mutex::new(Vec::new());
    let remember = |state: Verified| states.lock().unwrap().push(state);
    let resume = resume.map(|state| Verified::parse(state.to_text().as_bytes()).unwrap());
    let options = VerifyOptions { resume, remember: Some(&remember), ..VerifyOptions::default() };
    let report = verify(path, &options).unwrap();
    (report, states.into_inner().unwrap())
}

fn copy(from: &Path, to: PathBuf) -> PathBuf {
    assert!(std::process::Command::new("cp").arg("-r").args([from, &to]).status().unwrap().success());
    to
}

#[test]
fn only_what_is_new_is_read_and_everything_that_is_new_is_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 0, 1_000);
    ledger.close().unwrap();
    let (first, states) = run(&path, None);
    assert_eq!(first.findings, []);
    let state = states.last().unwrap().clone();
    assert_eq!(state.size(), 768);
    let old = copy(&path, folder.path().join("old"));
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    append(&ledger, 1_000, 1_000);
    ledger.close().unwrap();
    let (whole, _) = run(&path, None);
    let (report, states) = run(&path, Some(&state));
    assert_eq!(report.findings, []);
    assert_eq!((report.size, report.root), (whole.size, whole.root));
    assert_eq!(report.entries_checked + state.size(), whole.entries_checked);
    assert_eq!(report.segments_checked + 3, whole.segments_checked);
    assert!(report.anchored && report.notices.iter().any(|notice| notice.contains("verified earlier")));
    assert_eq!(states.last(), run(&path, None).1.last(), "both ways lead to one state");
    // Rolled back behind it; a fork; another ledger.
    let (newer, other) = (states.last().unwrap(), folder.path().join("other"));
    let kinds = |report: Report| report.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>();
    assert!(kinds(run(&old, Some(newer)).0).contains(&FindingKind::CheckpointAhead));
    let ledger = Ledger::open(&old, OpenOptions::default()).unwrap();
    append(&ledger, 5_000, 1_000);
    append(&ledger, 6_000, 1_000);
    ledger.close().unwrap();
    assert_eq!(run(&old, Some(&state)).0.findings, [], "it is the same history up to there");
    assert!(kinds(run(&old, Some(newer)).0).contains(&FindingKind::Fork));
    create(&other).close().unwrap();
    let options = VerifyOptions { resume: Some(state.clone()), ..VerifyOptions::default() };
    assert_eq!(verify(&other, &options).unwrap_err().kind, ErrorKind::Invalid);
    // A byte behind it is found; one before it is not read, and still is when everything is.
    for (first, seen) in [(1_024, true), (768, true), (256, false)] {
        let changed = copy(&path, folder.path().join(format!("changed-{first}")));
        let file = changed.join(format!("segments/{first:020}.parquet"));
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&file).unwrap();
        fs::write(&file, bytes).unwrap();
        let (report, states) = run(&changed, Some(&state));
        assert_eq!(!report.is_clean(), seen, "{first}: {:?}", report.findings);
        assert_eq!(states.is_empty(), seen, "nothing is remembered of what is wrong");
        assert!(!run(&changed, None).0.is_clean());
    }
    // What is remembered is used: a repeated id would be found, and a changed state is no state.
    let text = state.to_text();
    let forged = text.replacen("\"size\":768", "\"size\":512", 1);
    let options =
        VerifyOptions { resume: Some(Verified::parse(forged.as_bytes()).unwrap()), ..VerifyOptions::default() };
    assert_eq!(verify(&path, &options).unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(Verified::parse(b"{}").unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn a_verification_that_was_interrupted_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 0, 5_000);
    ledger.close().unwrap();
    let (whole, states) = run(&path, None);
    assert_eq!(whole.findings, []);
    assert_eq!(states.iter().map(Verified::size).collect::<Vec<_>>(), [16 * 256, 19 * 256]);
    let (report, again) = run(&path, Some(&states[0]));
    assert_eq!((report.findings, report.root), (vec![], whole.root));
    assert_eq!(report.entries_checked, whole.entries_checked - 16 * 256);
    assert_eq!(again.last(), states.last());
}
