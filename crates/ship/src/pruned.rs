//! Pruned segments, read out of the bucket that holds them.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::{Error, ErrorKind, Result, SegmentFile, SegmentStore};
use counterfoil_segment::ReadAt;

use crate::disk::{BucketFile, Shared};
use crate::keys;
use crate::location::Location;
use crate::settings::Settings;
use crate::store::Store;

/// The unit in which pruned files are fetched: a query or a proof asks for some pages of a file.
const PIECE_BYTES: u64 = 1 << 20;
/// What all pruned files of one bucket keep in memory, beside the blocks that the ledger keeps.
const CACHE_BYTES: usize = 64 << 20;

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
    fn parquet(&self, first: u64) -> Result<Arc<dyn ReadAt>> {
        let key = keys::segment_file(first, SegmentFile::Parquet);
        let stored = self.shared.store.look_for(&key)?;
        let stored = stored.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no object {key}")))?;
        Ok(Arc::new(BucketFile::of_object(stored, self.shared.clone())))
    }
}
