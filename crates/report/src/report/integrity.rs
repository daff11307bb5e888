//! Roots, checkpoints, segments; verifications and drills; how anybody checks them.

use super::{Checkpoint, Report};
use crate::moment::{counted, grouped, lasting, percent};
use crate::page::{Block, code, exact, facts, heading, number, prose, steps, table, words};

/// Hexadecimal digits of a root in a table; the full roots stand in the ledger.
const SHORT_ROOT: usize = 16;

pub(super) fn blocks(report: &Report) -> Vec<Block> {
    let (scope, integrity) = (&report.scope, &report.integrity);
    let mut blocks = vec![
        prose(
            "Every entry is hashed, and all hashes together make one number, the root. A checkpoint is the ledger's signed statement \
             of its size and root. Whoever keeps a checkpoint elsewhere can tell for ever whether an entry that it covers was changed, \
             removed or put in between.",
        ),
        facts([
            ("Key of the ledger", integrity.verifier_key.clone()),
            (
                "Entries in sealed segments",
                format!("{} in {}", grouped(integrity.sealed), counted(integrity.segments.total, "segment")),
            ),
            ("Signed by their recorder", grouped(report.activity.signed)),
        ]),
    ];
    match &integrity.begin {
        Some(begin) => checkpoint("Checkpoint at the begin of the period", begin, &mut blocks),
        None => blocks.extend([
            heading("Checkpoint at the begin of the period"),
            prose("There was none: the ledger had no entry."),
        ]),
    }
    checkpoint("Checkpoint at the end of the period", &integrity.end, &mut blocks);
    if integrity.begin.is_some() && scope.first != scope.end {
        blocks.push(heading("That the later state begins with the earlier"));
        if integrity.consistency.is_empty() {
            blocks.push(prose("No proof was made; a verification with the earlier checkpoint shows the same."));
        } else {
            let told =
                "These hashes lead from the root at the begin to the root at the end (RFC 6962, consistency proof).";
            blocks.extend([prose(told), code(&integrity.consistency.join("\n"))]);
        }
    }
    blocks.push(heading("How to check this"));
    blocks.push(steps(checks(report)));
    blocks.push(code(&commands(report)));
    if !integrity.segments.rows.is_empty() {
        let columns = vec![number("First entry"), number("Entries"), exact("Sealed"), words("Root, first digits", 1)];
        let root = |root: &str| root.chars().take(SHORT_ROOT).collect::<String>();
        let row = |one: &super::Segment| {
            vec![grouped(one.first), grouped(one.count), one.sealed_at.to_string(), root(&one.root)]
        };
        let segments = &integrity.segments;
        blocks.push(table("Sealed segments, newest first", columns, &segments.rows, segments.total, "segments", row));
    }
    blocks
}

fn checkpoint(title: &str, checkpoint: &Checkpoint, blocks: &mut Vec<Block>) {
    blocks.push(heading(title));
    blocks.push(facts([("Entries that it covers", grouped(checkpoint.size)), ("Root", checkpoint.root.clone())]));
    blocks.push(prose(
        "The note in full, as it is signed (on paper long lines are wrapped; the HTML holds them as they are):",
    ));
    blocks.push(code(&checkpoint.note));
}

fn checks(report: &Report) -> Vec<String> {
    let mut steps = vec![
        "Get the ledger's key from where it was kept since the ledger was made, not from this report. It must be the one above.".to_owned(),
        "Save the checkpoint at the end, as it stands above, in a file: period-end.checkpoint.".to_owned(),
        "Run the commands below. The first says \"verified\" when every entry up to the checkpoint is what it was when the checkpoint \
         was signed; exit code 10 or 11 is an alarm."
            .to_owned(),
    ];
    if let Some(bundle) = &report.integrity.bundle {
        steps.push(format!("The bundle {bundle} holds the entries that this report counts by name, with a proof for each; it is checked without the ledger."));
    }
    steps
}

fn commands(report: &Report) -> String {
    let (ledger, scope) = (quoted(&report.scope.ledger), &report.scope);
    let mut commands = format!(
        "counterfoil verify {ledger} \\\n  --key audit.vkey --checkpoint period-end.checkpoint\n\
         counterfoil query {ledger} \\\n  \"SELECT count(*) FROM audit_log WHERE index >= {} AND index < {}\"",
        scope.first, scope.end
    );
    if let Some(bundle) = &report.integrity.bundle {
        commands.push_str(&format!("\ncounterfoil verify --bundle {} --key audit.vkey", quoted(bundle)));
    }
    commands
}

/// A word for a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/.-_:".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

pub(super) fn verification_blocks(report: &Report) -> Vec<Block> {
    let verification = &report.verification;
    let mut blocks = vec![facts([
        ("Verifications", grouped(verification.runs)),
        (
            "Nothing found wrong",
            format!("{} ({})", grouped(verification.clean), percent(verification.clean, verification.runs)),
        ),
        ("Could not be run to their end", grouped(verification.unfinished)),
        ("Compared with something from outside", grouped(verification.anchored)),
        ("Longest time between two clean ones", verification.longest_pause_micros.map_or("–".to_owned(), lasting)),
    ])];
    if verification.listed.rows.is_empty() {
        blocks.push(prose("The ledger holds no verification in the period."));
    } else {
        let columns = vec![exact("Ended"), words("Result", 1), number("Entries"), words("Compared with", 1)];
        let row = |run: &super::Run| {
            let result = match (&run.fault, run.verified) {
                (Some(fault), _) => format!("not finished: {fault}"),
                (None, true) => "nothing found wrong".to_owned(),
                (None, false) => format!("ALARM: {}", counted(run.findings, "finding")),
            };
            let compared = if run.anchored { "a key or checkpoint from outside" } else { "itself alone" };
            vec![run.ended_at.to_string(), result, grouped(run.size), compared.to_owned()]
        };
        let listed = &verification.listed;
        blocks.push(table(
            "Verifications, those with findings first",
            columns,
            &listed.rows,
            listed.total,
            "verifications",
            row,
        ));
    }
    blocks.push(heading("Drills"));
    blocks.push(drills(report));
    blocks
}

fn drills(report: &Report) -> Block {
    if report.drills.rows.is_empty() {
        return prose("The ledger holds no drill in the period.");
    }
    let columns = vec![exact("Ended"), words("Result", 1), number("Checks"), number("Failed"), words("By", 1)];
    table("Drills, newest first", columns, &report.drills.rows, report.drills.total, "drills", |drill| {
        let result = if drill.passed { "everything was detected and delivered" } else { "FAILED" };
        let (checks, failed) = (grouped(drill.checks), grouped(drill.failed));
        vec![drill.ended_at.to_string(), result.to_owned(), checks, failed, drill.actor.clone()]
    })
}
