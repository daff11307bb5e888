//! A place that is to hold a copy must not lie in another copy, nor around one: each would find the other's objects.

use counterfoil::{Error, ErrorKind, Result};

use crate::keys;
use crate::location::Location;
use crate::settings::Settings;
use crate::store::Store;

/// Refuses a place that holds no copy yet and lies in one or around one.
pub async fn refuse(store: &Store, location: &Location, settings: &Settings) -> Result<()> {
    if store.find(keys::CONFIG).await?.is_some() {
        return Ok(());
    }
    for outer in around(location) {
        let found = match Store::open(&outer, settings)?.find(keys::CONFIG).await {
            // Whoever may not look there has a place of his own.
            Err(error) if error.kind == ErrorKind::Denied => None,
            found => found?,
        };
        if found.is_some() {
            return Err(other_copy(format!("{location} lies in the copy at {outer}")));
        }
    }
    let (page, _) = store.page("", "").await?;
    let inner = page.iter().find_map(|stored| {
        let mut parts = stored.key.match_indices('/').map(|(at, _)| stored.key.split_at(at));
        parts.find(|(_, rest)| keys::is_of_a_copy(&rest[1..])).map(|(inner, _)| inner)
    });
    match inner {
        Some(inner) => Err(other_copy(format!("{location} lies around the copy at {location}/{inner}"))),
        None => Ok(()),
    }
}

fn other_copy(message: String) -> Error {
    Error::new(ErrorKind::Conflict, format!("{message}; a copy needs a place of its own: ship to another prefix"))
}

/// The places that this one lies in.
fn around(location: &Location) -> Vec<Location> {
    match location {
        Location::Bucket { service, bucket, prefix } => {
            let ends = prefix.match_indices('/').map(|(at, _)| at).chain((!prefix.is_empty()).then_some(0));
            let outer = ends.map(|end| prefix[..end].to_owned());
            outer.map(|prefix| Location::Bucket { service: *service, bucket: bucket.clone(), prefix }).collect()
        }
        Location::Folder { path } => {
            let outer = path.ancestors().skip(1).filter(|outer| outer.join(keys::CONFIG).is_file());
            outer.map(|path| Location::Folder { path: path.to_owned() }).collect()
        }
    }
}
