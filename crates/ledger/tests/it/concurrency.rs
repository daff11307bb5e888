//! Many callers at once, readers beside the writer, and sealing that is disturbed and tried again.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use counterfoil::{
    CreateOptions, Disk, DiskFile, ErrorKind, FolderLock, Ledger, OpenOptions, OsDisk, Reader, SealedSegment,
    VerifyOptions, verify,
};
use counterfoil_entry::{Draft, Fields};
use counterfoil_evidence::FindingKind;
use counterfoil_testkit::{Entries, Fault, MemoryDisk, Random};
use counterfoil_tlog::{LeafIndex, TreeSize, leaf_hash, verify_consistency, verify_inclusion};

use crate::trial::Trial;

fn numbered(thread: u64, number: u64) -> Draft {
    let context = format!(r#"{{"thread":{thread},"number":{number}}}"#);
    Draft::builder("e", "a", &format!("T-{thread}")).context_json(&context).build().expect("a valid entry")
}

#[test]
fn batches_from_many_threads_are_each_one_stretch_or_nothing() {
    let mut trial = Trial::new(MemoryDisk::with_capacity(64 << 20));
    trial.create(256).expect("a disk that works");
    trial.append_drafts(&[Draft::builder("e", "a", "x").id("taken").build().expect("valid")]).expect("recorded");
    let spoilt = Draft::builder("other", "a", "x").id("taken").build().expect("valid");
    let write = |ledger: &Ledger, thread: u64| {
        let mut random = Random::new(thread);
        let (mut number, mut places) = (0, Vec::new());
        for _ in 0..30 {
            let count = 1 + random.below(40);
            let mut batch: Vec<Draft> = (number..number + count).map(|number| numbered(thread, number)).collect();
            if random.below(4) == 0 {
                batch.insert(random.below(count) as usize, spoilt.clone());
                let error = ledger.append_batch(batch).expect_err("a conflict");
                assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
                continue;
            }
            let receipts = ledger.append_batch(batch).expect("recorded");
            for (position, receipt) in receipts.iter().enumerate() {
                assert_eq!(receipt.index, receipts[0].index + position as u64, "one stretch");
                places.push(receipt.index);
            }
            number += count;
        }
        places
    };
    let ledger = trial.ledger();
    let places: Vec<Vec<u64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|thread| scope.spawn(move || write(ledger, thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let contents = Trial::contents(&trial.ledger().snapshot());
    for (thread, places) in places.iter().enumerate() {
        assert!(places.is_sorted(), "a caller's entries keep their order");
        let history = trial.ledger().snapshot().history(&format!("T-{thread}")).expect("a history");
        assert_eq!(history.iter().map(|(index, _)| *index).collect::<Vec<_>>(), *places, "no more and no less");
        for (number, index) in places.iter().enumerate() {
            let fields = Fields::check(&contents[*index as usize]).expect("a valid entry");
            assert_eq!(fields.context.expect("a context"), format!(r#"{{"number":{number},"thread":{thread}}}"#));
        }
    }
    trial.close().expect("closed");
    trial.assert_clean();
}

#[test]
fn readers_beside_a_writer_that_seals_see_one_growing_tree() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut options = CreateOptions::new("example.com/read").expect("a valid origin");
    options.segment_span = 256;
    let ledger = Ledger::create(&path, options, OpenOptions::default()).expect("a ledger");
    let done = AtomicBool::new(false);
    let read = || {
        let reader = Reader::open(&path).expect("a ledger is there");
        let (mut looks, mut before) = (0, reader.snapshot().expect("a snapshot"));
        while !done.load(Ordering::SeqCst) {
            let now = reader.snapshot().unwrap_or_else(|error| panic!("look {looks}: {error}"));
            assert!(now.size() >= before.size(), "a tree does not shrink");
            let proof = now.prove_consistency(before.size(), now.size()).expect("a proof");
            let (from, to) = (TreeSize(before.size()), TreeSize(now.size()));
            verify_consistency(from, to, &proof, &before.root(), &now.root()).expect("the same tree, grown");
            let index = (looks * 7_919) % now.size();
            let bytes = now.entry(index).unwrap_or_else(|error| panic!("entry {index}: {error}"));
            let proof = now.prove_inclusion(index, now.size()).expect("a proof");
            verify_inclusion(&leaf_hash(&bytes), LeafIndex(index), to, &proof, &now.root()).expect("it is in the tree");
            before.entry(index.min(before.size() - 1)).expect("an old snapshot stays readable");
            (looks, before) = (looks + 1, now);
        }
        looks
    };
    let check = || {
        let mut looks = 0;
        while !done.load(Ordering::SeqCst) {
            let report = verify(&path, &VerifyOptions::default()).expect("verify runs");
            assert_eq!(report.findings, [], "verification {looks} found what a busy writer alone did");
            looks += 1;
        }
        looks
    };
    let looks: Vec<u64> = std::thread::scope(|scope| {
        let mut readers: Vec<_> = (0..3).map(|_| scope.spawn(read)).collect();
        readers.push(scope.spawn(check));
        let mut entries = Entries::new(5);
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(6) {
            ledger.append_batch(entries.drafts(180)).expect("recorded");
            ledger.publish().expect("published");
            ledger.seal().expect("sealed");
        }
        done.store(true, Ordering::SeqCst);
        readers.into_iter().map(|reader| reader.join().expect("no panic")).collect()
    });
    assert!(looks.iter().all(|looks| *looks > 3), "{looks:?}");
    assert!(ledger.status().expect("a status").segments > 5);
    ledger.close().expect("closed");
    assert_eq!(verify(&path, &VerifyOptions::default()).expect("verify runs").findings, []);
}

/// A disk that shows a segment to who lists its folder as it is while the writer gives its three files their names.
#[derive(Debug)]
struct Renaming;

impl Disk for Renaming {
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = OsDisk.list(path)?;
        names.retain(|name| !name.ends_with(".tiles") && !name.ends_with(".index"));
        Ok(names)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsDisk.open(path)
    }
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        unreachable!("verification writes nothing")
    }
    fn open_writable(&self, _: &Path) -> io::Result<Arc<dyn DiskFile>> {
        unreachable!("verification writes nothing")
    }
    fn create(&self, _: &Path, _: u32) -> io::Result<Arc<dyn DiskFile>> {
        unreachable!("verification writes nothing")
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        unreachable!("verification writes nothing")
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        unreachable!("verification writes nothing")
    }
    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        unreachable!("verification writes nothing")
    }
    fn lock(&self, _: &Path) -> io::Result<Box<dyn FolderLock>> {
        unreachable!("verification locks nothing")
    }
}

#[test]
fn a_segment_whose_files_are_being_named_lacks_none_and_one_that_lost_a_file_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let mut options = CreateOptions::new("example.com/named").expect("a valid origin");
    options.segment_span = 256;
    let ledger = Ledger::create(&path, options, OpenOptions::default()).expect("a ledger");
    let mut entries = Entries::new(5);
    ledger.append_batch(entries.drafts(200)).expect("recorded");
    let (journal, kept) = (path.join(format!("journal/{:020}.journal", 0)), folder.path().join("kept"));
    std::fs::hard_link(&journal, &kept).expect("linked");
    ledger.append_batch(entries.drafts(200)).expect("recorded");
    ledger.seal().expect("sealed");
    ledger.close().expect("closed");
    std::fs::rename(&kept, &journal).expect("as before the writer dropped it");

    let options = VerifyOptions { disk: Arc::new(Renaming), ..Default::default() };
    let report = verify(&path, &options).expect("verify runs");
    assert_eq!(report.findings, [], "its files had got their names when its entry was read");
    assert!(report.notices.iter().any(|notice| notice.contains("was sealed meanwhile")), "{:?}", report.notices);

    std::fs::remove_file(path.join(format!("segments/{:020}.tiles", 0))).expect("removed");
    let report = verify(&path, &VerifyOptions::default()).expect("verify runs");
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::MissingFile], "{:?}", report.findings);
}

