//! What a report and a document say.

use counterfoil_report::document::Watch;
use counterfoil_report::report::{Finding, Listed, Report};
use counterfoil_report::{ReportError, document_html, document_pdf, report_html, report_pdf};

use crate::sample;

const SECTIONS: [&str; 10] =
    ["scope", "activity", "overrides", "integrity", "verification", "alerts", "gaps", "retention", "access", "clauses"];

fn missing(report: &Report) -> String {
    let html = report_html(report).expect("a report");
    let (_, rest) = html.split_once("What this report cannot show").expect("the list");
    rest.split_once("</section>").expect("its end").0.to_owned()
}

#[test]
fn the_same_figures_give_the_same_bytes() {
    let (report, document) = (sample::report(), sample::document());
    assert_eq!(report_html(&report), report_html(&report));
    assert!(report_pdf(&report).expect("a PDF") == report_pdf(&report).expect("a PDF"));
    assert_eq!(document_html(&document), document_html(&document));
    assert!(document_pdf(&document).expect("a PDF") == document_pdf(&document).expect("a PDF"));
}

#[test]
fn a_report_survives_json() {
    let text = serde_json::to_string(&sample::report()).expect("JSON");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("the same"), sample::report());
}

#[test]
fn every_section_is_there_however_little_there_is_to_say() {
    for report in [sample::report(), sample::empty()] {
        let html = report_html(&report).expect("a report");
        for id in SECTIONS {
            assert_eq!(html.matches(&format!("<h2 id=\"{id}\"")).count(), 1, "{id}");
        }
    }
    assert!(report_pdf(&sample::empty()).is_ok());
}

