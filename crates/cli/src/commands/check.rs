//! `counterfoil check`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use counterfoil::ErrorKind;
use counterfoil_entry::{Fields, canonical};
use counterfoil_tlog::witness::{AddCheckpoint, Head, Refusal};
use counterfoil_tlog::{Checkpoint, Error, Origin, TlogProof, VerifierKey, leaf_hash};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, GREEN, RED, styled};
use crate::text::{Grouped, Printable};
use crate::{files, verifier_key};

/// Check a proof offline
///
/// Needs no ledger, only files and the key that you trust. An inclusion proof (`prove INDEX`) is checked with
/// --entry: the entry as JSON, canonical or not. A consistency proof (`prove --from`) is checked with --checkpoint,
/// the older checkpoint that you kept. The exit code is the answer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil check 42.tlog-proof --entry entry-42.json --key audit.vkey
  counterfoil check growth.proof --checkpoint audit.checkpoint --key audit.vkey

Exit codes: 0 the proof holds, 2 a file is no proof, entry or checkpoint, or they do not belong together, 11 the proof does not hold. \
Other exit codes: see `counterfoil --help`.")]
pub struct Check {
    /// The file with the proof; `-` is standard input.
    proof: PathBuf,
    /// The file with the entry that should be in the ledger.
    #[arg(long, value_name = "FILE", required_unless_present = "checkpoint", conflicts_with = "checkpoint")]
    entry: Option<PathBuf>,
    /// The file with the older checkpoint that the ledger should extend.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The ledger's verifier key, or a file that holds it (`counterfoil key LEDGER` prints it).
    #[arg(long, value_name = "VKEY")]
    key: String,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> Outcome {
        let stdin = Some(Path::new("-"));
        if Some(self.proof.as_path()) == stdin
            && [&self.entry, &self.checkpoint].iter().any(|file| file.as_deref() == stdin)
        {
            return Err(Failure::invalid("only one file can be standard input: name the other one"));
        }
        let key = verifier_key::read(&self.key)?;
        let proof = files::read(&self.proof)?;
        let answer = match (&self.entry, &self.checkpoint) {
            (Some(entry), _) => inclusion(&proof, &files::read(entry)?, entry, &key)?,
            (None, Some(older)) => consistency(&proof, &files::read(older)?, &key)?,
            (None, None) => unreachable!("the command line asks for one of them"),
        };
        self.tell(&answer)?;
        Ok(if answer.holds { Exit::Good } else { Exit::Bad(ErrorKind::Tampered) })
    }

    fn tell(&self, answer: &Answer) -> Result<(), Failure> {
        if self.json {
            return output::json(answer);
        }
        let mut out = output::stdout();
        let (style, word) = if answer.holds { (GREEN, "holds") } else { (RED, "DOES NOT HOLD") };
        writeln!(out, "the proof {}: {}", styled(style, word), Printable(&answer.message))?;
        Ok(out.flush()?)
    }
}

/// What a check found.
#[derive(Serialize)]
struct Answer {
    holds: bool,
    message: String,
    origin: String,
    index: Option<u64>,
    from: Option<u64>,
    size: Option<u64>,
}

