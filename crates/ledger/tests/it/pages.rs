//! The format pages' examples are what the program writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Clock, CreateOptions, Ledger, OpenOptions};
use counterfoil_entry::Draft;
use counterfoil_tlog::{KeyName, KeyType, NoteSigner};

/// 2026-11-24T09:00:00Z, for ever.
#[derive(Debug)]
struct NineOClock;

impl Clock for NineOClock {
    fn now_micros(&self) -> i64 {
        1_795_510_800_000_000
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn page_ledger(path: &Path) -> Ledger {
    let name = KeyName::new("example.com/page").expect("a key name");
    let signer = NoteSigner::from_seed(name, KeyType::Ed25519, &[7; 32]).expect("a key");
    let open = OpenOptions { signer: Some(Arc::new(signer)), clock: Arc::new(NineOClock), ..OpenOptions::default() };
    let mut create = CreateOptions::new("example.com/page").expect("an origin");
    create.segment_span = 256;
    Ledger::create(path, create, open).expect("a ledger")
}

/// The content of the fenced block with this heading in a page.
fn example(page: &str, heading: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats").join(page);
    let text = std::fs::read_to_string(&path).expect("the page is there");
    let start = text.find(&format!("```{heading}\n")).expect("the page has the example") + heading.len() + 4;
    let end = text[start..].find("```").expect("the example ends") + start;
    text[start..end].to_owned()
}

fn hex_dump(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| hex::encode(line) + "\n").collect()
}

#[test]
fn the_journal_page_shows_a_real_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    page_ledger(&path).close().expect("it closes");
    let file = std::fs::read(path.join("journal/00000000000000000000.journal")).expect("the journal");
    assert_eq!(example("journal.md", "hex journal"), hex_dump(&file));
}

#[test]
fn the_checkpoint_page_shows_real_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let ledger = page_ledger(&path);
    let snapshot = ledger.snapshot();
    assert_eq!(example("checkpoint.md", "text checkpoint"), snapshot.checkpoint());
    assert_eq!(example("checkpoint.md", "text key"), format!("{}\n", snapshot.verifier_key()));
    assert_eq!(example("checkpoint.md", "text proof"), snapshot.proof_text(0).expect("a proof"));
}

#[test]
fn the_tiles_page_shows_a_real_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let ledger = page_ledger(&path);
    let draft = Draft::builder("t", "a", "e").build().expect("a valid entry");
    ledger.append_batch(vec![draft; 255]).expect("recorded");
    ledger.close().expect("it closes");
    let file = std::fs::read(path.join("segments/00000000000000000000.tiles")).expect("the tiles");
    assert_eq!(example("tiles.md", "hex tiles"), hex_dump(&file[..32 + 2 * 24 + 32]));
}
