//! Which segments a folder may let go of: those whose every byte the bucket holds now, under a lock that lasts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Pruned, Result, SealedSegment, SegmentFile, Snapshot};
use counterfoil_entry::{Fields, Timestamp};
use counterfoil_segment::on_all_cores;
use counterfoil_tlog::{Checkpoint, TreeSize};
use jiff::ToSpan;

use crate::disk::{BucketFile, Shared};
use crate::lock::{self, Lock, MAX_DAYS};
use crate::store::Stored;
use crate::verify::Bucket;

/// The unit in which files are read to be hashed.
const PIECE_BYTES: u64 = 8 << 20;
/// What the files that are being hashed keep in memory.
const CACHE_BYTES: usize = 64 << 20;

/// What stays in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// At least so many of the newest entries.
    Entries(u64),
    /// At least what was recorded in so many days.
    Days(u32),
}

/// `90d`, `100000entries`, or `0`.
impl FromStr for Keep {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = match text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len())) {
            ("0", "") => Some(Self::Entries(0)),
            (days, "d") => days.parse().ok().filter(|days| *days <= MAX_DAYS).map(Self::Days),
            (entries, "entries") => entries.parse().ok().map(Self::Entries),
            _ => None,
        };
        let message =
            || format!("{text:?} does not say what stays: give 90d for days, 100000entries, or 0 for nothing");
        known.ok_or_else(|| Error::new(ErrorKind::Invalid, message()))
    }
}

/// As it is parsed.
impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entries(entries) => write!(f, "{entries}entries"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

impl Keep {
    /// The segments in the folder that need not stay, the oldest first.
    pub fn going(self, snapshot: &Snapshot) -> Result<Vec<SealedSegment>> {
        let mut going = Vec::new();
        let now = jiff::Timestamp::now();
        for segment in snapshot.segments().into_iter().filter(SealedSegment::may_go) {
            let end = segment.first() + segment.count();
            let goes = match self {
                Self::Entries(entries) => end.saturating_add(entries) <= snapshot.size(),
                Self::Days(days) => {
                    let before = (now - (i64::from(days) * 24).hours()).as_microsecond();
                    recorded_at(snapshot, end - 1)?.micros() < before
                }
            };
            if !goes {
                break;
            }
            going.push(segment);
        }
        Ok(going)
    }
}

/// What is asked of a bucket before a folder lets go of segments.
#[derive(Debug, Clone, Copy)]
pub struct Prune {
    /// What stays.
    pub keep: Keep,
    /// The lock that every object must have been written under; none for the bucket's default.
    pub lock: Option<Lock>,
    /// For how many days from now every object must be locked.
    pub locked_days: u32,
}

/// Days for which objects must be locked, where nobody says another number.
pub const DEFAULT_LOCKED_DAYS: u32 = 30;

/// What a folder may let go of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable {
    /// The place, and the entry before which the segments end.
    pub pruned: Pruned,
    /// The size of the bucket's newest checkpoint.
    pub covered: u64,
    /// Segments whose every file the bucket holds, byte for byte.
    pub segments: u64,
    /// The bytes of their files, as they were read from the bucket.
    pub bytes: u64,
    /// When the first of their locks ends.
    pub locked_until: Option<String>,
}

impl Bucket {
    /// Reads every byte of the segments that `prune` does not keep and holds it against the digests in the ledger's own
    /// `ledger.sealed` entries; and the lock of every object. Nothing is removed.
    ///
    /// Errors: `Unavailable` for what was not shipped yet, `Conflict` for a lock that is short or missing, `Tampered` for another
    /// content or another history.
    pub fn prunable(&self, snapshot: &Snapshot, prune: &Prune) -> Result<Prunable> {
        let covered = self.covered(snapshot)?;
        let segments = prune.keep.going(snapshot)?;
        let below = segments.last().map_or(0, |segment| segment.first() + segment.count());
        let mut objects = Vec::new();
        for segment in &segments {
            objects.extend(self.objects_of(segment)?.into_iter().map(|(_, stored)| stored));
        }
        let bytes = objects.iter().map(|stored| stored.size).sum();
        let locked_until = self.check_locked(objects, prune)?;
        let shared = Arc::new(Shared::new(self.store().clone(), PIECE_BYTES, CACHE_BYTES));
        let checked = on_all_cores(segments.iter(), |segment| self.check_content(segment, &shared));
        checked.into_iter().collect::<Result<()>>()?;
        let pruned = Pruned { place: self.location().to_string(), below };
        Ok(Prunable { pruned, covered, segments: segments.len() as u64, bytes, locked_until })
    }

