//! `counterfoil monitor`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use counterfoil::{Clock, Error, ErrorKind, SystemClock};
use counterfoil_entry::Timestamp;
use counterfoil_sink::Config;
use counterfoil_tlog::{Checkpoint, Note, VerifierKey, leaf_hash};
use counterfoil_watch::Alert;
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::remote::{Call, Remote};
use crate::text::Printable;
use crate::verdict::growth::{Growth, compare};
use crate::{files, output, verifier_key};

/// How long one answer of the service is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest checkpoint that is read.
const MAX_CHECKPOINT_BYTES: usize = 64 << 10;

/// Watch another machine's ledger: it must only grow
///
/// Asks a service for its checkpoint again and again, remembers the newest one in a file, and proves that each one extends the
/// one before, from the tiles that the service serves. A service that was rolled back, that shows somebody another history
/// or that signs with another key is found, and the two checkpoints that contradict each other are kept: anybody can check
/// them. Run it where the service's operator has no access.
///
/// A file that cannot be written any more is told as such, and is no silence of the service: what was shown last would be
/// forgotten with the end of this program.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil monitor https://audit.example --key vkey --remember seen
  counterfoil monitor https://audit.example --key vkey --remember seen --once
  counterfoil monitor https://audit.example --key vkey --remember seen \\
    --sinks sinks.toml

Exit codes: 0 it only grew (--once), 2 the file at --remember cannot be written, or the key is of another ledger, 5 unreachable (--once, \
or for --silent-after seconds), or the file can be written no more, 11 it contradicts what it showed before. \
Other exit codes: see `counterfoil --help`.")]
pub struct Monitor {
    /// The service's URL. Its log must be readable without a token, or with the one in COUNTERFOIL_TOKEN.
    url: String,
    /// The ledger's verifier key, or a file that holds it; may be given several times.
    #[arg(long, value_name = "VKEY", required = true)]
    key: Vec<String>,
    /// The file that remembers the newest checkpoint. It is a checkpoint that `counterfoil verify --checkpoint` takes.
    #[arg(long, value_name = "FILE")]
    remember: PathBuf,
    /// Ask once and end.
    #[arg(long, conflicts_with_all = ["every", "silent_after"])]
    once: bool,
    /// Seconds between two questions.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Seconds for which the service may be unreachable before this ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    silent_after: u64,
    /// Deliver what is found as an alert to the sinks of this TOML file, before it ends: a contradiction, and silence for longer
    /// than --silent-after.
    #[arg(long, value_name = "FILE")]
    sinks: Option<PathBuf>,
    /// Print a line of JSON for each answer.
    #[arg(long)]
    json: bool,
}

/// What one question came to.
#[derive(Debug, Serialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
enum Seen {
    Grown {
        size: u64,
        root: String,
    },
    Same {
        size: u64,
        root: String,
    },
    Unreachable {
        reason: String,
    },
    /// It only grew, and its checkpoint could not be written into the file that remembers.
    Forgotten {
        size: u64,
        root: String,
        remember: PathBuf,
        reason: String,
    },
    Broken {
        finding: &'static str,
        message: String,
        /// What it showed before; none at first contact.
        #[serde(skip_serializing_if = "Option::is_none")]
        remembered: Option<PathBuf>,
        /// What it shows now; none where that could not be kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        shown: Option<PathBuf>,
    },
}

/// A checkpoint of the service, as it came.
type Shown = Vec<u8>;

