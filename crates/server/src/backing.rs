//! What a service answers from: a ledger that it writes, or one that it only reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Ledger, OpenOptions, Result, Snapshot, Status, VerifyOptions};
use counterfoil_entry::EntryBuilder;
use counterfoil_evidence::Report;
use counterfoil_sink::{Config, Sinks};

use crate::lake::Lake;
use crate::pruning::Pruning;
use crate::served::Served;
use crate::settings::{Settings, Ship};
use crate::shipping::{Before, Shipping};
use crate::upkeep::{self, Upkeep};
use crate::watched::Watched;
use crate::watching::{self, Watching};

/// A ledger that the service writes, and what goes on beside it.
pub(crate) struct Writer {
    folder: PathBuf,
    ledger: Arc<Ledger>,
    shipping: Option<Shipping>,
    lake: Option<Lake>,
    pruning: Option<Upkeep>,
    watching: Option<Watching>,
    sinks: Option<Sinks>,
}

impl Writer {
    fn open(folder: &Path, options: OpenOptions, settings: &Settings) -> Result<Self> {
        let folder = folder.to_owned();
        let before = settings.ship.as_ref().map(|ship| (ship, Before::ask(ship, &folder)));
        let ledger = match &before {
            None => Ledger::open(&folder, options),
            Some((ship, before)) => {
                Ledger::open(&folder, before.bind(options)).map_err(|error| before.explain(error, ship))
            }
        };
        let ledger = Arc::new(ledger?);
        let shipping = before.map(|(ship, before)| Shipping::start(ship, &before, &folder, &ledger)).transpose()?;
        let (lake, pruning) = match (&shipping, &settings.ship) {
            (Some(shipping), Some(ship)) => beside(shipping, ship, &ledger, settings)?,
            _ => (None, None),
        };
        let watching = settings
            .rules
            .as_deref()
            .map(|rules| Watching::start(&folder, rules, &ledger, settings.drill))
            .transpose()?;
        let sinks = settings.sinks.as_ref().map(|sinks| {
            let config = Config { drill: settings.drill, ..sinks.clone() };
            deliver(&config, &folder, &ledger)
        });
        let sinks = sinks.transpose()?;
        Ok(Self { folder, ledger, shipping, lake, pruning, watching, sinks })
    }

    /// Ships what is left and closes the ledger.
    fn close(self) -> Result<()> {
        if let Some(watching) = self.watching {
            watching.close();
        }
        if let Some(sinks) = self.sinks {
            sinks.close();
        }
        if let Some(lake) = self.lake {
            lake.close();
        }
        if let Some(pruning) = self.pruning {
            pruning.close();
        }
        if let Some(shipping) = self.shipping {
            shipping.close();
        }
        match Arc::try_unwrap(self.ledger) {
            Ok(ledger) => ledger.close(),
            Err(ledger) => ledger.publish(),
        }
    }
}

/// Starts what works with the copy.
fn beside(
    shipping: &Shipping,
    ship: &Ship,
    ledger: &Arc<Ledger>,
    settings: &Settings,
) -> Result<(Option<Lake>, Option<Upkeep>)> {
    let lake = settings.lake.as_ref().map(|to| Lake::start(ledger, ship, to, shipping.shipments())).transpose()?;
    let pruning = settings.prune_keep.map(|keep| {
        let (ledger, ship) = (Arc::downgrade(ledger), ship.clone());
        Upkeep::start("prune", Pruning { ledger, ship, shipments: shipping.shipments(), keep })
    });
    Ok((lake, pruning.transpose()?))
}

/// Starts the sinks. One that hangs must not keep the ledger from being closed.
fn deliver(config: &Config, folder: &Path, ledger: &Arc<Ledger>) -> Result<Sinks> {
    let state = crate::state::folder(folder)
        .map_err(|error| Error::new(ErrorKind::Unavailable, format!("{}: {error}", folder.display())))?;
    Sinks::start(config, &state.join("sinks"), Arc::downgrade(ledger))
}

/// What a service answers from.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum Backing {
    /// The service is the ledger's writer.
    Writer(Writer),
    /// Somebody else writes, or nobody any more.
    Reader(Watched),
}

