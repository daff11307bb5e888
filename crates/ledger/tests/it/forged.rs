//! Journals that somebody wrote anew, with the leaves, roots and signatures that he can make: each is found.

use counterfoil::ErrorKind;
use counterfoil_evidence::FindingKind::{self, *};
use counterfoil_testkit::MemoryDisk;
use counterfoil_tlog::Hash;

use crate::exhibit::{End, Exhibit, Keys, ORIGIN};
use crate::forge::{self, Frame};

/// The tail's frames and the leaves in front of them.
pub fn tail(exhibit: &Exhibit) -> (Vec<Frame>, Vec<Hash>) {
    let frames = forge::frames(&exhibit.read(&exhibit.journal()));
    let before = exhibit.leaves[..frames[0].first as usize].to_vec();
    (frames, before)
}

/// The frame, the position in it, and the index of the last entry that holds a text.
fn entry_with(frames: &[Frame], text: &str) -> (usize, usize, u64) {
    let mut places = frames.iter().enumerate().flat_map(|(number, frame)| {
        (0..frame.entries.len()).map(move |position| (number, position, frame.first + position as u64))
    });
    let holds = |(frame, position, _): &(usize, usize, u64)| {
        String::from_utf8_lossy(&frames[*frame].entries[*position]).contains(text)
    };
    places.rfind(holds).expect("an entry with that text")
}

fn change(frames: &mut [Frame], text: &str, other: &str) -> u64 {
    let (frame, position, index) = entry_with(frames, text);
    let entry = &mut frames[frame].entries[position];
    *entry = String::from_utf8_lossy(entry).replace(text, other).into_bytes();
    index
}

#[test]
fn entries_dropped_from_the_journal_are_missed() {
    let exhibit = Exhibit::new(End::Clean);
    let (frames, _) = tail(&exhibit);
    for dropped in 1..frames.len() {
        let left = &frames[..frames.len() - dropped];
        let disk = exhibit.with(&exhibit.journal(), |bytes| *bytes = forge::journal(left));
        let end = left.last().map(|frame| frame.first + frame.entries.len() as u64);
        exhibit.assert_found(&disk, &format!("{dropped} frames gone"), &["checkpoint"], &[CheckpointAhead], end);
    }
    for (what, order) in
        [("a frame left out", vec![0, 2]), ("frames swapped", vec![1, 0]), ("a frame twice", vec![0, 0, 1])]
    {
        let mixed: Vec<Frame> = order.into_iter().map(|number| frames[number].clone()).collect();
        let disk = exhibit.with(&exhibit.journal(), |bytes| *bytes = forge::journal(&mixed));
        exhibit.assert_found(&disk, what, &[&exhibit.journal()], &[], None);
    }
}

/// Behind the published checkpoint nothing but the frame's own signature says who wrote it.
#[test]
fn an_entry_that_the_ledger_did_not_write_is_neither_verified_nor_signed() {
    let exhibit = Exhibit::new(End::Clean);
    let (genuine, before) = tail(&exhibit);
    let last = genuine.last().expect("a tail").clone();
    let entry = String::from_utf8_lossy(&last.entries[0]).replace("\"reason\":\"asked", "\"reason\":\"never asked");
    let forged = Frame {
        first: last.first + last.entries.len() as u64,
        entries: vec![entry.clone().into_bytes()],
        own: entry.contains("\"event_type\":\"ledger."),
        ..last
    };
    for signature in [genuine[0].signature, [0; 64]] {
        let mut frames = genuine.clone();
        frames.push(Frame { signature, ..forged.clone() });
        forge::rehash(&mut frames);
        forge::reroot(&mut frames, &before);
        let disk = exhibit.with(&exhibit.journal(), |bytes| *bytes = forge::journal(&frames));
        let report = exhibit.verify_against(&disk, Some(exhibit.checkpoint.clone()), Keys::Known);
        let found = report.findings.iter().find(|finding| finding.kind == FrameSignature);
        assert_eq!(found.expect("a finding").index, Some(forged.first), "{report:?}");
        let error = exhibit.open_on(&disk).expect_err("a writer that goes on would sign it");
        assert_eq!(error.kind, ErrorKind::Tampered, "{error}");
    }
}

