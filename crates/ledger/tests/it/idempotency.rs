//! The same entry sent again, and sequences with gaps.

use std::sync::Barrier;

use counterfoil::{ErrorKind, Ledger, Receipt};
use counterfoil_entry::{Draft, EntryBuilder, Timestamp};
use counterfoil_testkit::MemoryDisk;

use crate::effort::is_torture;
use crate::trial::Trial;

fn trial() -> Trial {
    let mut trial = Trial::new(MemoryDisk::with_capacity(1 << 30));
    trial.create(256).expect("a disk that works");
    trial
}

fn entry(amount: u64) -> EntryBuilder {
    Draft::builder("invoice_approved", "ana", "INV-1").new_value(amount)
}

fn with_id(id: &str) -> Draft {
    entry(1).id(id).build().expect("a valid entry")
}

fn with_sequence(sequence: u64) -> Draft {
    entry(1).source("etl", sequence).build().expect("a valid entry")
}

/// Sends an entry again and compares the receipts.
fn assert_known(ledger: &Ledger, draft: &Draft, first: &Receipt, when: &str) {
    let before = ledger.snapshot().size();
    let again = ledger.append(draft.clone()).unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!(
        (again.index, again.leaf_hash, again.recorded_at),
        (first.index, first.leaf_hash, first.recorded_at),
        "{when}"
    );
    assert!(again.tree_size > again.index && again.tree_size >= before, "{when}: a signed size above the index");
    let note = counterfoil_tlog::Note::parse(again.checkpoint.as_bytes()).expect("a note");
    assert!(note.text().contains(&format!("\n{}\n", again.tree_size)), "{when}: {note:?}");
}

