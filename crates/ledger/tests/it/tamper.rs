//! The tamper matrix: whatever is changed in a ledger's folder, a verification finds it and names the file; nothing panics,
//! and neither readers nor writers are taken in.

use std::sync::Arc;

use counterfoil::Disk;
use counterfoil_evidence::FindingKind::*;
use counterfoil_testkit::{MemoryDisk, Random, RecordingSigner};
use counterfoil_tlog::Hash;

use crate::effort::stride;
use crate::exhibit::{End, Exhibit, Keys, ORIGIN};
use crate::forge;
use crate::forged::tail;

/// The places of a file where a byte is flipped: all of a small file; of a larger one its ends and one in 64 between.
fn places(name: &str, length: usize) -> Vec<usize> {
    let step = if length <= 2_048 { 1 } else { stride(64) };
    let phase = name.len() * 7 % step;
    (0..length).filter(|at| *at < 96 || length - at <= 64 || at % step == phase).collect()
}

#[test]
fn an_untouched_ledger_is_clean() {
    for end in [End::Clean, End::Killed] {
        let exhibit = Exhibit::new(end);
        let report = exhibit.verify(&exhibit.disk);
        assert_eq!(report.findings, [], "{end:?}");
        assert_eq!((report.size, report.segments_checked, report.anchored), (exhibit.size(), 3, false), "{end:?}");
        assert!(report.signatures_checked > 10 && exhibit.sealed_size == 768, "{report:?}");
        let anchored = exhibit.verify_against(&exhibit.disk, Some(exhibit.checkpoint.clone()), Keys::Known);
        assert!(anchored.is_clean() && anchored.anchored, "{anchored:?}");
        exhibit.assert_not_taken_in(&exhibit.disk, "untouched");
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let exhibit = Exhibit::small(End::Clean);
    let mut flips = 0;
    for name in exhibit.names() {
        let path = exhibit.path(&name);
        let disk = exhibit.copy();
        for at in places(&name, exhibit.read(&name).len()) {
            let flip = |bytes: &mut Vec<u8>| bytes[at] ^= 1 << (at % 8);
            disk.alter(&path, flip).expect("it is there");
            let what = format!("{name}: byte {at}");
            let report = exhibit.verify(&disk);
            let named = report.findings.iter().any(|finding| finding.file.as_deref() == Some(&*name));
            assert!(named, "{what}: {:#?}", report.findings);
            flips += 1;
            if flips % stride(24) == 0 {
                exhibit.assert_not_taken_in(&disk, &what);
            }
            disk.alter(&path, flip).expect("it is there");
        }
        assert_eq!(exhibit.verify(&disk).findings, [], "{name} is as it was");
    }
    assert!(flips > 2_000, "{flips}");
}

#[test]
fn every_flipped_byte_after_a_kill_is_found() {
    let exhibit = Exhibit::small(End::Killed);
    let name = exhibit.journal();
    let frames = forge::frames(&exhibit.read(&name));
    let used = forge::journal(&frames).len();
    let unpublished = forge::journal(&frames[..frames.len() - 1]).len();
    let disk = exhibit.copy();
    for at in (0..used + 40).step_by(stride(509)) {
        let flip = |bytes: &mut Vec<u8>| bytes[at] ^= 1 << (at % 8);
        disk.alter(&exhibit.path(&name), flip).expect("it is there");
        let what = format!("byte {at} of {used}");
        let report = exhibit.verify(&disk);
        let named = report.findings.iter().any(|finding| finding.file.as_deref() == Some(&*name));
        // What no checkpoint covers yet may also look like a write that was cut off.
        let cut_off = at >= unpublished && report.notices.iter().any(|notice| notice.contains("cut off"));
        assert!(named || cut_off, "{what}: {:#?}", report.findings);
        if at % 5 == 0 {
            exhibit.assert_not_taken_in(&disk, &what);
        }
        disk.alter(&exhibit.path(&name), flip).expect("it is there");
    }
}

#[test]
fn every_file_that_is_cut_extended_or_gone_is_found() {
    let exhibit = Exhibit::new(End::Clean);
    for name in exhibit.names() {
        let length = exhibit.read(&name).len();
        // A journal that ends with a whole frame is only too short for its checkpoint.
        let files = if name.starts_with("journal") { vec![&*name, "checkpoint"] } else { vec![&*name] };
        for kept in [0, 1, length / 3, length / 2, length.saturating_sub(40), length - 1] {
            let disk = exhibit.with(&name, |bytes| bytes.truncate(kept));
            exhibit.assert_found(&disk, &format!("{name} cut to {kept}"), &files, &[], None);
        }
        let mut random = Random::new(length as u64);
        for more in [1, 40, 700, 70_000] {
            // Not as a frame begins: that is a commit which was cut off, and told as such.
            let disk = exhibit.with(&name, |bytes| bytes.extend((0..more).map(|_| 128 + random.below(128) as u8)));
            exhibit.assert_found(&disk, &format!("{name} longer by {more}"), &[&name], &[], None);
        }
        if !name.starts_with("attachments") {
            let disk = exhibit.copy();
            disk.take(&exhibit.path(&name));
            let files = if name.starts_with("journal") { vec!["journal", "checkpoint"] } else { vec![&*name] };
            exhibit.assert_found(&disk, &format!("{name} is gone"), &files, &[MissingFile, CheckpointAhead], None);
        }
    }
    for first in [0, 256, 512] {
        let disk = exhibit.copy();
        for extension in ["parquet", "tiles", "index"] {
            disk.take(&exhibit.path(&format!("segments/{first:020}.{extension}")));
        }
        let files = ["segments", &*format!("segments/{first:020}"), &exhibit.journal(), "checkpoint"];
        exhibit.assert_found(&disk, &format!("segment {first} is gone"), &files, &[], None);
    }
    let zeros = exhibit.with(&exhibit.journal(), |bytes| bytes.extend([0; 9_000]));
    assert!(exhibit.verify(&zeros).is_clean(), "zeros behind the last frame are the journal's reserve");
}

#[test]
fn files_in_the_wrong_place_are_found() {
    let exhibit = Exhibit::new(End::Clean);
    for extension in ["parquet", "tiles", "index"] {
        let names = [0, 256].map(|first| format!("segments/{first:020}.{extension}"));
        let disk = exhibit.copy();
        disk.put(&exhibit.path(&names[0]), exhibit.read(&names[1]));
        disk.put(&exhibit.path(&names[1]), exhibit.read(&names[0]));
        for name in &names {
            exhibit.assert_found(&disk, &format!("{extension} files swapped"), &[name], &[], None);
        }
    }
    let copies = [
        "00000000000000000005",
        "00000000000000004096",
        "18446744073709551615",
        "09223372036854775808",
        "04611686018427387904",
        "00000000000000001024",
        "copy",
        "00000000000000000256.bak",
    ];
    for copy in copies {
        for extensions in [&["parquet", "tiles", "index"][..], &["parquet"], &["tiles"]] {
            let disk = exhibit.copy();
            for extension in extensions {
                let bytes = exhibit.read(&format!("segments/{:020}.{extension}", 256));
                disk.put(&exhibit.path(&format!("segments/{copy}.{extension}")), bytes);
            }
            let report = exhibit.verify(&disk);
            let alone = extensions.len() == 1 && report.notices.iter().any(|notice| notice.contains(copy));
            assert!(!report.is_clean() || alone, "segment 256 also as {copy} ({extensions:?}): {report:?}");
            exhibit.assert_not_taken_in(&disk, &format!("segment 256 also as {copy}"));
        }
        let disk = exhibit.copy();
        disk.put(&exhibit.path(&format!("journal/{copy}.journal")), exhibit.read(&exhibit.journal()));
        assert!(!exhibit.verify(&disk).is_clean(), "the journal also as {copy}");
        exhibit.assert_not_taken_in(&disk, &format!("the journal also as {copy}"));
    }
    for stray in ["notes.txt", "segments/x.parquet", "journal/x", "attachments/x", "ledger.toml.old"] {
        let disk = exhibit.copy();
        disk.put(&exhibit.path(stray), b"x".to_vec());
        exhibit.assert_found(&disk, stray, &[stray], &[UnexpectedFile], None);
    }
}

#[test]
fn another_key_is_found_by_whoever_knows_the_right_one() {
    let exhibit = Exhibit::new(End::Clean);
    let other = Arc::new(RecordingSigner::new(ORIGIN, 9).expect("a valid key"));
    let (frames, before) = tail(&exhibit);
    let root = Hash(frames.last().expect("a frame").root);
    let note = forge::checkpoint(ORIGIN, exhibit.size(), root, other.as_ref());
    let disk = exhibit.with("checkpoint", |bytes| *bytes = note);
    exhibit.assert_found(&disk, "checkpoint by another key", &["checkpoint"], &[CheckpointSignature], None);
    let key = |signer: &RecordingSigner| counterfoil_tlog::Signer::verifier_key(signer).to_string();
    disk.alter(&exhibit.path("ledger.toml"), |bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace(&key(&exhibit.signer), &key(&other)).into_bytes();
    })
    .expect("it is there");
    exhibit.assert_found(&disk, "and ledger.toml names it", &["ledger.toml"], &[LedgerFileChanged], None);
    assert_eq!(before.len() as u64, frames[0].first);

    let rewritten = Exhibit::signed_with(End::Clean, 3, 9);
    assert!(rewritten.verify(&rewritten.disk).is_clean(), "a whole ledger of the same name is consistent in itself");
    let keys = vec![counterfoil_tlog::Signer::verifier_key(exhibit.signer.as_ref()).clone()];
    let options = counterfoil::VerifyOptions {
        keys,
        disk: Arc::new(rewritten.disk.clone()),
        ..counterfoil::VerifyOptions::default()
    };
    let report = counterfoil::verify(&rewritten.root, &options).expect("there is a ledger");
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert!(kinds.contains(&KeyMismatch) && kinds.contains(&CheckpointSignature), "{report:?}");
}

