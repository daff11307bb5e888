//! `counterfoil verify`

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::{ArgGroup, Args};
use counterfoil::{Config, Disk, ErrorKind, OsDisk, Verified, VerifyOptions};
use counterfoil_evidence::{Bundle, Finding, FindingKind, Report};
use counterfoil_import::logdir;
use counterfoil_ship::{Bucket, Settings};
use counterfoil_tlog::{Checkpoint, Note, Origin, VerifierKey};

use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::ledgers;
use crate::output;
use crate::progress::{Progress, Unit};
use crate::remote::{self, Call, Remote};
use crate::verdict::crawl::{self, Trust};
use crate::verdict::{log_folder, report};
use crate::verifier_key;
use crate::view::View;

/// Check that nothing was changed, removed, added or put in another order
///
/// For a ledger, every leaf and the root are derived again from what is on disk, and every signature, the order,
/// recorded_at, sequences, indexes and the segments' files are checked, block by block. Every finding is reported
/// with file, index and kind; nothing stops at the first. Keys, state and lock aside, a byte changed anywhere in the
/// folder is a finding.
///
/// ANCHORS: without --key or --checkpoint the answer is "self-consistent, not anchored": whoever can write the folder
/// and has its key can make another one that agrees with itself. Give the key that you kept (`counterfoil key`), and
/// a checkpoint that you kept (`counterfoil checkpoint`): then a ledger that was rolled back or forked since is a
/// finding too. --require-anchor makes a missing anchor a failure.
///
/// With --log-dir the same question is asked of plain JSON-lines logs whose lines carry `hash` and `prev_hash`, made
/// the common way (SHA-256 of json.dumps(entry, sort_keys=True) without `hash`): it says which kind of log it found
/// and what such a log cannot show. With --bundle an evidence bundle is checked, offline.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["ledger", "log_dir", "bundle"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  counterfoil verify audit --key audit.vkey --checkpoint audit.checkpoint
  counterfoil verify audit --json | jq '.findings[].kind'
  counterfoil verify s3://bank-audit/payments --key \"$(cat audit.vkey)\"
  counterfoil verify s3://bank-audit/payments --key k.vkey --resume seen.json
  counterfoil verify --bundle INV-1042.bundle.json --key \"$(cat audit.vkey)\"
  counterfoil verify --log-dir /var/log/agents

Exit codes: 0 verified, 2 --require-anchor without an anchor or logs without hashes, 7 nothing there, 10 damaged, 11 tampered with. \
Other exit codes: see `counterfoil --help`. A damaged or tampered ledger never exits with 0.")]
pub struct Verify {
    /// The ledger's folder, the URL of a service, whose whole log is read, or a copy at s3://BUCKET/PREFIX
    /// (or gs://, az://).
    ledger: Option<PathBuf>,
    /// A folder of plain JSON-lines logs with hashes.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["ledger", "bundle", "checkpoint", "key", "require_anchor"])]
    log_dir: Option<PathBuf>,
    /// An evidence bundle.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ledger", "checkpoint"], requires = "key")]
    bundle: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere and that the ledger must extend.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The verifier key that must have signed, or a file that holds it; may be given several times.
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,
    /// Fail when neither --key nor --checkpoint anchors the result.
    #[arg(long)]
    require_anchor: bool,
    /// Threads to use [default: one a core].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Go on behind what an earlier verification with the same FILE read without a finding, and remember in it how far this
    /// one came. Keep it where the checkpoint is kept: what it says is believed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log_dir", "bundle"])]
    resume: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Outcome {
        match (&self.ledger, &self.log_dir, &self.bundle) {
            (Some(ledger), _, _) => self.verify_ledger(ledger),
            (None, Some(dir), _) => self.verify_log_folder(dir),
            (None, None, Some(bundle)) => self.verify_bundle(bundle),
            (None, None, None) => unreachable!("the command line asks for one of them"),
        }
    }

