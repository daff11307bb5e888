//! What is known of shipments beside the copy: a service records each that put segments, and a folder remembers the newest.

use std::collections::BTreeMap;

use counterfoil::{Result, Snapshot};
use counterfoil_entry::Fields;
use serde::Deserialize;

use crate::location::Location;
use crate::memory::Memory;

/// The type of the entry that says what was shipped.
const SHIPPED: &str = "ledger.shipped";

#[derive(Deserialize)]
struct Context {
    to: String,
    size: u64,
}

/// Sizes of checkpoints that were shipped, and what says so.
pub type Sizes = BTreeMap<u64, String>;

/// Those that were shipped to a place.
pub fn recorded(snapshot: &Snapshot, to: &Location, memory: Option<&Memory>) -> Result<Sizes> {
    let to = to.to_string();
    let mut sizes = Sizes::new();
    if let Some(newest) = memory.and_then(Memory::read).map(|known| known.checkpoint).filter(|size| *size > 0) {
        sizes.insert(newest, "the folder's state".to_owned());
    }
    for (index, bytes) in snapshot.history(snapshot.origin().as_str())? {
        let fields = Fields::split(&bytes)?;
        let context = fields.context.filter(|_| fields.event_type == SHIPPED);
        let context = context.and_then(|context| serde_json::from_str::<Context>(context).ok());
        sizes
            .extend(context.filter(|context| context.to == to).map(|context| (context.size, format!("entry {index}"))));
    }
    Ok(sizes)
}
