//! A ledger as the commands for PostgreSQL use it: recorded as the local administrator, in its folder or through the service
//! that holds the folder, so that both count as one recorder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use counterfoil::{Error, ErrorKind, Ledger, OpenOptions, Reader, Receipt, Result, Snapshot};
use counterfoil_entry::Draft;
use counterfoil_postgres::Trail;
use counterfoil_server::LOCAL_ADMINISTRATOR;

use crate::exit::Failure;
use crate::ledgers;
use crate::remote::{self, Remote};
use crate::writer::Writer;

/// How long a running service may take to publish what it acknowledged (it does within a second).
const PUBLISHED_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A ledger that is written.
pub enum WrittenTrail {
    Folder(Box<Ledger>),
    Service { writer: Writer, folder: PathBuf },
}

/// A ledger that is only read, beside whoever writes.
pub struct ReadTrail(Reader);

impl WrittenTrail {
    /// The ledger in a folder, through its service if one holds it.
    pub fn of(folder: &Path) -> std::result::Result<Self, Failure> {
        refuse_url(folder)?;
        ledgers::check_folder(folder)?;
        if Remote::in_folder(folder)?.is_some() {
            return Ok(Self::Service { writer: Writer::of(folder)?, folder: folder.to_owned() });
        }
        let opened = Ledger::open(folder, OpenOptions::default());
        Ok(Self::Folder(Box::new(opened.map_err(|error| ledgers::held(folder, error))?)))
    }

    /// Lets go of the ledger.
    pub fn close(self) -> Result<()> {
        match self {
            Self::Folder(ledger) => ledger.close(),
            Self::Service { writer, .. } => writer.close(),
        }
    }
}

impl ReadTrail {
    /// The ledger in a folder.
    pub fn of(folder: &Path) -> std::result::Result<Self, Failure> {
        refuse_url(folder)?;
        ledgers::check_folder(folder)?;
        Ok(Self(Reader::open(folder)?))
    }
}

fn refuse_url(folder: &Path) -> std::result::Result<(), Failure> {
    match remote::url(folder) {
        Some(url) => {
            Err(Failure::invalid(format!("{url}: a table is compared with a ledger's folder, not with a service"))
                .advise("Run this where the ledger's folder is; beside a running service it records through it."))
        }
        None => Ok(()),
    }
}

impl Trail for WrittenTrail {
    fn append(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        match self {
            Self::Folder(ledger) => ledger.append_batch_as(LOCAL_ADMINISTRATOR, drafts),
            Self::Service { writer, .. } => writer.append_batch(drafts),
        }
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let (writer, folder) = match self {
            Self::Folder(ledger) => return Ok(ledger.snapshot()),
            Self::Service { writer, folder } => (writer, folder),
        };
        let size = writer.size()?;
        let started = Instant::now();
        loop {
            let snapshot = Reader::open(folder)?.snapshot()?;
            if snapshot.size() >= size {
                return Ok(snapshot);
            }
            if started.elapsed() > PUBLISHED_WITHIN {
                let message = "the running service does not publish its checkpoint";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn recorder(&self) -> Option<&str> {
        Some(LOCAL_ADMINISTRATOR)
    }
}

impl Trail for ReadTrail {
    fn append(&self, _: Vec<Draft>) -> Result<Vec<Receipt>> {
        Err(Error::new(ErrorKind::Denied, "this ledger was opened for reading"))
    }

    fn snapshot(&self) -> Result<Snapshot> {
        self.0.snapshot()
    }

    fn recorder(&self) -> Option<&str> {
        Some(LOCAL_ADMINISTRATOR)
    }
}
