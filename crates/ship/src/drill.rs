//! A drill on a store: a copy of its own, locked for minutes, and attempts to change what is locked.

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use jiff::{Timestamp, ToSpan};

use crate::backend::{Attack, Said};
use crate::keys;
use crate::location::Location;
use crate::lock::Lock;
use crate::settings::Settings;
use crate::shipper::Shipper;
use crate::store::{Store, Stored};

/// How long the objects of a drill are locked.
const LOCKED_MINUTES: u32 = 10;
/// The retention that an attempt asks for in place of that.
const SHORTER_MINUTES: i64 = 1;

/// An attempt on an object that is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub what: &'static str,
    /// Whether it came to nothing, as it should.
    pub held: bool,
    /// What the store answered.
    pub answer: String,
}

impl Location {
    /// Where the copy of a drill stands: beside this one, which takes no strange objects. None for a copy that fills its bucket.
    pub fn of_drill(&self, name: &str) -> Option<Self> {
        match self {
            Self::Bucket { prefix, .. } if prefix.is_empty() => None,
            Self::Bucket { service, bucket, prefix } => {
                let prefix = format!("{prefix}-drills/{name}");
                Some(Self::Bucket { service: *service, bucket: bucket.clone(), prefix })
            }
            Self::Folder { path } => {
                let mut beside = path.clone().into_os_string();
                beside.push("-drills");
                Some(Self::Folder { path: std::path::PathBuf::from(beside).join(name) })
            }
        }
    }
}

impl Shipper {
    /// A shipper for a drill: what it puts is locked as [`Shipper::open`] has it, for minutes only.
    pub fn open_for_drill(location: &Location, settings: &Settings, lock: Option<Lock>) -> Result<Self> {
        let mut shipper = Self::open(location, settings, lock)?;
        let brief = |lock: Lock| Lock { days: 0, minutes: LOCKED_MINUTES, legal_hold: false, ..lock };
        shipper.written.lock = shipper.written.lock.map(brief);
        Ok(shipper)
    }

    /// Tries to change and to remove the newest checkpoint that was shipped; nothing where the store has no locks.
    ///
    /// Errors: those of asking the store; a store that gives way is none.
    pub fn try_to_destroy(&self) -> Result<Vec<Attempt>> {
        let nothing = || Error::new(ErrorKind::NotFound, "nothing was shipped that could be tried");
        let Some(lock) = self.written.lock else { return Ok(Vec::new()) };
        self.store.wait(async {
            let newest = self.store.last_page(keys::CHECKPOINTS).await?.pop().ok_or_else(nothing)?;
            let victim = Victim { store: &self.store, key: self.store.key(&newest.key), newest };
            let until = Timestamp::now() + SHORTER_MINUTES.minutes();
            let shorter = Attack::Shorten { mode: lock.mode, until };
            let attempts = [
                victim.overwrite().await?,
                victim.attack("shortening a retention", shorter).await?,
                victim.attack("deleting a locked version", Attack::Delete).await?,
            ];
            Ok(attempts.into_iter().flatten().collect())
        })
    }
}

struct Victim<'a> {
    store: &'a Store,
    /// Its whole key.
    key: String,
    newest: Stored,
}

impl Victim<'_> {
    /// Another version may be put on top, which verification names; the locked one must stay what it is.
    async fn overwrite(&self) -> Result<Option<Attempt>> {
        let before = self.store.get(&self.newest, None).await?;
        let Some((_, tag)) = self.store.backend.current(&self.key).await? else { return Ok(None) };
        let body = Bytes::from_static(b"overwritten in a drill\n");
        let put = self.store.backend.put_over(&self.key, body, &tag).await;
        let found = self.store.find(&self.newest.key).await?;
        let is_same = self.store.get(&self.newest, None).await.is_ok_and(|after| after == before);
        let is_told = put.is_err() || found.is_some_and(|found| found.newer > 0);
        let answer = match (is_same, is_told, put) {
            (false, ..) => "the locked version is not what it was".to_owned(),
            (_, false, _) => "the version that was put on top is not listed".to_owned(),
            (_, _, Err(error)) => error.message,
            _ => "the locked version is as it was; the one on top of it is told by verification".to_owned(),
        };
        Ok(Some(Attempt { what: "overwriting a locked object", held: is_same && is_told, answer }))
    }

    async fn attack(&self, what: &'static str, attack: Attack) -> Result<Option<Attempt>> {
        let version = self.newest.version.as_deref().unwrap_or_default();
        let said = self.store.backend.attack(&self.key, version, attack).await?;
        let is_there = self.store.get(&self.newest, None).await.is_ok();
        Ok(said.map(|Said { refused, words }| Attempt { what, held: refused && is_there, answer: words }))
    }
}
