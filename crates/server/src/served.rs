//! What is served.

use std::fmt;
use std::path::PathBuf;

use counterfoil::OpenOptions;
use counterfoil_ship::Location;

/// What is served.
#[derive(Clone)]
pub enum Served {
    /// The ledger in a folder, of which the service is the one writer.
    Ledger(PathBuf, OpenOptions),
    /// The ledger in a folder, only read: another process may write it.
    ReadOnly(PathBuf),
    /// The copy in an object store, only read, and how the store is reached.
    Copy(Location, counterfoil_ship::Settings),
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(folder, _) | Self::ReadOnly(folder) => f.debug_tuple("Served").field(folder).finish(),
            Self::Copy(location, _) => f.debug_tuple("Served").field(location).finish(),
        }
    }
}
