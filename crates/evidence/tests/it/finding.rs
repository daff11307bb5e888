//! Kinds of findings: their names are an interface.

use std::collections::HashSet;

use counterfoil_evidence::{Finding, FindingClass, FindingKind, Report};

#[test]
fn names_are_kebab_case_and_unique() {
    let names: HashSet<&str> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), FindingKind::ALL.len());
    for kind in FindingKind::ALL {
        let name = kind.name();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        assert_eq!(name.parse(), Ok(*kind));
        assert!(kind.meaning().ends_with('.'), "{name}");
    }
    assert!("nothing-wrong".parse::<FindingKind>().is_err());
}

#[test]
fn a_report_is_as_grave_as_its_gravest_finding() {
    let mut report = Report::default();
    assert_eq!(report.class(), None);
    assert!(report.is_clean());
    report.add(Finding::new(FindingKind::MissingFile, "a"));
    assert_eq!(report.class(), Some(FindingClass::Damaged));
    report.add(Finding::new(FindingKind::RootMismatch, "b"));
    report.add(Finding::new(FindingKind::FileTruncated, "c"));
    assert_eq!(report.class(), Some(FindingClass::Tampered));
}

#[test]
fn a_finding_says_what_where_and_why() {
    let finding = Finding::new(FindingKind::BlockMismatch, "its digest differs")
        .in_file("segments/00000000000000000000.parquet")
        .at_offset(65_536)
        .at_index(70);
    assert_eq!(
        finding.to_string(),
        "block-mismatch in segments/00000000000000000000.parquet at byte 65536, entry 70: its digest differs"
    );
}
