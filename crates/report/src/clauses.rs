//! Which clause each section supports: a dated file that comes with the program.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::page::{Block, Section, prose, table, words};
use crate::text::Text;

static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    toml::from_str(include_str!("../clauses.toml")).expect("clauses.toml is part of this crate and tested")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    dated: String,
    clause: Vec<Clause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clause {
    name: String,
    asks: String,
    since: String,
    source: String,
    read: bool,
    report: Vec<String>,
    document: Vec<String>,
}

/// Whose sections are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Report,
    Document,
}

impl Clause {
    /// Its name, with a mark where the summary was not compared with the text.
    fn marked(&self) -> String {
        if self.read { self.name.clone() } else { format!("{} *", self.name) }
    }

    fn sections(&self, of: Of) -> &[String] {
        match of {
            Of::Report => &self.report,
            Of::Document => &self.document,
        }
    }
}

/// A section with the clauses that it supports.
pub(crate) fn section(of: Of, id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    let supports = |clause: &&Clause| clause.sections(of).iter().any(|section| section == id);
    let clauses = MAPPING.clause.iter().filter(supports).map(|clause| clause.marked().into()).collect();
    Section { id, title: title.into(), clauses, blocks }
}

/// The last section: what each clause asks, since when, and where it stands.
pub(crate) fn annex(of: Of, others: &[Section]) -> Section {
    let title =
        |id: &String| others.iter().find(|section| section.id == id).map(|section| section.title.as_str().to_owned());
    let rows: Vec<Vec<Text>> = MAPPING
        .clause
        .iter()
        .map(|clause| {
            let unread = if clause.read { "" } else { " Not compared with the text." };
            let source = format!("{}. In force: {}.{unread}", clause.source, clause.since);
            let supported: Vec<String> = clause.sections(of).iter().filter_map(title).collect();
            [clause.marked(), clause.asks.clone(), source, supported.join(", ")].into_iter().map(Text::from).collect()
        })
        .collect();
    let columns = vec![
        words("Clause", 5),
        words("What it asks, in short", 9),
        words("Where it stands, since when", 9),
        words("Supported by", 6),
    ];
    let mut all = table("Clauses", columns, &Vec::<()>::new(), 0, "clauses", |()| Vec::new());
    if let Block::Table(table) = &mut all {
        table.rows = rows;
    }
    let told = [
        format!("This mapping is dated {}. It says which parts support which clause: as evidence that a person weighs, with other controls beside it. It does not judge whether a duty is met.", MAPPING.dated),
        "The summaries are ours and not the wording of the law. Where a clause has an asterisk, here and at the sections, its summary was written without the text at hand: compare it with the source before you rely on it.".to_owned(),
    ];
    let mut blocks: Vec<Block> = told.into_iter().map(prose).collect();
    blocks.push(all);
    Section { id: "clauses", title: "Clauses and what supports them".into(), clauses: Vec::new(), blocks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_has_its_date_source_and_sections() {
        assert!(counterfoil_entry::Timestamp::parse(&format!("{}T00:00:00Z", MAPPING.dated)).is_ok());
        for clause in &MAPPING.clause {
            for text in [&clause.name, &clause.asks, &clause.since, &clause.source] {
                assert!(!text.trim().is_empty(), "{} lacks a text", clause.name);
            }
            assert!(!clause.report.is_empty() && !clause.document.is_empty(), "{} supports no section", clause.name);
        }
    }

    #[test]
    fn the_frameworks_that_were_asked_for_are_mapped() {
        for framework in [
            "SOX 404",
            "SEC 17a-4(f)",
            "PCI DSS 10",
            "DORA RTS Art. 12",
            "EU AI Act Art. 12",
            "EU AI Act Art. 19",
            "EU AI Act Art. 26",
            "NIST AU-",
            "ISO 27001 A.8.15",
            "GDPR",
        ] {
            assert!(MAPPING.clause.iter().any(|clause| clause.name.starts_with(framework)), "{framework} is missing");
        }
    }
}
