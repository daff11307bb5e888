//! Files in the way: of the checkpoint that readers stop at, and of the journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Disk, ErrorKind, VerifyOptions, verify};
use counterfoil_evidence::FindingKind;
use counterfoil_testkit::MemoryDisk;

use crate::trial::{FOLDER, Trial};

fn kinds(disk: &MemoryDisk) -> Vec<FindingKind> {
    let options = VerifyOptions { disk: Arc::new(disk.clone()), ..VerifyOptions::default() };
    verify(FOLDER, &options).expect("a report").findings.iter().map(|finding| finding.kind).collect()
}

#[test]
fn a_writer_that_cannot_publish_stops_after_a_minute() {
    let mut trial = Trial::new(MemoryDisk::new());
    trial.create(1024).expect("a ledger");
    trial.append(1).expect("recorded");
    trial.ledger().publish().expect("published");
    trial.disk.create_folder(&Path::new(FOLDER).join("checkpoint.tmp")).expect("made");
    trial.append(1).expect("recorded, and not published yet");
    trial.clock.advance(Duration::from_secs(61));
    let error = trial.append(1).expect_err("readers would see less and less of the ledger");
    assert!(error.kind == ErrorKind::Unavailable && error.message.contains("checkpoint"), "{error}");
}

#[test]
fn a_folder_in_the_way_of_the_checkpoint_is_found() {
    let mut trial = Trial::new(MemoryDisk::new());
    trial.create(1024).expect("a ledger");
    trial.append(1).expect("recorded");
    trial.close().expect("closed");
    trial.disk.create_folder(&Path::new(FOLDER).join("checkpoint.tmp")).expect("made");
    assert_eq!(kinds(&trial.disk), [FindingKind::UnexpectedFile]);
}

#[test]
fn an_empty_journal_file_in_front_of_others_is_found() {
    let mut trial = Trial::new(MemoryDisk::new());
    trial.create(256).expect("a ledger");
    trial.append(300).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    assert_eq!(kinds(&trial.disk), []);
    let empty = Path::new(FOLDER).join("journal/00000000000000000000.journal");
    drop(trial.disk.create(&empty, 0o644).expect("made"));
    assert_eq!(kinds(&trial.disk), [FindingKind::UnexpectedFile]);
}
