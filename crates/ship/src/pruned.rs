//! Pruned segments, read out of the bucket that holds them.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result, SegmentFile, SegmentStore};
use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::BlockHashes;

use crate::disk::{BucketFile, Shared};
use crate::keys;
use crate::location::Location;
use crate::settings::Settings;
use crate::store::Store;

/// The unit in which pruned files are fetched: a query or a proof asks for some pages of a file.
const PIECE_BYTES: u64 = 1 << 20;
/// What all pruned files of one bucket keep in memory, beside the blocks that the ledger keeps.
const CACHE_BYTES: usize = 64 << 20;

/// The most files that are read to find the one that was sealed among others of its length, the oldest.
const MAX_ALIKE: usize = 16;
/// How long one piece is waited for: somebody waits for the answer, and can ask again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has this program read pruned segments from the places that their folders name, reached as `settings` says.
pub fn read_pruned(settings: impl Fn(&Location) -> Settings + Send + Sync + 'static) {
    counterfoil::read_pruned_with(move |place| {
        let location: Location = place.parse()?;
        let store = Arc::new(Store::open(&location, &settings(&location))?.within(PATIENCE));
        Ok(Arc::new(PrunedSegments { shared: Arc::new(Shared::new(store, PIECE_BYTES, CACHE_BYTES)) }))
    });
}

#[derive(Debug)]
struct PrunedSegments {
    shared: Arc<Shared>,
}

impl SegmentStore for PrunedSegments {
    /// Of several files of that length, at the key and beside it, the one with these blocks, which takes reading them.
    fn parquet(&self, first: u64, blocks: &BlockHashes) -> Result<Arc<dyn ReadAt>> {
        let key = keys::segment_file(first, SegmentFile::Parquet);
        let mut found = self.shared.store.look_at(&key)?;
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no object {key}")));
        }
        found.retain(|stored| stored.size == blocks.length());
        found.truncate(MAX_ALIKE);
        let alone = found.len() == 1;
        for stored in found {
            let file = BucketFile::of_object(stored, self.shared.clone());
            if alone || file.blocks()? == *blocks {
                return Ok(Arc::new(file));
            }
        }
        Err(Error::new(ErrorKind::Tampered, format!("{key}: what is there is not the file that was sealed")))
    }
}
