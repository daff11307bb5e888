//! Errors of the ledger as the exceptions of `counterfoil.errors`.

use counterfoil::{Error, ErrorKind};
use pyo3::prelude::*;

/// The exception for an error: `counterfoil.errors` finds the class by the kind's name.
pub fn raised(error: &Error) -> PyErr {
    exception(error.kind, &error.message, error.position)
}

/// The exception of a kind.
pub fn exception(kind: ErrorKind, message: &str, position: Option<usize>) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("counterfoil.errors")
            .and_then(|errors| errors.call_method1("of_kind", (kind.name(), message, position)));
        made.map_or_else(|error| error, PyErr::from_value)
    })
}

/// The call is wrong.
pub fn invalid(message: impl std::fmt::Display) -> PyErr {
    exception(ErrorKind::Invalid, &message.to_string(), None)
}
