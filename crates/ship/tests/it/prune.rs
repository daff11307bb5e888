//! Segments that a bucket holds are let go of, read from there, and fetched back; what it does not hold stays.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use counterfoil::{ErrorKind, Ledger, LetGo, OpenOptions, Reader, Result, Verified, VerifyOptions, verify};
use counterfoil_entry::Draft;
use counterfoil_ship::{Bucket, Keep, Location, Lock, LockMode, Prunable, Prune, Settings, Shipper};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::basics::create;
use crate::foreign::put_at;
use crate::proxy::{self, Fate};
use crate::server::{BUCKET, Server, settings};

/// How each test's place is reached.
static PLACES: Mutex<Option<HashMap<String, Settings>>> = Mutex::new(None);

pub fn reach(location: &Location, settings: Settings) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        counterfoil_ship::read_pruned(|location| {
            let places = PLACES.lock().unwrap();
            places.as_ref().and_then(|places| places.get(&location.to_string()).cloned()).unwrap_or_default()
        });
    });
    PLACES.lock().unwrap().get_or_insert_default().insert(location.to_string(), settings);
}

const ALL: Prune = Prune { keep: Keep::Entries(0), lock: None, locked_days: 0 };

/// Appends entries that fill more than one block of a segment's file.
pub fn append(ledger: &Ledger, count: usize) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let mut draft = |entity| {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let note: String = (0..16).map(|part| hex::encode(Sha256::digest(format!("{number} {part}")))).collect();
        let draft = Draft::builder("invoice_approved", "bot", &format!("INV-{entity}"));
        draft.context_json(&format!("{{\"note\":\"{note}\"}}")).build().unwrap()
    };
    ledger.append_batch((0..count).map(&mut draft).collect()).unwrap();
}

/// A ledger of three segments and a tail, shipped.
struct Shipped {
    server: Server,
    folder: TempDir,
}

impl Shipped {
    fn new() -> Option<Self> {
        Self::after(|_, _| ())
    }

