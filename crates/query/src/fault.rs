//! The first thing that went wrong below the query engine.

use std::sync::{Arc, OnceLock};

use counterfoil::{Error, ErrorKind};
use counterfoil_segment::blocks::BlockMismatch;
use datafusion::error::DataFusionError;

/// Where readers leave the first error of a query, with its kind: the engine above may reword an error on its way up,
/// and even pass over one (a Bloom filter that cannot be read only costs it time), but a changed block must be reported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fault(Arc<OnceLock<Error>>);

impl Fault {
    /// Keeps the error, if it is the first, and wraps it for the engine.
    pub(crate) fn raise(&self, error: Error) -> DataFusionError {
        let wrapped = DataFusionError::External(Box::new(error.clone()));
        self.0.get_or_init(|| error);
        wrapped
    }

    pub(crate) fn get(&self) -> Option<Error> {
        self.0.get().cloned()
    }
}

/// What a failed read of a segment's file means.
pub(crate) fn read_error(file: &str, error: std::io::Error) -> Error {
    let inner = error.get_ref();
    if let Some(known) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        return known.clone();
    }
    if let Some(mismatch) = inner.and_then(|inner| inner.downcast_ref::<BlockMismatch>()) {
        let message = format!("{file}: {mismatch}");
        return Error::new(ErrorKind::Tampered, message).because(error);
    }
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        std::io::ErrorKind::UnexpectedEof => ErrorKind::Damaged,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{file}: {error}")).because(error)
}
