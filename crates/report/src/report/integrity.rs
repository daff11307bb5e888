//! Roots, checkpoints, segments; verifications and drills; how anybody checks them.

use super::{Checkpoint, Report};
use crate::moment::{counted, grouped, lasting, percent};
use crate::page::{Block, code, exact, facts, heading, list, number, prose, steps, table, words};

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
    if let Some(newest) = &integrity.newest {
        checkpoint("The newest checkpoint", newest, &mut blocks);
    }
    blocks.push(witnesses(report));
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
    if let Some(bundle) = &integrity.bundle {
        blocks.push(prose("The entries in the bundle are those for which this condition holds:"));
        blocks.push(code(&bundle.chosen.replace(" OR ", "\n  OR ").replace(" AND (", "\n  AND (")));
    }
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

fn witnesses(report: &Report) -> Block {
    let names = report.integrity.signed().witnesses(&report.scope.origin);
    prose(match names.is_empty() {
        true => "No witness has cosigned these checkpoints, and the ledger keeps no cosignatures: that others saw the same history, only the checkpoints show that they kept.".to_owned(),
        false => format!(
            "Cosigned by {}, as the note says. Whoever has the keys of these witnesses can check that; this report has not.",
            names.join(", ")
        ),
    })
}

fn checkpoint(title: &str, checkpoint: &Checkpoint, blocks: &mut Vec<Block>) {
    blocks.push(heading(title));
    blocks.push(facts([("Entries that it covers", grouped(checkpoint.size)), ("Root", checkpoint.root.clone())]));
    match &checkpoint.note {
        Some(note) => blocks.extend([prose("The note in full, as it is signed:"), code(note)]),
        None => blocks.push(prose("Nobody signed a checkpoint of this size: the ledger's key was not at hand. The root was computed from the entries.")),
    }
}

/// The names of the files that the commands speak of.
const BEGIN_FILE: &str = "period-begin.checkpoint";
const END_FILE: &str = "period-end.checkpoint";
const NEWEST_FILE: &str = "newest.checkpoint";

impl Report {
    /// What the checkpoint that is signed is called in a file.
    fn signed_file(&self) -> &'static str {
        if self.integrity.newest.is_some() { NEWEST_FILE } else { END_FILE }
    }

    /// The signed note at the period's begin, where it proves something.
    fn signed_begin(&self) -> Option<&Checkpoint> {
        let begin =
            self.integrity.begin.as_ref().filter(|begin| begin.note.is_some() && self.integrity.newest.is_none());
        begin.filter(|begin| begin.size < self.scope.end)
    }
}

fn checks(report: &Report) -> Vec<String> {
    let mut steps = vec![
        "Get the ledger's key from where it was kept since the ledger was made, not from this report, and put it in a file: audit.vkey. It \
         must be the one above."
            .to_owned(),
    ];
    let signed = match report.integrity.newest.is_some() {
        true => "the newest checkpoint",
        false => "the checkpoint at the end",
    };
    let begin =
        report.signed_begin().map(|_| format!(", and the one at the begin as {BEGIN_FILE}")).unwrap_or_default();
    steps.push(format!("Save {signed}, as it stands above, in a file: {}{begin}.", report.signed_file()));
    steps.push(
        "Run the commands below where the ledger can be reached. The first says \"verified\" when every entry under the checkpoint is \
         what it was when the checkpoint was signed; exit code 10 or 11 is an alarm. The second counts the entries of the period."
            .to_owned(),
    );
    if let Some(bundle) = &report.integrity.bundle {
        steps.push(format!(
            "The bundle {} holds {} that this report counts by name, each with a proof under the checkpoint of {} whose root stands \
             above. It is checked without the ledger, and prints that root. That no others belong to it, it cannot prove: that is what \
             the ledger is verified and queried for.",
            bundle.file,
            counted(bundle.entries, "entry"),
            counted(bundle.size, "entry")
        ));
    }
    steps
}

