//! What a service answers from: a ledger that it writes, or one that it only reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Ledger, OpenOptions, Result, Snapshot, Status, VerifyOptions};
use counterfoil_entry::EntryBuilder;
use counterfoil_evidence::Report;

use crate::served::Served;
use crate::settings::Settings;
use crate::shipping::{Before, Shipping};
use crate::watched::Watched;

/// What a service answers from.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(crate) enum Backing {
    /// The service is the ledger's writer.
    Writer { folder: PathBuf, ledger: Arc<Ledger>, shipping: Option<Shipping> },
    /// Somebody else writes, or nobody any more.
    Reader(Watched),
}

impl Backing {
    /// Opens what is to be served.
    pub(crate) fn open(served: Served, settings: &Settings) -> Result<Self> {
        match served {
            Served::Ledger(folder, options) => Self::write(&folder, options, settings),
            Served::ReadOnly(folder) => Watched::folder(&folder).map(Self::Reader),
            Served::Copy(location, access) => Watched::copy(location, access).map(Self::Reader),
        }
    }

    fn write(folder: &Path, options: OpenOptions, settings: &Settings) -> Result<Self> {
        let folder = folder.to_owned();
        let Some(ship) = &settings.ship else {
            let ledger = Arc::new(Ledger::open(&folder, options)?);
            return Ok(Self::Writer { folder, ledger, shipping: None });
        };
        let before = Before::ask(ship);
        let opened = Ledger::open(&folder, before.bind(options));
        let ledger = Arc::new(opened.map_err(|error| before.explain(error, ship))?);
        let shipping = Some(Shipping::start(ship, &before, &ledger, &folder)?);
        Ok(Self::Writer { folder, ledger, shipping })
    }

    /// The ledger to write.
    ///
    /// # Errors
    /// `Denied` where it is only read.
    pub(crate) fn writer(&self) -> Result<&Ledger> {
        match self {
            Self::Writer { ledger, .. } => Ok(ledger),
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
            Self::Writer { folder, .. } => Some(folder),
            Self::Reader(_) => None,
        }
    }

    /// The ledger that is only read.
    pub(crate) fn watched(&self) -> Option<&Watched> {
        match self {
            Self::Writer { .. } => None,
            Self::Reader(watched) => Some(watched),
        }
    }

    /// The copy that is kept.
    pub(crate) fn shipping(&self) -> Option<&Shipping> {
        match self {
            Self::Writer { shipping, .. } => shipping.as_ref(),
            Self::Reader(_) => None,
        }
    }

    /// The newest state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Writer { ledger, .. } => ledger.snapshot(),
            Self::Reader(watched) => watched.snapshot(),
        }
    }

    /// The signed checkpoint of a size.
    pub(crate) fn checkpoint_at(&self, size: u64) -> Result<String> {
        match self {
            Self::Writer { ledger, .. } => ledger.checkpoint_at(size),
            Self::Reader(watched) => watched.checkpoint_at(size),
        }
    }

    /// How the ledger is, sources included.
    pub(crate) fn status(&self) -> Result<Status> {
        match self {
            Self::Writer { ledger, .. } => ledger.status(),
            Self::Reader(watched) => Status::of(&watched.snapshot()),
        }
    }

    /// What is wrong with it.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Writer { ledger, .. } => ledger.fault(),
            Self::Reader(watched) => watched.fault(),
        }
    }

    /// Verifies every byte.
    pub(crate) fn verify(&self, options: &VerifyOptions<'_>) -> Result<Report> {
        match self {
            // What is verified is what the newest checkpoint covers, and that must be in the folder first.
            Self::Writer { folder, ledger, .. } => ledger.publish().and_then(|()| counterfoil::verify(folder, options)),
            Self::Reader(watched) => watched.verify(options),
        }
    }

    /// Records an act of the service; one that only reads says it in its log.
    pub(crate) fn record(&self, act: EntryBuilder) -> Result<()> {
        match self {
            Self::Writer { ledger, .. } => ledger.record_act(act).map(drop),
            Self::Reader(_) => {
                let text = act.build_own()?;
                let text = String::from_utf8_lossy(text.client_bytes()).into_owned();
                tracing::info!(entry = text, "not recorded: the ledger is only read");
                Ok(())
            }
        }
    }

    /// Ships what is left and closes the ledger.
    pub(crate) fn close(self) -> Result<()> {
        let Self::Writer { ledger, shipping, .. } = self else { return Ok(()) };
        if let Some(shipping) = shipping {
            shipping.close();
        }
        match Arc::try_unwrap(ledger) {
            Ok(ledger) => ledger.close(),
            Err(ledger) => ledger.publish(),
        }
    }
}
