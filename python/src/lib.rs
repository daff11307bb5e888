//! The native part of the Python package `counterfoil`: the embedded ledger, the encoder and verification, as the module
//! `counterfoil._core`. It has no rules of its own; `counterfoil/_core.pyi` describes it for Python.

mod disk;
mod encode;
mod error;
mod ledger;
mod pages;
mod receipt;
mod repeat;
mod rows;
mod sealed;
mod signer;
mod source;
mod table;
mod unshipped;
mod verify;

#[pyo3::pymodule]
mod _core {
    #[pymodule_export]
    use crate::ledger::{PyLedger, abandon, check_entry};
    #[pymodule_export]
    use crate::receipt::Receipt;
    #[pymodule_export]
    use crate::repeat::is_repeat;
    #[pymodule_export]
    use crate::sealed::{encode_value, seal, unseal};
    #[pymodule_export]
    use crate::signer::KeyFile;
    #[pymodule_export]
    use crate::table::{Table, first_since};
    #[pymodule_export]
    use crate::verify::{Walk, check_proof, split_bundle, verify_bundle, verify_folder};

    /// Segments that were pruned are read from their bucket, with the credentials of the environment.
    #[pymodule_init]
    fn init(_: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        counterfoil_ship::read_pruned(|_| counterfoil_ship::Settings::from_environment());
        Ok(())
    }
}
