//! A drill on a store: a copy of its own, locked for minutes, and attempts to change what is locked.

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};
use http::Method;
use jiff::{Timestamp, ToSpan};

use crate::keys;
use crate::location::Location;
use crate::lock::Lock;
use crate::s3::{Answer, Ask, S3};
use crate::settings::Settings;
use crate::shipper::Shipper;
use crate::store::{Backend, Stored};

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
            Self::S3 { prefix, .. } if prefix.is_empty() => None,
            Self::S3 { bucket, prefix } => {
                Some(Self::S3 { bucket: bucket.clone(), prefix: format!("{prefix}-drills/{name}") })
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
        let Backend::S3(s3) = &self.store.backend else { return Ok(Vec::new()) };
        let nothing = || Error::new(ErrorKind::NotFound, "nothing was shipped that could be tried");
        let Some(lock) = self.written.lock else { return Ok(Vec::new()) };
        self.store.wait(async {
            let newest = self.store.newest(keys::CHECKPOINTS).await?.ok_or_else(nothing)?;
            let victim = Victim { shipper: self, s3, key: self.store.key(&newest.key), newest, lock };
            let mut attempts = vec![victim.overwrite().await?];
            attempts.push(victim.shorten().await?);
            attempts.push(victim.delete().await?);
            Ok(attempts)
        })
    }
}

struct Victim<'a> {
    shipper: &'a Shipper,
    s3: &'a S3,
    /// Its whole key.
    key: String,
    newest: Stored,
    lock: Lock,
}

impl Victim<'_> {
    fn version(&self) -> Vec<(&'static str, &str)> {
        self.newest.version.iter().map(|version| ("versionId", version.as_str())).collect()
    }

    /// Another version may be put on top, which verification names; the locked one must stay what it is.
    async fn overwrite(&self) -> Result<Attempt> {
        let before = self.shipper.store.get(&self.newest, None).await?;
        let mut headers = self.s3.encryption();
        headers.extend(self.lock.headers());
        let body = Bytes::from_static(b"overwritten in a drill\n");
        let put = Ask { method: Method::PUT, key: &self.key, headers, body, ..Ask::default() };
        let answer = self.s3.ask(&put).await?;
        let what = "overwriting a locked object";
        let found = self.shipper.store.find(&self.newest.key).await?;
        let after = self.shipper.store.get(&self.newest, None).await;
        let held = after.is_ok_and(|after| after == before);
        let seen = !answer.status.is_success() || found.is_some_and(|found| found.newer > 0);
        let answer = match (held, seen) {
            (true, true) if answer.status.is_success() => {
                "the locked version is as it was; the one on top of it is told by verification".to_owned()
            }
            (true, true) => words(&answer),
            (true, false) => "the version that was put on top is not listed".to_owned(),
            (false, _) => "the locked version is not what it was".to_owned(),
        };
        Ok(Attempt { what, held: held && seen, answer })
    }

    async fn shorten(&self) -> Result<Attempt> {
        let until = (Timestamp::now() + SHORTER_MINUTES.minutes()).strftime("%Y-%m-%dT%H:%M:%SZ");
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>",
            self.lock.mode
        );
        let mut query = vec![("retention", "")];
        query.extend(self.version());
        let ask = Ask { method: Method::PUT, key: &self.key, query, body: body.into(), ..Ask::default() };
        let answer = self.s3.ask(&ask).await?;
        Ok(Attempt { what: "shortening a retention", held: is_refusal(&answer), answer: words(&answer) })
    }

    async fn delete(&self) -> Result<Attempt> {
        let ask = Ask { method: Method::DELETE, key: &self.key, query: self.version(), ..Ask::default() };
        let answer = self.s3.ask(&ask).await?;
        let there = self.shipper.store.get(&self.newest, None).await.is_ok();
        Ok(Attempt { what: "deleting a locked version", held: is_refusal(&answer) && there, answer: words(&answer) })
    }
}

fn is_refusal(answer: &Answer) -> bool {
    answer.status.is_client_error()
}

fn words(answer: &Answer) -> String {
    let code = answer.code().map(|code| format!(": {code}")).unwrap_or_default();
    format!("the store answers {}{code}", answer.status.as_u16())
}