    /// One that is shipped after something happened to the place.
    fn after(happens: impl FnOnce(&Server, &Path)) -> Option<Self> {
        let server = Server::start()?;
        let folder = TempDir::new().unwrap();
        let ledger = create(&folder.path().join("ledger"));
        for _ in 0..4 {
            append(&ledger, 200);
        }
        ledger.seal().unwrap();
        append(&ledger, 7);
        happens(&server, &folder.path().join("ledger"));
        let mut shipper = Shipper::open(&server.own_location(), &server.settings(), None).unwrap();
        shipper.ship(&ledger.snapshot()).unwrap();
        ledger.close().unwrap();
        reach(&server.own_location(), server.settings());
        Some(Self { server, folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    fn parquet(&self, first: u64) -> PathBuf {
        self.path().join(format!("segments/{first:020}.parquet"))
    }

    /// The kept end of it.
    fn footer(&self, first: u64) -> PathBuf {
        self.parquet(first).with_extension("footer")
    }

    /// The file underneath an object of a segment.
    fn object(&self, first: u64, extension: &str) -> PathBuf {
        let prefix = self.server.file("x").parent().unwrap().parent().unwrap().join(self.server.port().to_string());
        prefix.join(format!("segments/{first:020}.{extension}"))
    }

    fn prunable(&self, prune: &Prune) -> Result<Prunable> {
        let snapshot = Reader::open(self.path()).unwrap().snapshot().unwrap();
        Bucket::open(&self.server.own_location(), &self.server.settings())?.prunable(&snapshot, prune)
    }

    fn prune(&self, prune: &Prune) -> Result<LetGo> {
        let found = self.prunable(prune)?;
        let ledger = Ledger::open(self.path(), OpenOptions::default()).unwrap();
        let gone = ledger.prune(found.pruned, found.covered);
        ledger.close().unwrap();
        gone
    }
}

fn findings(path: &Path) -> Vec<String> {
    verify(path, &VerifyOptions::default()).unwrap().findings.iter().map(ToString::to_string).collect()
}

/// The file of the only finding in each segment, when all of them are read again.
fn reread(path: &Path) -> Vec<String> {
    let snapshot = Reader::open(path).unwrap().snapshot().unwrap();
    let found = snapshot.segments().into_iter().map(|segment| {
        let mut findings = segment.reread().unwrap();
        assert!(findings.len() < 2, "{findings:?}");
        findings.pop().and_then(|finding| finding.file).unwrap_or_default()
    });
    found.collect()
}

fn entries(path: &Path) -> Vec<Vec<u8>> {
    let snapshot = Reader::open(path).unwrap().snapshot().unwrap();
    (0..800).map(|index| snapshot.entry(index).unwrap()).collect()
}

#[test]
fn what_the_bucket_holds_goes_and_is_read_from_there_and_comes_back() {
    let Some(shipped) = Shipped::new() else { return };
    let path = shipped.path();
    let before = entries(&path);
    let files: Vec<_> = [0, 256, 512].map(|first| fs::read(shipped.parquet(first)).unwrap()).into();
    // 280 of the newest entries stay: the last segment and the tail.
    let gone = shipped.prune(&Prune { keep: Keep::Entries(280), ..ALL }).unwrap();
    assert_eq!(gone.segments, 2);
    assert!(!shipped.parquet(0).exists() && !shipped.parquet(256).exists() && shipped.parquet(512).exists());
    assert_eq!(shipped.prune(&ALL).unwrap().segments, 1);
    assert!(!shipped.parquet(512).exists());
    assert_eq!(entries(&path), before);
    let report = verify(&path, &VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, []);
    let said = report.notices.iter().any(|notice| notice.contains("3 segments") && notice.contains("s3://"));
    assert!(said, "{:?}", report.notices);
    let snapshot = Reader::open(&path).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.history("INV-3").unwrap().len(), 5);
    // The trail says what was done, and the ledger goes on, seals and ships as before.
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    let tail = ledger.snapshot();
    let mut said = 0;
    tail.tail(0..tail.size(), &mut |_, bytes| said += usize::from(bytes.windows(13).any(|at| at == b"ledger.pruned")))
        .unwrap();
    assert_eq!(said, 2);
    append(&ledger, 300);
    ledger.seal().unwrap();
    let mut shipper = Shipper::open(&shipped.server.own_location(), &shipped.server.settings(), None).unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    // A second copy is made out of the first.
    let second: Location = format!("s3://{BUCKET}/second").parse().unwrap();
    Shipper::open(&second, &shipped.server.settings(), None).unwrap().ship(&ledger.snapshot()).unwrap();
    let copy = Bucket::open(&second, &shipped.server.settings()).unwrap();
    assert_eq!(copy.verify(&VerifyOptions::default()).unwrap().findings, []);
    let back = ledger.fetch_pruned().unwrap();
    ledger.close().unwrap();
    assert_eq!(back.segments, 3);
    let again: Vec<_> = [0, 256, 512].map(|first| fs::read(shipped.parquet(first)).unwrap()).into();
    assert_eq!(again, files);
    assert!(!path.join("pruned.toml").exists());
    assert!(!shipped.footer(0).exists());
    assert_eq!(findings(&path), [""; 0]);
}

#[test]
fn what_the_bucket_does_not_hold_stays() {
    let Some(shipped) = Shipped::new() else { return };
    let refused = |prune: &Prune, kind: ErrorKind, words: &str| {
        let error = shipped.prune(prune).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(shipped.parquet(0).exists());
    };
    // Locks: longer than they are, or for longer than they last.
    refused(&Prune { locked_days: 30, ..ALL }, ErrorKind::Conflict, "is locked until");
    let longer = Lock::new(LockMode::Compliance, 2).unwrap();
    refused(&Prune { lock: Some(longer), ..ALL }, ErrorKind::Conflict, "less than 2 days");
    // A byte of any file.
    for extension in ["parquet", "tiles", "index"] {
        let object = shipped.object(256, extension);
        let bytes = fs::read(&object).unwrap();
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        fs::write(&object, changed).unwrap();
        refused(&ALL, ErrorKind::Tampered, "not the file that was sealed");
        fs::write(&object, bytes).unwrap();
    }
    // What was sealed and not shipped since.
    let ledger = Ledger::open(shipped.path(), OpenOptions::default()).unwrap();
    append(&ledger, 300);
    ledger.seal().unwrap();
    ledger.close().unwrap();
    refused(&ALL, ErrorKind::Unavailable, "ship the ledger first");
    assert_eq!(shipped.prune(&Prune { keep: Keep::Entries(600), ..ALL }).unwrap().segments, 2);
    // Nothing is as old as that.
    assert_eq!(shipped.prunable(&Prune { keep: Keep::Days(1), ..ALL }).unwrap().segments, 0);
}

#[test]
fn a_segment_whose_key_somebody_took_goes_and_is_read_from_beside_it() {
    let took = |server: &Server, ledger: &Path| {
        let name = |first: u64, extension: &str| format!("segments/{first:020}.{extension}");
        let take = |name: String, content: &[u8]| {
            put_at(server, &format!("/ledgers/{}/{name}", server.port()), content);
        };
        // Something short, and something of the very length, all but a byte of it genuine.
        take(name(0, "index"), b"somebody");
        take(name(256, "parquet"), b"somebody");
        let mut alike = fs::read(ledger.join(name(512, "parquet"))).unwrap();
        let middle = alike.len() / 2;
        alike[middle] ^= 1;
        take(name(512, "parquet"), &alike);
    };
    let Some(shipped) = Shipped::after(took) else { return };
    let before = entries(&shipped.path());
    let files: Vec<_> = [0, 256, 512].map(|first| fs::read(shipped.parquet(first)).unwrap()).into();
    assert_eq!(shipped.prune(&ALL).unwrap().segments, 3);
    assert!([0, 256, 512].iter().all(|first| !shipped.parquet(*first).exists()));
    assert_eq!(entries(&shipped.path()), before);
    assert_eq!(findings(&shipped.path()), [""; 0]);
    let ledger = Ledger::open(shipped.path(), OpenOptions::default()).unwrap();
    assert_eq!(ledger.fetch_pruned().unwrap().segments, 3);
    ledger.close().unwrap();
    let again: Vec<_> = [0, 256, 512].map(|first| fs::read(shipped.parquet(first)).unwrap()).into();
    assert_eq!(again, files);
}

#[test]
fn a_file_that_was_never_pruned_is_missing_as_ever() {
    let Some(shipped) = Shipped::new() else { return };
    shipped.prune(&Prune { keep: Keep::Entries(280), ..ALL }).unwrap();
    let verified = Mutex::new(None);
    let remember = |state| *verified.lock().unwrap() = Some(state);
    let options = VerifyOptions { remember: Some(&remember), ..VerifyOptions::default() };
    assert_eq!(verify(shipped.path(), &options).unwrap().findings, []);
    let state: Option<Verified> = verified.lock().unwrap().clone();
    assert_eq!(state.as_ref().map(Verified::size), Some(768));
    fs::remove_file(shipped.parquet(512)).unwrap();
    let found = findings(&shipped.path());
    assert!(found.iter().any(|finding| finding.contains("00000000000000000512.parquet")), "{found:?}");
    // Neither does it help to write down that it was pruned: the trail does not say so.
    let place = shipped.server.own_location();
    let config = fs::read_to_string(shipped.path().join("pruned.toml")).unwrap();
    assert!(config.contains(&place.to_string()) && config.contains("below = 512"), "{config}");
    fs::write(shipped.path().join("pruned.toml"), config.replace("below = 512", "below = 768")).unwrap();
    let found = findings(&shipped.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("no entry says that it was pruned"), "{found:?}");
    // Nor with whoever reads only what is new, or reads blocks again.
    let options = VerifyOptions { resume: state, ..VerifyOptions::default() };
    let found = verify(shipped.path(), &options).unwrap().findings;
    assert_eq!(found.iter().map(|finding| finding.index).collect::<Vec<_>>(), [Some(512)], "{found:?}");
    assert_eq!(reread(&shipped.path()), ["", "", "segments/00000000000000000512.parquet"]);
    // And without the file nobody goes on.
    fs::remove_file(shipped.path().join("pruned.toml")).unwrap();
    assert!(!findings(&shipped.path()).is_empty());
    let refused = Ledger::open(shipped.path(), OpenOptions::default()).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Damaged, "{refused}");
    assert!(shipped.path().join("segments/00000000000000000000.tiles").exists());
}

#[test]
fn a_byte_changed_in_the_bucket_is_found_by_whoever_reads_it() {
    let Some(shipped) = Shipped::new() else { return };
    shipped.prune(&ALL).unwrap();
    let object = shipped.object(256, "parquet");
    let mut bytes = fs::read(&object).unwrap();
    for byte in bytes.iter_mut().step_by(100) {
        *byte ^= 1;
    }
    fs::write(&object, bytes).unwrap();
    assert!(!findings(&shipped.path()).is_empty());
    let snapshot = Reader::open(shipped.path()).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.entry(300).unwrap_err().kind, ErrorKind::Tampered);
    assert!(snapshot.entry(3).is_ok() && snapshot.entry(600).is_ok());
    fs::remove_file(&object).unwrap();
    let snapshot = Reader::open(shipped.path()).unwrap().snapshot().unwrap();
    assert_eq!(snapshot.entry(300).unwrap_err().kind, ErrorKind::Damaged);
}

