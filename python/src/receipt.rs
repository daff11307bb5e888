//! What recording returns.

use std::sync::Arc;

use counterfoil_entry::Timestamp;
use counterfoil_tlog::Hash;
use pyo3::prelude::*;

use crate::error::invalid;

/// A receipt. One of the ledger has `index`, `leaf_hash`, `tree_size` and `recorded_at`; one of a spool has `source` and
/// `sequence`, and becomes one of the ledger when it was shipped.
#[pyclass(frozen, skip_from_py_object, module = "counterfoil")]
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The entry's place in the ledger, counted from 0.
    #[pyo3(get)]
    pub index: Option<u64>,
    pub leaf_hash: Option<Hash>,
    /// A size above the index that a signed checkpoint covers.
    #[pyo3(get)]
    pub tree_size: Option<u64>,
    pub recorded_at: Option<Timestamp>,
    pub checkpoint: Option<Arc<str>>,
    pub source: Option<Arc<str>>,
    /// The number that the source gave the entry.
    #[pyo3(get)]
    pub sequence: Option<u64>,
    /// The entry's place in the spool.
    #[pyo3(get)]
    pub spooled: Option<u64>,
}

#[pymethods]
impl Receipt {
    #[new]
    #[pyo3(signature = (*, index=None, leaf_hash=None, tree_size=None, recorded_at=None, source=None, sequence=None, spooled=None))]
    fn new(
        index: Option<u64>,
        leaf_hash: Option<&str>,
        tree_size: Option<u64>,
        recorded_at: Option<&str>,
        source: Option<&str>,
        sequence: Option<u64>,
        spooled: Option<u64>,
    ) -> PyResult<Self> {
        Ok(Self {
            index,
            leaf_hash: leaf_hash.map(|text| text.parse().map_err(invalid)).transpose()?,
            tree_size,
            recorded_at: recorded_at.map(|text| Timestamp::parse(text).map_err(invalid)).transpose()?,
            checkpoint: None,
            source: source.map(Into::into),
            sequence,
            spooled,
        })
    }

    /// SHA-256(0x00 ‖ canonical bytes), 64 hexadecimal digits.
    #[getter]
    fn leaf_hash(&self) -> Option<String> {
        self.leaf_hash.map(|hash| hash.to_string())
    }

    /// When the ledger committed it, RFC 3339 in UTC.
    #[getter]
    fn recorded_at(&self) -> Option<String> {
        self.recorded_at.map(|time| time.to_string())
    }

    /// The signed checkpoint of `tree_size`, a C2SP note; an embedded ledger gives it.
    #[getter]
    fn checkpoint(&self) -> Option<&str> {
        self.checkpoint.as_deref()
    }

    /// The recording program, as the ledger knows it.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Whether the ledger has it; otherwise it is durable in the spool and under way.
    #[getter]
    fn recorded(&self) -> bool {
        self.index.is_some()
    }

    fn __eq__(&self, other: &Self) -> bool {
        (self.index, self.leaf_hash, self.sequence, self.spooled, &self.source)
            == (other.index, other.leaf_hash, other.sequence, other.spooled, &other.source)
    }

    fn __hash__(&self) -> u64 {
        self.index.or(self.spooled).unwrap_or_default()
    }

    fn __repr__(&self) -> String {
        match (self.index, self.spooled) {
            (Some(index), _) => format!("Receipt(index={index}, leaf_hash='{}')", self.leaf_hash().unwrap_or_default()),
            (None, Some(place)) => {
                // An entry that is known by its `id` has no number.
                let number = self.sequence.map(|number| format!(", sequence={number}")).unwrap_or_default();
                format!("Receipt(spooled={place}, source='{}'{number})", self.source().unwrap_or(""))
            }
            (None, None) => "Receipt()".to_owned(),
        }
    }
}

impl From<counterfoil::Receipt> for Receipt {
    fn from(receipt: counterfoil::Receipt) -> Self {
        Self {
            index: Some(receipt.index),
            leaf_hash: Some(receipt.leaf_hash),
            tree_size: Some(receipt.tree_size),
            recorded_at: Some(receipt.recorded_at),
            checkpoint: Some(receipt.checkpoint),
            source: None,
            sequence: None,
            spooled: None,
        }
    }
}
