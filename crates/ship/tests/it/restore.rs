//! The disk is gone: the ledger comes back from its copy.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{ErrorKind, Ledger, OpenOptions, Reader, VerifyOptions, verify};
use counterfoil_ship::{Bucket, Location, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::foreign::put_at;
use crate::proxy::{self, Fate};
use crate::server::{BUCKET, Server, settings};

fn clean(path: &Path) -> u64 {
    let report = verify(path, &VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, [], "{:?}", report.notices);
    report.size
}

pub fn files(path: &Path, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(path.join(folder))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_lost_ledger_comes_back_and_goes_on_under_a_new_name() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for count in [100, 300, 250] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    append(&ledger, 50);
    let shipped = shipper.ship(&ledger.snapshot()).unwrap().size;
    let segments = files(&path, "segments");
    let journals = files(&path, "journal");
    let part = ledger.snapshot().journal_part(ledger.snapshot().journal_file_of(shipped).unwrap(), 512, 512, u64::MAX);
    let frames = part.unwrap().map(|part| part.offset + part.bytes.len() as u64).unwrap();
    let entries: Vec<_> = (0..shipped).map(|index| ledger.snapshot().entry(index).unwrap()).collect();
    let old_note = ledger.checkpoint().to_string();
    // Acknowledged and never shipped: lost, and whoever holds the checkpoint can tell.
    append(&ledger, 5);
    let lost_note = ledger.checkpoint().to_string();
    drop(ledger);
    fs::remove_dir_all(&path).unwrap();

    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let restored = copy.restore(&path, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!((restored.entries, restored.continued_as.as_str()), (shipped, "example.com/payments/2"));
    assert_eq!(files(&path, "segments"), segments);
    let frames = usize::try_from(frames).unwrap();
    let back = files(&path, "journal");
    assert_eq!((back.len(), journals.len(), &back[0].0), (1, 1, &journals[0].0));
    assert_eq!(back[0].1[..frames], journals[0].1[..frames], "the frames up to the last shipped entry");
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let snapshot = ledger.snapshot();
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(snapshot.entry(index as u64).unwrap(), *entry, "entry {index}");
    }
    append(&ledger, 600);
    ledger.seal().unwrap();
    append(&ledger, 3);
    let told = String::from_utf8(snapshot.entry(shipped + 1).unwrap()).unwrap();
    assert!(told.contains("ledger.restored") && told.contains(&format!("\"size\":{shipped}")), "{told}");
    ledger.close().unwrap();
    clean(&path);
    let with = |note: &str| {
        let options = VerifyOptions { checkpoint: Some(note.into()), ..VerifyOptions::default() };
        verify(&path, &options).unwrap().findings.iter().map(|finding| finding.kind.name()).collect::<Vec<_>>()
    };
    assert_eq!(with(&old_note), Vec::<&str>::new());
    assert_eq!(with(&lost_note), ["fork"], "the entries behind the copy were lost, and that shows");

    // It is shipped to a place of its own, and comes back from there as well.
    let second: Location = format!("s3://{BUCKET}/ledgers/two").parse().unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    assert_eq!(shipper.ship(&reader.snapshot().unwrap()).unwrap_err().kind, ErrorKind::Tampered);
    Shipper::open(&second, &server.settings(), None).unwrap().ship(&reader.snapshot().unwrap()).unwrap();
    let copy = Bucket::open(&second, &server.settings()).unwrap();
    let third = folder.path().join("third");
    let restored = copy.restore(&third, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!(restored.continued_as, "example.com/payments/3");
    let ledger = Ledger::open(&third, OpenOptions::default()).unwrap();
    append(&ledger, 300);
    ledger.seal().unwrap();
    ledger.close().unwrap();
    clean(&third);
}

#[test]
fn nobody_makes_a_restored_ledger_look_like_another() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 20);
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let busy = copy.restore(&path, &VerifyOptions::default(), OpenOptions::default()).unwrap_err();
    assert_eq!(busy.kind, ErrorKind::Conflict);
    let new = folder.path().join("new");
    copy.restore(&new, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    clean(&new);
    // Its past is covered: another size, or no past at all, is a finding.
    let config = fs::read_to_string(new.join("ledger.toml")).unwrap();
    let size = config.lines().find(|line| line.starts_with("size")).unwrap().to_owned();
    fs::write(new.join("ledger.toml"), config.replace(&size, "size = 20")).unwrap();
    assert!(!verify(&new, &VerifyOptions::default()).unwrap().findings.is_empty());
    fs::write(new.join("ledger.toml"), &config[..config.find("[[earlier]]").unwrap()]).unwrap();
    assert!(!verify(&new, &VerifyOptions::default()).unwrap().findings.is_empty());
}

#[test]
fn what_is_there_comes_back_although_a_checkpoint_says_that_there_was_more() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 300);
    ledger.seal().unwrap();
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    let shipped = shipper.ship(&ledger.snapshot()).unwrap().size;
    let mut kept = Vec::new();
    for _ in 0..2 {
        append(&ledger, 5);
        kept.push((ledger.snapshot().size(), ledger.checkpoint()));
    }
    drop(ledger);
    fs::remove_dir_all(&path).unwrap();
    // Somebody who kept what was never shipped puts it where it would have been.
    for (size, note) in &kept {
        put_at(&server, &format!("/ledgers/one/checkpoints/{size:020}"), note.as_bytes());
    }
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let (options, open) = (VerifyOptions::default(), OpenOptions::default);
    let refused = copy.restore(&path, &options, open()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered);
    assert!(refused.message.contains(&format!("--up-to {shipped}")), "{refused}");
    for other in [shipped - 1, shipped + 1, kept[0].0] {
        let refused = copy.restore_up_to(&path, other, &options, open()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    }
    assert!(!path.exists());
    let restored = copy.restore_up_to(&path, shipped, &options, open()).unwrap();
    assert_eq!((restored.entries, restored.ahead), (shipped, Some(kept[1].0)));
    clean(&path);
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let told = String::from_utf8(ledger.snapshot().entry(shipped + 1).unwrap()).unwrap();
    let note = serde_json::to_string(&*kept[1].1).unwrap();
    assert!(told.contains("ledger.restored") && told.contains(&format!("\"ahead\":{note}")), "{told}");
    append(&ledger, 300);
    ledger.close().unwrap();
    clean(&path);
    // Anything else that is wrong with the copy stays in the way.
    let file = server.file("segments/00000000000000000000.index");
    let mut bytes = fs::read(&file).unwrap();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let refused = copy.restore_up_to(&folder.path().join("other"), shipped, &options, open()).unwrap_err();
    assert!(matches!(refused.kind, ErrorKind::Tampered | ErrorKind::Damaged), "{refused}");
    assert!(!refused.message.contains("--up-to"), "{refused}");
}