fn commands(report: &Report) -> String {
    let (ledger, scope) = (quoted(&report.scope.ledger), &report.scope);
    let signed = report.signed_file();
    let mut commands = vec![
        format!("counterfoil verify {ledger} --key audit.vkey --checkpoint {signed}"),
        format!(
            "counterfoil query {ledger} \"SELECT count(*) FROM audit_log WHERE index >= {} AND index < {}\"",
            scope.first, scope.end
        ),
    ];
    if report.signed_begin().is_some() {
        commands.push(format!("counterfoil prove {ledger} --from {} --to {} > period.proof", scope.first, scope.end));
        commands.push(format!("counterfoil check period.proof --checkpoint {BEGIN_FILE} --key audit.vkey"));
    }
    if let Some(bundle) = &report.integrity.bundle {
        commands.push(format!("counterfoil verify --bundle {} --key audit.vkey", quoted(&bundle.file)));
    }
    commands.join("\n")
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
    let mut blocks = vec![heading("While this report was written")];
    blocks.extend(check(&report.check));
    blocks.push(heading("In the period"));
    blocks.push(facts([
        ("Verifications of the whole ledger", grouped(verification.runs)),
        (
            "Nothing found wrong",
            format!("{} ({})", grouped(verification.clean), percent(verification.clean, verification.runs)),
        ),
        ("Could not be run to their end", grouped(verification.unfinished)),
        ("Compared with something from outside", grouped(verification.anchored)),
        ("Longest time between two clean ones", verification.longest_pause_micros.map_or("–".to_owned(), lasting)),
        ("Records of what was new, old parts, copy, table", grouped(verification.others)),
        ("Of these, nothing found wrong", grouped(verification.others_clean)),
    ]));
    if verification.listed.rows.is_empty() {
        blocks.push(prose("The ledger holds no verification in the period."));
    } else {
        let columns =
            vec![exact("Ended"), words("Of", 3), words("Result", 4), number("Entries"), words("Compared with", 3)];
        let listed = &verification.listed;
        let caption = "Verifications, those with findings first";
        blocks.push(table(caption, columns, &listed.rows, listed.total, "verifications", verified));
    }
    blocks.push(heading("Drills"));
    blocks.push(drills(report));
    blocks
}

fn verified(run: &super::Run) -> Vec<String> {
    let result = match (&run.fault, run.verified) {
        (Some(fault), _) => format!("not finished: {fault}"),
        (None, true) => "nothing found wrong".to_owned(),
        (None, false) => format!("ALARM: {}", counted(run.findings, "finding")),
    };
    let subject = match run.subject.as_str() {
        "copy" => "the copy",
        "table" => "the table in PostgreSQL",
        "ledger" => "the ledger",
        other => other,
    };
    let extent = match run.extent.as_str() {
        "whole" => "",
        "new" => ": what was new",
        "scrub" => ": old parts again",
        other => &format!(": {other}"),
    };
    let compared = if run.anchored { "a key or checkpoint from outside" } else { "itself alone" };
    vec![run.ended_at.to_string(), format!("{subject}{extent}"), result, grouped(run.size), compared.to_owned()]
}

/// What was found while the report was written.
fn check(check: &super::Check) -> Vec<Block> {
    let result = match (&check.fault, check.findings.total) {
        (Some(fault), _) => format!("not finished: {fault}"),
        (None, 0) => "nothing wrong".to_owned(),
        (None, findings) => format!("ALARM: {}", counted(findings, "finding")),
    };
    let mut blocks = vec![facts([("Entries read", grouped(check.entries)), ("Found", result)])];
    if !check.compared_with.is_empty() {
        blocks.push(prose("Compared with:"));
        blocks.push(list(check.compared_with.iter().map(String::as_str)));
    }
    if !check.findings.rows.is_empty() {
        let columns = vec![words("Kind", 2), words("Where", 4), words("What is wrong", 5)];
        let row = |one: &super::Finding| vec![one.kind.clone(), one.place.clone(), one.message.clone()];
        blocks.push(table("Findings", columns, &check.findings.rows, check.findings.total, "findings", row));
    }
    blocks
}

fn drills(report: &Report) -> Block {
    if report.drills.rows.is_empty() {
        return prose("The ledger holds no drill in the period.");
    }
    let columns = vec![exact("Ended"), words("Result", 1), number("Checks"), number("Failed"), words("By", 1)];
    table("Drills, those that failed first", columns, &report.drills.rows, report.drills.total, "drills", |drill| {
        let result = if drill.passed { "everything was detected and delivered" } else { "FAILED" };
        let (checks, failed) = (grouped(drill.checks), grouped(drill.failed));
        vec![drill.ended_at.to_string(), result.to_owned(), checks, failed, drill.actor.clone()]
    })
}
