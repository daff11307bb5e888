//! A ledger made on a real folder, and what is known of it, so that every change to it can be told.

use std::path::PathBuf;
use std::sync::Arc;

use counterfoil::{
    CreateOptions, Disk, Error, ErrorKind, Ledger, OpenOptions, Reader, Snapshot, VerifyOptions, verify,
};
use counterfoil_entry::Draft;
use counterfoil_evidence::{FindingKind, Report};
use counterfoil_testkit::{Entries, MemoryDisk, RecordingSigner};
use counterfoil_tlog::{CompactRange, Hash, LeafIndex, Signer, leaf_hash};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use crate::signatures::signed;
use crate::trial::Trial;

pub const ORIGIN: &str = "example.com/exhibit";
const ATTACHMENT: &[u8] = b"the invoice as it was scanned";

/// A genuine ledger.
pub struct Exhibit {
    pub root: PathBuf,
    pub disk: MemoryDisk,
    pub signer: Arc<RecordingSigner>,
    /// The published checkpoint and its size.
    pub checkpoint: Vec<u8>,
    pub published: u64,
    pub sealed_size: u64,
    pub contents: Vec<Vec<u8>>,
    pub leaves: Vec<Hash>,
    /// The tree's root at each size.
    roots: Vec<Hash>,
}

/// How the writer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It closed the ledger.
    Clean,
    /// It was killed: the journal has its reserve behind the last frame, and the last entries are not published.
    Killed,
}

fn options(signer: &Arc<RecordingSigner>) -> OpenOptions {
    OpenOptions { signer: Some(signer.clone()), ..OpenOptions::default() }
}

/// Writes three segments and a tail: ids, sequences, a recorder, a client's key and its signatures.
fn write(ledger: &Ledger, end: End, segments: u64) {
    let key = SigningKey::from_bytes(&[5; 32]);
    ledger.register_key(key.verifying_key(), vec!["ana".into()]).expect("registered");
    let mut entries = Entries::new(11);
    for batch in 0..segments {
        let mut drafts = entries.drafts(258);
        let sequence = batch + 1;
        drafts.push(entries.builder().id(&format!("id-{batch}")).build().expect("valid"));
        drafts.push(entries.builder().source("etl", sequence).build().expect("valid"));
        drafts.push(signed(&key, ORIGIN, "ana", sequence));
        ledger.append_batch_as("gateway", drafts).expect("recorded");
        ledger.seal().expect("sealed");
    }
    for number in 0..12 {
        ledger.append(entries.draft()).expect("recorded");
        ledger.append(signed(&key, ORIGIN, "ana", 50 + number)).expect("recorded");
    }
    ledger.publish().expect("published");
    if end == End::Killed {
        ledger.append(entries.draft()).expect("recorded");
    }
}

impl Exhibit {
    /// A ledger of three segments and a tail.
    pub fn new(end: End) -> Self {
        Self::signed_with(end, 3, 7)
    }

    /// A smaller one, to be verified thousands of times.
    pub fn small(end: End) -> Self {
        Self::signed_with(end, 2, 7)
    }

