//! The groups of all correlations, as many as memory has room for.

use std::collections::HashMap;

use super::Correlation;
use super::group::Group;
use crate::limits::{MAX_CORRELATION_ENTRIES, MAX_CORRELATION_GROUPS};

/// A correlation and the values that the entries of one of its groups have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
                values.push(None);
                rest = after;
            } else {
                let (length, after) = split_u32(after);
                let (value, after) = after.split_at(length);
                values.push(Some(std::str::from_utf8(value).expect("it was added as text")));
                rest = after;
            }
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
    /// How many entries all groups keep.
    entries: usize,
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

    /// Does something with the group of a key, a new one where there is none. Where there is no room for more, some is made.
    pub fn with<T>(&mut self, key: &Key, rules: &[Correlation], now: i64, act: impl FnOnce(&mut Group) -> T) -> T {
        let one_too_many = self.by_key.len() >= MAX_CORRELATION_GROUPS && !self.by_key.contains_key(key);
        if one_too_many || self.entries >= MAX_CORRELATION_ENTRIES {
            self.forget(rules, now);
        }
        if !self.by_key.contains_key(key) {
            let rule = &rules[key.correlation()];
            self.by_key.insert(key.clone(), Group::new(&rule.compiled, rule.lane_count()));
        }
        let group = self.by_key.get_mut(key).expect("it is there now");
        let before = group.len();
        let done = act(group);
        self.entries = self.entries + group.len() - before;
        done
    }

    /// Puts in a group that was remembered.
    pub fn put(&mut self, key: Key, group: Group) {
        self.entries += group.len();
        self.by_key.insert(key, group);
    }

    /// Forgets the groups whose time is over, and then the stalest until a tenth of the room is free. It looks at every group,
    /// once for each tenth of the room that was filled.
    fn forget(&mut self, rules: &[Correlation], now: i64) {
        self.overflows += 1;
        let is_over = |key: &Key, group: &Group| group.stale_after(&rules[key.correlation()].compiled) < now;
        let kept = self.by_key.iter().filter(|(key, group)| !is_over(key, group));
        let mut ages: Vec<_> = kept.map(|(_, group)| (group.latest, group.len())).collect();
        ages.sort_unstable_by(|one, other| other.cmp(one));
        let mut entries = 0;
        let room = ages.iter().take(MAX_CORRELATION_GROUPS / 10 * 9).take_while(|(_, count)| {
            entries += count;
            entries <= MAX_CORRELATION_ENTRIES / 10 * 9
        });
        let oldest = room.last().map(|(latest, _)| *latest);
        self.by_key.retain(|key, group| Some(group.latest) >= oldest && oldest.is_some() && !is_over(key, group));
        self.entries = self.by_key.values().map(Group::len).sum();
    }
}
