//! Which sequence numbers of which source the ledger has: repeats are found for ever, gaps are reported.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};

/// The most separate ranges of seen numbers that one source may have: more gaps than this are refused as `Busy`.
pub const MAX_OPEN_RANGES: usize = 1_024;
/// How far a number may lie beyond the highest one seen.
pub const MAX_AHEAD: u64 = 1_000_000;
/// The most sources that a ledger follows.
pub const MAX_SOURCES: usize = 100_000;
/// The most sources of one recorder. Whoever has the ledger without a credential has all of it.
pub const MAX_OWN_SOURCES: usize = 10_000;

/// A recording program, as the credential that submitted its entries and the name it gave itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName {
    /// The credential, if the ledger was told one.
    pub recorder: Option<String>,
    /// The program's own name.
    pub source: String,
}

/// The sequence numbers that a source has used: inclusive ranges, ascending, never touching.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// The ranges as they stand in an index file.
    pub fn from_parts(ranges: Vec<(u64, u64)>) -> Self {
        Self(ranges)
    }

    /// The ranges, ascending.
    pub fn parts(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// The highest number seen.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|range| range.1)
    }

    /// Whether a number was seen.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|range| range.0 <= number);
        after > 0 && number <= self.0[after - 1].1
    }

    /// Adds a number; false when it was there already.
    pub fn insert(&mut self, number: u64) -> bool {
        let after = self.0.partition_point(|range| range.0 <= number);
        let joins_left = after > 0 && self.0[after - 1].1.checked_add(1) == Some(number);
        if after > 0 && number <= self.0[after - 1].1 {
            return false;
        }
        let joins_right = self.0.get(after).is_some_and(|range| number.checked_add(1) == Some(range.0));
        match (joins_left, joins_right) {
            (true, true) => {
                self.0[after - 1].1 = self.0[after].1;
                self.0.remove(after);
            }
            (true, false) => self.0[after - 1].1 = number,
            (false, true) => self.0[after].0 = number,
            (false, false) => self.0.insert(after, (number, number)),
        }
        true
    }

    /// Takes a number away again.
    pub fn remove(&mut self, number: u64) {
        let after = self.0.partition_point(|range| range.0 <= number);
        let Some(at) = after.checked_sub(1).filter(|at| number <= self.0[*at].1) else { return };
        let (first, last) = self.0[at];
        let left = (first < number).then(|| (first, number - 1));
        let right = (number < last).then(|| (number + 1, last));
        self.0.splice(at..after, left.into_iter().chain(right));
    }

    /// The numbers that are missing below the highest one: inclusive ranges, ascending. A source counts from 0 or 1.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        if let Some((start, _)) = self.0.first()
            && *start > 1
        {
            gaps.push((1, start - 1));
        }
        gaps.extend(self.0.windows(2).map(|pair| (pair[0].1 + 1, pair[1].0 - 1)));
        gaps
    }
}

/// All sources of a ledger.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    ranges: BTreeMap<SourceName, Ranges>,
    /// How many there are of each recorder.
    own: BTreeMap<Option<String>, usize>,
}

/// What one recorder's batch adds to the sources.
#[derive(Debug, Default)]
pub struct Ahead {
    /// The sources to which it adds, as they will be then.
    ranges: BTreeMap<SourceName, Ranges>,
    /// How many of them it begins.
    begun: usize,
}

