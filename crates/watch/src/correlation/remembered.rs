//! What correlations remember, to be written down and gone on from. Rules are known by their ids, so that those that stay keep
//! their memory when others come and go; one that means something else now begins anew.

use std::collections::HashMap;

use rsigma_eval::CompiledCorrelation;
use serde::{Deserialize, Serialize};

use super::group::{Group, Hit};
use super::groups::Key;
use super::{Correlation, Correlations};
use crate::limits::MAX_CORRELATION_GROUPS;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// How often there was no room for one more group.
    overflows: u64,
    /// By the rule's id.
    rules: HashMap<String, RememberedRule>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RememberedRule {
    /// What the memory depends on.
    shape: String,
    groups: Vec<RememberedGroup>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RememberedGroup {
    /// The values that its entries have in common.
    by: Vec<Option<String>>,
    /// Its entries in the order in which they came, each with where it is kept.
    hits: Vec<(usize, Hit)>,
    latest: (i64, u64),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fired: Option<i64>,
}

impl Correlation {
    fn id(&self) -> &str {
        self.compiled.id.as_deref().unwrap_or_default()
    }

    fn shape(&self) -> String {
        let CompiledCorrelation { correlation_type, rule_refs, group_by, condition, .. } = &self.compiled;
        let fields: Vec<&str> = group_by.iter().map(|field| field.name()).collect();
        format!("{} {rule_refs:?} {fields:?} {:?}", correlation_type.as_str(), condition.field)
    }
}

impl Correlations {
    /// What it remembers.
    pub fn remembered(&self) -> Remembered {
        let mut remembered = Remembered { overflows: self.groups.overflows, rules: HashMap::new() };
        for (key, group) in self.groups.iter() {
            let rule = &self.rules[key.correlation()];
            let of_rule = remembered.rules.entry(rule.id().to_owned());
            let of_rule = of_rule.or_insert_with(|| RememberedRule { shape: rule.shape(), groups: Vec::new() });
            let lanes = group.lanes().iter().enumerate();
            let mut hits: Vec<(usize, Hit)> =
                lanes.flat_map(|(lane, hits)| hits.iter().map(move |hit| (lane, hit.clone()))).collect();
            hits.sort_by_key(|(_, hit)| hit.index);
            let by = key.values().into_iter().map(|value| value.map(str::to_owned)).collect();
            of_rule.groups.push(RememberedGroup { by, hits, latest: group.latest, fired: group.fired });
        }
        remembered
    }

    /// Goes on from what was remembered, as far as the same rules are still there.
    pub fn restore(&mut self, mut remembered: Remembered) {
        self.groups.overflows = remembered.overflows;
        for (correlation, rule) in self.rules.iter().enumerate() {
            let Some(RememberedRule { shape, groups }) = remembered.rules.remove(rule.id()) else { continue };
            if shape != rule.shape() {
                continue;
            }
            for RememberedGroup { by, hits, latest, fired } in groups {
                if self.groups.len() >= MAX_CORRELATION_GROUPS {
                    return;
                }
                let mut key = Key::of(correlation);
                by.iter().for_each(|value| key.push(value.as_deref()));
                let mut group = Group::new(&rule.compiled, rule.lane_count());
                for (lane, hit) in hits.into_iter().filter(|(lane, _)| *lane < rule.lane_count()) {
                    group.push(&rule.compiled, lane, hit);
                }
                (group.latest, group.fired) = (latest, fired);
                self.groups.put(key, group);
            }
        }
    }
}
