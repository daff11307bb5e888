//! A ledger that is only read, in a folder or in an object store, and looked at again and again.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Reader, Result, Snapshot, VerifyOptions, verify};
use counterfoil_evidence::Report;
use counterfoil_ship::{Bucket, Checkpoints, Location, Settings};
use counterfoil_tlog::Checkpoint;

/// How often a folder is looked at.
const FOLDER_STEP: Duration = Duration::from_secs(1);

/// How often an object store is looked at.
const COPY_STEP: Duration = Duration::from_secs(5);

/// Where it is read.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
enum Place {
    Folder(PathBuf),
    /// `bucket` is held while the store is asked for more, and by nobody else.
    Copy {
        location: Location,
        settings: Settings,
        bucket: Mutex<Bucket>,
        checkpoints: Checkpoints,
    },
}

/// A ledger that is only read.
pub(crate) struct Watched {
    place: Place,
    reader: Reader,
    newest: RwLock<Snapshot>,
    fault: Mutex<Option<String>>,
}

impl Watched {
    /// The ledger in a folder.
    pub(crate) fn folder(path: &Path) -> Result<Self> {
        Self::open(Place::Folder(path.to_owned()), Reader::open(path)?)
    }

    /// The copy in an object store.
    pub(crate) fn copy(location: Location, settings: Settings) -> Result<Self> {
        let bucket = Bucket::open(&location, &settings)?;
        let reader = bucket.reader()?;
        let checkpoints = bucket.checkpoints();
        Self::open(Place::Copy { location, settings, bucket: Mutex::new(bucket), checkpoints }, reader)
    }

    fn open(place: Place, reader: Reader) -> Result<Self> {
        let newest = RwLock::new(reader.snapshot()?);
        Ok(Self { place, reader, newest, fault: Mutex::default() })
    }

    /// Where it is.
    pub(crate) fn name(&self) -> String {
        match &self.place {
            Place::Folder(path) => path.display().to_string(),
            Place::Copy { location, .. } => location.to_string(),
        }
    }

    /// How often it is looked at.
    pub(crate) fn step(&self) -> Duration {
        match self.place {
            Place::Folder(_) => FOLDER_STEP,
            Place::Copy { .. } => COPY_STEP,
        }
    }

    /// The newest state that was seen.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.newest.read().expect("no panic while held").clone()
    }

    /// Why the newest look at it failed, if it did.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().expect("no panic while held").clone()
    }

    /// Looks at it again. What was seen stays until it is extended: a place that is gone or shows another history is a fault.
    pub(crate) fn refresh(&self) {
        let looked = self.look();
        if let Err(error) = &looked {
            tracing::warn!(detail = error.message, "what is served could not be looked at again");
        }
        *self.fault.lock().expect("no panic while held") = looked.err().map(|error| error.to_string());
    }

    fn look(&self) -> Result<()> {
        if let Place::Copy { bucket, .. } = &self.place {
            bucket.lock().expect("no panic while held").refresh()?;
        }
        let before = self.snapshot();
        if self.reader.is_current(&before)? {
            return Ok(());
        }
        let now = self.reader.snapshot()?;
        if now.size() < before.size() || now.root_at(before.size())? != before.root() {
            return Err(Error::new(
                ErrorKind::Tampered,
                format!(
                    "{} no longer begins with the {} entries that were seen before: it was rolled back or rewritten",
                    self.name(),
                    before.size()
                ),
            ));
        }
        if now.size() > before.size() {
            *self.newest.write().expect("no panic while held") = now;
        }
        Ok(())
    }

    /// The signed checkpoint of a size, as far as one is kept: nothing is signed here.
    pub(crate) fn checkpoint_at(&self, size: u64) -> Result<String> {
        let snapshot = self.snapshot();
        if size == snapshot.size() {
            return Ok(snapshot.checkpoint().to_owned());
        }
        let kept = match &self.place {
            Place::Folder(_) => None,
            Place::Copy { checkpoints, .. } => checkpoints.of(size)?,
        };
        let none = || {
            let newest = snapshot.size();
            let message =
                format!("no checkpoint of {size} entries is kept, and nothing is signed here: ask for size {newest}");
            Error::new(ErrorKind::NotFound, message)
        };
        let note = kept.ok_or_else(none)?;
        let key = std::slice::from_ref(snapshot.verifier_key());
        let opened = Checkpoint::open(&note, snapshot.origin(), key, &[]);
        let opened = opened.map_err(|error| Error::new(ErrorKind::Tampered, format!("checkpoint {size}: {error}")))?;
        if opened.checkpoint.root != snapshot.root_at(opened.checkpoint.size.0)? || opened.checkpoint.size.0 != size {
            return Err(Error::new(ErrorKind::Tampered, format!("checkpoint {size} is not one of these entries")));
        }
        String::from_utf8(note).map_err(|_| Error::new(ErrorKind::Damaged, format!("checkpoint {size} is not UTF-8")))
    }

    /// Verifies every byte, with whatever stands there now.
    pub(crate) fn verify(&self, options: &VerifyOptions<'_>) -> Result<Report> {
        match &self.place {
            Place::Folder(path) => verify(path, options),
            Place::Copy { location, settings, .. } => Bucket::open(location, settings)?.verify(options),
        }
    }
}