fn inclusion(proof: &[u8], entry: &[u8], path: &Path, key: &VerifierKey) -> Result<Answer, Failure> {
    if proof.starts_with(b"old ") {
        return Err(Failure::invalid("this is a consistency proof: check it with --checkpoint, not --entry"));
    }
    let proof = TlogProof::parse(proof).map_err(|error| Failure::invalid(format!("the proof: {error}")))?;
    let named = |error| no_entry(entry, format!("{}: {error}", path.display()));
    let mut bytes = Vec::with_capacity(entry.len());
    canonical::canonicalise(entry, &mut bytes).map_err(named)?;
    let fields = Fields::check(&bytes).map_err(named)?;
    let origin = Origin::from(key.name());
    let result = proof.verify(&leaf_hash(&bytes), &origin, std::slice::from_ref(key));
    let index = proof.index.0;
    let message = match &result {
        Ok(opened) => format!(
            "entry {} ({} by {} on {}) is among the {} entries of {}",
            Grouped(index),
            fields.event_type,
            fields.actor,
            fields.entity_id,
            Grouped(opened.checkpoint.size.0),
            origin
        ),
        Err(error @ (Error::RootMismatch | Error::ProofTooShort | Error::ProofTooLong)) => format!(
            "{error}: this is not the entry that was recorded at index {} of {origin}, or it was changed",
            Grouped(index)
        ),
        Err(error) => disagreement(error)?,
    };
    let size = result.as_ref().ok().map(|opened| opened.checkpoint.size.0);
    Ok(Answer { holds: result.is_ok(), message, origin: origin.to_string(), index: Some(index), from: None, size })
}

fn consistency(proof: &[u8], older: &[u8], key: &VerifierKey) -> Result<Answer, Failure> {
    if proof.starts_with(b"c2sp.org/tlog-proof") {
        return Err(Failure::invalid("this is an inclusion proof: check it with --entry, not --checkpoint"));
    }
    let request = AddCheckpoint::parse(proof).map_err(|error| Failure::invalid(format!("the proof: {error}")))?;
    let origin = Origin::from(key.name());
    let keys = std::slice::from_ref(key);
    let newer = request.checkpoint();
    let mut answer = Answer {
        holds: false,
        message: String::new(),
        origin: origin.to_string(),
        index: None,
        from: None,
        size: Some(newer.size.0),
    };
    let older = match Checkpoint::open(older, &origin, keys, &[]) {
        Ok(opened) => opened.checkpoint,
        Err(error) => {
            answer.message = format!("the older checkpoint: {}", disagreement(&error)?);
            return Ok(answer);
        }
    };
    answer.from = Some(older.size.0);
    if newer.origin != origin {
        answer.message = format!("the newer checkpoint is of {}, not of {origin}", newer.origin);
        return Ok(answer);
    }
    let head = Head { size: older.size, root: older.root };
    match request.check(keys, &head) {
        Ok(_) => {
            answer.holds = true;
            answer.message = format!(
                "{origin} with {} entries begins with the {} entries of the older checkpoint",
                Grouped(newer.size.0),
                Grouped(older.size.0)
            );
        }
        Err(Refusal::Conflict(_)) => return Err(other_size(proof, older.size.0)),
        Err(refusal) => answer.message = refusal.to_string(),
    }
    Ok(answer)
}

/// A proof and a checkpoint that do not belong together.
fn other_size(proof: &[u8], kept: u64) -> Failure {
    let first = String::from_utf8_lossy(proof.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
    let from = first.strip_prefix("old ").and_then(|size| size.parse().ok()).unwrap_or_default();
    let (from, shown) = (Grouped(from), Grouped(kept));
    Failure::invalid(format!("the proof starts from {from} entries, but the checkpoint is of {shown}"))
        .advise(format!("Give the checkpoint of {from} entries, or a proof made with: prove --from {kept}"))
}

/// A file that is no entry, though it may hold one.
fn no_entry(text: &[u8], message: String) -> Failure {
    let wrapped = serde_json::from_slice::<serde_json::Value>(text)
        .is_ok_and(|value| value.get("leaf_hash").is_some() && value.get("entry").is_some());
    let failure = Failure::invalid(message);
    if wrapped {
        failure.advise("Give the output of `entry` or `entry --canonical`, not `entry --json`.")
    } else {
        failure
    }
}

/// What disagrees, as a message; what is no checkpoint at all is a failure of the call.
fn disagreement(error: &Error) -> Result<String, Failure> {
    match error {
        Error::MalformedNote(_) | Error::MalformedCheckpoint(_) | Error::InvalidHash | Error::InvalidName(_) => {
            Err(Failure::invalid(format!("the checkpoint: {error}")))
        }
        _ => Ok(error.to_string()),
    }
}
