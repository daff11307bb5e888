//! Versions as Google and Azure list them: by key, in an order of their own within a key, without delete markers.

use super::Page;
use crate::store::Stored;

/// A version as a store lists it.
#[derive(Debug, Default)]
pub struct Version {
    pub key: String,
    /// Ids of versions sort by length, then by text. None where the store keeps no versions.
    pub id: Option<String>,
    pub size: u64,
    pub modified: String,
    /// Whether it is what a reader gets who asks for no version.
    pub is_current: bool,
}

/// The objects of a page, while it is gathered.
#[derive(Debug)]
pub struct Listing {
    after: String,
    objects: Vec<Stored>,
}

impl Listing {
    /// Of the objects that come behind a key.
    pub fn after(key: &str) -> Self {
        Self { after: key.to_owned(), objects: Vec::new() }
    }

    /// Adds a version to its key, or begins a new one. Where none is current, the key was deleted: that is a marker.
    pub fn add(&mut self, version: Version) {
        let Version { key, id, size, modified, is_current } = version;
        if key <= self.after {
            return;
        }
        let markers = u64::from(!is_current);
        let stored = Stored { key, version: id, size, modified, newer: 0, markers };
        let Some(known) = self.objects.last_mut().filter(|known| known.key == stored.key) else {
            self.objects.push(stored);
            return;
        };
        let newer = known.newer + 1;
        let markers = known.markers.min(stored.markers);
        let age = |stored: &Stored| stored.version.as_ref().map(|id| (id.len(), id.clone()));
        if age(&stored) < age(known) {
            *known = stored;
        }
        (known.newer, known.markers) = (newer, markers);
    }

    /// The page up to the last key that is complete, when more is to come: one that another one follows. None until there is
    /// one.
    pub fn begun(&mut self) -> Option<Page> {
        if self.objects.len() < 2 {
            return None;
        }
        self.objects.pop();
        let next = self.objects.last().map(|last| last.key.clone());
        Some(Page { objects: std::mem::take(&mut self.objects), next })
    }

    /// The last page.
    pub fn ended(self) -> Page {
        Page { objects: self.objects, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Listing, Version};

    fn version(key: &str, id: &str, size: u64, is_current: bool) -> Version {
        Version { key: key.into(), id: Some(id.into()), size, modified: String::new(), is_current }
    }

    #[test]
    fn the_oldest_version_counts_and_what_was_put_on_top_is_counted() {
        let mut listing = Listing::after("a");
        listing.add(version("a", "1", 1, true));
        listing.add(version("b", "100", 3, true));
        listing.add(version("b", "99", 2, false));
        listing.add(version("b", "101", 4, false));
        listing.add(version("c", "7", 5, false));
        let begun = listing.begun().unwrap();
        assert_eq!(begun.next.as_deref(), Some("b"));
        let [b] = &begun.objects[..] else { panic!("{begun:?}") };
        assert_eq!((b.version.as_deref(), b.size, b.newer, b.markers), (Some("99"), 2, 2, 0));
        let mut listing = Listing::after("b");
        listing.add(version("c", "7", 5, false));
        assert!(listing.begun().is_none(), "more of its versions may come");
        let ended = listing.ended();
        assert_eq!((ended.objects[0].newer, ended.objects[0].markers, ended.next), (0, 1, None));
    }
}