    /// A ledger of so many segments with the key of a seed.
    pub fn signed_with(end: End, segments: u64, seed: u8) -> Self {
        let signer = Arc::new(RecordingSigner::new(ORIGIN, seed).expect("a valid key"));
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("ledger");
        let mut create = CreateOptions::new(ORIGIN).expect("a valid origin");
        create.segment_span = 256;
        let ledger = Ledger::create(&root, create, options(&signer)).expect("a ledger");
        let attachment = root.join("attachments").join(hex::encode(Sha256::digest(ATTACHMENT)));
        std::fs::write(attachment, ATTACHMENT).expect("written");
        write(&ledger, end, segments);
        let contents = Trial::contents(&ledger.snapshot());
        let sealed_size = ledger.snapshot().sealed_size();
        let disk = if end == End::Killed {
            MemoryDisk::load(&root).expect("readable")
        } else {
            ledger.close().expect("closed");
            MemoryDisk::load(&root).expect("readable")
        };
        let checkpoint = disk.read(&root.join("checkpoint")).expect("it is there");
        let published = String::from_utf8_lossy(&checkpoint).lines().nth(1).and_then(|line| line.parse().ok());
        let leaves: Vec<Hash> = contents.iter().map(|bytes| leaf_hash(bytes)).collect();
        let mut tree = CompactRange::new(LeafIndex(0));
        let mut roots = vec![counterfoil_tlog::EMPTY_ROOT];
        for leaf in &leaves {
            tree.push(*leaf);
            roots.push(tree.root().expect("it begins at 0"));
        }
        let published = published.expect("a size");
        Self { root, disk, signer, checkpoint, published, sealed_size, contents, leaves, roots }
    }

    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Names of all files outside `keys/` and `state/`, relative to the folder.
    pub fn names(&self) -> Vec<String> {
        let files = self.disk.files();
        let names = files.iter().map(|path| path.strip_prefix(&self.root).expect("inside").display().to_string());
        names.filter(|name| !name.starts_with("keys/") && !name.starts_with("state/")).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        self.disk.read(&self.path(name)).expect("it is there")
    }

    /// The name of the last journal file.
    pub fn journal(&self) -> String {
        self.names().into_iter().rfind(|name| name.ends_with(".journal")).expect("there is one")
    }

    /// A copy that can be changed.
    pub fn copy(&self) -> MemoryDisk {
        self.disk.restart()
    }

    /// A copy with one file changed.
    pub fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> MemoryDisk {
        let disk = self.copy();
        disk.alter(&self.path(name), change).expect("it is there");
        disk
    }

    pub fn verify_against(&self, disk: &MemoryDisk, checkpoint: Option<Vec<u8>>, keys: Keys) -> Report {
        let keys = match keys {
            Keys::Known => vec![self.signer.verifier_key().clone()],
            Keys::Unknown => Vec::new(),
        };
        let disk = Arc::new(disk.clone());
        let options = VerifyOptions { checkpoint, keys, disk, threads: 1, ..VerifyOptions::default() };
        verify(&self.root, &options).expect("there is a ledger")
    }

    /// What a verification without anything from outside says.
    pub fn verify(&self, disk: &MemoryDisk) -> Report {
        self.verify_against(disk, None, Keys::Unknown)
    }

    /// A verification finds it in one of these files, as one of these kinds (any, where none are given), at this index;
    /// and neither a reader nor a writer is taken in.
    pub fn assert_found(
        &self,
        disk: &MemoryDisk,
        what: &str,
        files: &[&str],
        kinds: &[FindingKind],
        index: Option<u64>,
    ) {
        let report = self.verify(disk);
        let named = |file: &str| files.iter().any(|wanted| file == *wanted || file.starts_with(&format!("{wanted}.")));
        let found = report.findings.iter().any(|finding| {
            finding.file.as_deref().is_some_and(named)
                && (kinds.is_empty() || kinds.contains(&finding.kind))
                && (index.is_none() || finding.index == index)
        });
        assert!(found, "{what}: wanted {kinds:?} in {files:?} at {index:?}, found {:#?}", report.findings);
        self.assert_not_taken_in(disk, what);
    }

    /// A reader gives out nothing that is not genuine, and a writer signs nothing that contradicts what was published.
    pub fn assert_not_taken_in(&self, disk: &MemoryDisk, what: &str) {
        self.assert_reader_honest(disk, what);
        let signer = Arc::new(self.signer.branch().expect("a valid key"));
        let before = signer.signed().len();
        self.write_on(disk, &signer, what);
        for checkpoint in &signer.signed()[before..] {
            let size = checkpoint.size.0;
            if size <= self.published {
                assert_eq!(checkpoint.root, self.roots[size as usize], "{what}: signed a fork at {size}");
            }
        }
    }