    /// Reads the whole log of a service, as anybody could.
    fn verify_service(&self, url: &str) -> Outcome {
        let service = Remote::at(url)?;
        let note = service.text(Call::get("/tlog/checkpoint")).map_err(needs_token)?;
        let keys = self.keys()?;
        // Only who gave no key needs to ask which one it is; /tlog may be open to everybody where the API is not.
        let named = match (self.fitting(&keys, origin_of(&note).as_ref())?, keys.first()) {
            (Some(key), _) | (None, Some(key)) => key.clone(),
            (None, None) => View::of(Path::new(url)).map_err(key_or_token)?.verifier_key()?,
        };
        let trust = Trust { keys, checkpoint: self.checkpoint.as_deref().map(files::read).transpose()? };
        let progress = Progress::new("verifying", Unit::Entries, Some(0));
        let verified = crawl::verify(&service, &note, &named, &trust, &|done, total| progress.of(done, total))?;
        drop(progress);
        self.conclude("the service", &verified)
    }

    fn verify_ledger(&self, path: &Path) -> Outcome {
        if let Some(url) = remote::url(path) {
            if self.resume.is_some() {
                return Err(Failure::invalid("--resume goes on in a folder or a copy, not in a service"));
            }
            return self.verify_service(url);
        }
        let copy = match ledgers::location(path)? {
            Some(location) => Some(Bucket::open(&location, &Settings::from_environment())?),
            None => ledgers::check_folder(path).map(|()| None)?,
        };
        let checkpoint = self.checkpoint.as_deref().map(files::read).transpose()?;
        let keys = self.keys()?;
        self.fitting(&keys, agreed_origin(path).as_ref())?;
        let progress = Progress::new("verifying", Unit::Entries, Some(0));
        let watch = |done, total| progress.of(done, total);
        let mut options = VerifyOptions { checkpoint, keys, progress: Some(&watch), ..VerifyOptions::default() };
        options.threads = self.threads.unwrap_or(options.threads);
        let unwritten = OnceLock::new();
        let keep = |file: &Path, state: &Verified| {
            if let Err(error) = remember(file, state) {
                let _ = unwritten.set(error);
            }
        };
        let keep = self.resume.as_deref().map(|file| move |state: Verified| keep(file, &state));
        if let Some(file) = &self.resume {
            options.resume = earlier(file)?;
            options.remember = keep.as_ref().map(|keep| keep as &(dyn Fn(Verified) + Sync));
        }
        let verified = match &copy {
            Some(copy) => copy.verify(&options)?,
            None => counterfoil::verify(path, &options)?,
        };
        drop(progress);
        if let (Some(file), Some(error)) = (&self.resume, unwritten.get()) {
            output::note(format!("{} was not written: {error}", file.display()));
        }
        self.conclude(if copy.is_some() { "the copy" } else { "the ledger" }, &verified)
    }

    fn verify_bundle(&self, path: &Path) -> Outcome {
        let keys = self.keys()?;
        let bytes = files::read(path)?;
        let verified = match Bundle::parse(&bytes) {
            Ok(bundle) => bundle.verify(&keys),
            Err(error) => {
                let file = path.display().to_string();
                let finding = Finding::new(FindingKind::BundleMalformed, error.to_string()).in_file(file);
                Report { findings: vec![finding], ..Report::default() }
            }
        };
        self.conclude("the bundle", &verified)
    }

    fn verify_log_folder(&self, dir: &Path) -> Outcome {
        let progress = Progress::new("verifying", Unit::Bytes, None);
        let verified = logdir::verify(dir, &mut |bytes| progress.more(bytes)).map_err(|error| {
            let kind = match &error {
                logdir::LogDirError::NoLogs(_) => ErrorKind::NotFound,
                logdir::LogDirError::Unreadable { source, .. } => return Failure::file(dir.display(), source),
            };
            Failure::new(kind, error.to_string())
        })?;
        drop(progress);
        if log_folder::has_no_hashes(&verified) {
            return Err(Failure::invalid(format!("{} is not a log with hashes: no line carries one", dir.display())));
        }
        let exit = log_folder::exit(&verified);
        written(log_folder::write(dir, &verified, self.json), exit)
    }