#[test]
fn sealing_that_fails_once_is_tried_again_and_done_once() {
    let start = || {
        let mut trial = Trial::new(MemoryDisk::with_capacity(8 << 20));
        trial.create(256).expect("a disk that works");
        trial.append(250).expect("recorded");
        trial
    };
    for number in 1.. {
        let mut trial = start();
        trial.label = format!("failure at {number}");
        trial.disk.plan(4 + number, Fault::NoSpace);
        let crossed = trial.append(20).is_ok();
        let started = Instant::now();
        while crossed && trial.ledger().snapshot().sealed_size() < 256 {
            let status = trial.ledger().status().expect("a status");
            if status.poisoned.is_some() || started.elapsed() > Duration::from_secs(30) {
                break;
            }
            // Few enough while sealing rests that they fill no second segment.
            let _ = trial.append(1);
            std::thread::sleep(Duration::from_millis(20));
        }
        if !trial.disk.is_struck() {
            assert!(number > 20, "{number} operations");
            return;
        }
        let status = trial.ledger().status().expect("a status");
        if status.poisoned.is_some() {
            continue;
        }
        let trace = trial.disk.trace();
        assert_eq!(
            status.sealed_size,
            256,
            "{}: {:?}, {:?}",
            trial.label,
            status.sealing_fault,
            &trace[trace.len() - 9..]
        );
        while let Err(error) = trial.seal() {
            assert!(started.elapsed() < Duration::from_secs(30), "{}: {error}", trial.label);
            std::thread::sleep(Duration::from_millis(5));
        }
        let snapshot = trial.ledger().snapshot();
        assert_eq!(snapshot.segments().len(), 1, "{}", trial.label);
        let sealed = Trial::contents(&snapshot)
            .into_iter()
            .filter(|bytes| Fields::check(bytes).is_ok_and(|fields| fields.event_type == "ledger.sealed"));
        assert_eq!(sealed.count(), 1, "{}: one entry seals the segment", trial.label);
        trial.close().unwrap_or_else(|error| panic!("{}: {error}", trial.label));
        trial.assert_clean();
        let journals = trial.disk.files().iter().filter(|path| path.ends_with("00000000000000000000.journal")).count();
        assert_eq!(journals, 0, "{}: the sealed journal is dropped", trial.label);
    }
}

