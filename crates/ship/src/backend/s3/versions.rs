//! The versions that S3 lists.

use std::collections::BTreeMap;

use counterfoil::Result;

use super::{S3, unavailable};
use crate::backend::Page;
use crate::backend::xml::Element;
use crate::store::Stored;

impl S3 {
    /// One page of the oldest versions below a prefix. A key whose versions go on behind the page is left to the next one.
    pub(super) async fn versions(&self, prefix: &str, after: &str) -> Result<Page> {
        // Some stores list the delete markers of a page before its versions.
        let mut found: BTreeMap<String, Stored> = BTreeMap::new();
        let (mut key_marker, mut version_marker) = (after.to_owned(), String::new());
        loop {
            let mut query = vec![("versions", ""), ("prefix", prefix)];
            if !key_marker.is_empty() {
                query.push(("key-marker", &key_marker));
            }
            if !version_marker.is_empty() {
                query.push(("version-id-marker", &version_marker));
            }
            let answer = self.client.ask(&Self::about_bucket(query)).await?.checked(&format!("listing {prefix}"))?;
            let page = Element::parse(&answer.body)?;
            add_page(&mut found, &page);
            // Some stores begin a page with the key that it should begin behind.
            found.retain(|key, _| key.as_str() > after);
            if page.text("IsTruncated") != Some("true") {
                return Ok(Page { objects: found.into_values().collect(), next: None });
            }
            let next = page.exact("NextKeyMarker").unwrap_or_default().to_owned();
            let next_version = page.text("NextVersionIdMarker").unwrap_or_default().to_owned();
            if next < key_marker || next.is_empty() || (&next, &next_version) == (&key_marker, &version_marker) {
                return Err(unavailable("the store's listing goes on without getting on".into()));
            }
            (key_marker, version_marker) = (next, next_version);
            // Versions of one key stand together, the newest first: a key is complete when another one follows.
            if found.len() > 1 {
                found.pop_last();
                let next = found.keys().next_back().cloned();
                return Ok(Page { objects: found.into_values().collect(), next });
            }
        }
    }
}

/// Adds what a page lists.
pub fn add_page(found: &mut BTreeMap<String, Stored>, page: &Element) {
    let is_listed = |element: &&Element| matches!(element.name(), "Version" | "DeleteMarker");
    page.children().iter().filter(is_listed).for_each(|element| add(found, element));
}

/// Adds an older version or a marker to its key, or begins a new key.
fn add(found: &mut BTreeMap<String, Stored>, element: &Element) {
    let text = |name: &str| element.text(name).unwrap_or_default().to_owned();
    let is_marker = element.name() == "DeleteMarker";
    let key = element.exact("Key").unwrap_or_default().to_owned();
    let stored = found.entry(key.clone()).or_insert_with(|| Stored { key, ..Stored::default() });
    if is_marker {
        stored.markers += 1;
        return;
    }
    stored.newer += u64::from(stored.version.is_some());
    stored.version = Some(text("VersionId"));
    stored.modified = text("LastModified");
    stored.size = text("Size").parse().unwrap_or_default();
}
