//! Texts by somebody who wants the reader to see something else.

use counterfoil_report::report::{Alert, Count, Denial, Finding, SourceGaps};
use counterfoil_report::{MAX_CELL, document_html, document_pdf, report_html, report_pdf};

use crate::sample;

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style><style>*{display:none}",
    "'; DROP TABLE audit_log; --",
    "#panic(\"typst\") #read(\"/etc/passwd\")",
    "approved\u{202e}deined\u{202c}",
    "line\nbreak\ttab\u{0}nul\u{7f}\u{200b}\u{feff}",
    "&lt;already&gt; &amp; \u{5d0}\u{5d1} \u{4e2d}\u{6587} \u{1f600}",
];

fn hostile() -> counterfoil_report::report::Report {
    let mut report = sample::report();
    let named = |name: &&str| Count { name: (*name).to_owned(), entries: 1 };
    report.activity.event_types.rows.extend(HOSTILE.iter().map(named));
    report.activity.event_types.total += HOSTILE.len() as u64;
    report.activity.actor_types.rows.extend(HOSTILE.iter().map(named));
    for (row, text) in report.overrides.by_model.rows.iter_mut().zip(HOSTILE) {
        row.model = text.to_owned();
    }
    let denial = |text: &str| Denial { event_type: text.to_owned(), outcome: text.to_owned(), entries: 1, actors: 1 };
    report.overrides.denials.rows.extend(HOSTILE.map(denial));
    let alerts = report.alerts.as_mut().expect("the sample has alerts");
    let alert = alerts.listed.rows[0].clone();
    alerts.listed.rows.extend(HOSTILE.map(|text| Alert {
        title: text.to_owned(),
        level: text.to_owned(),
        ..alert.clone()
    }));
    let source = |text: &str| SourceGaps {
        source: text.to_owned(),
        recorder: Some(text.to_owned()),
        last: 9,
        gaps: vec![(1, 1)],
        missing: 1,
    };
    report.sources.with_gaps.rows.extend(HOSTILE.map(source));
    report.scope.ledger = HOSTILE.concat();
    let bundle = report.integrity.bundle.as_mut().expect("the sample has a bundle");
    (bundle.file, bundle.chosen) = (HOSTILE.concat(), HOSTILE.concat());
    report.integrity.end.note = Some(HOSTILE.join("\n"));
    let finding = |text: &str| Finding { kind: text.to_owned(), place: text.to_owned(), message: text.to_owned() };
    report.check.findings = HOSTILE.map(finding).to_vec().into();
    report.reviews.rows[0].note = HOSTILE.concat();
    report.verification.listed.rows[0].fault = Some(HOSTILE.concat());
    report
}

/// The tags of a page and what they carry, without the texts between them.
fn tags(html: &str) -> Vec<&str> {
    html.split('<').skip(1).map(|rest| rest.split_once('>').expect("a tag ends").0).collect()
}

#[test]
fn texts_are_shown_in_html_as_they_are_and_never_run() {
    let html = report_html(&hostile()).expect("a report");
    let honest = report_html(&sample::report()).expect("a report");
    for tag in tags(&html) {
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        assert!(!["script", "img", "iframe", "object", "link", "form"].contains(&name.as_str()), "<{tag}>");
        assert!(!tag.contains("onerror=") || tag.contains("&quot;&gt;&lt;img"), "<{tag}>");
        assert!(!tag.contains(" style=") && !tag.contains(" src=") || tag.contains("&lt;"), "<{tag}>");
    }
    let styles = |html: &str| tags(html).into_iter().filter(|tag| tag.starts_with("style")).count();
    assert_eq!(styles(&html), styles(&honest), "no style comes in by a text");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("&amp;lt;already&amp;gt;"));
}

#[test]
fn what_cannot_be_seen_is_written_out() {
    let html = report_html(&hostile()).expect("a report");
    assert!(html.contains("approved[U+202E]deined[U+202C]"));
    assert!(html.contains("line[U+000A]break[U+0009]tab[U+0000]nul[U+007F][U+200B][U+FEFF]"));
    let hidden = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{200b}'..='\u{200f}').contains(&c)
            || ('\u{202a}'..='\u{202e}').contains(&c)
    };
    assert_eq!(html.chars().find(|c| hidden(*c)), None);
}

#[test]
fn texts_are_laid_out_in_pdf_as_they_are_and_never_run() {
    assert!(report_pdf(&hostile()).expect("a PDF").starts_with(b"%PDF-1.7"));
}

#[test]
fn a_text_without_end_is_cut() {
    let mut report = sample::report();
    report.activity.event_types.rows[0].name = "a".repeat(1 << 20);
    let html = report_html(&report).expect("a report");
    assert!(html.len() < 100_000, "{}", html.len());
    assert!(html.contains(&format!("<td>{}…</td>", "a".repeat(MAX_CELL))));
    assert!(report_pdf(&report).is_ok());
}

#[test]
fn a_document_takes_hostile_names_too() {
    let mut document = sample::document();
    document.tokens.as_mut().expect("tokens")[0].name = HOSTILE.concat();
    document.contacts[0].reach = HOSTILE.concat();
    document.locations.folder = "/srv/it's; rm -rf $HOME".to_owned();
    let html = document_html(&document);
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    assert!(html.contains("&#39;/srv/it&#39;\\&#39;&#39;s; rm -rf $HOME&#39;"), "the folder is one word for the shell");
    assert!(document_pdf(&document).is_ok());
}
