//! Which metadata file is the table: `v<version>.metadata.json`, each created only; `version-hint.text` says where to look.

use std::sync::Arc;

use bytes::Bytes;
use counterfoil::{Error, ErrorKind, Result};

use crate::content::Content;
use crate::store::{Store, Written};

const HINT: &str = "metadata/version-hint.text";
/// How often writers may overtake this one while it moves the hint.
const TRIES: usize = 16;

/// The key of a version.
pub fn key(version: u64) -> String {
    format!("metadata/v{version}.metadata.json")
}

/// The newest version and its content. None before the first.
///
/// A writer that was stopped between the two may have left the hint behind: the version after it is looked for too.
pub async fn newest(store: &Store) -> Result<Option<(u64, Bytes)>> {
    let hinted = hint(store).await?.map_or(0, |(version, _)| version);
    let mut found = match hinted {
        0 => None,
        version => {
            let content = store.current(&key(version)).await?;
            let missing = || Error::new(ErrorKind::Damaged, format!("{HINT} names {}, which is missing", key(version)));
            Some((version, content.ok_or_else(missing)?.0))
        }
    };
    loop {
        let next = found.as_ref().map_or(1, |(version, _)| version + 1);
        match store.current(&key(next)).await? {
            Some((content, _)) => found = Some((next, content)),
            None => return Ok(found),
        }
    }
}

/// Makes this content the next version. False when another writer was faster.
pub async fn publish(store: &Store, version: u64, content: Bytes) -> Result<bool> {
    if store.put_new(&key(version), &(Arc::new(content.clone()) as Content), &Written::PLAIN).await? {
        return Ok(true);
    }
    // A repeated request finds what the first one wrote.
    let there = store.current(&key(version)).await?;
    Ok(there.is_some_and(|(there, _)| there == content))
}

/// Moves the hint forward to a version, never back.
pub async fn move_hint(store: &Store, version: u64) -> Result<()> {
    for _ in 0..TRIES {
        let hint = hint(store).await?;
        if hint.as_ref().is_some_and(|(hinted, _)| *hinted >= version) {
            return Ok(());
        }
        let tag = hint.as_ref().map(|(_, tag)| tag.as_str());
        if store.put_over(HINT, version.to_string().into(), tag).await? {
            return Ok(());
        }
    }
    Err(Error::new(ErrorKind::Busy, format!("{HINT}: other writers are always faster")))
}

async fn hint(store: &Store) -> Result<Option<(u64, String)>> {
    let Some((content, tag)) = store.current(HINT).await? else { return Ok(None) };
    let version = std::str::from_utf8(&content).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let version = version.ok_or_else(|| Error::new(ErrorKind::Damaged, format!("{HINT} is no number")))?;
    Ok(Some((version.into(), tag)))
}