impl Sources {
    /// The sources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceName, &Ranges)> {
        self.ranges.iter()
    }

    /// Puts what an index file says of a source.
    pub fn put(&mut self, name: SourceName, ranges: Ranges) {
        let recorder = name.recorder.clone();
        if self.ranges.insert(name, ranges).is_none() {
            *self.own.entry(recorder).or_default() += 1;
        }
    }

    /// Whether a number of a source was seen.
    pub fn contains(&self, name: &SourceName, number: u64) -> bool {
        self.ranges.get(name).is_some_and(|ranges| ranges.contains(number))
    }

    /// Adds a number of a source; false when it was there already.
    pub fn insert(&mut self, name: &SourceName, number: u64) -> bool {
        match self.ranges.get_mut(name) {
            Some(ranges) => ranges.insert(number),
            None => {
                self.put(name.clone(), Ranges(vec![(number, number)]));
                true
            }
        }
    }

    /// Takes a number of a source away again, and the source with its last one.
    pub fn remove(&mut self, name: &SourceName, number: u64) {
        let Some(ranges) = self.ranges.get_mut(name) else { return };
        ranges.remove(number);
        if ranges.parts().is_empty() {
            self.ranges.remove(name);
            self.own.entry(name.recorder.clone()).and_modify(|own| *own -= 1);
        }
    }

    /// Refuses a new number that would cost more memory than a source may have, and a new source beyond what its recorder
    /// or the ledger may have; otherwise the number joins what lies ahead.
    pub fn check_room(&self, ahead: &mut Ahead, name: SourceName, number: u64) -> Result<()> {
        let busy = |message: String| Err(Error::new(ErrorKind::Busy, message));
        if !ahead.ranges.contains_key(&name) {
            let known = self.ranges.get(&name).cloned();
            if known.is_none() {
                self.check_new(ahead, name.recorder.as_ref())?;
                ahead.begun += 1;
            }
            ahead.ranges.insert(name.clone(), known.unwrap_or_default());
        }
        let ranges = ahead.ranges.get_mut(&name).expect("it was put there");
        let source = &name.source;
        if let Some(last) = ranges.last().filter(|last| number > last.saturating_add(MAX_AHEAD)) {
            return busy(format!(
                "sequence {number} of source {source:?} is more than {MAX_AHEAD} ahead of {last}, the highest one seen"
            ));
        }
        let touches = (number > 0 && ranges.contains(number - 1)) || ranges.contains(number.saturating_add(1));
        if ranges.parts().len() >= MAX_OPEN_RANGES && !touches {
            return busy(format!("source {source:?} has {MAX_OPEN_RANGES} gaps already: fill them first"));
        }
        ranges.insert(number);
        Ok(())
    }

    /// Refuses one more source of a recorder; waiting would not help it.
    fn check_new(&self, ahead: &Ahead, recorder: Option<&String>) -> Result<()> {
        let denied = |message: String| Err(Error::new(ErrorKind::Denied, message));
        if self.ranges.len() + ahead.begun >= MAX_SOURCES {
            return denied(format!("the ledger follows {MAX_SOURCES} sources already and takes no further one"));
        }
        let own = self.own.get(&recorder.cloned()).map_or(0, |own| *own);
        match recorder {
            Some(recorder) if own + ahead.begun >= MAX_OWN_SOURCES => {
                denied(format!("{recorder} has {MAX_OWN_SOURCES} sources already and may begin no further one"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order_leave_the_ranges_they_fill() {
        let mut ranges = Ranges::default();
        for number in [5, 1, 9, 2, 4, 3] {
            assert!(ranges.insert(number), "{number} is new");
        }
        assert!(!ranges.insert(4), "4 was seen");
        assert_eq!(ranges.parts(), [(1, 5), (9, 9)]);
        assert_eq!(ranges.gaps(), [(6, 8)]);
        assert!(ranges.contains(1) && ranges.contains(5) && !ranges.contains(6));
    }

    #[test]
    fn the_ends_of_the_number_line_do_not_overflow() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(u64::MAX) && ranges.insert(0) && ranges.insert(u64::MAX - 1));
        assert_eq!(ranges.parts(), [(0, 0), (u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn a_source_cannot_leap_or_scatter() {
        let name = SourceName { recorder: None, source: "etl".into() };
        let mut sources = Sources::default();
        sources.insert(&name, 7);
        let check = |sources: &Sources, number| sources.check_room(&mut Ahead::default(), name.clone(), number);
        assert!(check(&sources, 8 + MAX_AHEAD).is_err());
        for number in 0..MAX_OPEN_RANGES as u64 {
            sources.insert(&name, 100 + 2 * number);
        }
        assert!(check(&sources, 50).is_err(), "one gap too many");
        assert!(check(&sources, 101).is_ok(), "filling a gap is always possible");
    }
    #[test]
    fn a_recorder_takes_no_more_than_its_share() {
        let named = |recorder: Option<&str>, source: usize| SourceName {
            recorder: recorder.map(str::to_owned),
            source: source.to_string(),
        };
        let mut sources = Sources::default();
        for source in 0..MAX_OWN_SOURCES - 1 {
            sources.insert(&named(Some("etl"), source), 1);
        }
        let mut ahead = Ahead::default();
        let mut check = |recorder, source, number| sources.check_room(&mut ahead, named(recorder, source), number);
        assert!(check(Some("etl"), 0, 2).is_ok(), "a known source goes on");
        assert!(check(Some("etl"), 10_000, 1).is_ok(), "its last one");
        assert!(check(Some("etl"), 10_000, 2).is_ok());
        assert_eq!(check(Some("etl"), 10_001, 1).expect_err("one too many").kind, ErrorKind::Denied);
        sources.remove(&named(Some("etl"), 7), 1);
        let check = |recorder, source| sources.check_room(&mut Ahead::default(), named(recorder, source), 1);
        assert!(check(Some("etl"), 10_001).is_ok(), "one was taken back");
        assert!(check(Some("erp"), 1).is_ok() && check(None, 1).is_ok(), "others are not touched");
    }
}