#[test]
fn a_copy_that_was_changed_is_not_restored() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    append(&ledger, 300);
    ledger.seal().unwrap();
    Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    let file = server.file("segments/00000000000000000000.parquet");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let new = folder.path().join("new");
    let refused = copy.restore(&new, &VerifyOptions::default(), OpenOptions::default()).unwrap_err();
    assert!(matches!(refused.kind, ErrorKind::Tampered | ErrorKind::Damaged), "{refused}");
    assert!(!new.exists());
}

#[test]
fn what_somebody_puts_beside_a_copy_keeps_it_from_nobody() {
    let Some(server) = Server::start() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ledger = create(&path);
    append(&ledger, 300);
    ledger.seal().unwrap();
    let shipped =
        Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap().size;
    drop(ledger);
    fs::remove_dir_all(&path).unwrap();
    let segment = "/ledgers/one/segments/00000000000000000000.parquet";
    for (method, key) in [("PUT", "/ledgers/one/notes.txt"), ("PUT", segment), ("DELETE", segment)] {
        let status = server.curl(&["-X", method, "-d", if method == "PUT" { "something else" } else { "" }], key).0;
        assert!(status < 300, "{method} {key}: {status}");
    }
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let restored = copy.restore(&path, &VerifyOptions::default(), OpenOptions::default()).unwrap();
    assert_eq!(restored.entries, shipped);
    assert!(restored.beside_copy.len() >= 3, "{:?}", restored.beside_copy);
    clean(&path);
}

#[test]
fn a_bucket_that_gives_something_else_when_it_is_read_again_is_caught() {
    for part in ["00000000000000000000.parquet", "00000000000000000000.index", "journal/", "checkpoints/"] {
        let Some(server) = Server::start() else { return };
        let folder = TempDir::new().unwrap();
        let ledger = create(&folder.path().join("ledger"));
        append(&ledger, 300);
        ledger.seal().unwrap();
        append(&ledger, 5);
        Shipper::open(&server.location(), &server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
        let written = Arc::new(AtomicBool::new(false));
        let (new, is_written) = (folder.path().join("new"), written.clone());
        let target = new.clone();
        let endpoint = proxy::start(server.port(), move |request| {
            // From when the new folder is there, the copy is read again.
            let again = request.starts_with("GET") && request.contains(part) && !request.contains("versions");
            match again && target.exists() {
                true => {
                    is_written.store(true, Ordering::SeqCst);
                    Fate::Changed
                }
                false => Fate::Pass,
            }
        });
        let copy = Bucket::open(&server.location(), &settings(&endpoint)).unwrap();
        let refused = copy.restore(&new, &VerifyOptions::default(), OpenOptions::default()).unwrap_err();
        assert!(written.load(Ordering::SeqCst));
        assert!(matches!(refused.kind, ErrorKind::Tampered), "{part}: {refused}");
        assert!(!new.exists() && folder.path().join("new.not-the-copy").exists(), "{part}: {refused}");
    }
}