#[test]
fn without_the_bucket_the_ledger_goes_on_and_old_entries_are_unavailable() {
    let Some(shipped) = Shipped::new() else { return };
    shipped.prune(&ALL).unwrap();
    let path = shipped.path();
    let endpoint = proxy::start(shipped.server.port(), |_| Fate::CutAnswer);
    // This process opened the place before: another name of it leads through the proxy.
    let config = fs::read_to_string(path.join("pruned.toml")).unwrap();
    let gone = format!("s3://{BUCKET}/ledgers/gone-{}", shipped.server.port());
    fs::write(path.join("pruned.toml"), config.replace(&shipped.server.own_location().to_string(), &gone)).unwrap();
    reach(&gone.parse().unwrap(), settings(&endpoint));
    let ledger = Ledger::open(&path, OpenOptions::default()).unwrap();
    append(&ledger, 300);
    ledger.seal().unwrap();
    let snapshot = ledger.snapshot();
    assert!(snapshot.entry(snapshot.size() - 1).is_ok());
    snapshot.prove_inclusion(3, snapshot.size()).unwrap();
    let refused = snapshot.entry(3).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable, "{refused}");
    assert!(refused.message.contains("was pruned to s3://") && refused.message.contains("try again"), "{refused}");
    ledger.close().unwrap();
    fs::write(path.join("pruned.toml"), config).unwrap();
    assert_eq!(entries(&path).len(), 800);
}

