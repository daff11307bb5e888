//! The report of an empty ledger, word by word.

use counterfoil_report::report_html;

use crate::sample;

/// `COUNTERFOIL_BLESS=1` writes it anew; look at what changed.
#[test]
fn the_report_of_an_empty_ledger_is_the_one_that_was_looked_at() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/empty.html");
    let html = report_html(&sample::empty()).expect("a report");
    if std::env::var_os("COUNTERFOIL_BLESS").is_some() {
        std::fs::write(path, &html).expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(path).expect("the golden file");
    let differing = golden.lines().zip(html.lines()).find(|(golden, now)| golden != now);
    assert!(golden == html, "the first line that differs: {differing:#?}");
}
