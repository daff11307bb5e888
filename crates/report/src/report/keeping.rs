//! How long entries are kept and what keeps them; who looked at them.

use std::collections::BTreeMap;

use counterfoil_entry::catalog;

use super::{Access, Removals, Report};
use crate::moment::{counted, grouped};
use crate::page::{Block, exact, facts, heading, number, prose, table, words};

/// What stands for the class of types that are so many that they are not listed.
const NOT_LISTED: &str = "of rarer types, which were not looked up";

/// A retention class of the catalog in words.
pub(crate) fn class_in_words(class: &str) -> &str {
    match class {
        "ai_act_6m" => "6 months (EU AI Act)",
        "pci_12m" => "12 months, 3 at hand (PCI DSS)",
        "reg_b_25m" => "25 months (Regulation B)",
        "bsa_5y" => "5 years (Bank Secrecy Act)",
        "mifid_5y" => "5 years (MiFID II)",
        "sec_6y" => "6 years, 2 at hand (SEC, FINRA)",
        "sox_7y" => "7 years (SOX)",
        other => other,
    }
}

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let mut blocks = vec![classes(report), heading("The copy under lock")];
    blocks.extend(copy(report));
    blocks.push(heading("Legal holds"));
    let holds = &report.retention.holds;
    if holds.rows.is_empty() {
        blocks.push(prose("No legal hold was in force at the end of the period."));
    } else {
        let columns = vec![exact("Placed"), words("On", 2), words("By", 1)];
        let row = |hold: &super::Hold| vec![hold.placed_at.to_string(), hold.scope.clone(), hold.actor.clone()];
        blocks.push(table("Legal holds in force", columns, &holds.rows, holds.total, "holds", row));
    }
    blocks.push(heading("Let go, erased, restored"));
    blocks.extend(removals(&report.retention.removals));
    blocks
}

/// A table for each kind: what cannot be undone comes first.
fn removals(removals: &Removals) -> Vec<Block> {
    let kinds = [
        ("Erased: the key of a person's data was destroyed", &removals.erased, "erasures"),
        ("Restored: the ledger came back from a copy", &removals.restored, "restorations"),
        ("Let go: local files that the copy holds under lock; no entry was lost", &removals.pruned, "acts"),
    ];
    let columns = || vec![exact("When"), words("Of", 3), words("By", 2), words("Why", 3)];
    let row = |one: &super::Removal| vec![one.at.to_string(), one.scope.clone(), one.actor.clone(), one.reason.clone()];
    let there = kinds.into_iter().filter(|(_, acts, _)| acts.total > 0);
    let tables: Vec<Block> =
        there.map(|(caption, acts, what)| table(caption, columns(), &acts.rows, acts.total, what, row)).collect();
    match tables.is_empty() {
        true => vec![prose("Nothing was pruned, erased or restored in the period.")],
        false => tables,
    }
}

/// The entries of the period by the retention class that the catalog gives their type.
fn classes(report: &Report) -> Block {
    let mut by_class: BTreeMap<&str, u64> = BTreeMap::new();
    let listed = &report.activity.event_types;
    for count in &listed.rows {
        let class = catalog::find(&count.name).map_or("", |event| event.retention_class);
        *by_class.entry(class).or_default() += count.entries;
    }
    let counted: u64 = listed.rows.iter().map(|count| count.entries).sum();
    let beyond = report.scope.entries().saturating_sub(counted);
    if beyond > 0 {
        by_class.insert(NOT_LISTED, beyond);
    }
    if by_class.is_empty() {
        return prose("The period has no entry, so none to keep.");
    }
    let rows: Vec<(&str, u64)> = by_class.into_iter().rev().collect();
    let columns = vec![words("Kept for", 1), number("Entries of the period")];
    table("Retention classes, by type of event", columns, &rows, rows.len() as u64, "classes", |(class, entries)| {
        let kept = if class.is_empty() { "not in the catalog: no class" } else { class_in_words(class) };
        vec![kept.to_owned(), grouped(*entries)]
    })
}

fn copy(report: &Report) -> Vec<Block> {
    let Some(copy) = &report.retention.copy else {
        return vec![prose("There is no copy in an object store, or none that this report was told of.")];
    };
    let moment = |moment: Option<crate::Moment>| moment.map_or("–".to_owned(), |moment| moment.to_string());
    let modes = if copy.modes.is_empty() { "none".to_owned() } else { copy.modes.join(", ") };
    let mut blocks = vec![facts([
        ("Where", copy.location.clone()),
        ("Entries that it holds", grouped(copy.shipped)),
        ("Locks read back", moment(copy.checked_at)),
        ("Objects looked at", grouped(copy.objects)),
        ("Mode of the locks", modes),
        ("The first lock ends", moment(copy.first_end)),
        ("The last lock ends", moment(copy.last_end)),
        ("Not locked", counted(copy.unlocked, "object")),
    ])];
    if let Some(fault) = &copy.fault {
        blocks.push(prose(format!("The locks were not read back: {fault}.")));
    }
    blocks
        .push(prose("A lock in COMPLIANCE mode cannot be ended early by anybody, the owner of the account included."));
    blocks
}

pub(super) fn access_blocks(access: &Access) -> Vec<Block> {
    let mut blocks = vec![prose(
        "The ledger records who was refused, what auditors asked, what was taken away, and every token that was made or revoked. Queries \
         of other roles are not recorded.",
    )];
    if access.acts.rows.is_empty() {
        blocks.push(prose("Nothing of that kind was recorded in the period."));
        return blocks;
    }
    let columns = vec![words("What", 2), words("Who", 2), number("Times"), exact("Last")];
    let row = |act: &super::AccessCount| {
        vec![in_words(&act.act).to_owned(), act.actor.clone(), grouped(act.times), act.last_at.to_string()]
    };
    blocks.push(table("Access by kind and actor", columns, &access.acts.rows, access.acts.total, "rows", row));
    if !access.tokens.rows.is_empty() {
        let columns = vec![exact("When"), words("What", 2), words("Token of", 2), exact("Role"), words("By", 2)];
        let row = |one: &super::TokenAct| {
            let what = in_words(&one.act).to_owned();
            vec![one.at.to_string(), what, one.name.clone(), one.role.clone(), one.actor.clone()]
        };
        blocks.push(table(
            "Tokens made and revoked, newest first",
            columns,
            &access.tokens.rows,
            access.tokens.total,
            "acts",
            row,
        ));
    }
    blocks
}

fn in_words(event_type: &str) -> &str {
    match event_type {
        "ledger.access_denied" => "refused",
        "ledger.query_run" => "queried, as an auditor",
        "ledger.export_made" => "took entries away",
        "ledger.token_created" => "made a token",
        "ledger.token_revoked" => "revoked a token",
        other => other,
    }
}