#[test]
fn what_is_kept_of_a_pruned_file_is_its_end_or_a_finding() {
    let Some(shipped) = Shipped::new() else { return };
    let whole = fs::read(shipped.parquet(256)).unwrap();
    shipped.prune(&ALL).unwrap();
    let kept = fs::read(shipped.footer(256)).unwrap();
    assert!(whole.ends_with(&kept) && !kept.is_empty());
    let open = || Reader::open(shipped.path()).unwrap().snapshot().unwrap();
    for at in [0, kept.len() / 2, kept.len() - 5] {
        let mut changed = kept.clone();
        changed[at] ^= 1;
        replace(&shipped.footer(256), &changed);
        let found = findings(&shipped.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("00000000000000000256.footer"), "{found:?}");
        // It is told, and in nobody's way.
        assert_eq!(reread(&shipped.path()), ["", "segments/00000000000000000256.footer", ""]);
        assert!(open().entry(300).is_ok(), "byte {at}");
        let ledger = Ledger::open(shipped.path(), OpenOptions::default()).unwrap();
        ledger.fetch_pruned().unwrap();
        ledger.close().unwrap();
        assert_eq!(fs::read(shipped.parquet(256)).unwrap(), whole);
        shipped.prune(&ALL).unwrap();
    }
    assert_eq!(reread(&shipped.path()), [""; 3]);
    // One that is cut, true or not, is told as well, and in nobody's way; none at all only costs more reads of the bucket.
    let cut = kept[kept.len() - 100..].to_vec();
    let mut forged = cut.clone();
    forged[95] ^= 1;
    for kept in [cut, forged, Vec::new()] {
        replace(&shipped.footer(256), &kept);
        assert!(open().entry(300).is_ok());
        assert_eq!(findings(&shipped.path()).len(), 1);
        assert_eq!(reread(&shipped.path()), ["", "segments/00000000000000000256.footer", ""]);
    }
    fs::remove_file(shipped.footer(256)).unwrap();
    assert!(open().entry(300).is_ok());
    assert_eq!(findings(&shipped.path()), [""; 0]);
    fs::copy(shipped.footer(0), shipped.footer(1024)).unwrap();
    let found = findings(&shipped.path());
    assert!(found.len() == 1 && found[0].contains("00000000000000001024.footer"), "{found:?}");
}

fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_fork_of_what_was_shipped_prunes_nothing() {
    let Some(shipped) = Shipped::new() else { return };
    let fork = shipped.folder.path().join("fork");
    let copied = std::process::Command::new("cp").arg("-a").args([&shipped.path(), &fork]).status();
    assert!(copied.unwrap().success());
    let ledger = Ledger::open(shipped.path(), OpenOptions::default()).unwrap();
    append(&ledger, 5);
    let mut shipper = Shipper::open(&shipped.server.own_location(), &shipped.server.settings(), None).unwrap();
    shipper.ship(&ledger.snapshot()).unwrap();
    let forked = Ledger::open(&fork, OpenOptions::default()).unwrap();
    append(&forked, 50);
    let bucket = Bucket::open(&shipped.server.own_location(), &shipped.server.settings()).unwrap();
    let refused = bucket.prunable(&forked.snapshot(), &ALL).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Tampered, "{refused}");
    assert!(refused.message.contains("another history"), "{refused}");
    assert_eq!(bucket.prunable(&ledger.snapshot(), &ALL).unwrap().segments, 3);
}
