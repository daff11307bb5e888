//! Where the copy in the store ends, and whether that is this ledger's history.

use std::sync::Arc;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_tlog::{Hash, TreeSize};

use super::{Run, tampered};
use crate::chain::{Met, Next};
use crate::judge::Tip;
use crate::lock;
use crate::memory::Memory;

/// What the copy in the store ends with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct End {
    pub tip: Tip,
    /// The size of the newest checkpoint.
    pub checkpoint: u64,
    /// Entries that are in segments there.
    pub sealed: u64,
}

impl Run<'_> {
    /// Reads where the chain in the store ends: behind what is remembered, or from its start.
    pub(super) async fn find_end(&mut self, memory: Option<&Memory>) -> Result<End> {
        let config = self.snapshot.config_file()?;
        if let Some(other) = self.put("ledger.toml", Arc::new(config)).await? {
            return Err(tampered(format!("{other}: another ledger or a fork was shipped here, or it was changed")));
        }
        let mut end = End::default();
        if let Some(known) = memory.and_then(Memory::read)
            && let Some(newest) = self.chain().recall(known.journal, &known.digest).await?
        {
            self.adopt(&newest, &mut end)?;
            // What counts as shipped is what the place holds, whatever is remembered.
            if known.checkpoint <= self.snapshot.size() && self.has_checkpoint(known.checkpoint).await? {
                end.checkpoint = known.checkpoint;
            }
            return Ok(end);
        }
        let mut newest = None;
        self.chain()
            .walk(Tip::default(), &mut |met| {
                if let Met::Next(next) | Met::Torn(next, _) = met {
                    newest = Some(next.clone());
                }
            })
            .await?;
        if let Some(newest) = &newest {
            self.adopt(newest, &mut end)?;
        }
        Ok(end)
    }

    /// Refuses a lock that is less than what the newest object there has.
    pub(super) async fn refuse_less(&self, tip: &Tip) -> Result<()> {
        let (Some(lock), Some((link, digest))) = (&self.written.lock, &tip.newest) else { return Ok(()) };
        match self.chain().recall(link.from, &hex::encode(digest)).await? {
            Some(newest) => lock::refuse_less(self.store, &newest.stored, lock).await,
            None => Ok(()),
        }
    }

    /// Goes on behind what another shipper put meanwhile: two that go on from one end with different histories must not both
    /// go unseen.
    pub(super) async fn catch_up(&self, end: &mut End) -> Result<()> {
        while let Some(next) = self.chain().step(&end.tip).await? {
            self.adopt(&next, end)?;
        }
        let position = end.tip.position();
        if position > end.checkpoint && self.has_checkpoint(position).await? {
            end.checkpoint = position;
        }
        Ok(())
    }

    /// Looks whether another shipper of this ledger is why something was there, also where lists do not show it; whether the end
    /// of the chain is another one now.
    pub(super) async fn look_again(&self, end: &mut End) -> Result<bool> {
        let position = end.tip.position();
        self.catch_up(end).await?;
        if end.tip.position() == position
            && let Some(next) = self.chain().unlisted(&end.tip).await?
        {
            self.adopt(&next, end)?;
        }
        Ok(end.tip.position() > position)
    }

    /// Whether the copy holds the checkpoint of a size, which must be of this ledger's entries.
    pub(super) async fn has_checkpoint(&self, size: u64) -> Result<bool> {
        let Some((stored, note)) = self.chain().checkpoint(size).await? else { return Ok(false) };
        let root = self.judge.checkpoint(&stored.key, &note).expect("it was signed a moment ago");
        self.check_root(size, root, &stored.key).map(|()| true)
    }

    fn check_root(&self, size: u64, root: Hash, what: &str) -> Result<()> {
        if size > self.snapshot.size() {
            let have = self.snapshot.size();
            let message = format!(
                "{what}: the copy holds {size} entries, this ledger {have}: another shipper is ahead, or the ledger was rolled back"
            );
            return Err(Error::new(ErrorKind::Busy, message));
        }
        if size > 0 && counterfoil_tlog::root(self.snapshot, TreeSize(size))? != root {
            return Err(tampered(format!(
                "{what}: this ledger's first {size} entries are not those of the copy: it is a fork"
            )));
        }
        Ok(())
    }

    /// Goes on behind a journal object that is there, once its entries are those of this ledger.
    fn adopt(&self, next: &Next, end: &mut End) -> Result<()> {
        let link = next.own.link;
        self.check_root(link.end(), next.own.root, &next.stored.key)?;
        end.tip = next.tip();
        end.sealed = end.sealed.max(link.sealed);
        Ok(())
    }
}
