//! Which sequence numbers of which source the ledger has: repeats are found for ever, gaps are reported.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};

/// The most separate ranges of seen numbers that one source may have: more gaps than this are refused as `Busy`.
pub const MAX_OPEN_RANGES: usize = 1_024;
/// How far a number may lie beyond the highest one seen.
pub const MAX_AHEAD: u64 = 1_000_000;
/// The most sources that a ledger follows.
pub const MAX_SOURCES: usize = 100_000;

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
pub struct Sources(BTreeMap<SourceName, Ranges>);

impl Sources {
    /// The sources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceName, &Ranges)> {
        self.0.iter()
    }

    /// Puts what an index file says of a source.
    pub fn put(&mut self, name: SourceName, ranges: Ranges) {
        self.0.insert(name, ranges);
    }

    /// Whether a number of a source was seen.
    pub fn contains(&self, name: &SourceName, number: u64) -> bool {
        self.0.get(name).is_some_and(|ranges| ranges.contains(number))
    }

    /// Adds a number of a source; false when it was there already.
    pub fn insert(&mut self, name: &SourceName, number: u64) -> bool {
        match self.0.get_mut(name) {
            Some(ranges) => ranges.insert(number),
            None => self.0.entry(name.clone()).or_default().insert(number),
        }
    }

    /// Takes a number of a source away again, and the source with its last one.
    pub fn remove(&mut self, name: &SourceName, number: u64) {
        if let Some(ranges) = self.0.get_mut(name) {
            ranges.remove(number);
            if ranges.parts().is_empty() {
                self.0.remove(name);
            }
        }
    }

    /// Refuses a new number that would cost more memory than a source may have. `ahead` holds the sources to which a batch
    /// adds, as they will be then; the number joins it.
    pub fn check_room(&self, ahead: &mut Sources, name: SourceName, number: u64) -> Result<()> {
        let busy = |message: String| Err(Error::new(ErrorKind::Busy, message));
        if !ahead.0.contains_key(&name) {
            let known = self.0.get(&name).cloned();
            if known.is_none() && self.0.len() + ahead.0.len() >= MAX_SOURCES {
                return busy(format!("the ledger follows {MAX_SOURCES} sources already and takes no further one"));
            }
            ahead.put(name.clone(), known.unwrap_or_default());
        }
        let ranges = ahead.0.get_mut(&name).expect("it was put there");
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
        let check = |sources: &Sources, number| sources.check_room(&mut Sources::default(), name.clone(), number);
        assert!(check(&sources, 8 + MAX_AHEAD).is_err());
        for number in 0..MAX_OPEN_RANGES as u64 {
            sources.insert(&name, 100 + 2 * number);
        }
        assert!(check(&sources, 50).is_err(), "one gap too many");
        assert!(check(&sources, 101).is_ok(), "filling a gap is always possible");
    }
}
