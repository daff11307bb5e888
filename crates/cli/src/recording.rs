//! What a command recorded so far.

use counterfoil::Receipt;
use serde::Serialize;

use crate::text::{Grouped, entries};

/// Counts of the entries that were recorded.
#[derive(Debug, Serialize)]
pub struct Recorded {
    /// Entries that are new.
    pub recorded: u64,
    /// Entries that were there already: same `id`, or same `source` and `sequence`, and the same content.
    pub repeated: u64,
    /// The first new entry.
    pub first_index: Option<u64>,
    /// The last new entry.
    pub last_index: Option<u64>,
    /// How many entries the ledger holds, as far as is known here.
    pub tree_size: u64,
}

impl Recorded {
    /// Nothing yet, in a ledger of this size.
    pub fn nothing(tree_size: u64) -> Recorded {
        Recorded { recorded: 0, repeated: 0, first_index: None, last_index: None, tree_size }
    }

    /// Counts the receipts of a batch.
    pub fn add(&mut self, receipts: &[Receipt]) {
        let before = self.tree_size;
        for receipt in receipts {
            if receipt.index >= before && self.last_index.is_none_or(|last| receipt.index > last) {
                self.recorded += 1;
                self.first_index.get_or_insert(receipt.index);
                self.last_index = Some(receipt.index);
            } else {
                self.repeated += 1;
            }
            self.tree_size = self.tree_size.max(receipt.tree_size);
        }
    }

    /// New and repeated entries together: those that have a receipt.
    pub fn acknowledged(&self) -> u64 {
        self.recorded + self.repeated
    }

    /// The outcome in a sentence.
    pub fn sentence(&self) -> String {
        let new = match (self.first_index, self.last_index) {
            (Some(first), Some(last)) if first < last => {
                format!("recorded {}, {} to {}", entries(self.recorded), Grouped(first), Grouped(last))
            }
            (Some(first), _) => format!("recorded 1 entry, index {}", Grouped(first)),
            _ => "recorded nothing new".to_owned(),
        };
        let repeated = match self.repeated {
            0 => String::new(),
            1 => "; 1 entry was there already".to_owned(),
            several => format!("; {} were there already", entries(several)),
        };
        format!("{new}{repeated}; the ledger holds {}", entries(self.tree_size))
    }
}
