//! The configuration that is tried: as options, environment and file have it, and as a running service says.

use std::path::{Path, PathBuf};

use counterfoil_postgres::Dsn;
use counterfoil_ship::{Location, Retention};
use counterfoil_sink::Config;
use serde::Deserialize;

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

/// What a running service says of itself.
#[derive(Default, Deserialize)]
struct Running {
    rules: Option<Rules>,
    sinks: Vec<Named>,
}

#[derive(Deserialize)]
struct Rules {
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Setup {
    pub fn of(drill: &Drill) -> Result<Self, Failure> {
        let file = drill.config.as_deref().map(serve::read).transpose()?.unwrap_or_default();
        let service = Remote::in_folder(&drill.ledger)?;
        let running = service.as_ref().map(|service| service.ask::<Running>(Call::get("/api/v1/watch")));
        let running = running.transpose()?.unwrap_or_default();
        let sinks = drill.sinks.clone().or(file.sinks);
        let sinks = sinks.map(|path| Config::load(&path).map(|config| (path, config))).transpose()?;
        know_all(sinks.as_ref().map(|(_, config)| config), &running.sinks)?;
        let rules = drill.rules.clone().or(file.rules);
        let rules = match (rules, running.rules) {
            (None, Some(Rules { folder })) if folder.is_relative() => {
                let message = format!("the running service watches with the rules of {}", folder.display());
                return Err(Failure::invalid(message).advise("Name that folder: --rules DIR."));
            }
            (None, running) => running.map(|rules| rules.folder),
            (given, _) => given,
        };
        let told = file.ship.as_deref().map(str::parse).transpose()?;
        let ship = drill.ship.clone().or(told).map_or_else(|| shipped_to(service.as_ref()), |to| Ok(Some(to)))?;
        let retain = drill.ship_retain.clone().or(file.ship_retain);
        let retain = retain.as_deref().map(str::parse).transpose()?;
        let postgres = drill.postgres.as_deref().map(Dsn::parse).transpose()?;
        refuse_files_within(&drill.ledger, sinks.as_ref().map(|(_, config)| config))?;
        Ok(Self { rules, sinks, ship: ship.map(|to| (to, retain)), postgres })
    }
}

/// Refuses a configuration that lacks a sink of the running one: it would prove less than it says.
fn know_all(config: Option<&Config>, running: &[Named]) -> Result<(), Failure> {
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

/// Where a running service ships to.
fn shipped_to(service: Option<&Remote>) -> Result<Option<Location>, Failure> {
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        shipping: Option<Shipping>,
    }
    #[derive(Deserialize)]
    struct Shipping {
        to: String,
    }
    let Some(service) = service else { return Ok(None) };
    let state: State = service.ask(Call::get("/api/v1/status"))?;
    Ok(state.shipping.map(|shipping| shipping.to.parse()).transpose()?)
}