impl Monitor {
    pub(super) fn run(self) -> Outcome {
        let keys: Vec<VerifierKey> = self.key.iter().map(|key| verifier_key::read(key)).collect::<Result<_, _>>()?;
        let sinks = self.sinks.as_deref().map(Config::load).transpose()?;
        let service = Remote::at(&self.url)?.within(PATIENCE);
        files::refuse_unwritable("--remember", &self.remember)?;
        let mut newest = self.remember.exists().then(|| files::read(&self.remember)).transpose()?;
        let mut answered = Instant::now();
        loop {
            let seen = self.ask(&service, &keys, &mut newest)?;
            // What is wrong is delivered, whoever reads this output.
            let told = self.tell(&seen);
            match seen {
                Seen::Grown { .. } | Seen::Same { .. } if self.once => return told.map(|()| Exit::Good),
                Seen::Grown { .. } | Seen::Same { .. } => answered = Instant::now(),
                Seen::Unreachable { .. } if self.once => return Ok(Exit::Bad(ErrorKind::Unavailable)),
                Seen::Unreachable { .. } if answered.elapsed() < Duration::from_secs(self.silent_after) => {}
                Seen::Unreachable { .. } | Seen::Forgotten { .. } => {
                    self.deliver(sinks.as_ref(), &keys, &seen);
                    return Ok(Exit::Bad(ErrorKind::Unavailable));
                }
                Seen::Broken { .. } => {
                    self.deliver(sinks.as_ref(), &keys, &seen);
                    return Ok(Exit::Bad(ErrorKind::Tampered));
                }
            }
            told?;
            std::thread::sleep(Duration::from_secs(self.every));
        }
    }

