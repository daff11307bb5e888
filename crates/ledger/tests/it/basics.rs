//! Recording, reading back, sealing, reopening, verifying.

use std::sync::Arc;

use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions, Reader, VerifyOptions, verify};
use counterfoil_entry::{Draft, Fields};

fn draft(number: u64) -> Draft {
    Draft::builder("invoice_approved", "invoice-bot", &format!("INV-{}", number % 100))
        .context_json(&format!(r#"{{"number":{number}}}"#))
        .build()
        .expect("a valid entry")
}

fn create(path: &std::path::Path, span: u64) -> Ledger {
    let mut options = CreateOptions::new("example.com/test").expect("a valid origin");
    options.segment_span = span;
    Ledger::create(path, options, OpenOptions::default()).expect("the ledger is made")
}

fn assert_clean(path: &std::path::Path) -> counterfoil_evidence::Report {
    let report = verify(path, &VerifyOptions::default()).expect("verify runs");
    assert_eq!(report.findings, [], "a ledger that nobody touched");
    report
}

#[test]
fn entries_come_back_as_they_were_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let ledger = create(&path, 256);
    let mut receipts = Vec::new();
    for batch in 0..20 {
        let drafts = (batch * 100..(batch + 1) * 100).map(draft).collect();
        receipts.extend(ledger.append_batch(drafts).expect("the batch is recorded"));
    }
    let check = |snapshot: counterfoil::Snapshot| {
        for (number, receipt) in receipts.iter().enumerate() {
            let bytes = snapshot.entry(receipt.index).expect("the entry is there");
            assert_eq!(counterfoil_tlog::leaf_hash(&bytes), receipt.leaf_hash);
            let fields = Fields::check(&bytes).expect("a valid entry");
            assert_eq!(fields.context.expect("a context"), format!(r#"{{"number":{number}}}"#));
            assert_eq!(fields.recorded_at, receipt.recorded_at);
        }
        assert_eq!(snapshot.history("INV-7").expect("a history").len(), 20);
    };
    check(ledger.snapshot());
    ledger.close().expect("the ledger closes");
    assert_clean(&path);
    let ledger = Ledger::open(&path, OpenOptions::default()).expect("it opens again");
    check(ledger.snapshot());
    ledger.seal().expect("it seals");
    check(ledger.snapshot());
    let status = ledger.status().expect("a status");
    assert!(status.size - status.sealed_size < 256, "{status:?}");
    ledger.close().expect("the ledger closes");
    let report = assert_clean(&path);
    assert!(report.segments_checked == 7, "{report:?}");
    check(Reader::open(&path).expect("a reader").snapshot().expect("a snapshot"));
}

#[test]
fn many_threads_append_and_every_proof_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let ledger = Arc::new(create(&path, 256));
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let ledger = ledger.clone();
            std::thread::spawn(move || {
                (0..100).map(|n| ledger.append(draft(thread * 1000 + n)).expect("recorded")).collect::<Vec<_>>()
            })
        })
        .collect();
    let receipts: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
    let snapshot = ledger.snapshot();
    for receipt in &receipts {
        let proof = snapshot.prove_inclusion(receipt.index, snapshot.size()).expect("a proof");
        counterfoil_tlog::verify_inclusion(
            &receipt.leaf_hash,
            counterfoil_tlog::LeafIndex(receipt.index),
            counterfoil_tlog::TreeSize(snapshot.size()),
            &proof,
            &snapshot.root(),
        )
        .expect("the proof holds");
    }
    drop(snapshot);
    Arc::into_inner(ledger).expect("the only one").close().expect("it closes");
    assert_clean(&path);
}

#[test]
fn a_second_writer_is_told_that_the_ledger_is_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let _ledger = create(&path, 256);
    let error = Ledger::open(&path, OpenOptions::default()).expect_err("one writer at a time");
    assert_eq!(error.kind, ErrorKind::Busy, "{error}");
}