#[test]
fn what_is_missing_is_said_first_and_in_words() {
    let told = missing(&sample::empty());
    for words in [
        "no verification is recorded",
        "no drill was held in the period",
        "there is no copy under lock",
        "no rules were in force",
        "nothing was recorded in the period",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn every_way_of_falling_short_is_said() {
    type Change = fn(&mut Report);
    let cases: [(Change, &str); 16] = [
        (|_| (), "1 verification in the period found something wrong"),
        (|report| report.verification.anchored = 0, "agrees with itself"),
        (
            |report| report.verification.others_clean -= 2,
            "2 verifications of these in the period found something wrong",
        ),
        (|report| report.drills.rows[0].passed = false, "1 drill failed"),
        (|_| (), "that 1 erasure made unreadable"),
        (|report| report.retention.copy.as_mut().expect("a copy").checked_at = None, "its locks were not read back"),
        (|report| report.retention.copy.as_mut().expect("a copy").unlocked = 2, "there is no lock on 2 objects"),
        (|report| report.retention.copy.as_mut().expect("a copy").shipped -= 7, "it lacked the last 7 entries"),
        (|report| report.scope.earlier_origins = vec!["bank.example/payments".to_owned()], "restored from a copy"),
        (|report| report.overrides.unreasoned = 5, "Why 5 of 9,417 manual overrides were made"),
        (|_| (), "3 alerts will end that were open"),
        (|report| report.verification.clean = 0, "no clean verification read all of it"),
        (|report| report.reviews.rows.clear(), "92 days of the period without a signed review"),
        (|report| report.scope.begun = Some(sample::moment("2026-09-28T10:00:00Z")), "2 days of the period without"),
        (|report| report.integrity.newest = Some(report.integrity.end.clone()), "key was not at hand"),
        (|report| report.integrity.bundle.as_mut().expect("a bundle").left_out = 7, "no room for the oldest 7"),
    ];
    for (change, words) in cases {
        let mut report = sample::report();
        change(&mut report);
        let told = missing(&report);
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn what_is_wrong_with_the_ledger_comes_before_everything_else() {
    let mut report = sample::report();
    let finding =
        Finding { kind: "block-mismatch".to_owned(), place: "segments/0".to_owned(), message: "m".to_owned() };
    report.check.findings = vec![finding].into();
    report.unread = vec![(1_609_080, 1_609_089)];
    report.activity.entries -= 10;
    let html = report_html(&report).expect("a report of what is left");
    let alarm = html.find("somebody changed it").expect("the alarm");
    assert!(alarm < html.find("<dl class=\"figures\">").expect("figures"), "it comes first");
    assert!(html.contains("Of the period these are 10 of"), "{}", &html[alarm..alarm + 900]);
    assert!(html.contains("block-mismatch") && report_pdf(&report).is_ok());
    report.activity.entries += 1;
    assert!(matches!(report_html(&report), Err(ReportError::Contradiction(_))));
}

#[test]
fn a_drill_a_false_positive_and_days_without_a_signature_are_told() {
    let html = report_html(&sample::report()).expect("a report");
    for words in [
        "within a day (a drill)",
        "resolved as wrong after 13 hours 18 minutes",
        "61, 1 of them by a drill",
        "55, 4 of them as wrong",
        "the copy</td>",
        "the ledger: what was new",
        "and 1 more",
        "27 days of the period without a signed review",
    ] {
        assert!(html.contains(words), "{words:?}");
    }
}

#[test]
fn open_alerts_have_their_age_at_the_end_of_the_period() {
    let html = report_html(&sample::report()).expect("a report");
    assert!(html.contains("OPEN for 31 days 14 hours; taken charge of after 48 minutes 10 seconds"));
    assert!(html.contains("resolved after 1 day 13 hours"));
}

#[test]
fn the_checkpoint_stands_there_in_full_with_the_commands_that_check_it() {
    let report = sample::report();
    let html = report_html(&report).expect("a report");
    assert!(html.contains(report.integrity.end.note.as_deref().expect("a note").trim_end()));
    assert!(html.contains("--key audit.vkey --checkpoint period-end.checkpoint\n"));
    assert!(html.contains("index &gt;= 1609070 AND index &lt; 2793018"));
}

#[test]
fn a_period_that_is_not_over_says_so_first() {
    let mut report = sample::report();
    report.scope.to = sample::moment("2027-01-01T00:00:00Z");
    assert!(matches!(report_html(&report), Err(ReportError::Contradiction(_))), "it was said to be over");
    report.scope.over = false;
    let told = missing(&report);
    let words = "it was not over when this was written. Entries are counted until 2026-10-01 06:30:00";
    assert!(told.find(words) < told.find("verification") && told.contains(words), "{told}");
    let html = report_html(&report).expect("a report");
    assert!(html.contains("2027-01-01 00:00:00 UTC, which was not over when this was written</p></header>"), "{html}");
    assert!(report_pdf(&report).is_ok());
    report.scope.from = sample::moment("2026-12-01T00:00:00Z");
    assert!(missing(&report).contains("it had not begun when this was written"));
}

#[test]
fn an_erasure_is_not_hidden_by_thousands_of_other_acts() {
    let mut report = sample::report();
    let removals = &mut report.retention.removals;
    removals.pruned = Listed { rows: vec![removals.pruned.rows[0].clone(); 1_000], total: 5_000 };
    let html = report_html(&report).expect("a report");
    let place = |words: &str| html.find(words).unwrap_or_else(|| panic!("{words}"));
    assert!(place("that 1 erasure made unreadable") < place("<caption>Erased"));
    assert!(place("<td>subject-7</td>") < place("<caption>Let go") && html.contains("4,960 more acts are not shown"));
}

#[test]
fn witnesses_are_those_of_the_note_or_said_to_be_none() {
    let mut report = sample::report();
    let told = |report: &Report| report_html(report).expect("a report");
    assert!(told(&report).contains("Cosigned by witness.example/w1, as the note says."));
    let note = report.integrity.end.note.as_mut().expect("a note");
    note.truncate(note.find("\u{2014} witness").expect("a witness"));
    assert!(told(&report).contains("No witness has cosigned these checkpoints, and the ledger keeps no cosignatures"));
}

#[test]
fn figures_of_two_states_are_refused() {
    let mut report = sample::report();
    report.integrity.end.size += 1;
    assert!(matches!(report_html(&report), Err(ReportError::Contradiction(_))));
    let mut report = sample::report();
    report.activity.entries += 1;
    assert!(matches!(report_pdf(&report), Err(ReportError::Contradiction(_))));
}

#[test]
fn html_loads_nothing_and_runs_nothing() {
    for html in [report_html(&sample::report()).expect("a report"), document_html(&sample::document())] {
        assert!(html.contains("default-src 'none'"));
        for word in ["<script", "<link", "<img", "@import", "url(", "href=\"http", "src="] {
            assert!(!html.contains(word), "{word}");
        }
    }
}

#[test]
fn a_pdf_is_tagged_and_made_for_archives() {
    let pdf = report_pdf(&sample::report()).expect("a PDF");
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.contains("pdfaid:part") && text.contains("pdfuaid:part"), "the metadata name PDF/A and PDF/UA");
    assert!(text.contains("2026-10-01T06:30:00"), "it was created when the report was written");
}

#[test]
fn a_document_says_what_is_not_set_up_and_what_to_do() {
    let mut document = sample::document();
    (document.locations.copy, document.verification.whole_seconds) = (None, None);
    document.watch = Some(Watch::default());
    document.tokens = Some(Vec::new());
    document.in_use = Listed::default();
    let html = document_html(&document);
    for words in [
        "No copy under lock",
        "No rules are set",
        "No sink is set",
        "does not verify the whole ledger by itself",
        "payments-lake",
        "400d",
        "postgres://audit@db.bank.example/bank",
        "Tampering is found",
        "A key may be known to somebody else",
        "Entries are missing",
        "The disk is full",
        "The ledger must be restored",
        "There are no tokens.",
    ] {
        assert!(html.contains(words), "{words:?}");
    }
    assert!(document_pdf(&document).is_ok());
}

#[test]
fn a_document_without_settings_tells_no_facts_about_them() {
    let mut document = sample::document();
    (document.watch, document.locations.service, document.locations.copy) = (None, None, None);
    (document.retain, document.tokens, document.verification) = (None, None, Default::default());
    (document.locations.lake, document.locations.prune_keep, document.locations.compared) = (None, None, None);
    let html = document_html(&document);
    assert!(html.matches("settings are not known").count() >= 6, "{html}");
    for words in [
        "No rules",
        "No sink",
        "No copy",
        "There is none",
        "never by itself",
        "There are no tokens",
        "no copy is set up",
    ] {
        assert!(!html.contains(words), "{words:?}");
    }
}
