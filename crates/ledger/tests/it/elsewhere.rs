//! A bucket in memory that holds the Parquet files of segments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError};

use counterfoil::{Error, ErrorKind, Result, SegmentFile, SegmentStore, Snapshot};
use counterfoil_segment::ReadAt;
use counterfoil_segment::blocks::BlockHashes;

type Files = HashMap<(String, u64), Arc<Vec<u8>>>;

static FILES: Mutex<Option<Files>> = Mutex::new(None);

#[derive(Debug)]
struct Elsewhere(String);

impl SegmentStore for Elsewhere {
    fn parquet(&self, first: u64, _: &BlockHashes) -> Result<Arc<dyn ReadAt>> {
        let files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        let found = files.as_ref().and_then(|files| files.get(&(self.0.clone(), first)).cloned());
        let found =
            found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("{} has no segment {first}", self.0)))?;
        Ok(found)
    }
}

/// Puts the segments of a snapshot aside; the place.
pub fn hold(snapshot: &Snapshot) -> Result<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| counterfoil::read_pruned_with(|place| Ok(Arc::new(Elsewhere(place.to_owned())))));
    let place = format!("memory://{}", snapshot.root_at(snapshot.sealed_size())?);
    for segment in snapshot.segments() {
        let (_, file) = segment.file(SegmentFile::Parquet)?;
        let mut bytes = vec![0; file.len() as usize];
        file.read_at(0, &mut bytes).expect("readable");
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.get_or_insert_default().insert((place.clone(), segment.first()), Arc::new(bytes));
    }
    Ok(place)
}
