//! Private keys, here or elsewhere.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use ml_dsa::MlDsa44;
use ml_dsa::signature::Keypair as _;

use crate::key::split_key_text;
use crate::{Error, KeyName, KeyType, SignError, VerifierKey};

/// A private key that may live elsewhere: in a KMS, an HSM, another process.
pub trait Signer {
    /// The public key to which the signatures belong.
    fn verifier_key(&self) -> &VerifierKey;

    /// The bare signature over exactly these bytes: 64 bytes for Ed25519 types, 2,420 for ML-DSA-44 (pure, empty
    /// context). What a note or cosignature wraps around it is not the signer's business.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A private key in memory, of any [`KeyType`]. Signatures are deterministic. Wiped when dropped.
pub struct NoteSigner {
    key: VerifierKey,
    secret: Secret,
}

enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
}

impl NoteSigner {
    /// The key that grows from a 32-byte seed: an RFC 8032 private key, or the ξ of FIPS 204.
    pub fn from_seed(name: KeyName, key_type: KeyType, seed: &[u8; 32]) -> Result<Self, Error> {
        let (secret, public_key) = match key_type {
            KeyType::Ed25519 | KeyType::Cosignature => {
                let key = ed25519_dalek::SigningKey::from_bytes(seed);
                let public_key = key.verifying_key().as_bytes().to_vec();
                (Secret::Ed25519(Box::new(key)), public_key)
            }
            KeyType::MlDsa44 => {
                let key = Box::new(ml_dsa::SigningKey::<MlDsa44>::from_seed(&(*seed).into()));
                let public_key = key.verifying_key().encode().to_vec();
                (Secret::MlDsa44(key), public_key)
            }
        };
        Ok(Self { key: VerifierKey::new(name, key_type, &public_key)?, secret })
    }
}

/// Reads `PRIVATE+KEY+<name>+<id>+<base64 of type and seed>`, the text of Go's note package.
impl FromStr for NoteSigner {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(Error::InvalidKey("it is not a private key"))?;
        let (name, id, key_type, seed) = split_key_text(rest)?;
        let seed = seed.as_slice().try_into().map_err(|_| Error::InvalidKey("its seed does not have 32 bytes"))?;
        let signer = Self::from_seed(name, key_type, seed)?;
        if signer.key.id() == id { Ok(signer) } else { Err(Error::InvalidKey("its id does not belong to its seed")) }
    }
}

impl Signer for NoteSigner {
    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.secret {
            Secret::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Secret::MlDsa44(key) => key
                .expanded_key()
                .sign_deterministic(message, &[])
                .map(|signature| signature.encode().to_vec())
                .map_err(|error| SignError(error.to_string())),
        }
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteSigner").field("key", &self.key).finish_non_exhaustive()
    }
}
