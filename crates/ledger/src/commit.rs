//! Placing submissions into the next commit: which entries are new, which are repeats, which are refused.

use std::collections::HashMap;
use std::sync::Arc;

use counterfoil_entry::{Draft, Fields, OWN_PREFIX, Timestamp};
use counterfoil_tlog::{Hash, leaf_hash};

use crate::error::{Error, ErrorKind, Result};
use crate::frame::{FrameBuilder, MAX_FRAME_BYTES, MAX_FRAME_ENTRIES};
use crate::sealed::Sealed;
use crate::seen::{Keys, Seen, same_content};
use crate::snapshot::Snapshot;
use crate::sources::Ahead;

/// Entries that one caller wants recorded together.
#[derive(Debug)]
pub(crate) struct Submission {
    pub drafts: Vec<Draft>,
    pub recorder: Option<Arc<str>>,
    /// Whether these are the ledger's own acts.
    pub own: bool,
    /// The segment that they seal: it counts from the very commit on that says so.
    pub seals: Option<Arc<Sealed>>,
}

impl Submission {
    /// Refuses what no ledger takes, whatever it holds.
    pub fn check(&self) -> Result<()> {
        let bytes = self.frame_bytes();
        if self.drafts.len() > MAX_FRAME_ENTRIES || bytes > MAX_FRAME_BYTES {
            return Err(Error::invalid(format!(
                "a batch of {} entries and {bytes} bytes is over the limit of {MAX_FRAME_ENTRIES} entries and \
                 {MAX_FRAME_BYTES} bytes",
                self.drafts.len()
            )));
        }
        if !self.own && self.drafts.iter().any(|draft| draft.event_type().starts_with(OWN_PREFIX)) {
            return Err(Error::invalid("event types that begin with \"ledger.\" are the ledger's own; choose another"));
        }
        Ok(())
    }

    /// Whether any entry has an id or a source.
    pub fn has_keys(&self) -> bool {
        self.drafts.iter().any(|draft| draft.id().is_some() || draft.source().is_some())
    }

    /// The most bytes that its entries add to a frame.
    pub fn frame_bytes(&self) -> usize {
        let recorder = self.recorder.as_deref();
        self.drafts.iter().map(|draft| draft.canonical_len(recorder) + crate::frame::table_bytes(1)).sum()
    }
}

/// Where an entry of a submission ended up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub index: u64,
    /// `None` for an entry of the commit itself, whose entries are hashed together.
    pub leaf: Option<Hash>,
    pub recorded_at: Timestamp,
}

/// The commit that is being put together.
#[derive(Debug)]
pub(crate) struct Commit<'a> {
    /// The state before it.
    pub before: &'a Snapshot,
    pub builder: &'a mut FrameBuilder,
    /// `None` when no submission of the commit has keys.
    pub seen: Option<&'a mut Seen>,
    pub recorded_at: Timestamp,
    /// What was remembered of the commit's entries.
    pub remembered: Vec<(Keys, u64)>,
}

