//! A place that is to hold a copy must not lie in another copy, nor around one: each would find the other's objects.

use std::collections::BTreeSet;

use counterfoil::{Config, Error, ErrorKind, Result};

use crate::chain::Chain;
use crate::judge::{Judge, Tip};
use crate::keys;
use crate::location::Location;
use crate::settings::Settings;
use crate::store::Store;

/// The most places below one that are looked at.
const MAX_INNER: usize = 16;
/// The longest `ledger.toml` that is read.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// Where a ledger's folder has its newest checkpoint, which a copy has not.
const FOLDERS_CHECKPOINT: &str = "checkpoint";

/// Refuses a place that holds no copy yet and lies in one or around one. Somebody may have put there what only looks like
/// one, so that nobody ships: what was told of, and not refused.
pub async fn refuse(store: &Store, location: &Location, settings: &Settings) -> Result<Vec<String>> {
    let mut told = Vec::new();
    if store.find(keys::CONFIG).await?.is_some() {
        return Ok(told);
    }
    let mut look = async |other: Location, lies: String| match kind(&other, settings).await? {
        Kind::Copy => {
            let message = format!("{lies}; a copy needs a place of its own: ship to another prefix");
            Err(Error::new(ErrorKind::Conflict, message))
        }
        Kind::Pretence => {
            told.push(format!("{other}/{}: it is no ledger's, or nothing of that ledger is beside it", keys::CONFIG));
            Ok(())
        }
        Kind::Nothing => Ok(()),
    };
    for outer in around(location) {
        let lies = format!("{location} lies in the copy at {outer}");
        look(outer, lies).await?;
    }
    for inner in below(store, location).await? {
        let lies = format!("{location} lies around the copy at {inner}");
        look(inner, lies).await?;
    }
    Ok(told)
}

/// What a place holds.
enum Kind {
    /// A `ledger.toml`, and what its ledger signed.
    Copy,
    /// A `ledger.toml` alone, or something of that name.
    Pretence,
    Nothing,
}

async fn kind(place: &Location, settings: &Settings) -> Result<Kind> {
    match holds_copy(&Store::open(place, settings)?, place).await {
        // Whoever may not look there has a place of his own.
        Err(error) if error.kind == ErrorKind::Denied => Ok(Kind::Nothing),
        Ok(None) => Ok(Kind::Nothing),
        Ok(Some(true)) => Ok(Kind::Copy),
        Ok(Some(false)) => Ok(Kind::Pretence),
        Err(error) => Err(error),
    }
}

/// Whether there is a copy behind a `ledger.toml`, if there is one: its ledger signed the first journal object, or the checkpoint
/// in a ledger's folder. Whoever may put objects cannot, but for a ledger that he made himself.
async fn holds_copy(store: &Store, place: &Location) -> Result<Option<bool>> {
    let Some(stored) = store.find(keys::CONFIG).await? else { return Ok(None) };
    if stored.size > MAX_CONFIG_BYTES {
        return Ok(Some(false));
    }
    let Ok(config) = Config::parse(&store.get(&stored, None).await?) else { return Ok(Some(false)) };
    if matches!(place, Location::Folder { .. })
        && let Some((note, _)) = store.current(FOLDERS_CHECKPOINT).await?
        && config.open_checkpoint(&note, &[]).is_ok()
    {
        return Ok(Some(true));
    }
    let judge = Judge::new(config);
    let first = Chain { store, judge: &judge }.step(&Tip::default()).await?;
    Ok(Some(first.is_some()))
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

/// Places below this one where something has a key as in a copy, as far as one page of the list shows them.
async fn below(store: &Store, location: &Location) -> Result<Vec<Location>> {
    let (page, _) = store.page("", "").await?;
    let inner = page.iter().filter_map(|stored| {
        let mut parts = stored.key.match_indices('/').map(|(at, _)| stored.key.split_at(at));
        parts.find(|(_, rest)| keys::is_of_a_copy(&rest[1..])).map(|(inner, _)| inner)
    });
    let inner: BTreeSet<&str> = inner.collect();
    // What is no prefix of a place holds no copy.
    Ok(inner.into_iter().filter_map(|inner| format!("{location}/{inner}").parse().ok()).take(MAX_INNER).collect())
}
