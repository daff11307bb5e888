//! Values under a key: AES-256-GCM (NIST SP 800-38D). Keys and nonces are `counterfoil/vault.py`'s.

use counterfoil::ErrorKind;
use counterfoil_entry::canonical::canonicalise;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::encode::Encoder;
use crate::error::{exception, invalid};

fn cipher(key: &[u8], nonce: &[u8]) -> PyResult<(LessSafeKey, Nonce)> {
    let made = UnboundKey::new(&AES_256_GCM, key).and_then(|key| Ok((key, Nonce::try_assume_unique_for_key(nonce)?)));
    let (key, nonce) = made.map_err(|_| invalid(format!("a key has 32 bytes, a nonce {NONCE_LEN}")))?;
    Ok((LessSafeKey::new(key), nonce))
}

/// The canonical JSON of a Python value.
#[pyfunction]
pub fn encode_value<'py>(
    py: Python<'py>,
    value: &Bound<'py, PyAny>,
    converter: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let json = Encoder::new(converter).alone(value)?;
    let mut canonical = Vec::new();
    canonicalise(&json, &mut canonical).map_err(invalid)?;
    Ok(PyBytes::new(py, &canonical))
}

/// Encrypts; the ciphertext with its tag of 16 bytes at the end.
#[pyfunction]
pub fn seal<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    bound_to: &[u8],
    plain: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, nonce) = cipher(key, nonce)?;
    let mut bytes = plain.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(bound_to), &mut bytes)
        .map_err(|_| exception(ErrorKind::Internal, "a value could not be sealed", None))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Decrypts what [`seal`] encrypted; `Tampered` when it was changed, or is under another key.
#[pyfunction]
pub fn unseal<'py>(
    py: Python<'py>,
    key: &[u8],
    nonce: &[u8],
    bound_to: &[u8],
    sealed: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (key, nonce) = cipher(key, nonce)?;
    let mut bytes = sealed.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(bound_to), &mut bytes);
    let plain = plain.map_err(|_| exception(ErrorKind::Tampered, "a sealed value was changed", None))?;
    Ok(PyBytes::new(py, plain))
}
