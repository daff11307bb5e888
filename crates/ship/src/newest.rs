//! What a place holds already, before a ledger that is shipped there signs anything.

use std::time::Duration;

use counterfoil::{Config, Error, ErrorKind, Layout, Result};

use crate::chain::Chain;
use crate::judge::Judge;
use crate::keys;
use crate::location::Location;
use crate::memory::Memory;
use crate::settings::Settings;
use crate::store::Store;

/// The newest checkpoint of a copy of the ledger in a folder, if there is one: what that ledger must extend before it signs
/// anything more. `Unavailable` when the place does not answer within `patience`.
pub fn newest_checkpoint(
    folder: &Layout,
    location: &Location,
    settings: &Settings,
    patience: Duration,
) -> Result<Option<Vec<u8>>> {
    let config = std::fs::read(folder.config());
    let config = config.map_err(|error| Error::new(ErrorKind::Unavailable, format!("ledger.toml: {error}")))?;
    let judge = Judge::new(Config::parse(&config)?);
    let store = Store::open(location, settings)?;
    let memory = Memory::of(&folder.state(), location);
    let read = async {
        let chain = Chain { store: &store, judge: &judge };
        let page = store.last_page(keys::CHECKPOINTS).await?;
        let looked = page.len();
        if let Some((_, note)) = chain.first_signed(page.into_iter().rev()).await? {
            return Ok(Some(note.to_vec()));
        }
        let Some(known) = memory.read() else {
            return match looked {
                0 => Ok(None),
                _ => Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("of the newest {looked} objects under {} none is this ledger's", keys::CHECKPOINTS),
                )),
            };
        };
        // Somebody covers the newest checkpoint with objects of his own: the chain leads to it.
        let mut newest = chain.checkpoint(known.checkpoint).await?;
        let mut tip = chain.recall(known.journal, &known.digest).await?.map(|next| next.tip()).unwrap_or_default();
        while let Some(next) = chain.step(&tip).await? {
            tip = next.tip();
            newest = chain.checkpoint(tip.position()).await?.or(newest);
        }
        Ok(newest.map(|(_, note)| note.to_vec()))
    };
    let late = || format!("{location} does not answer within {} seconds", patience.as_secs());
    let answered = store.wait(async { tokio::time::timeout(patience, read).await });
    answered.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, late())))
}
