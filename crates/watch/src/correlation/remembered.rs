//! What correlations remember, to be written down and gone on from. Rules are known by their ids and names in it, so that those
//! that stay keep their memory when others come and go.

use std::collections::{HashMap, VecDeque};

use rsigma_eval::CompiledCorrelation;
use serde::{Deserialize, Serialize};

use super::group::{Group, Hit};
use super::groups::Key;
use super::{Correlation, Correlations};

/// The groups of each rule, by its id.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Remembered(HashMap<String, Vec<RememberedGroup>>);

#[derive(Debug, Serialize, Deserialize)]
struct RememberedGroup {
    /// The values that its entries have in common.
    by: Vec<Option<String>>,
    /// Its entries, by the rule that they match.
    hits: HashMap<String, VecDeque<Hit>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fired: Option<i64>,
}

impl Correlations {
    /// What it remembers.
    pub fn remembered(&self) -> Remembered {
        let mut remembered = Remembered::default();
        for (key, group) in self.groups.iter() {
            let Correlation { compiled, .. } = &self.rules[key.correlation()];
            let named = compiled.rule_refs.iter().zip(group.lanes()).filter(|(_, hits)| !hits.is_empty());
            let group = RememberedGroup {
                by: key.values().into_iter().map(|value| value.map(str::to_owned)).collect(),
                hits: named.map(|(name, hits)| (name.clone(), hits.clone())).collect(),
                fired: group.fired,
            };
            remembered.0.entry(id(compiled)).or_default().push(group);
        }
        remembered
    }

    /// Goes on from what was remembered, as far as the same rules are still there.
    pub fn restore(&mut self, mut remembered: Remembered) {
        for (correlation, rule) in self.rules.iter().enumerate() {
            for RememberedGroup { by, hits, fired } in remembered.0.remove(&id(&rule.compiled)).unwrap_or_default() {
                if by.len() != rule.compiled.group_by.len() {
                    continue;
                }
                let mut key = Key::of(correlation);
                by.iter().for_each(|value| key.push(value.as_deref()));
                let mut group = Group::new(&rule.compiled, rule.lane_count());
                for (name, hits) in hits {
                    if let Some(lane) = rule.lane(&name) {
                        hits.into_iter().for_each(|hit| group.push(&rule.compiled, lane, hit));
                    }
                }
                group.fired = fired;
                self.groups.put(key, group);
            }
        }
    }
}

fn id(rule: &CompiledCorrelation) -> String {
    rule.id.clone().unwrap_or_default()
}
