//! What stands in a copy, and what of it counts.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::{Config, Error, ErrorKind, Result, SegmentFile};
use futures::{StreamExt, TryStreamExt, stream};

use crate::chain::{Chain, Met, Next};
use crate::judge::{Judge, Tip};
use crate::keys;
use crate::link::{HEADER_BYTES, Link};
use crate::store::{Store, Stored};

/// Headers of journal objects that are read at a time.
const PARALLEL: usize = 16;
/// The most foreign objects that are looked at before the chain is followed from its start.
const MAX_FOREIGN: usize = 1000;

/// What of a copy is the ledger now. Older journal objects and checkpoints are not kept in memory.
#[derive(Debug, Default)]
pub struct Catalog {
    pub config: Option<Stored>,
    /// By first index and ending.
    pub segments: BTreeMap<(u64, &'static str), Stored>,
    pub attachments: Vec<Stored>,
    /// The newest checkpoint of the ledger that the journal objects reach, and its size.
    pub newest: Option<(u64, Stored)>,
    /// None where there is no `ledger.toml` to know the ledger by.
    pub judge: Option<Judge>,
    /// The newest journal objects, from the beginning of a journal file that counts.
    links: Vec<(Link, Stored)>,
    /// What the last of them is.
    tip: Tip,
    /// Segments that stand beside their keys, or say so: first index, ending and mark.
    beside: Vec<(u64, &'static str, String, Stored)>,
    /// The marks of the journal objects that were the first to count segments, and below which entry these end.
    marks: Vec<(u64, String)>,
    /// Keys of segments that are not the ledger's.
    pub foreign: BTreeSet<String>,
}

/// The part of a copy's journal that is the ledger now.
#[derive(Debug)]
pub struct Current {
    /// The entries below are in segments.
    pub sealed: u64,
    /// The journal files that count: the index that names each, and its objects in order.
    pub files: Vec<(u64, Vec<(Link, Stored)>)>,
}

impl Catalog {
    /// Finds what counts, from the newest objects back. `NotFound` when there is no copy.
    pub async fn read(store: &Store) -> Result<Self> {
        let mut catalog = Self { config: store.find(keys::CONFIG).await?, ..Self::default() };
        if let Some(config) = &catalog.config {
            catalog.judge = Config::parse(&store.get(config, None).await?).ok().map(Judge::new);
        } else if store.page(keys::CHECKPOINTS, "").await?.0.is_empty() {
            let place = store.address("");
            let place = place.trim_end_matches('/');
            let message = format!(
                "there is no copy of a ledger at {place}: no ledger.toml and no checkpoint. Name its bucket and prefix, or put one there: \
                 counterfoil ship LEDGER {place}"
            );
            return Err(Error::new(ErrorKind::NotFound, message));
        }
        catalog.list(store, "").await?;
        if !catalog.beside.is_empty() {
            return catalog.follow(store).await.map(|()| catalog);
        }
        let Some(judge) = catalog.judge.clone() else { return Ok(catalog) };
        let chain = Chain { store, judge: &judge };
        let mut firsts: Vec<u64> = catalog.segments.keys().map(|(first, _)| *first).collect();
        firsts.dedup();
        let mut back = 2;
        loop {
            let start = firsts.len().checked_sub(back).map_or(0, |at| firsts[at]);
            if catalog.look_from(&chain, start).await? {
                return Ok(catalog);
            }
            if start == 0 {
                return catalog.follow(store).await.map(|()| catalog);
            }
            back *= 4;
        }
    }

    /// Takes in what was shipped since, by following the chain; whether a newer checkpoint counts.
    pub async fn grow(&mut self, store: &Store) -> Result<bool> {
        let Some(judge) = self.judge.clone() else { return Ok(false) };
        let chain = Chain { store, judge: &judge };
        let known = self.newest.as_ref().map_or(0, |(size, _)| *size);
        let sealed = self.sealed();
        self.step_on(&chain).await?;
        let Some(newest) = self.newest_above(&chain, known).await? else { return Ok(false) };
        self.newest = Some(newest);
        // Of the newest segment that counted, some files may have been missing; a key behind it is anybody's.
        let counted = self.segments.range(..(sealed, "")).next_back().map(|((first, _), _)| *first);
        self.list(store, &counted.map(keys::segment_of).unwrap_or_default()).await?;
        self.place_beside();
        let done = self.marks.partition_point(|(sealed, _)| counted.is_some_and(|first| *sealed <= first));
        self.marks.drain(..done.min(self.marks.len().saturating_sub(1)));
        Ok(true)
    }

    /// Puts the segments that stand beside their keys into their places: those with the mark of the journal object that was the
    /// first to count them. Nobody knew it before.
    fn place_beside(&mut self) {
        for (first, extension, mark, stored) in std::mem::take(&mut self.beside) {
            let key = stored.key.clone();
            let counted = self.marks.iter().find(|(sealed, _)| *sealed > first);
            let taken = match counted.filter(|(_, counted)| *counted == mark) {
                Some(_) => self.segments.insert((first, extension), stored).map(|taken| taken.key),
                None => Some(key),
            };
            self.foreign.extend(taken);
        }
    }

    /// Takes in the next object of the chain, and lets go of the journal files that count no more.
    fn take(links: &mut Vec<(Link, Stored)>, marks: &mut Vec<(u64, String)>, next: &Next) {
        let link = next.own.link;
        if link.offset == 0 {
            // What counted when the file before began may count still, under the newest checkpoint.
            let sealed = links.iter().rfind(|(link, _)| link.offset == 0).map_or(0, |(link, _)| link.sealed);
            let needed = links.iter().rposition(|(link, _)| link.offset == 0 && link.file <= sealed);
            links.drain(..needed.unwrap_or(0));
        }
        links.push((link, next.stored.clone()));
        if link.sealed > marks.last().map_or(0, |(sealed, _)| *sealed) {
            marks.push((link.sealed, next.own.mark.clone()));
        }
    }

    /// Follows the whole chain from its start, every object checked: the way that nothing leads astray.
    pub async fn follow(&mut self, store: &Store) -> Result<()> {
        let Some(judge) = self.judge.clone() else { return Ok(()) };
        let chain = Chain { store, judge: &judge };
        let (links, marks) = (&mut self.links, &mut self.marks);
        (*links, *marks) = (Vec::new(), Vec::new());
        self.tip = chain
            .walk(Tip::default(), &mut |met| {
                if let Met::Next(next) | Met::Torn(next, _) = met {
                    Self::take(links, marks, next);
                }
            })
            .await?;
        self.place_beside();
        self.newest = self.newest_above(&chain, 0).await?;
        Ok(())
    }

    /// The newest checkpoint where one of the newest journal objects ends.
    async fn newest_above(&self, chain: &Chain<'_>, size: u64) -> Result<Option<(u64, Stored)>> {
        for (link, _) in self.links.iter().rev().take_while(|(link, _)| link.end() > size) {
            if let Some((stored, _)) = chain.checkpoint(link.end()).await? {
                return Ok(Some((link.end(), stored)));
            }
        }
        Ok(None)
    }

    /// Lists the segments behind a key, and the attachments.
    async fn list(&mut self, store: &Store, after: &str) -> Result<()> {
        let (segments, beside) = (&mut self.segments, &mut self.beside);
        let known =
            |extension: &str| SegmentFile::ALL.into_iter().map(SegmentFile::extension).find(|e| *e == extension);
        let mut add = |stored: Stored| {
            let (key, mark) =
                keys::split_mark(&stored.key).map_or((&*stored.key, None), |(key, mark)| (key, Some(mark)));
            let place = keys::segment(key).and_then(|(first, extension)| Some((first, known(extension)?)));
            match (place, mark.map(str::to_owned)) {
                (Some((first, extension)), Some(mark)) => beside.push((first, extension, mark, stored)),
                (Some(place), None) => drop(segments.insert(place, stored)),
                (None, _) => {}
            }
        };
        store.list(keys::SEGMENTS, after, &mut add).await?;
        let mut attachments = Vec::new();
        let mut add = |stored: Stored| attachments.extend(keys::attachment(&stored.key).is_some().then_some(stored));
        store.list(keys::ATTACHMENTS, "", &mut add).await?;
        self.attachments = attachments;
        Ok(())
    }

    /// Looks at what was shipped since the segment that begins at `start`; whether that is enough.
    async fn look_from(&mut self, chain: &Chain<'_>, start: u64) -> Result<bool> {
        let listed = numbered(chain.store, keys::CHECKPOINTS, start).await?;
        let newest = chain.first_signed(listed.into_iter().rev().take(MAX_FOREIGN)).await?;
        let Some((newest, _)) = newest else { return Ok(false) };
        let size = keys::numbered(&newest.key, keys::CHECKPOINTS).expect("its key says so");
        let mut listed = numbered(chain.store, keys::JOURNAL, start).await?;
        listed.retain(|stored| keys::numbered(&stored.key, keys::JOURNAL).is_some_and(|number| number < size));
        let Some(links) = backwards(chain.store, &listed, size).await? else { return Ok(false) };
        let (_, last) = links.last().expect("there is one");
        let object = chain.store.get(last, None).await?;
        let Ok(own) = chain.judge.own(&last.key, &object) else { return Ok(false) };
        (self.tip, self.links, self.newest) = (Tip::of(own.link, &object), links, Some((size, newest)));
        // Whatever was counted before stands at its keys.
        self.marks = vec![(own.link.sealed, String::new())];
        self.step_on(chain).await?;
        Ok(true)
    }

    /// Takes in the objects behind the tip.
    async fn step_on(&mut self, chain: &Chain<'_>) -> Result<()> {
        while let Some(next) = chain.step(&self.tip).await? {
            self.tip = next.tip();
            Self::take(&mut self.links, &mut self.marks, &next);
        }
        Ok(())
    }

    /// The entries that are in segments under the newest checkpoint.
    fn sealed(&self) -> u64 {
        let size = self.newest.as_ref().map_or(0, |(size, _)| *size);
        let covered = self.links.iter().rev().find(|(link, _)| link.end() <= size);
        covered.map_or(0, |(link, _)| link.sealed)
    }

    /// What of the journal is the ledger now.
    pub fn current(&self) -> Current {
        let size = self.newest.as_ref().map_or(0, |(size, _)| *size);
        let sealed = self.sealed();
        let begins = self.links.iter().rposition(|(link, _)| link.offset == 0 && link.file <= sealed);
        let mut files: Vec<(u64, Vec<(Link, Stored)>)> = Vec::new();
        let mut end = sealed;
        for (link, stored) in &self.links[begins.unwrap_or(0)..] {
            if link.end() > size && link.first > end {
                // It rests on segments that count with the next checkpoint, and so does all behind it.
                break;
            }
            end = link.end();
            match files.last_mut() {
                Some((file, parts)) if *file == link.file => parts.push((*link, stored.clone())),
                _ => files.push((link.file, vec![(*link, stored.clone())])),
            }
        }
        Current { sealed, files }
    }

    /// The key of the newest journal object, and its digest: what a later verification goes on from.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }
}

/// The objects with numbers in their keys, from a number on.
async fn numbered(store: &Store, folder: &str, start: u64) -> Result<Vec<Stored>> {
    let mut found = Vec::new();
    let mut add = |stored: Stored| found.extend(keys::numbered(&stored.key, folder).is_some().then_some(stored));
    store.list(folder, &keys::before(folder, start), &mut add).await?;
    Ok(found)
}

/// The journal objects that lead to a checkpoint of `size`, by their headers: backwards until a journal file begins where
/// the segments end or before. Nothing where that does not come together.
async fn backwards(store: &Store, listed: &[Stored], size: u64) -> Result<Option<Vec<(Link, Stored)>>> {
    let mut links: Vec<(Link, Stored)> = Vec::new();
    let mut foreign = 0;
    for chunk in listed.rchunks(PARALLEL) {
        let headers = stream::iter(chunk).map(|stored| header(store, stored));
        let headers: Vec<_> = headers.buffered(PARALLEL).try_collect().await?;
        for (header, stored) in headers.into_iter().zip(chunk).rev() {
            let fits = |link: &Link| match links.last() {
                Some((behind, _)) => link.end() == behind.from,
                None => link.from < size && size <= link.end(),
            };
            let Some(link) = header.filter(fits) else {
                foreign += 1;
                continue;
            };
            links.push((link, stored.clone()));
            let sealed = links.iter().find(|(link, _)| link.end() <= size).map(|(link, _)| link.sealed);
            if link.from == 0 || link.offset == 0 && sealed.is_some_and(|sealed| link.file <= sealed) {
                links.reverse();
                return Ok(Some(links));
            }
        }
        if foreign > MAX_FOREIGN {
            break;
        }
    }
    Ok(None)
}

/// What an object says of itself; nothing where it is no journal object of its key.
async fn header(store: &Store, stored: &Stored) -> Result<Option<Link>> {
    if stored.size < HEADER_BYTES as u64 {
        return Ok(None);
    }
    let head = match store.get(stored, Some(0..HEADER_BYTES as u64)).await {
        Err(error) if matches!(error.kind, ErrorKind::Damaged | ErrorKind::NotFound) => return Ok(None),
        head => head?,
    };
    let link = Link::parse(&stored.key, &head).ok();
    Ok(link.filter(|link| keys::numbered(&stored.key, keys::JOURNAL) == Some(link.from)))
}
