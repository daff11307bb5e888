//! Object Lock: what a bucket must have before the first byte, what each object is written under, and what it has.

use std::fmt;
use std::str::FromStr;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::catalog;
use counterfoil_evidence::Finding;
use counterfoil_tlog::{Note, Signer};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan};

use crate::backend::{Held, Keeping};
use crate::location::Location;
use crate::store::{Store, Stored};

/// Objects that are asked after at a time.
const PARALLEL: usize = 16;
/// What clocks of a store and this machine may differ by, in seconds.
const CLOCK_SLACK: i64 = 300;
const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;
/// A hundred years: the most days that mean anything here.
pub const MAX_DAYS: u32 = 36_500;

/// Who may end a retention early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Whoever has a special right.
    Governance,
    /// Nobody, the owner of the account included.
    Compliance,
}

impl LockMode {
    fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl FromStr for LockMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let modes = [Self::Governance, Self::Compliance];
        let known = modes.into_iter().find(|mode| mode.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                format!("{text:?} is no lock mode: write compliance or governance, as in compliance:2190"),
            )
        })
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every object is written under: one object holds entries of many retention classes, so the longest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Who may end it early.
    pub mode: LockMode,
    /// For how many days from the moment it is written.
    pub days: u32,
    /// And so many minutes: what a drill puts is kept for these alone.
    pub minutes: u32,
    /// Whether it is kept beyond that until somebody lifts the hold.
    pub legal_hold: bool,
}

impl Lock {
    /// A lock of this mode and length without a legal hold. `Invalid` for no days, or more than a century.
    pub fn new(mode: LockMode, days: u32) -> Result<Self> {
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(Error::new(ErrorKind::Invalid, format!("a retention has 1 to {MAX_DAYS} days, not {days}")));
        }
        Ok(Self { mode, days, minutes: 0, legal_hold: false })
    }

    fn span(&self) -> jiff::Span {
        (i64::from(self.days) * 24).hours().minutes(self.minutes)
    }

    /// When a lock that begins now ends.
    pub(crate) fn until(&self) -> Timestamp {
        Timestamp::now() + self.span()
    }
}

/// A retention as it is asked for: `compliance:2190`, or `compliance` alone for the longest retention class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    mode: LockMode,
    days: Option<u32>,
}

impl Retention {
    /// The lock of every object, of a ledger with this class by default. An object holds entries of many types, so without days
    /// the longest class of the event catalog decides. `Invalid` for a class that names no time.
    pub fn lock(&self, class: &str) -> Result<Lock> {
        if let Some(days) = self.days {
            return Lock::new(self.mode, days);
        }
        let own = class_days(class).ok_or_else(|| {
            let message = format!(
                "the ledger's retention class {class:?} names no time: say how many days, as in {}:2190",
                self.mode
            );
            Error::new(ErrorKind::Invalid, message)
        })?;
        let longest = catalog::all().iter().filter_map(|event| class_days(event.retention_class)).max();
        Lock::new(self.mode, longest.map_or(own, |days| days.max(own)))
    }
}

impl FromStr for Retention {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((mode, days)) = text.split_once(':') else { return Ok(Self { mode: text.parse()?, days: None }) };
        let no_days = |_| Error::new(ErrorKind::Invalid, format!("{days:?} is no number of days"));
        let lock = Lock::new(mode.parse()?, days.parse().map_err(no_days)?)?;
        Ok(Self { mode: lock.mode, days: Some(lock.days) })
    }
}

impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = self.mode.name().to_ascii_lowercase();
        match self.days {
            Some(days) => write!(f, "{mode}:{days}"),
            None => f.write_str(&mode),
        }
    }
}

/// The days of a class such as `sec_6y` or `pci_12m`, never too few.
fn class_days(class: &str) -> Option<u32> {
    let (_, time) = class.rsplit_once('_')?;
    let (unit, days) = [('y', 366), ('m', 31), ('d', 1)].into_iter().find(|(unit, _)| time.ends_with(*unit))?;
    time.strip_suffix(unit)?.parse::<u32>().ok()?.checked_mul(days)
}

/// Refuses a bucket that keeps nothing from being deleted, and one without a default where none is asked for. The lock that
/// objects will have.
pub(crate) async fn check_bucket(store: &Store, wanted: Option<&Lock>) -> Result<Option<Lock>> {
    chosen(store.backend.keeping().await?, wanted)
}

/// The same for what is to be written: a lock that is asked for must not be less than the bucket's own.
pub(crate) async fn check_bucket_to_write(store: &Store, wanted: Option<&Lock>) -> Result<Option<Lock>> {
    let keeping = store.backend.keeping().await?;
    let default = keeping.as_ref().filter(|keeping| keeping.each).and_then(|keeping| keeping.default);
    match (wanted, default) {
        (Some(wanted), Some(default)) if wanted.days < default.days || wanted.mode < default.mode => invalid(format!(
            "the bucket keeps what is put there under {}:{} by default, and {}:{} was asked for, which is less: ask for at least as much, or leave --retain out",
            default.mode, default.days, wanted.mode, wanted.days
        )),
        _ => chosen(keeping, wanted),
    }
}