#[test]
fn a_segment_counts_from_the_entry_on_that_seals_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = CreateOptions::new("example.com/seals").expect("a valid origin");
    options.segment_span = 256;
    let (ledger, snapshots) = (Arc::new(OnceLock::<Weak<Ledger>>::new()), Arc::new(Mutex::new(Vec::new())));
    let (watched, seen) = (ledger.clone(), snapshots.clone());
    let look = move |_| {
        if let Some(ledger) = watched.get().and_then(Weak::upgrade) {
            seen.lock().expect("no panic").push(ledger.snapshot());
        }
    };
    let open = OpenOptions { on_commit: Some(Arc::new(look)), ..OpenOptions::default() };
    let writer = Arc::new(Ledger::create(folder.path().join("ledger"), options, open).expect("a ledger"));
    ledger.set(Arc::downgrade(&writer)).expect("set once");
    writer.append_batch(Entries::new(7).drafts(900)).expect("recorded");
    writer.seal().expect("sealed");
    let mut seals = 0;
    for snapshot in snapshots.lock().expect("no panic").iter() {
        let segments: Vec<u64> = snapshot.segments().iter().map(SealedSegment::first).collect();
        let mut check = |_, bytes: &[u8]| {
            let fields = Fields::check(bytes).expect("an entry");
            if fields.event_type == "ledger.sealed" {
                let first = fields.entity_id.strip_prefix("segment/").and_then(|first| first.parse().ok());
                assert!(first.is_some_and(|first| segments.contains(&first)), "{first:?} is not in {segments:?}");
                seals += 1;
            }
        };
        snapshot.tail(0..snapshot.size(), &mut check).expect("a tail");
    }
    assert!(seals >= 3, "{seals} seals were seen");
}

#[test]
fn a_ledger_can_be_closed_while_it_seals() {
    for pause in 0..30 {
        let mut trial = Trial::new(MemoryDisk::with_capacity(8 << 20));
        trial.label = format!("pause {pause}");
        trial.create(256).expect("a disk that works");
        trial.append(700).expect("recorded");
        std::thread::sleep(Duration::from_micros(pause * 500));
        let ledger = Arc::new(trial.ledger.take().expect("it is open"));
        if pause % 2 == 0 {
            Arc::into_inner(ledger).expect("the only one").close().expect("it closes");
        } else {
            drop(ledger);
        }
        trial.assert_clean();
    }
}