    fn conclude(&self, what: &str, verified: &Report) -> Outcome {
        let unanchored = self.require_anchor && !verified.anchored;
        let exit = match Exit::of(verified.class()) {
            Exit::Good if unanchored => Exit::Bad(ErrorKind::Invalid),
            exit => exit,
        };
        written(report::write(what, verified, exit == Exit::Good, self.json), exit)
    }

    fn keys(&self) -> Result<Vec<VerifierKey>, Failure> {
        self.key.iter().map(|key| verifier_key::read(key)).collect()
    }

    /// The given key that is of this origin. A ledger of one name that is checked with keys of another is a mistake of
    /// the caller, unless a checkpoint says too that the other ledger should be there.
    fn fitting<'a>(
        &self,
        keys: &'a [VerifierKey],
        origin: Option<&Origin>,
    ) -> Result<Option<&'a VerifierKey>, Failure> {
        let (Some(origin), Some(first)) = (origin, keys.first()) else { return Ok(None) };
        let fits = keys.iter().find(|key| key.name().as_str() == origin.as_str());
        if fits.is_none() && self.checkpoint.is_none() {
            let name = first.name();
            return Err(Failure::invalid(format!("this key is of {name}, the ledger is {origin}"))
                .advise(format!("Give the key of {origin}, or the place of {name}.")));
        }
        Ok(fits)
    }
}

/// What an earlier verification remembered; nothing when this is the first.
fn earlier(file: &Path) -> Result<Option<Verified>, Failure> {
    // Hours later nobody wants to hear that the file cannot be written.
    let beside = file.with_added_extension("tmp");
    let unwritable =
        |error| Failure::file(file.display(), &error).advise("Nothing was verified: --resume writes this file.");
    File::create(&beside).and_then(|_| std::fs::remove_file(&beside)).map_err(unwritable)?;
    match std::fs::read(file) {
        Ok(text) => Ok(Some(Verified::parse(&text)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file(file.display(), &error)),
    }
}

/// Replaces what was remembered, whole or not at all.
fn remember(file: &Path, state: &Verified) -> std::io::Result<()> {
    let beside = file.with_added_extension("tmp");
    std::fs::write(&beside, state.to_text())?;
    std::fs::rename(&beside, file)
}

/// The origin that a checkpoint names, whoever signed it.
fn origin_of(note: &[u8]) -> Option<Origin> {
    let checkpoint: Checkpoint = Note::parse(note).ok()?.text().parse().ok()?;
    Some(checkpoint.origin)
}

/// The origin of a ledger whose own files agree about it; of one whose files do not, the verification tells.
fn agreed_origin(path: &Path) -> Option<Origin> {
    let config = Config::parse(&OsDisk.read_small(&path.join("ledger.toml")).ok()?).ok()?;
    let agreed = config.verifier_key.name().as_str() == config.origin.as_str()
        && origin_of(&OsDisk.read_small(&path.join("checkpoint")).ok()?)? == config.origin;
    agreed.then_some(config.origin)
}

/// The service wants a token for its log.
fn needs_token(error: counterfoil::Error) -> Failure {
    let denied = error.kind == ErrorKind::Denied;
    let failure = Failure::from(error);
    if denied { failure.advise("This service shows its log to nobody without a token.") } else { failure }
}

/// The service wants a token before it names its key.
fn key_or_token(failure: Failure) -> Failure {
    match &failure {
        Failure::Told { kind: ErrorKind::Denied, .. } => {
            failure.advise("Give the ledger's key with --key, or a token in COUNTERFOIL_TOKEN.")
        }
        _ => failure,
    }
}

/// The verdict stands, whoever reads it.
fn written(result: Result<(), Failure>, exit: Exit) -> Outcome {
    match (result, exit) {
        (Err(Failure::Pipe), Exit::Bad(_)) => Ok(exit),
        (Err(failure), _) => Err(failure),
        (Ok(()), _) => Ok(exit),
    }
}
