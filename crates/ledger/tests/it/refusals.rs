//! What a ledger refuses, and what it withholds when it cannot keep its word.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::{CreateOptions, Disk, ErrorKind, Ledger, OpenOptions};
use counterfoil_entry::{Draft, Fields};
use counterfoil_testkit::{Fault, MemoryDisk, RecordingSigner};

use crate::trial::{FOLDER, Trial};

fn trial() -> Trial {
    let mut trial = Trial::new(MemoryDisk::with_capacity(64 << 20));
    trial.create(256).expect("a disk that works");
    trial
}

#[test]
fn a_signer_that_fails_after_the_sync_withholds_the_receipt_and_ends_commits() {
    let mut trial = trial();
    trial.append(3).expect("recorded");
    trial.signer.fail_after(0);
    let checkpoint = trial.ledger().checkpoint();
    let error = trial.append(2).expect_err("no signature, no receipt");
    assert_eq!(error.kind, ErrorKind::Poisoned, "{error}");
    trial.signer.fail_after(u64::MAX);
    let error = trial.append(1).expect_err("no further commits");
    assert_eq!(error.kind, ErrorKind::Poisoned, "{error}");
    assert_eq!(trial.ledger().checkpoint(), checkpoint, "the entries are not shown either");
    assert!(trial.ledger().status().expect("a status").poisoned.is_some());
    assert_eq!(trial.close().expect_err("it says so once more").kind, ErrorKind::Poisoned);
    trial.signer.fail_after(0);
    let error = trial.open().expect_err("opening signs what was left unsigned");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    trial.signer.fail_after(u64::MAX);
    trial.open().expect("the key service answers again");
    assert_eq!(trial.ledger().snapshot().size(), 6, "created, three, two that were durable");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn a_signer_that_fails_before_the_write_refuses_and_goes_on_when_it_answers() {
    let mut trial = trial();
    trial.append(3).expect("recorded");
    trial.signer.fail_frames(true);
    let error = trial.append(2).expect_err("no frame without a signature");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    trial.signer.fail_frames(false);
    trial.append(2).expect("the key service answers again");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn what_a_failing_signer_refused_is_new_when_it_comes_again() {
    let mut trial = trial();
    let draft = |sequence| {
        let draft = Draft::builder("e", "a", "x").id(&format!("id-{sequence}")).source("etl", sequence);
        draft.build().expect("valid")
    };
    trial.append_drafts(&[draft(1), draft(3)]).expect("recorded");
    for round in 0..2 {
        trial.signer.fail_frames(true);
        let refused = trial.append_drafts(&[draft(2), draft(3), draft(4), draft(5 + round)]);
        assert_eq!(refused.expect_err("no frame without a signature").kind, ErrorKind::Unavailable);
        trial.signer.fail_frames(false);
    }
    assert_eq!(trial.ledger().status().expect("a status").sources[0].gaps, [(2, 2)]);
    let receipts = trial.append_drafts(&[draft(2), draft(4)]).expect("recorded");
    assert_eq!(receipts.iter().map(|receipt| receipt.index).collect::<Vec<_>>(), [3, 4]);
    trial.append_drafts(&[draft(2), draft(4), draft(5)]).expect("repeats and a new one");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let mut trial = Trial::new(MemoryDisk::with_capacity(100_000));
    trial.create(256).expect("there is room for a small ledger");
    let mut recorded = 0;
    let error = loop {
        match trial.append(10) {
            Ok(()) => recorded += 10,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(recorded > 50 && trial.ledger().status().expect("a status").poisoned.is_none());
    while trial.append(1).is_ok() {}
    assert_eq!(trial.append(1).expect_err("still full").kind, ErrorKind::Unavailable);
    trial.disk.set_capacity(1 << 20);
    trial.append(1).expect("somebody made room");
    drop(trial.ledger.take());
    let mut restarted = trial.branch(trial.disk.restart(), "restarted");
    restarted.assert_no_finding();
    restarted.open().expect("open");
    restarted.assert_whole(|| restarted.ledger().snapshot());
}

#[test]
fn a_folder_behind_its_checkpoint_was_rolled_back() {
    let mut trial = trial();
    trial.append(20).expect("recorded");
    trial.close().expect("closed");
    let old = trial.disk.restart();
    trial.open().expect("open");
    trial.append(20).expect("recorded");
    trial.close().expect("closed");
    let newest = trial.disk.read(&Path::new(FOLDER).join("checkpoint")).expect("it is there");
    old.alter(&Path::new(FOLDER).join("checkpoint"), |bytes| *bytes = newest).expect("it is there");
    let mut rolled = trial.branch(old, "rolled back");
    let signed = rolled.signer.signed().len();
    let error = rolled.open().expect_err("a writer would sign another tree of the same size");
    assert_eq!(error.kind, ErrorKind::Tampered, "{error}");
    assert!(error.message.contains("rolled back"), "{error}");
    assert_eq!(rolled.signer.signed().len(), signed, "nothing was signed");
}

#[test]
fn recorded_at_never_goes_back_and_a_leap_must_be_confirmed() {
    let mut trial = trial();
    let recorded_at = |trial: &Trial| {
        let draft = Draft::builder("e", "a", "x").build().expect("a valid entry");
        trial.ledger().append(draft).map(|receipt| receipt.recorded_at)
    };
    let first = recorded_at(&trial).expect("recorded");
    trial.clock.step(-7_200_000_000);
    let second = recorded_at(&trial).expect("a clock that was set back is no reason to stop");
    assert!(second >= first);
    trial.close().expect("closed");
    trial.open().expect("open");
    let third = recorded_at(&trial).expect("recorded");
    assert!(third >= second, "also after reopening");
    trial.clock.step(7_200_000_000);
    trial.clock.advance(Duration::from_secs(86_400));
    let fourth = recorded_at(&trial).expect("a day that really passed is no leap");
    assert!(fourth.micros() - third.micros() > 86_000_000_000);
    trial.clock.step(3_500_000_000);
    recorded_at(&trial).expect("less than an hour is believed");
    trial.clock.step(3_700_000_000);
    let error = recorded_at(&trial).expect_err("more than an hour is not");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    trial.clock.step(-3_700_000_000);
    recorded_at(&trial).expect("the clock was set right");
    trial.clock.step(3_700_000_000);
    assert!(recorded_at(&trial).is_err());
    trial.close().expect("closed");
    trial.open().expect("opening again confirms it");
    recorded_at(&trial).expect("recorded");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn a_poisoned_ledger_still_serves_what_is_durable() {
    let mut trial = trial();
    trial.append(300).expect("recorded");
    trial.seal().expect("sealed");
    let syncs = |trace: &[String]| trace.iter().filter(|step| step.starts_with("sync /books/ledger/journal")).count();
    let before = syncs(&trial.disk.trace());
    trial.disk.plan(3, Fault::InputOutput);
    let error = trial.append(1).and_then(|()| trial.append(1)).expect_err("a sync fails");
    assert_eq!(error.kind, ErrorKind::Poisoned, "{error}");
    assert!(syncs(&trial.disk.trace()) > before);
    trial.assert_whole(|| trial.ledger().snapshot());
    let snapshot = trial.ledger().snapshot();
    snapshot.proof_text(5).expect("proofs are still given");
    snapshot.history("INV-1").expect("histories too");
    assert_eq!(trial.seal().expect_err("nothing is sealed").kind, ErrorKind::Poisoned);
    assert_eq!(trial.ledger().publish().expect_err("nothing is published").kind, ErrorKind::Poisoned);
}

#[test]
fn too_much_at_once_is_refused() {
    let trial = trial();
    let small = Draft::builder("e", "a", "x").build().expect("a valid entry");
    let error = trial.ledger().append_batch(vec![small.clone(); 65_537]).expect_err("too many entries");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    let large = Draft::builder("e", "a", "x").reason(&"x".repeat(60_000)).build().expect("a valid entry");
    let error = trial.ledger().append_batch(vec![large; 1_200]).expect_err("too many bytes");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    assert_eq!(trial.ledger().append_batch(Vec::new()).expect("nothing is nothing"), []);
    assert_eq!(trial.ledger().snapshot().size(), 1);
    trial.ledger().append(small).expect("it goes on");
}

#[test]
fn nobody_but_the_ledger_writes_its_own_entries() {
    let trial = trial();
    let forged = br#"{"event_type":"ledger.sealed","actor":"counterfoil","entity_id":"segment/0"}"#;
    let forged = Draft::parse_own(forged).expect("the right form");
    let error = trial.ledger().append(forged).expect_err("a caller is not the ledger");
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
}

#[test]
fn a_key_that_is_not_the_ledgers_is_denied() {
    let mut trial = trial();
    trial.close().expect("closed");
    let other = RecordingSigner::new("example.com/trial", 8).expect("a valid key");
    let options = OpenOptions { signer: Some(Arc::new(other)), ..trial.options() };
    let error = Ledger::open(FOLDER, options).expect_err("another key");
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let create = CreateOptions::new("example.com/key").expect("a valid origin");
    Ledger::create(&path, create, OpenOptions::default()).and_then(Ledger::close).expect("a ledger");
    let key = path.join("keys/signing-key.pem");
    let mode = std::fs::metadata(&key).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for open_to in [0o640, 0o604, 0o644, 0o620] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(open_to)).expect("chmod");
        let error = Ledger::open(&path, OpenOptions::default()).expect_err("others may use this key");
        assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    Ledger::open(&path, OpenOptions::default()).and_then(Ledger::close).expect("now it opens");
}

#[test]
fn a_folder_with_something_in_it_is_not_made_a_ledger() {
    let mut trial = trial();
    trial.close().expect("closed");
    assert_eq!(trial.create(256).expect_err("it is one already").kind, ErrorKind::Conflict);
    trial.disk.remove(&Path::new(FOLDER).join("ledger.toml")).expect("removed");
    assert_eq!(trial.create(256).expect_err("something is in it").kind, ErrorKind::Conflict);
    assert_eq!(trial.open().expect_err("it is no ledger").kind, ErrorKind::NotFound);
}

#[test]
fn a_torn_write_is_kept_aside_and_recorded() {
    let mut trial = Trial::new(MemoryDisk::new());
    trial.create(256).expect("a disk that works");
    trial.append(3).expect("recorded");
    trial.close().expect("closed");
    let journal = Path::new(FOLDER).join("journal/00000000000000000000.journal");
    let torn = b"CFJ1\0\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0";
    trial.disk.alter(&journal, |bytes| bytes.extend([&torn[..], &[0; 4_000]].concat())).expect("altered");
    trial.assert_no_finding();
    trial.open().expect("open");
    let contents = Trial::contents(&trial.ledger().snapshot());
    let fields = contents.iter().map(|bytes| Fields::check(bytes).expect("a valid entry"));
    let recorded = fields.filter(|fields| fields.event_type == "ledger.torn_write").collect::<Vec<_>>();
    assert_eq!(recorded.len(), 1);
    assert!(recorded[0].context.is_some_and(|context| context.contains("state/torn-0-")), "{recorded:?}");
    let kept = trial.disk.files().into_iter().find(|path| path.to_string_lossy().contains("state/torn-0-"));
    assert_eq!(trial.disk.read(&kept.expect("a side file")).expect("readable"), torn[..17], "up to its last byte");
    trial.append(1).expect("recorded");
    trial.close().expect("closed");
    trial.assert_clean();
}
