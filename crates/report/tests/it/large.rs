//! Ten thousand of everything.

use counterfoil_report::report::{Count, ModelRate, Overrider};
use counterfoil_report::{MAX_ROWS, report_html, report_pdf};

use crate::sample;

#[test]
fn a_report_over_ten_thousand_types_and_models_stays_small_and_counts_the_rest() {
    const MANY: u64 = 10_000;
    let mut report = sample::report();
    let all = report.activity.entries + report.activity.own;
    report.activity.event_types =
        (0..MANY).map(|n| Count { name: format!("type_{n}"), entries: all / MANY }).collect::<Vec<_>>().into();
    let model = |n| ModelRate { model: format!("model-{n}"), decisions: 100, overridden: n % 100, unreasoned: 0 };
    report.overrides.by_model = (0..MANY).map(model).collect::<Vec<_>>().into();
    let person = |n| Overrider { actor: format!("person-{n}"), overrides: 1, unreasoned: 0 };
    report.overrides.by_actor = (0..MANY).map(person).collect::<Vec<_>>().into();
    let html = report_html(&report).expect("a report");
    assert!(html.len() < 100_000, "{} bytes", html.len());
    let rest = MANY as usize - MAX_ROWS;
    for what in ["types of event", "models", "people"] {
        assert!(
            html.contains(&format!("{},{:03} more {what} are not shown here.", rest / 1000, rest % 1000)),
            "{what}"
        );
    }
    let pdf = report_pdf(&report).expect("a PDF");
    assert!(pdf.len() < 400_000, "{} bytes", pdf.len());
}

#[test]
fn a_period_of_fifty_years_is_drawn_by_years() {
    let mut report = sample::report();
    report.scope.from = sample::moment("1980-03-01T00:00:00Z");
    (report.scope.to, report.scope.over) = (sample::moment("2030-01-01T00:00:00Z"), false);
    let html = report_html(&report).expect("a report");
    assert!(html.contains("Entries by year") && html.contains(">1980</text>"));
}