/// Refuses a lock that is less than what an object has that is there.
pub(crate) async fn refuse_less(store: &Store, object: &Stored, lock: &Lock) -> Result<()> {
    let key = store.key(&object.key);
    let Some(version) = &object.version else { return Ok(()) };
    let Some(Held { mode, until, legal_hold }) = store.backend.lock_of(&key, version).await? else { return Ok(()) };
    let seconds = (date(&key, &until)? - date(&key, &object.modified)?).as_secs() - CLOCK_SLACK;
    let days = seconds.max(0).unsigned_abs().div_ceil(SECONDS_OF_A_DAY);
    if mode <= lock.mode && days <= u64::from(lock.days) && (lock.legal_hold || !legal_hold) {
        return Ok(());
    }
    let (name, hold) = (mode.name().to_ascii_lowercase(), if legal_hold { " --legal-hold" } else { "" });
    invalid(format!(
        "{key}, the newest object there, was put under --retain {name}:{days}{hold}, and the bucket's default of {}:{} is less: say --retain {name}:{days}{hold}, or what else it shall be",
        lock.mode, lock.days
    ))
}

fn chosen(keeping: Option<Keeping>, wanted: Option<&Lock>) -> Result<Option<Lock>> {
    let Some(keeping) = keeping else {
        return match wanted {
            Some(_) => {
                invalid("a folder has no Object Lock: ship to s3://, gs:// or az://, or without a retention".into())
            }
            None => Ok(None),
        };
    };
    match (wanted.copied(), keeping.default) {
        (Some(_), _) if !keeping.each => invalid(keeping.advice),
        (Some(lock), _) | (None, Some(lock)) => Ok(Some(lock)),
        (None, None) => invalid(keeping.advice),
    }
}

fn invalid<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::Invalid, message))
}

/// What is wrong with the lock of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockFault {
    /// The object's key behind the prefix.
    pub key: String,
    /// The version that was looked at: the oldest.
    pub version: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// The lock on one version, as the store tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectLock {
    /// The object's key behind the prefix.
    pub key: String,
    /// The version.
    pub version: String,
    /// `COMPLIANCE` or `GOVERNANCE`, and the date; `none` without a lock.
    pub lock: String,
}

/// What `--check` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LockReport {
    /// How many objects were asked after.
    pub objects: u64,
    /// Their locks.
    pub locks: Vec<ObjectLock>,
    /// The earliest moment at which one of them may be deleted.
    pub earliest: Option<String>,
    /// What is wrong with the locks.
    pub faults: Vec<LockFault>,
    /// What is missing, or was put there by somebody else.
    pub findings: Vec<Finding>,
}

impl LockReport {
    /// The report as a note that the ledger's key signs: where and when, then key, version, mode and date of each object.
    /// It is no checkpoint: its second line is no number.
    pub fn attestation(&self, location: &Location, signer: &dyn Signer) -> Result<String> {
        let mut text = format!("counterfoil-lock-check/v1\n{location}\n{}\n", Timestamp::now());
        for found in &self.locks {
            text.push_str(&format!("{} {} {}\n", found.key, found.version, found.lock));
        }
        let mut note = Note::new(text)?;
        note.sign(signer)?;
        Ok(note.to_string())
    }
}

/// Reads mode and date of every object and holds them against `lock`.
pub(crate) async fn check_objects(store: &Store, objects: Vec<Stored>, lock: &Lock) -> Result<LockReport> {
    let mut report = LockReport::default();
    let asked = stream::iter(objects).map(|object| async move {
        let found = check_object(store, &object, lock).await?;
        Ok::<_, Error>((object, found))
    });
    let mut asked = asked.buffered(PARALLEL);
    while let Some((object, (lock, until, fault))) = asked.try_next().await? {
        report.objects += 1;
        let version = object.version.clone().unwrap_or_default();
        report.locks.push(ObjectLock { key: object.key.clone(), version, lock });
        if let Some(until) = until
            && report.earliest.as_ref().is_none_or(|earliest| until < *earliest)
        {
            report.earliest = Some(until);
        }
        if let Some(message) = fault {
            report.faults.push(LockFault { version: object.version.unwrap_or_default(), key: object.key, message });
        }
    }
    Ok(report)
}

/// A moment as a store tells it of an object.
fn date(key: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|_| Error::new(ErrorKind::Unavailable, format!("{key}: {text:?} is no date")))
}

async fn check_object(store: &Store, object: &Stored, lock: &Lock) -> Result<(String, Option<String>, Option<String>)> {
    let key = store.key(&object.key);
    let Some(version) = &object.version else {
        return Ok(("none".into(), None, Some("no version of it is there, only a delete marker".into())));
    };
    let Some(Held { mode, until, legal_hold }) = store.backend.lock_of(&key, version).await? else {
        return Ok(("none".into(), None, Some("it has no lock".into())));
    };
    let needed = date(&key, &object.modified)? + lock.span() - CLOCK_SLACK.seconds();
    let fault = if mode < lock.mode {
        Some(format!("its mode is {mode}, less than {}", lock.mode))
    } else if date(&key, &until)? < needed {
        Some(format!("it is locked until {until}, for less than {} days from when it was written", lock.days))
    } else if lock.legal_hold && !legal_hold {
        Some("it has no legal hold".into())
    } else {
        None
    };
    Ok((format!("{mode} {until}"), Some(until), fault))
}