/// By what an entry of a batch may be the same as another: its id, or its source and sequence.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Name<'a> {
    Id(&'a str),
    Sequence(&'a (String, u64)),
}

enum Place {
    New,
    Repeat(Placed),
    RepeatWithin(usize),
}

impl Commit<'_> {
    /// Places all entries of a submission, or none: an error leaves the commit as it was.
    pub fn place(&mut self, submission: &Submission) -> Result<Vec<Placed>> {
        let recorder = submission.recorder.as_deref();
        let keys: Vec<Option<Keys>> = submission.drafts.iter().map(|draft| Keys::of_draft(draft, recorder)).collect();
        let places = self.find_places(submission, &keys)?;
        let mut placed: Vec<Placed> = Vec::with_capacity(places.len());
        for ((draft, keys), place) in submission.drafts.iter().zip(keys).zip(places) {
            placed.push(match place {
                Place::New => self.push(draft, keys, recorder, submission.own),
                Place::Repeat(placed) => placed,
                Place::RepeatWithin(position) => placed[position],
            });
        }
        Ok(placed)
    }

    fn find_places(&self, submission: &Submission, keys: &[Option<Keys>]) -> Result<Vec<Place>> {
        let mut within: HashMap<Name<'_>, usize> = HashMap::new();
        let mut ahead = Ahead::default();
        let mut places = Vec::with_capacity(keys.len());
        for (position, (draft, keys)) in submission.drafts.iter().zip(keys).enumerate() {
            let Some(keys) = keys else {
                places.push(Place::New);
                continue;
            };
            let place = self.find_place(draft, keys).map_err(|error| in_batch(error, position, submission))?;
            let names = [keys.id.as_deref().map(Name::Id), keys.sequence.as_ref().map(Name::Sequence)];
            let earlier = names.iter().flatten().find_map(|name| within.get(name).copied());
            places.push(match (place, earlier) {
                (Place::New, Some(earlier)) => {
                    self.check_same_draft(&submission.drafts[earlier], draft)
                        .map_err(|error| in_batch(error, position, submission))?;
                    Place::RepeatWithin(earlier)
                }
                (Place::New, None) => {
                    self.check_room(keys, &mut ahead).map_err(|error| in_batch(error, position, submission))?;
                    Place::New
                }
                (place, _) => place,
            });
            for name in names.into_iter().flatten() {
                within.entry(name).or_insert(position);
            }
        }
        Ok(places)
    }

    fn check_room(&self, keys: &Keys, ahead: &mut Ahead) -> Result<()> {
        let seen = self.seen.as_deref().expect("a submission with keys finds what was seen");
        keys.source().map_or(Ok(()), |(name, sequence)| seen.sources.check_room(ahead, name, sequence))
    }

    fn find_place(&self, draft: &Draft, keys: &Keys) -> Result<Place> {
        let get = |index: u64| self.entry(index);
        let seen = self.seen.as_deref().expect("a submission with keys finds what was seen");
        let Some(index) = seen.find(keys, self.before, &get)? else { return Ok(Place::New) };
        let recorded = self.entry(index)?;
        if same_content(draft, &recorded)? {
            let recorded_at = Fields::split(&recorded)?.recorded_at;
            return Ok(Place::Repeat(Placed { index, leaf: Some(leaf_hash(&recorded)), recorded_at }));
        }
        let what = match (&keys.id, &keys.sequence) {
            (Some(id), _) => format!("id {id:?}"),
            (None, Some((source, sequence))) => format!("sequence {sequence} of source {source:?}"),
            (None, None) => "it".to_owned(),
        };
        Err(Error::new(ErrorKind::Conflict, format!("{what} was used for entry {index}, which has other content")))
    }

    fn check_same_draft(&self, one: &Draft, other: &Draft) -> Result<()> {
        let same = match other.timestamp() {
            Some(_) => one.content_digest() == other.content_digest(),
            None => one.content_digest_without_timestamp() == other.content_digest_without_timestamp(),
        };
        if same {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "its id or sequence is used twice in the batch, with different content"))
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>> {
        match index.checked_sub(self.before.size()) {
            Some(position) => Ok(self.builder.entry(position as usize).to_vec()),
            None => self.before.entry(index),
        }
    }

    fn push(&mut self, draft: &Draft, keys: Option<Keys>, recorder: Option<&str>, own: bool) -> Placed {
        let position = self.builder.push(own, |out| draft.write_entry(self.recorded_at, recorder, out));
        let index = self.before.size() + position as u64;
        if let (Some(keys), Some(seen)) = (keys, &mut self.seen) {
            seen.remember(&keys, index);
            self.remembered.push((keys, index));
        }
        Placed { index, leaf: None, recorded_at: self.recorded_at }
    }
}

/// Says which entry of a batch an error is about.
pub(crate) fn in_batch(mut error: Error, position: usize, submission: &Submission) -> Error {
    error.position = Some(position);
    if submission.drafts.len() > 1 {
        error.message = format!("entry {} of the batch: {}", position + 1, error.message);
    }
    error
}
