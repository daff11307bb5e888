//! The scratch ledger and the service on it: a process of its own, as in earnest, that ends with this one.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args as _;
use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions};
use counterfoil_postgres::Patience;
use counterfoil_server::Role;
use counterfoil_tlog::VerifierKey;
use serde::Deserialize;
use serde_json::json;

use crate::commands::serve::Serve;
use crate::exit::Failure;
use crate::ledgers;
use crate::remote::{Call, Remote};

use super::checks::{Checks, RECORDING};
use super::setup::Setup;

/// Entries in a segment of a scratch ledger: the fewest, so that there are several.
const SPAN: u64 = 256;
/// How long the service may take to start, to end, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often something is looked at again.
const PAUSE: Duration = Duration::from_millis(100);
/// Characters of the service's log that are told.
const MAX_TOLD: usize = 400;

/// Whether the drill is to end early.
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn of(stop: Arc<AtomicBool>) -> Self {
        Self(stop)
    }

    /// An error once somebody asked for the end.
    pub fn check(&self) -> Result<(), Failure> {
        match self.0.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Failure::new(ErrorKind::Unavailable, "the drill was interrupted; nothing was recorded of it")
                .advise("Hold it again.")),
        }
    }

    /// A patience with a database that ends with it.
    pub fn patience(&self) -> Patience {
        Patience::ended_by(Arc::clone(&self.0))
    }

    /// Waits for something; none when it does not come in time.
    pub fn wait<T>(&self, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<Option<T>, Failure> {
        let since = Instant::now();
        loop {
            self.check()?;
            if let Some(found) = look() {
                return Ok(Some(found));
            }
            if since.elapsed() > limit {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// A folder with a ledger that is gone when the drill ends.
pub struct Scratch {
    folder: PathBuf,
    kept: bool,
    origin: String,
    /// The ledger's key, as it was when the ledger was made.
    pub key: VerifierKey,
    child: Option<Child>,
}

/// The service on a scratch ledger.
pub struct Service {
    /// The ledger's folder.
    pub ledger: PathBuf,
    /// Whoever owns the folder.
    pub owner: Remote,
    url: String,
}

impl Scratch {
    /// Makes the folder and the ledger in it.
    pub fn create(keep: Option<&Path>, origin: &str) -> Result<Self, Failure> {
        let nanos =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let own = || std::env::temp_dir().join(format!("counterfoil-drill-{}-{nanos}", std::process::id()));
        let folder = keep.map_or_else(own, Path::to_owned);
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| Failure::file(folder.display(), &error))?;
        let create = CreateOptions { segment_span: SPAN, ..CreateOptions::new(origin)? };
        let ledger = Ledger::create(folder.join("ledger"), create, OpenOptions::default());
        let key = ledger.and_then(|ledger| {
            let key = ledger.snapshot().verifier_key().clone();
            ledger.close().map(|()| key)
        });
        match key {
            Ok(key) => Ok(Self { folder, kept: keep.is_some(), origin: origin.to_owned(), key, child: None }),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error.into())
            }
        }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The ledger's folder.
    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    /// A place beside the ledger.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts the service with the rules and sinks that are tried; none when it does not start.
    pub fn serve(&mut self, setup: &Setup, stop: &Stop, checks: &mut Checks) -> Result<Option<Service>, Failure> {
        let started = self.spawn(setup).map_err(|error| Failure::file("the service of the drill", &error))?;
        let child = self.child.insert(started);
        let ledger = self.folder.join("ledger");
        let url = stop.wait(PATIENCE, || match child.try_wait() {
            Ok(None) => ledgers::service_url(&ledger).map(Ok),
            _ => Some(Err(())),
        })?;
        let name = "a service starts with this configuration";
        let Some(Ok(url)) = url else {
            checks.failed(RECORDING, name, self.last_words());
            return Ok(None);
        };
        let Some(owner) = Remote::in_folder(&ledger)? else {
            checks.failed(RECORDING, name, "it does not answer in the ledger's folder");
            return Ok(None);
        };
        checks.passed(RECORDING, name, "a process of its own, as in earnest");
        Ok(Some(Service { ledger, owner: owner.within(PATIENCE), url }))
    }

    fn spawn(&self, setup: &Setup) -> io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(self.ledger()).args(["--drill", "--listen", "127.0.0.1:0", "--log", "warn"]);
        // What is tried is said here; what else is set for the real service is not for this one.
        let all = Serve::augment_args(clap::Command::new("serve"));
        all.get_arguments().filter_map(|argument| argument.get_env()).for_each(|variable| {
            command.env_remove(variable);
        });
        if let Some(rules) = &setup.rules {
            command.arg("--rules").arg(rules);
        }
        if let Some((sinks, _)) = &setup.sinks {
            command.arg("--sinks").arg(sinks);
        }
        let log = File::create(self.path("service.log"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn()
    }

    /// Ends the service, as a request to end does; what was wrong with that.
    pub fn end(&mut self) -> Result<String, String> {
        let Some(mut child) = self.child.take() else { return Ok("it had ended".to_owned()) };
        drop(child.stdin.take());
        let since = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok("its ledger is closed".to_owned()),
                Ok(Some(status)) => return Err(format!("{status}: {}", self.last_words())),
                Ok(None) if since.elapsed() < 2 * PATIENCE => std::thread::sleep(PAUSE),
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("it did not end and was killed".to_owned());
                }
            }
        }
    }

    /// The end of the service's log.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.path("service.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
        let told = lines[lines.len().saturating_sub(2)..].join(" ");
        match told.is_empty() {
            true => "it does not answer".to_owned(),
            false => told.chars().take(MAX_TOLD).collect(),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

#[cfg(test)]
impl Service {
    /// A service that says it holds a scratch ledger.
    pub fn at(scratch: &Scratch, owner: Remote, url: &str) -> Self {
        Self { ledger: scratch.ledger(), owner, url: url.to_owned() }
    }
}

impl Service {
    /// A client with a token of this role.
    pub fn client(&self, name: &str, role: Role) -> Result<Remote, Failure> {
        #[derive(Deserialize)]
        struct Made {
            token: String,
        }
        let wanted = json!({"name": name, "role": role});
        let made: Made = self.owner.ask(Call::post("/api/v1/tokens", &wanted))?;
        self.client_with(made.token)
    }

    /// A client with any token.
    pub fn client_with(&self, token: String) -> Result<Remote, Failure> {
        Ok(Remote::with_token(&self.url, token)?.within(PATIENCE))
    }
}