    /// The size of the bucket's newest checkpoint, which must be of this ledger's history.
    fn covered(&self, snapshot: &Snapshot) -> Result<u64> {
        let nothing = || Error::new(ErrorKind::NotFound, "the bucket holds no checkpoint: ship the ledger first");
        let (_, stored) = self.catalog().newest.as_ref().ok_or_else(nothing)?;
        let note = self.store().fetch(stored, None)?;
        let tampered = |reason: String| Error::new(ErrorKind::Tampered, format!("{}: {reason}", stored.key));
        let keys = std::slice::from_ref(snapshot.verifier_key());
        let opened = Checkpoint::open(&note, snapshot.origin(), keys, &[]);
        let Checkpoint { size, root, .. } = opened.map_err(|error| tampered(error.to_string()))?.checkpoint;
        if size.0 > snapshot.size() {
            let message =
                format!("the bucket holds {} entries, this folder {}: read it again", size.0, snapshot.size());
            return Err(Error::new(ErrorKind::Busy, message));
        }
        if counterfoil_tlog::root(snapshot, TreeSize(size.0))? != root {
            return Err(tampered("the bucket holds another history than this folder".into()));
        }
        Ok(size.0)
    }

    /// The three objects of a segment that counts in the bucket, at their keys or, where these were taken, beside them.
    fn objects_of(&self, segment: &SealedSegment) -> Result<Vec<(SegmentFile, Stored)>> {
        let first = segment.first();
        let mut found = Vec::new();
        for file in SegmentFile::ALL {
            let stored = self.catalog().segments.get(&(first, file.extension()));
            let stored = stored.filter(|_| first + segment.count() <= self.disk().sealed());
            let stored = stored.ok_or_else(|| {
                let message =
                    format!("the segment that starts at {first} is not in the bucket yet: ship the ledger first");
                Error::new(ErrorKind::Unavailable, message)
            })?;
            found.push((file, stored.clone()));
        }
        Ok(found)
    }

    fn check_content(&self, segment: &SealedSegment, shared: &Arc<Shared>) -> Result<()> {
        for (file, stored) in self.objects_of(segment)? {
            let key = stored.key.clone();
            let blocks = BucketFile::of_object(stored, shared.clone()).blocks()?;
            if !segment.was_sealed_as(file, &blocks)? {
                let message = format!("{key}: it is not the file that was sealed; nothing was pruned");
                return Err(Error::new(ErrorKind::Tampered, message));
            }
        }
        Ok(())
    }

    /// Checks the lock of every object; when the first of them ends.
    fn check_locked(&self, objects: Vec<Stored>, prune: &Prune) -> Result<Option<String>> {
        let store = self.store();
        let lock = store.wait(lock::check_bucket(store, prune.lock.as_ref()))?;
        let lock = lock.ok_or_else(|| {
            Error::new(
                ErrorKind::Invalid,
                "a folder has no Object Lock: segments are pruned to s3://, gs:// or az:// only",
            )
        })?;
        let report = store.wait(lock::check_objects(store, objects, &lock))?;
        let unlocked = |message: String| Err(Error::new(ErrorKind::Conflict, format!("{message}; nothing was pruned")));
        if let Some(fault) = report.faults.first() {
            return unlocked(format!("the lock of {} does not do: {}", fault.key, fault.message));
        }
        let days = prune.locked_days.min(MAX_DAYS);
        let wanted = jiff::Timestamp::now() + (i64::from(days) * 24).hours();
        match &report.earliest {
            Some(until) if until.parse::<jiff::Timestamp>().is_ok_and(|until| until < wanted) => unlocked(format!(
                "the lock is too short: an object is locked until {until} only, not for {} days: extend its retention, or ask \
                 for less (--locked-days)",
                prune.locked_days
            )),
            _ => Ok(report.earliest),
        }
    }
}

fn recorded_at(snapshot: &Snapshot, index: u64) -> Result<Timestamp> {
    let bytes = snapshot.entry(index)?;
    let fields =
        Fields::check(&bytes).map_err(|error| Error::new(ErrorKind::Damaged, format!("entry {index}: {error}")))?;
    Ok(fields.recorded_at)
}