#[test]
fn a_changed_entry_is_found_however_much_is_made_to_fit() {
    let exhibit = Exhibit::new(End::Clean);
    let journal = exhibit.journal();
    let (genuine, before) = tail(&exhibit);
    let forged = |fit: fn(&mut Vec<Frame>, &[Hash])| {
        let mut frames = genuine.clone();
        let index = change(&mut frames, "asked by phone", "asked by e-ail");
        fit(&mut frames, &before);
        (exhibit.with(&journal, |bytes| *bytes = forge::journal(&frames)), index)
    };
    let (disk, index) = forged(|_, _| {});
    exhibit.assert_found(&disk, "checksum fits", &[&journal], &[LeafMismatch], Some(index));
    let (disk, index) = forged(|frames, _| forge::rehash(frames));
    exhibit.assert_found(&disk, "leaf fits", &[&journal], &[RootMismatch], Some(index));
    let (disk, index) = forged(|frames, before| {
        forge::rehash(frames);
        forge::reroot(frames, before);
    });
    exhibit.assert_found(&disk, "roots fit", &["checkpoint"], &[RootMismatch], None);
    exhibit.assert_found(&disk, "nor does the client's signature", &[&journal], &[EntrySignature], Some(index));
}

/// A folder that an insider with the ledger's key made consistent after changing the tail.
fn resigned(exhibit: &Exhibit, frames: &mut [Frame], before: &[Hash]) -> MemoryDisk {
    forge::rehash(frames);
    let root = forge::reroot(frames, before);
    forge::sign(frames, ORIGIN, exhibit.signer.as_ref());
    let disk = exhibit.with(&exhibit.journal(), |bytes| *bytes = forge::journal(frames));
    let note = forge::checkpoint(ORIGIN, exhibit.size(), root, exhibit.signer.as_ref());
    disk.put(&exhibit.path("checkpoint"), note);
    disk
}

#[test]
fn an_insider_with_the_key_is_found_by_signatures_and_by_what_was_remembered() {
    let exhibit = Exhibit::new(End::Clean);
    let (genuine, before) = tail(&exhibit);
    let mut frames = genuine.clone();
    let index = change(&mut frames, "asked by phone", "asked by e-ail");
    let disk = resigned(&exhibit, &mut frames, &before);
    let report = exhibit.verify(&disk);
    assert!(report.findings.iter().all(|finding| finding.kind == EntrySignature), "{report:?}");
    assert_eq!(report.findings[0].index, Some(index));

    let mut frames = genuine.clone();
    let own = entry_with(&frames, "\"actor\":\"ana\",\"entity_id\":\"CUST-1\"");
    let other = String::from_utf8_lossy(&frames[own.0].entries[own.1]).replace("\"actor\":\"ana\"", "\"actor\":\"bo\"");
    frames[own.0].entries[own.1] = other.into_bytes();
    let report = exhibit.verify(&resigned(&exhibit, &mut frames, &before));
    assert!(
        report.findings.iter().any(|finding| finding.kind == KeyUnregistered && finding.index == Some(own.2)),
        "{report:?}"
    );

    let mut frames = genuine.clone();
    let unsigned = "\"context\":{\"made\":";
    let index = change(&mut frames, unsigned, "\"context\":{\"mode\":");
    let disk = resigned(&exhibit, &mut frames, &before);
    assert!(
        exhibit.verify(&disk).is_clean(),
        "entry {index}: whoever has the key and the folder can tell another story"
    );
    let report = exhibit.verify_against(&disk, Some(exhibit.checkpoint.clone()), Keys::Known);
    let remembered = |kind: FindingKind| {
        report.findings.iter().any(|found| found.kind == kind && found.file.as_deref() == Some("the given checkpoint"))
    };
    assert!(remembered(Fork), "a remembered checkpoint contradicts it: {report:?}");
    exhibit.assert_no_panic(&disk, "an insider's folder");

    let mut frames = genuine;
    change(&mut frames, unsigned, "\"context\":{ \"mde\":");
    let report = exhibit.verify(&resigned(&exhibit, &mut frames, &before));
    assert!(report.findings.iter().any(|found| matches!(found.kind, EntryMalformed | EntryNotCanonical)), "{report:?}");
}

#[test]
fn a_ledger_sealed_entry_that_lies_of_its_own_span_makes_nothing_panic() {
    let exhibit = Exhibit::new(End::Clean);
    let (genuine, before) = tail(&exhibit);
    let sealed = "\"first\":512";
    let (frame, position, _) = entry_with(&genuine, sealed);
    let original = String::from_utf8_lossy(&genuine[frame].entries[position]).into_owned();
    for (text, other) in [
        ("\"count\":256", "\"count\":18446744073709551615"),
        ("\"count\":256", "\"count\":0"),
        (sealed, "\"first\":18446744073709551615"),
        (sealed, "\"first\":0"),
        ("\"length\":", "\"length\":9"),
    ] {
        let mut frames = genuine.clone();
        frames[frame].entries[position] = original.replacen(text, other, 1).into_bytes();
        let disk = resigned(&exhibit, &mut frames, &before);
        assert!(!exhibit.verify(&disk).is_clean(), "{other}");
        exhibit.assert_no_panic(&disk, other);
    }
}