impl Backing {
    /// Opens what is to be served.
    pub(crate) fn open(served: Served, settings: &Settings) -> Result<Self> {
        match served {
            Served::Ledger(folder, options) => Writer::open(&folder, options, settings).map(Self::Writer),
            Served::ReadOnly(folder) => Watched::folder(&folder).map(Self::Reader),
            Served::Copy(location, access) => Watched::copy(location, access).map(Self::Reader),
        }
    }

    /// The ledger to write.
    ///
    /// # Errors
    /// `Denied` where it is only read.
    pub(crate) fn writer(&self) -> Result<&Ledger> {
        match self {
            Self::Writer(writer) => Ok(&writer.ledger),
            Self::Reader(watched) => Err(Error::new(
                ErrorKind::Denied,
                format!(
                    "this service only reads {}: send what is to be recorded to the service that writes",
                    watched.name()
                ),
            )),
        }
    }

    /// The folder of the ledger that is written.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Writer(writer) => Some(&writer.folder),
            Self::Reader(_) => None,
        }
    }

    /// The ledger that is only read.
    pub(crate) fn watched(&self) -> Option<&Watched> {
        match self {
            Self::Writer(_) => None,
            Self::Reader(watched) => Some(watched),
        }
    }

    /// The copy that is kept.
    pub(crate) fn shipping(&self) -> Option<&Shipping> {
        match self {
            Self::Writer(writer) => writer.shipping.as_ref(),
            Self::Reader(_) => None,
        }
    }

    /// The table of the copy.
    pub(crate) fn lake(&self) -> Option<&Lake> {
        match self {
            Self::Writer(writer) => writer.lake.as_ref(),
            Self::Reader(_) => None,
        }
    }

    /// How pruning in the background goes.
    pub(crate) fn pruning(&self) -> Option<upkeep::State> {
        match self {
            Self::Writer(writer) => writer.pruning.as_ref().map(Upkeep::state),
            Self::Reader(_) => None,
        }
    }

    /// The newest state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Writer(writer) => writer.ledger.snapshot(),
            Self::Reader(watched) => watched.snapshot(),
        }
    }

    /// The signed checkpoint of a size.
    pub(crate) fn checkpoint_at(&self, size: u64) -> Result<String> {
        match self {
            Self::Writer(writer) => writer.ledger.checkpoint_at(size),
            Self::Reader(watched) => watched.checkpoint_at(size),
        }
    }

    /// How the ledger is, sources included.
    pub(crate) fn status(&self) -> Result<Status> {
        match self {
            Self::Writer(writer) => writer.ledger.status(),
            Self::Reader(watched) => Status::of(&watched.snapshot()),
        }
    }

    /// What is wrong with it.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Writer(writer) => writer.ledger.fault(),
            Self::Reader(watched) => watched.fault(),
        }
    }

    /// Verifies every byte.
    pub(crate) fn verify(&self, options: &VerifyOptions<'_>) -> Result<Report> {
        match self {
            // What is verified is what the newest checkpoint covers, and that must be in the folder first.
            Self::Writer(writer) => writer.ledger.publish().and_then(|()| counterfoil::verify(&writer.folder, options)),
            Self::Reader(watched) => watched.verify(options),
        }
    }

    /// Records an act of the service; one that only reads says it in its log.
    pub(crate) fn record(&self, act: EntryBuilder) -> Result<()> {
        match self {
            Self::Writer(writer) => writer.ledger.record_act(act).map(drop),
            Self::Reader(_) => {
                let text = act.build_own()?;
                let text = String::from_utf8_lossy(text.client_bytes()).into_owned();
                tracing::info!(entry = text, "not recorded: the ledger is only read");
                Ok(())
            }
        }
    }

    /// How the rules are.
    pub(crate) fn watching(&self) -> Option<watching::State> {
        match self {
            Self::Writer(writer) => writer.watching.as_ref().map(Watching::state),
            Self::Reader(_) => None,
        }
    }

    /// How the sinks are.
    pub(crate) fn sinks(&self) -> Vec<counterfoil_sink::Status> {
        match self {
            Self::Writer(writer) => writer.sinks.as_ref().map_or_else(Vec::new, Sinks::status),
            Self::Reader(_) => Vec::new(),
        }
    }

    /// Ends what goes on and closes the ledger.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Self::Writer(writer) => writer.close(),
            Self::Reader(_) => Ok(()),
        }
    }
}
