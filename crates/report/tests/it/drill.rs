//! The outcome of a drill, on a page.

use counterfoil_report::Moment;
use counterfoil_report::drill::{Check, Drill, Grade};
use counterfoil_report::{drill_html, drill_pdf};

fn drill() -> Drill {
    let check = |part: &str, name: &str, grade, detail: &str| Check {
        part: part.to_owned(),
        name: name.to_owned(),
        grade,
        detail: detail.to_owned(),
    };
    let mut checks: Vec<Check> = (0..40)
        .map(|number| check("Detection", &format!("the rule “Number {number}”"), Grade::Passed, "alert"))
        .collect();
    checks.push(check("Delivery", "sink mail", Grade::Passed, "3 messages <b>taken</b>"));
    checks.push(check("PostgreSQL", "an audit table", Grade::NotExercised, "none is named"));
    Drill {
        origin: "bank.example/audit".to_owned(),
        scratch: "bank.example/audit/drill/1".to_owned(),
        started_at: Moment::from_micros(1_795_000_000_000_000),
        seconds: 21,
        actor: "local-administrator".to_owned(),
        version: "0.1.0".to_owned(),
        checks,
    }
}

#[test]
fn a_drill_that_went_well_says_what_was_not_exercised() {
    let html = drill_html(&drill());
    for told in ["Drill: passed", "an audit table: none is named", "Number 39", "3 messages &lt;b&gt;taken&lt;/b&gt;"] {
        assert!(html.contains(told), "{told}: {html}");
    }
    assert!(drill_pdf(&drill()).expect("a page").starts_with(b"%PDF-"));
}

#[test]
fn what_failed_comes_first() {
    let mut failed = drill();
    failed.checks[3].grade = Grade::Failed;
    failed.checks[3].detail = "no alert within 30 s".to_owned();
    let html = drill_html(&failed);
    assert!(!failed.passed() && html.contains("Drill: FAILED"));
    let (first, next) = (html.find("FAILED: the rule “Number 3”: no alert"), html.find("an audit table: none"));
    assert!(first.is_some() && first < next, "{html}");
}
