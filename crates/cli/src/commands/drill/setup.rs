//! The configuration that is tried: as options, environment and file have it, and as a running service says.

use std::path::{Path, PathBuf};

use counterfoil_postgres::Dsn;
use counterfoil_server::in_force::{InForce, Sink};
use counterfoil_ship::{Location, Retention};
use counterfoil_sink::Config;

use crate::commands::serve;
use crate::exit::Failure;
use crate::remote::{Call, Remote};

use super::Drill;

/// The configuration that is tried.
pub struct Setup {
    /// The folder of rules.
    pub rules: Option<PathBuf>,
    /// The file of sinks, and what it says.
    pub sinks: Option<(PathBuf, Config)>,
    /// Where the copy is kept, and under which retention.
    pub ship: Option<(Location, Option<Retention>)>,
    /// The database.
    pub postgres: Option<Dsn>,
}

impl Setup {
    pub fn of(drill: &Drill) -> Result<Self, Failure> {
        let file = drill.config.as_deref().map(serve::read).transpose()?.unwrap_or_default();
        let service = Remote::in_folder(&drill.ledger)?;
        let running = service.map(|service| service.ask::<InForce>(Call::get("/api/v1/settings"))).transpose()?;
        let running = running.as_ref();
        let sinks = drill.sinks.clone().or(file.sinks);
        let sinks = sinks.map(|path| Config::load(&path).map(|config| (path, config))).transpose()?;
        know_all(sinks.as_ref().map(|(_, config)| config), running.map_or(&[], |running| &running.sinks))?;
        let rules = match (drill.rules.clone().or(file.rules), running.and_then(|running| running.rules.as_ref())) {
            (None, Some(rules)) => Some(watched(&rules.folder)?),
            (given, _) => given,
        };
        let shipped = running.and_then(|running| running.ship.as_ref());
        let told = file.ship.or(shipped.map(|ship| ship.to.clone()));
        let told = told.as_deref().map(str::parse).transpose()?;
        let retain = drill.ship_retain.clone().or(file.ship_retain).or(shipped.and_then(|ship| ship.retain.clone()));
        let retain = retain.as_deref().map(str::parse).transpose()?;
        let ship = drill.ship.clone().or(told).map(|to| (to, retain));
        let compared = running.and_then(|running| running.postgres.clone());
        let postgres = drill.postgres.clone().or(file.postgres).or(compared);
        let postgres = postgres.as_deref().map(Dsn::parse).transpose()?;
        refuse_files_within(&drill.ledger, sinks.as_ref().map(|(_, config)| config))?;
        Ok(Self { rules, sinks, ship, postgres })
    }
}

/// The folder of the rules of a running service, which may have been started elsewhere.
fn watched(folder: &str) -> Result<PathBuf, Failure> {
    let path = PathBuf::from(folder);
    match path.is_relative() {
        true => Err(Failure::invalid(format!("the running service watches with the rules of {folder}"))
            .advise("Name that folder: --rules DIR.")),
        false => Ok(path),
    }
}

/// Refuses a configuration that lacks a sink of the running one: it would prove less than it says.
fn know_all(config: Option<&Config>, running: &[Sink]) -> Result<(), Failure> {
    let known = |name: &str| config.is_some_and(|config| config.sinks.iter().any(|sink| sink.name == name));
    let missing: Vec<&str> = running.iter().map(|sink| sink.name.as_str()).filter(|name| !known(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("the running service also delivers to {}", missing.join(", "));
    Err(Failure::invalid(message).advise("Name the file that it was started with: --sinks FILE."))
}

fn refuse_files_within(ledger: &Path, config: Option<&Config>) -> Result<(), Failure> {
    let mut sinks = config.into_iter().flat_map(|config| &config.sinks);
    Ok(sinks.try_for_each(|sink| sink.stays_out_of(ledger))?)
}
