//! A report supports; it never judges.

use std::path::Path;

use counterfoil_report::{document_html, report_html};

use crate::sample;

const JUDGEMENTS: [&str; 5] = ["complies", "comply", "compliant", "certified", "guarantees"];

fn judges(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    JUDGEMENTS.into_iter().find(|word| text.contains(word))
}

#[test]
fn no_page_says_that_a_duty_is_met() {
    let pages = [report_html(&sample::report()), report_html(&sample::empty()), Ok(document_html(&sample::document()))];
    for page in pages {
        let page = page.expect("a page");
        assert_eq!(judges(&page), None);
        assert!(page.contains(">Supports <span>"));
    }
}

#[test]
fn a_clause_that_was_not_compared_with_its_text_is_marked_wherever_it_stands() {
    let page = report_html(&sample::report()).expect("a page");
    assert!(page.contains("<span>SOX 404 *</span>") && page.contains("<td>SOX 404 *</td>"));
    assert!(page.contains("PCAOB AS 2201 and AS 1105. In force: act of 2002;"));
    assert!(page.contains("15 December 2025. Not compared with the text.</td>"));
    assert!(page.contains("<span>PCI DSS 10.2</span>"), "this one was");
}

#[test]
fn no_template_does_either() {
    fn look(folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                look(&path);
            } else {
                let text = std::fs::read_to_string(&path).expect("a text");
                assert_eq!(judges(&text), None, "{}", path.display());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    look(&root.join("src"));
    assert_eq!(judges(&std::fs::read_to_string(root.join("clauses.toml")).expect("the mapping")), None);
}
