//! Zeros that are written ahead of the frames, beside them, on a real disk.

use counterfoil::{CreateOptions, Ledger, OpenOptions, VerifyOptions, verify};
use counterfoil_entry::Draft;

/// Entries of about 30 kB: some hundred of them fill a step of room.
fn large(number: u64) -> Draft {
    let context = format!(r#"{{"number":{number},"filler":"{}"}}"#, "x".repeat(30_000));
    Draft::builder("e", "a", "x").context_json(&context).build().expect("a valid entry")
}

#[test]
fn no_frame_is_lost_under_zeros_that_are_written_ahead() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let folder = place.path().join("audit");
    let options = CreateOptions::new("bank.example/room").expect("a valid origin");
    let ledger = Ledger::create(&folder, options, OpenOptions::default()).expect("created");
    for number in 0..3_000 {
        ledger.append(large(number)).expect("recorded");
    }
    // As a crash would leave it: nothing is cut or closed.
    let copy = place.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-r").args([&folder, &copy]).status().expect("cp runs");
    assert!(copied.success());
    for found in [&folder, &copy] {
        let report = verify(found, &VerifyOptions::default()).expect("it can be read");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
    let reopened = Ledger::open(&copy, OpenOptions::default()).expect("what a crash leaves opens");
    assert_eq!(reopened.snapshot().size(), ledger.snapshot().size(), "with everything");
    reopened.close().expect("closed");
    let size = ledger.snapshot().size();
    ledger.close().expect("closed");
    let report = verify(&folder, &VerifyOptions::default()).expect("it can be read");
    assert!(report.findings.is_empty() && report.size == size, "{:?}", report.findings);
}
