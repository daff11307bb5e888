//! The groups of all correlations, as many as memory has room for.

use std::collections::HashMap;

use super::Correlation;
use super::group::Group;
use crate::limits::MAX_CORRELATION_GROUPS;

/// A correlation and the values that the entries of one of its groups have in common.
#[derive(Debug, Default, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Vec<u8>);

impl Key {
    /// The key of a group without values yet.
    pub fn of(correlation: usize) -> Self {
        Self((correlation as u32).to_le_bytes().to_vec())
    }

    /// Adds the next value.
    pub fn push(&mut self, value: Option<&str>) {
        match value {
            None => self.0.push(0),
            Some(value) => {
                self.0.push(1);
                self.0.extend((value.len() as u32).to_le_bytes());
                self.0.extend(value.as_bytes());
            }
        }
    }

    pub fn correlation(&self) -> usize {
        let (correlation, _) = split_u32(&self.0);
        correlation
    }

    /// The values, in the order in which they were added.
    pub fn values(&self) -> Vec<Option<&str>> {
        let (_, mut rest) = split_u32(&self.0);
        let mut values = Vec::new();
        while let Some((tag, after)) = rest.split_first() {
            if *tag == 0 {
                (rest, _) = (after, values.push(None));
                continue;
            }
            let (length, after) = split_u32(after);
            let (value, after) = after.split_at(length);
            values.push(Some(std::str::from_utf8(value).expect("it was added as text")));
            rest = after;
        }
        values
    }
}

fn split_u32(bytes: &[u8]) -> (usize, &[u8]) {
    let (number, rest) = bytes.split_first_chunk().expect("it was added as a whole");
    (u32::from_le_bytes(*number) as usize, rest)
}

/// What correlations remember.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_key: HashMap<Key, Group>,
    /// How often there was no room for one more.
    pub overflows: u64,
}

impl Groups {
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Group)> {
        self.by_key.iter()
    }

    /// The group of a key, a new one where there is none. Where there is no room for it, a tenth of the room is made.
    pub fn at(&mut self, key: &Key, rules: &[Correlation], now: i64) -> &mut Group {
        if !self.by_key.contains_key(key) {
            if self.by_key.len() >= MAX_CORRELATION_GROUPS {
                self.forget(rules, now);
            }
            let rule = &rules[key.correlation()];
            self.by_key.insert(key.clone(), Group::new(&rule.compiled, rule.lane_count()));
        }
        self.by_key.get_mut(key).expect("it is there now")
    }

    /// Puts in a group that was remembered.
    pub fn put(&mut self, key: Key, group: Group) {
        self.by_key.insert(key, group);
    }

    /// Forgets the groups whose time is over, and then the stalest until a tenth of the room is free. It looks at every group,
    /// once for each tenth of their number that came new.
    #[cold]
    #[inline(never)]
    fn forget(&mut self, rules: &[Correlation], now: i64) {
        const WANTED: usize = MAX_CORRELATION_GROUPS / 10 * 9;
        self.overflows += 1;
        let is_over = |key: &Key, group: &Group| group.stale_after(&rules[key.correlation()].compiled) < now;
        let kept = self.by_key.iter().filter(|(key, group)| !is_over(key, group));
        let mut ages: Vec<_> = kept.map(|(_, group)| group.age()).collect();
        let oldest = match ages.len().checked_sub(WANTED) {
            Some(excess) if excess > 0 => *ages.select_nth_unstable(excess - 1).1,
            _ => (i64::MIN, 0),
        };
        self.by_key.retain(|key, group| group.age() > oldest && !is_over(key, group));
    }
}
