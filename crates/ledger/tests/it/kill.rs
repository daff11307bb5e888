//! Real kills: another process writes to a real folder and is shot; what it was told is recorded must be there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use counterfoil::{CreateOptions, Ledger, OpenOptions, VerifyOptions, verify};
use counterfoil_testkit::{Entries, Random};

use crate::effort::kills;

/// Set for the process that writes: the ledger's folder and a seed, with a space between.
const ROLE: &str = "COUNTERFOIL_KILLED_WRITER";

/// The writer; in an ordinary run there is nothing for it to do.
#[test]
fn the_writer_that_is_killed() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (folder, seed) = role.rsplit_once(' ').expect("a folder and a seed");
    let seed: u64 = seed.parse().expect("a number");
    let ledger = Ledger::open(folder, OpenOptions::default()).expect("the ledger opens");
    let out = Mutex::new(std::io::stdout());
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (ledger, out) = (&ledger, &out);
            scope.spawn(move || write_for_ever(ledger, out, seed * 3 + thread));
        }
    });
}

fn write_for_ever(ledger: &Ledger, out: &Mutex<std::io::Stdout>, seed: u64) {
    let mut random = Random::new(seed);
    let mut entries = Entries::new(seed);
    loop {
        let most = if random.below(4) == 0 { 200 } else { 3 };
        let count = 1 + random.below(most);
        let receipts = ledger.append_batch(entries.drafts(count as usize)).expect("the disk works");
        let mut lines = String::new();
        for receipt in receipts {
            lines.push_str(&format!("\nrecorded {} {}", receipt.index, receipt.leaf_hash));
        }
        lines.push_str(" .\n");
        out.lock().expect("no panic while held").write_all(lines.as_bytes()).expect("the parent listens");
        if random.below(60) == 0 {
            ledger.seal().expect("it seals");
        }
    }
}

/// Starts the writer, shoots it after a while, and adds what it had acknowledged.
fn shoot(folder: &Path, seed: u64, wait: Duration, acknowledged: &mut BTreeMap<u64, String>) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "kill::the_writer_that_is_killed", "--nocapture"])
        .env(ROLE, format!("{} {seed}", folder.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the writer starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("recorded")));
    let first = started.expect("the writer records something").expect("text");
    let reader =
        std::thread::spawn(move || [Ok(first)].into_iter().chain(lines).map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(wait);
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    for line in reader.join().expect("no panic") {
        let mut words = line.split(' ');
        if let (Some("recorded"), Some(index), Some(leaf)) = (words.next(), words.next(), words.next())
            && leaf.len() == 64
        {
            acknowledged.insert(index.parse().expect("a number"), leaf.to_owned());
        }
    }
}

fn assert_clean(folder: &Path, label: &str) {
    let report = verify(folder, &VerifyOptions::default()).expect("verify runs");
    assert_eq!(report.findings, [], "{label}");
}

#[test]
fn what_a_killed_writer_acknowledged_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut options = CreateOptions::new("example.com/killed").expect("a valid origin");
    options.segment_span = 256;
    Ledger::create(&path, options, OpenOptions::default()).and_then(Ledger::close).expect("a ledger");
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let mut random = Random::new(seed);
    let mut acknowledged = BTreeMap::new();
    for round in 0..kills() {
        let label = format!("seed {seed} round {round}");
        let wait = Duration::from_micros(random.below(120_000));
        shoot(&path, seed + round, wait, &mut acknowledged);
        assert_clean(&path, &format!("{label}, as it was left"));
        let ledger = Ledger::open(&path, OpenOptions::default()).unwrap_or_else(|error| panic!("{label}: {error}"));
        let snapshot = ledger.snapshot();
        for (index, leaf) in &acknowledged {
            let found = snapshot.leaf_hash(*index).unwrap_or_else(|error| panic!("{label}: {index}: {error}"));
            assert_eq!(found.to_string(), *leaf, "{label}: entry {index}");
        }
        ledger.close().unwrap_or_else(|error| panic!("{label}: {error}"));
    }
    assert_clean(&path, &format!("seed {seed}"));
    assert!(acknowledged.len() as u64 > 3 * kills(), "{} entries", acknowledged.len());
}
