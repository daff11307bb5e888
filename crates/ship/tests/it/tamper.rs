//! Whoever has the server's disk changes what is under it: verification must say so.

use std::fs;

use counterfoil::VerifyOptions;
use counterfoil_ship::{Bucket, Shipper};
use tempfile::TempDir;

use crate::basics::{append, create};
use crate::server::Server;

/// A copy with two segments, a tail of three objects, and what the journal had before.
fn shipped() -> Option<(Server, TempDir)> {
    let server = Server::start()?;
    let folder = TempDir::new().unwrap();
    let ledger = create(&folder.path().join("ledger"));
    let mut shipper = Shipper::open(&server.location(), &server.settings(), None).unwrap();
    for count in [100, 200, 250, 20] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    ledger.seal().unwrap();
    for count in [1, 9, 30] {
        append(&ledger, count);
        shipper.ship(&ledger.snapshot()).unwrap();
    }
    Some((server, folder))
}

/// What a verification says, or why there is none.
fn verdict(server: &Server) -> Vec<String> {
    let copy = Bucket::open(&server.location(), &server.settings());
    match copy.and_then(|copy| copy.verify(&VerifyOptions::default())) {
        Ok(report) => report.findings.iter().map(ToString::to_string).collect(),
        Err(error) => vec![format!("{}: {error}", error.kind)],
    }
}

fn keys(server: &Server) -> Vec<String> {
    let folders = ["segments", "journal", "checkpoints"];
    folders.iter().flat_map(|folder| server.keys(folder)).chain(["ledger.toml".to_owned()]).collect()
}

#[test]
fn a_changed_byte_anywhere_is_found() {
    let Some((server, _folder)) = shipped() else { return };
    assert_eq!(verdict(&server), Vec::<String>::new());
    let keys = keys(&server);
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let path = server.file(&key);
        let bytes = fs::read(&path).unwrap();
        for at in [0, 9, 57, 70, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
            if at >= bytes.len() {
                continue;
            }
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // In place: the server's own notes about the file stay as they were.
            fs::write(&path, &changed).unwrap();
            let found = verdict(&server);
            assert!(!found.is_empty(), "byte {at} of {key} was changed and nobody noticed");
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(verdict(&server), Vec::<String>::new());
}

#[test]
fn a_missing_or_shortened_object_is_found() {
    let Some((server, _folder)) = shipped() else { return };
    let checkpoints = server.keys("checkpoints");
    let newest = checkpoints.last().unwrap();
    for key in keys(&server) {
        let path = server.file(&key);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let found = verdict(&server);
        assert!(!found.is_empty(), "{key} was shortened and nobody noticed");
        fs::write(&path, &bytes).unwrap();
        let away = server.file("..").join("away");
        fs::rename(&path, &away).unwrap();
        let found = verdict(&server);
        fs::rename(&away, &path).unwrap();
        // Older checkpoints are extra; without the newest one the copy says less and nothing wrong.
        let extra = key.starts_with("checkpoints/");
        assert!(extra || !found.is_empty(), "{key} was removed and nobody noticed");
    }
    // Whoever remembers a checkpoint notices that the newest ones are gone.
    let note = fs::read(server.file(newest)).unwrap();
    let journal = server.keys("journal");
    for key in [newest, journal.last().unwrap()] {
        fs::remove_file(server.file(key)).unwrap();
    }
    let copy = Bucket::open(&server.location(), &server.settings()).unwrap();
    let options = VerifyOptions { checkpoint: Some(note), ..VerifyOptions::default() };
    let report = copy.verify(&options).unwrap();
    let found: Vec<&str> = report.findings.iter().map(|finding| finding.kind.name()).collect();
    assert_eq!(found, ["checkpoint-ahead"]);
}

#[test]
fn an_object_of_another_place_is_found() {
    let Some((server, _folder)) = shipped() else { return };
    let journal = server.keys("journal");
    let (one, other) = (server.file(&journal[2]), server.file(&journal[3]));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    fs::write(&one, second).unwrap();
    fs::write(&other, first).unwrap();
    assert!(!verdict(&server).is_empty());
}