#[test]
fn another_ledger_toml_is_found() {
    let exhibit = Exhibit::new(End::Clean);
    for (text, other) in [
        ("segment_span = 256", "segment_span = 512"),
        (ORIGIN, "example.com/another"),
        ("sec_6y", "none"),
        ("format_version = 1", "format_version = 2"),
        ("# A Counterfoil ledger.", "# A Counterfoil ledger!"),
        ("segment_span = 256", "segment_span = 0"),
    ] {
        let disk = exhibit.with("ledger.toml", |bytes| {
            let changed = String::from_utf8_lossy(bytes).replace(text, other);
            assert_ne!(changed.as_bytes(), &bytes[..], "{text}");
            *bytes = changed.into_bytes();
        });
        exhibit.assert_found(&disk, other, &["ledger.toml"], &[LedgerFileChanged], None);
    }
}

#[test]
fn a_rollback_and_a_fork_are_found_by_a_remembered_checkpoint() {
    let mut trial = crate::trial::Trial::new(MemoryDisk::with_capacity(64 << 20));
    trial.create(256).expect("a disk that works");
    trial.append(300).expect("recorded");
    trial.seal().expect("sealed");
    trial.close().expect("closed");
    let old = trial.disk.restart();
    let mut forked = trial.branch(trial.disk.restart(), "fork");
    trial.open().expect("open");
    trial.append(30).expect("recorded");
    let remembered = trial.ledger().checkpoint();
    trial.close().expect("closed");
    forked.entries = counterfoil_testkit::Entries::new(99);
    forked.open().expect("open");
    forked.append(50).expect("recorded");
    forked.close().expect("closed");
    let find = |disk: &MemoryDisk| {
        let options = counterfoil::VerifyOptions {
            checkpoint: Some(remembered.as_bytes().to_vec()),
            disk: Arc::new(disk.clone()),
            ..counterfoil::VerifyOptions::default()
        };
        let report = counterfoil::verify(crate::trial::FOLDER, &options).expect("there is a ledger");
        assert!(report.anchored);
        report.findings.into_iter().map(|finding| (finding.kind, finding.file.unwrap_or_default())).collect::<Vec<_>>()
    };
    let given = "the given checkpoint".to_owned();
    assert_eq!(find(&trial.disk), []);
    assert_eq!(find(&old), [(CheckpointAhead, given.clone())]);
    assert_eq!(find(&forked.disk), [(Fork, given)]);
}

#[test]
fn what_nobody_should_have_changed_is_not_sealed() {
    let exhibit = Exhibit::new(End::Clean);
    let name = exhibit.path("checkpoint");
    let disk = exhibit.copy();
    let note = disk.read(&name).expect("it is there");
    let text = String::from_utf8(note).expect("text");
    for (what, other) in [
        ("twice signed", format!("{text}{}\n", text.lines().last().expect("a signature"))),
        ("unsigned", text.lines().take(3).map(|line| format!("{line}\n")).collect()),
        ("empty", String::new()),
        ("a larger size", text.replacen(&exhibit.size().to_string(), &(exhibit.size() + 1).to_string(), 1)),
        ("a line more", text.replacen("\n\n", "\nextra\n\n", 1)),
        ("carriage returns", text.replace('\n', "\r\n")),
    ] {
        let disk = exhibit.with("checkpoint", |bytes| *bytes = other.into_bytes());
        exhibit.assert_found(&disk, what, &["checkpoint"], &[CheckpointSignature, CheckpointMalformed], None);
    }
}