    /// Opens the ledger for reading and for writing, and lets neither panic.
    pub fn assert_no_panic(&self, disk: &MemoryDisk, what: &str) {
        let _ = self.reader(disk).map(|snapshot| self.read_some(&snapshot, what).len());
        self.write_on(disk, &Arc::new(self.signer.branch().expect("a valid key")), what);
    }

    fn reader(&self, disk: &MemoryDisk) -> Result<Snapshot, Error> {
        Reader::open_on(&self.root, Arc::new(disk.clone())).and_then(|reader| reader.snapshot())
    }

    fn assert_reader_honest(&self, disk: &MemoryDisk, what: &str) {
        match self.reader(disk) {
            Ok(snapshot) => {
                assert_eq!(snapshot.root(), self.roots[snapshot.size() as usize], "{what}: a reader believes a fork");
                for (index, bytes) in self.read_some(&snapshot, what) {
                    assert_eq!(
                        bytes, self.contents[index as usize],
                        "{what}: a reader gives out a forged entry {index}"
                    );
                }
                self.assert_complete(&snapshot, what);
            }
            Err(error) => assert_ne!(error.kind, ErrorKind::Internal, "{what}: {error}"),
        }
    }

    /// A history and the tail are whole and genuine, or there is an error.
    fn assert_complete(&self, snapshot: &Snapshot, what: &str) {
        let mut tail = Vec::new();
        let read = snapshot.tail(0..snapshot.size(), &mut |index, bytes| tail.push((index, bytes.to_vec())));
        for (index, bytes) in read.map(|()| tail).unwrap_or_default() {
            assert_eq!(bytes, self.contents[index as usize], "{what}: a forged entry {index} in the tail");
        }
        let Ok(found) = snapshot.history("INV-7") else { return };
        let of_entity = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"entity_id\":\"INV-7\"");
        let genuine = self.contents[..snapshot.size() as usize].iter().enumerate();
        let genuine: Vec<u64> = genuine.filter(|(_, bytes)| of_entity(bytes)).map(|(index, _)| index as u64).collect();
        let found: Vec<u64> = found.into_iter().map(|(index, _)| index).collect();
        assert_eq!(found, genuine, "{what}: a history hides or invents entries");
    }

    /// What a reader gives out of some entries.
    fn read_some(&self, snapshot: &Snapshot, what: &str) -> Vec<(u64, Vec<u8>)> {
        let size = snapshot.size();
        let mut given = Vec::new();
        for index in [0, 1, 255, 256, 400, size.saturating_sub(20), size.saturating_sub(1)] {
            match snapshot.entry(index) {
                Ok(bytes) => given.push((index, bytes)),
                Err(error) => assert_ne!(error.kind, ErrorKind::Internal, "{what}: {error}"),
            }
            let _ = snapshot.proof_text(index);
        }
        given.extend(snapshot.history("INV-7").unwrap_or_default());
        given
    }

    /// Opens a copy for writing.
    pub fn open_on(&self, disk: &MemoryDisk) -> Result<Ledger, Error> {
        let signer = Arc::new(self.signer.branch().expect("a valid key"));
        Ledger::open(&self.root, OpenOptions { disk: Arc::new(disk.restart()), ..options(&signer) })
    }

    fn write_on(&self, disk: &MemoryDisk, signer: &Arc<RecordingSigner>, what: &str) {
        let disk = disk.restart();
        let open = OpenOptions { disk: Arc::new(disk), ..options(signer) };
        let honest = |error: Error| assert_ne!(error.kind, ErrorKind::Internal, "{what}: {error}");
        match Ledger::open(&self.root, open) {
            Ok(ledger) => {
                let draft = Draft::builder("e", "a", "x").id("id-1").build().expect("valid");
                ledger.append(draft).map(drop).unwrap_or_else(honest);
                ledger.close().unwrap_or_else(honest);
            }
            Err(error) => honest(error),
        }
    }
}

/// Whether a verification is given the ledger's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Known,
    Unknown,
}
