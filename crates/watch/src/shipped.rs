//! The rules that come with the program.

use crate::folder::Texts;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../rules/", $name)))),+]
    };
}

/// The finance rules, as files below a folder.
pub fn shipped() -> Texts {
    let files = files![
        "finance/access-denied-burst.yml",
        "finance/after-hours-privileged-act.yml",
        "finance/amount-far-from-usual.yml",
        "finance/approval-just-under-limit.yml",
        "finance/approver-is-requester.yml",
        "finance/beneficiary-changed-then-paid.yml",
        "finance/bulk-changes.yml",
        "finance/configuration-changed.yml",
        "finance/decision-without-inference.yml",
        "finance/dormant-actor.yml",
        "finance/invoice-without-decision.yml",
        "finance/low-confidence-approval.yml",
        "finance/model-not-approved.yml",
        "finance/override-rate.yml",
        "finance/override-without-reason.yml",
        "finance/split-payments.yml",
        "finance/unusual-export-volume.yml",
        "finance/workflow-failed.yml",
        "finance/wrong-time.yml",
    ];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    Texts { files, problems: Vec::new() }
}