#[test]
fn a_repeat_of_any_age_answers_with_the_first_receipt() {
    let mut trial = trial();
    let drafts = [with_id("a"), with_sequence(1), entry(1).id("b").source("etl", 2).build().expect("a valid entry")];
    let receipts: Vec<_> = drafts.iter().map(|draft| trial.ledger().append(draft.clone()).expect("recorded")).collect();
    let check = |trial: &Trial, when: &str| {
        let size = trial.ledger().snapshot().size();
        for (draft, receipt) in drafts.iter().zip(&receipts) {
            assert_known(trial.ledger(), draft, receipt, when);
        }
        assert_eq!(trial.ledger().snapshot().size(), size, "{when}: nothing new");
    };
    check(&trial, "at once");
    trial.append(300).expect("recorded");
    trial.seal().expect("sealed");
    check(&trial, "after sealing");
    trial.close().expect("closed");
    trial.open().expect("open");
    check(&trial, "after reopening");
    trial.append(600).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    trial.open().expect("open");
    check(&trial, "several segments later");
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn a_repeat_may_leave_out_the_timestamp_that_the_first_one_had() {
    let trial = trial();
    let timed = entry(1).id("a").timestamp(Timestamp::from_micros(1_700_000_000_000_001));
    let timed = timed.build().expect("a valid entry");
    let receipts = trial.ledger().append_batch(vec![timed.clone(), with_id("a")]).expect("one entry, twice");
    assert_eq!(receipts[0].index, receipts[1].index, "in one batch");
    assert_known(trial.ledger(), &with_id("a"), &receipts[0], "without");
    assert_known(trial.ledger(), &timed, &receipts[0], "with");
    let other = entry(1).id("a").timestamp(Timestamp::from_micros(1)).build().expect("a valid entry");
    let error = trial.ledger().append(other).expect_err("another moment");
    assert_eq!(error.kind, ErrorKind::Conflict);
}

#[test]
fn other_content_under_a_known_key_is_a_conflict_and_records_nothing() {
    let mut trial = trial();
    trial.append_drafts(&[with_id("a"), with_sequence(1), with_id("b"), with_sequence(2)]).expect("recorded");
    let conflicts = [
        entry(2).id("a"),
        entry(2).source("etl", 1),
        entry(1).id("a").source("etl", 1),
        entry(1).id("b").source("etl", 9),
        entry(1).id("c").source("etl", 2),
        entry(1).id("a").reason("more"),
    ];
    let check = |trial: &Trial| {
        let size = trial.ledger().snapshot().size();
        for conflict in &conflicts {
            let conflict = conflict.clone().build().expect("a valid entry");
            let batch = vec![with_id("new"), conflict.clone(), with_sequence(77)];
            let error = trial.ledger().append_batch(batch).expect_err("a conflict");
            assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
            assert!(error.message.starts_with("entry 2 of the batch: "), "{error}");
            let error = trial.ledger().append(conflict).expect_err("a conflict");
            assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        }
        assert_eq!(trial.ledger().snapshot().size(), size, "all or nothing");
        let twice = vec![with_id("x"), entry(3).id("x").build().expect("a valid entry")];
        let error = trial.ledger().append_batch(twice).expect_err("a conflict within the batch");
        assert_eq!((error.kind, trial.ledger().snapshot().size()), (ErrorKind::Conflict, size), "{error}");
    };
    check(&trial);
    trial.append(600).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    trial.open().expect("open");
    check(&trial);
    let status = trial.ledger().status().expect("a status");
    assert_eq!((status.sources[0].last, status.sources.len()), (2, 1), "refused numbers were not seen");
}

#[test]
fn keys_belong_to_the_recorder_that_sent_them() {
    let mut trial = trial();
    let send = |trial: &Trial, recorder: Option<&str>| {
        let drafts = vec![with_id("a"), with_sequence(1)];
        let receipts = match recorder {
            Some(recorder) => trial.ledger().append_batch_as(recorder, drafts),
            None => trial.ledger().append_batch(drafts),
        };
        receipts.expect("recorded").iter().map(|receipt| receipt.index).collect::<Vec<_>>()
    };
    let recorders = [None, Some("ana"), Some("bo")];
    let first = recorders.map(|recorder| send(&trial, recorder));
    assert_eq!(first.concat().len(), std::collections::BTreeSet::from_iter(first.concat()).len(), "{first:?}");
    assert_eq!(recorders.map(|recorder| send(&trial, recorder)), first);
    trial.append(300).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    trial.open().expect("open");
    assert_eq!(recorders.map(|recorder| send(&trial, recorder)), first, "from the index files");
    assert_eq!(trial.ledger().status().expect("a status").sources.len(), 3);
}

#[test]
fn repeats_in_a_batch_have_their_old_places_and_the_others_stay_together() {
    let mut trial = trial();
    let old = trial.append_drafts(&[with_id("old")]).expect("recorded")[0].index;
    trial.append(5).expect("recorded");
    let batch = vec![with_id("x"), with_id("old"), with_id("y"), with_id("x"), with_sequence(1), with_sequence(1)];
    let receipts = trial.ledger().append_batch(batch).expect("recorded");
    let start = receipts[0].index;
    let places: Vec<u64> = receipts.iter().map(|receipt| receipt.index).collect();
    assert_eq!(places, [start, old, start + 1, start, start + 2, start + 2]);
    assert_eq!(trial.ledger().snapshot().size(), start + 3);
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn the_same_entry_from_many_threads_at_once_is_recorded_once() {
    let mut trial = trial();
    for round in 0..20 {
        let barrier = Barrier::new(12);
        let (ledger, barrier) = (trial.ledger(), &barrier);
        let before = ledger.snapshot().size();
        let indices: Vec<u64> = std::thread::scope(|scope| {
            let send = |thread: u64| {
                let draft = if thread.is_multiple_of(2) { with_id(&format!("i{round}")) } else { with_sequence(round) };
                scope.spawn(move || {
                    barrier.wait();
                    ledger.append(draft).expect("recorded").index
                })
            };
            let threads: Vec<_> = (0..12).map(send).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let distinct = std::collections::BTreeSet::from_iter(indices);
        assert_eq!(distinct.len(), 2, "round {round}");
        assert_eq!(ledger.snapshot().size(), before + 2, "round {round}");
    }
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn gaps_are_reported_until_they_are_filled() {
    let mut trial = trial();
    let gaps = |trial: &Trial| {
        let status = trial.ledger().status().expect("a status");
        (status.sources[0].last, status.sources[0].gaps.clone())
    };
    trial.append_drafts(&[with_sequence(1), with_sequence(2), with_sequence(7)]).expect("recorded");
    assert_eq!(gaps(&trial), (7, vec![(3, 6)]));
    trial.append_drafts(&[with_sequence(5)]).expect("out of order is fine");
    trial.append(600).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    trial.open().expect("open");
    assert_eq!(gaps(&trial), (7, vec![(3, 4), (6, 6)]));
    trial.append_drafts(&[with_sequence(6), with_sequence(4), with_sequence(3)]).expect("recorded");
    assert_eq!(gaps(&trial), (7, vec![]));
    trial.close().expect("closed");
    trial.open().expect("open");
    assert_eq!(gaps(&trial), (7, vec![]));
}

#[test]
fn a_source_may_not_leap_or_scatter_without_end() {
    let trial = trial();
    let ledger = trial.ledger();
    ledger.append(with_sequence(10)).expect("recorded");
    let error = ledger.append(with_sequence(1_000_011)).expect_err("more than a million ahead");
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
    ledger.append(with_sequence(1_000_010)).expect("a million ahead");
    let scattered = (0..1_022).map(|number| with_sequence(100 + 2 * number)).collect();
    ledger.append_batch(scattered).expect("1,024 ranges");
    let error = ledger.append(with_sequence(50)).expect_err("one range too many");
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
    ledger.append(with_sequence(101)).expect("a gap can be filled");
    ledger.append(with_sequence(50)).expect("now there is room");
}

#[test]
fn one_batch_may_not_leap_or_scatter_either() {
    let trial = trial();
    let scattered = (0..1_025).map(|number| with_sequence(100 + 2 * number)).collect();
    let error = trial.ledger().append_batch(scattered).expect_err("1,025 ranges in one batch");
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
    assert_eq!(trial.ledger().snapshot().size(), 1, "nothing was recorded");
    trial
        .ledger()
        .append_batch(vec![with_sequence(1), with_sequence(900_000), with_sequence(1_800_000)])
        .expect("each is less than a million ahead of the one before");
}

#[test]
fn a_sequence_is_known_after_a_million_entries() {
    if !is_torture() {
        eprintln!("left out: a million entries (COUNTERFOIL_SEEDS above 200 asks for it)");
        return;
    }
    let mut trial = Trial::new(MemoryDisk::new());
    trial.create(1 << 18).expect("a disk that works");
    let old = trial.append_drafts(&[with_sequence(1), with_id("old")]).expect("recorded");
    for _ in 0..17 {
        let plain = entry(1).build().expect("a valid entry");
        trial.ledger().append_batch(vec![plain; 65_536]).expect("recorded");
    }
    assert_known(trial.ledger(), &with_sequence(1), &old[0], "a million later");
    let again = trial.ledger().append(with_id("old")).expect("beyond the window an id is new");
    assert!(again.index > 1_000_000);
    trial.close().expect("closed");
    trial.assert_clean();
}
