//! Signing entries: with a key in a file, or by whoever keeps the key.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use counterfoil::{Error, ErrorKind};
use counterfoil_entry::{Draft, signature};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{exception, invalid};

/// An Ed25519 key in a file, PKCS#8 PEM, as `counterfoil key new` writes it.
#[pyclass(frozen, module = "counterfoil._core")]
#[derive(Debug)]
pub struct KeyFile {
    key: SigningKey,
}

#[pymethods]
impl KeyFile {
    #[new]
    fn new(path: PathBuf) -> PyResult<Self> {
        let told = |kind, problem: &str| exception(kind, &format!("{}: {problem}", path.display()), None);
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => told(ErrorKind::NotFound, "there is no such key file"),
            _ => told(ErrorKind::Unavailable, &error.to_string()),
        };
        let mode = std::fs::metadata(&path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(told(ErrorKind::Denied, "others may read this key; run chmod 600 on it"));
        }
        let pem = std::fs::read_to_string(&path).map_err(failed)?;
        let key = SigningKey::from_pkcs8_pem(&pem);
        Ok(Self { key: key.map_err(|_| told(ErrorKind::Invalid, "it is no Ed25519 key in PKCS#8 PEM"))? })
    }

    /// The 32 bytes of the public key.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.key.verifying_key().as_bytes())
    }

    /// The 64 bytes of the signature of a message.
    fn sign<'py>(&self, py: Python<'py>, message: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.key.sign(message).to_bytes())
    }
}

/// Reads a public key of 32 bytes.
pub fn public_key(bytes: &[u8]) -> PyResult<VerifyingKey> {
    let bytes = bytes.try_into().ok();
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    key.ok_or_else(|| invalid("public_key is the 32 bytes of an Ed25519 key"))
}

#[derive(Debug)]
enum Key {
    Here(Py<KeyFile>),
    /// A Python object with `sign(message)`.
    Elsewhere(Py<PyAny>),
}

/// What signs the entries for one ledger.
#[derive(Debug)]
pub struct Signer {
    origin: String,
    key_id: String,
    key: Key,
}

impl Signer {
    /// A signer for the ledger of this origin, from a Python object with `public_key` and `sign(message)`.
    pub fn new(origin: String, signer: &Bound<'_, PyAny>) -> PyResult<Self> {
        let key = match signer.cast::<KeyFile>() {
            Ok(file) => Key::Here(file.clone().unbind()),
            Err(_) => Key::Elsewhere(signer.clone().unbind()),
        };
        let public = public_key(&signer.getattr("public_key")?.extract::<Vec<u8>>()?)?;
        Ok(Self { origin, key_id: signature::key_id(&public), key })
    }

    /// The entry with its signature. `Unavailable` when a key elsewhere does not sign.
    pub fn sign(&self, draft: &Draft) -> Result<Draft, Error> {
        let bytes = signature::bytes_to_sign(&self.origin, draft, &self.key_id)?;
        let value = match &self.key {
            Key::Here(file) => file.get().key.sign(&bytes).to_bytes(),
            Key::Elsewhere(signer) => Python::attach(|py| {
                let signed = signer.bind(py).call_method1("sign", (PyBytes::new(py, &bytes),));
                signed.and_then(|signed| signed.extract::<Vec<u8>>())
            })
            .map_err(|error| error.to_string())
            .and_then(|value| value.try_into().map_err(|_| "it gave no signature of 64 bytes".to_owned()))
            .map_err(|problem| Error {
                kind: ErrorKind::Unavailable,
                message: format!("the signer: {problem}"),
                position: None,
                source: None,
            })?,
        };
        Ok(signature::attach(draft, &self.key_id, &value)?)
    }
}
