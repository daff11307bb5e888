//! Checking the signatures that clients put on their entries, against the keys registered at that point.

use std::collections::HashMap;
use std::ops::ControlFlow;

use counterfoil_entry::{Fields, signature};
use counterfoil_evidence::{Finding, FindingKind, Report};
use counterfoil_segment::Segment;

use super::chain::Chain;
use super::finding;
use crate::config::Config;
use crate::disk::Disk;
use crate::layout::{Layout, SegmentFile};
use crate::own::{KEY_REGISTERED, KEY_REVOKED};
use crate::pruned::open_file;
use crate::registry::Registration;

/// The registrations of all keys over time.
struct Timeline(HashMap<String, Vec<(u64, Option<Registration>)>>);

impl Timeline {
    fn read(own: &[(u64, Vec<u8>)]) -> Self {
        let mut timeline: HashMap<String, Vec<(u64, Option<Registration>)>> = HashMap::new();
        for (index, bytes) in own {
            let Ok(fields) = Fields::split(bytes) else { continue };
            let registration = match fields.event_type.as_ref() {
                KEY_REGISTERED => fields.context.and_then(Registration::read),
                KEY_REVOKED => None,
                _ => continue,
            };
            timeline.entry(fields.entity_id.to_string()).or_default().push((*index, registration));
        }
        Self(timeline)
    }

    fn at(&self, key_id: &str, index: u64) -> Option<&Registration> {
        let changes = self.0.get(key_id)?;
        let position = changes.partition_point(|(changed, _)| *changed < index).checked_sub(1)?;
        changes[position].1.as_ref()
    }

    fn check(&self, config: &Config, index: u64, bytes: &[u8], file: &str, report: &mut Report) {
        let Ok(fields) = Fields::split(bytes) else { return };
        let Some(found) = &fields.signature else { return };
        report.signatures_checked += 1;
        let fault = match self.at(&found.key_id, index) {
            None => (FindingKind::KeyUnregistered, format!("key {} was not registered then", found.key_id)),
            Some(registration) if !registration.allows(&fields.actor) => {
                (FindingKind::KeyUnregistered, format!("key {} may not sign for {:?}", found.key_id, fields.actor))
            }
            Some(registration) if !signature::verify(&registration.key, config.origin_at(index).as_str(), &fields) => {
                (FindingKind::EntrySignature, format!("the signature by key {} does not hold", found.key_id))
            }
            Some(_) => return,
        };
        report.add(finding(fault.0, file, Some(index), fault.1));
    }
}

/// Reads once more the segments that hold signed entries, now that all keys are known.
pub(super) fn check(disk: &dyn Disk, layout: &Layout, config: &Config, chain: &mut Chain<'_>, report: &mut Report) {
    if chain.signed_segments.is_empty() && chain.signed_tail.is_empty() {
        return;
    }
    let timeline = Timeline::read(&chain.own);
    for first in &chain.signed_segments {
        let path = layout.segment(*first, SegmentFile::Parquet);
        let name = layout.relative(&path);
        let Ok(file) = open_file(disk, layout, *first, SegmentFile::Parquet) else { continue };
        let Ok(segment) = Segment::open(file) else { continue };
        let scanned = segment.scan(0..segment.meta().count, &mut |index, bytes| {
            timeline.check(config, index, bytes, &name, report);
            ControlFlow::Continue(())
        });
        if let Err(error) = scanned {
            report.add(Finding::new(FindingKind::SegmentUnreadable, error.to_string()).in_file(&name));
        }
    }
    for (index, bytes, journal) in &chain.signed_tail {
        timeline.check(config, *index, bytes, journal, report);
    }
}