    /// Asks once. What it shows is compared with what it showed before, and remembered.
    fn ask(&self, service: &Remote, keys: &[VerifierKey], newest: &mut Option<Shown>) -> Result<Seen, Failure> {
        let shown = service.text_within(Call::get("/tlog/checkpoint"), MAX_CHECKPOINT_BYTES);
        let compared = shown.and_then(|shown| Ok((compare(service, keys, newest.as_deref(), &shown)?, shown)));
        let (growth, shown) = match compared {
            Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Busy | ErrorKind::NotFound) => {
                return Ok(Seen::Unreachable { reason: error.message });
            }
            compared => compared?,
        };
        Ok(match growth {
            Growth::Same(checkpoint) => Seen::Same { size: checkpoint.size.0, root: checkpoint.root.to_string() },
            Growth::Grown(checkpoint) => {
                let (size, root) = (checkpoint.size.0, checkpoint.root.to_string());
                let written = files::replace(&self.remember, &shown);
                *newest = Some(shown);
                match written {
                    Ok(()) => Seen::Grown { size, root },
                    Err(failure) => {
                        Seen::Forgotten { size, root, remember: self.remember.clone(), reason: failure.message() }
                    }
                }
            }
            Growth::Broken { kind, mut message } => {
                let remembered = newest.is_some().then(|| self.remember.clone());
                let shown = self.keep(&shown).map_err(|failure| {
                    message = format!("{message}; what it shows could not be kept: {}", failure.message());
                });
                Seen::Broken { finding: kind, message, remembered, shown: shown.ok() }
            }
        })
    }

    /// Sends what was found to every sink; what does not arrive is said, and changes nothing of how this ends.
    fn deliver(&self, sinks: Option<&Config>, keys: &[VerifierKey], seen: &Seen) {
        if let Err(failure) = self.try_to_deliver(sinks, keys, seen) {
            output::tell(&failure);
        }
    }

    fn try_to_deliver(&self, sinks: Option<&Config>, keys: &[VerifierKey], seen: &Seen) -> Result<(), Failure> {
        let (Some(sinks), Some(key)) = (sinks, keys.first()) else { return Ok(()) };
        let origin = key.name().as_str();
        let remembered = std::fs::read(&self.remember).ok().and_then(|note| Note::parse(&note).ok());
        let size = remembered.and_then(|note| note.text().parse::<Checkpoint>().ok()).map_or(0, |seen| seen.size.0);
        let mut entry = Vec::new();
        let alert = self.alert(origin, size, seen).entry().build_own().map_err(Error::from)?;
        alert.write_entry(Timestamp::from_micros(SystemClock::default().now_micros()), None, &mut entry);
        for (name, sent) in counterfoil_sink::send(sinks, origin, size, &entry)? {
            match sent {
                Ok(_) => output::note(format!("delivered to {name}")),
                Err(error) => output::note(format!("not delivered: {error}")),
            }
        }
        Ok(())
    }

    fn alert(&self, origin: &str, size: u64, seen: &Seen) -> Alert {
        let (rule, title, level, why) = match seen {
            Seen::Broken { finding, message, remembered, .. } => (
                format!("counterfoil.monitor-{finding}"),
                match remembered {
                    Some(_) => format!("{origin} contradicts what it showed before"),
                    None => format!("What is shown is not signed with the key of {origin}"),
                },
                "critical",
                format!(
                    "{message}. {}. Follow docs/guides/operating.md, Something was changed",
                    seen.evidence().unwrap_or_else(|| "Nothing of it is kept".to_owned())
                ),
            ),
            Seen::Unreachable { reason } => (
                "counterfoil.monitor-silent".to_owned(),
                format!("{origin} does not answer"),
                "high",
                format!("nothing from {} for {} s: {reason}", self.url, self.silent_after),
            ),
            Seen::Forgotten { size, reason, .. } => (
                "counterfoil.monitor-forgotten".to_owned(),
                format!("What {origin} shows cannot be remembered"),
                "high",
                format!("the checkpoint of {size} entries could not be kept on the machine that watches: {reason}"),
            ),
            Seen::Grown { .. } | Seen::Same { .. } => unreachable!("nothing is wrong with it"),
        };
        // Sent again after a restart it is the same alert.
        let identity = leaf_hash(format!("{rule}\n{origin}\n{size}").as_bytes()).to_string();
        Alert {
            id: format!("alert-{}", &identity[..32]),
            rule_id: rule,
            title,
            level,
            author: Some("counterfoil monitor".to_owned()),
            description: None,
            references: vec!["docs/guides/operating.md#something-was-changed".to_owned()],
            tags: Vec::new(),
            indices: Vec::new(),
            group: Vec::new(),
            value: None,
            why: Some(why),
            drill: false,
        }
    }

    /// Keeps a checkpoint that contradicts the remembered one, beside it.
    fn keep(&self, shown: &[u8]) -> Result<PathBuf, Failure> {
        let kept = (0..).map(|number| name_behind(&self.remember, number));
        for path in kept {
            if path.exists() {
                if files::read(&path)? == shown {
                    return Ok(path);
                }
                continue;
            }
            files::write_new(&path, shown)?;
            return Ok(path);
        }
        unreachable!("there are names enough")
    }

    fn tell(&self, seen: &Seen) -> Result<(), Failure> {
        if self.json {
            let mut out = output::raw_stdout();
            output::json_line(&mut out, seen)?;
            return Ok(out.flush()?);
        }
        let mut out = output::stdout();
        match seen {
            Seen::Grown { size, root } => writeln!(out, "{size} entries, root {root}")?,
            Seen::Same { size, .. } => writeln!(out, "{size} entries, as before")?,
            Seen::Unreachable { reason } => {
                writeln!(out, "{} {}", output::styled(output::YELLOW, "unreachable:"), Printable(reason))?
            }
            Seen::Forgotten { size, reason, .. } => {
                let word = output::styled(output::RED, "not remembered:");
                writeln!(out, "{word} the checkpoint of {size} entries: {}", Printable(reason))?;
            }
            Seen::Broken { finding, message, .. } => {
                writeln!(out, "{} {}", output::styled(output::RED, format!("{finding}:")), Printable(message))?;
                if let Some(evidence) = seen.evidence() {
                    writeln!(out, "  {evidence}")?;
                }
            }
        }
        Ok(out.flush()?)
    }
}

impl Seen {
    /// Where what contradicts lies, in words; none where nothing could be kept.
    fn evidence(&self) -> Option<String> {
        let Self::Broken { remembered, shown, .. } = self else { return None };
        Some(match (remembered.as_ref().map(|path| path.display()), shown.as_ref().map(|path| path.display())) {
            (Some(before), Some(now)) => {
                format!("{before} holds what it showed before, {now} what it shows now: keep both, they are evidence")
            }
            (Some(before), None) => format!("{before} holds what it showed before: keep it, it is evidence"),
            (None, Some(now)) => format!("{now} holds what it shows: keep it, it is evidence"),
            (None, None) => return None,
        })
    }
}

fn name_behind(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".shown-{number}"));
    PathBuf::from(name)
}
