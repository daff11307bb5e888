//! Public keys as C2SP signed-note writes them ("vkeys"), and the signatures they check.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use ml_dsa::{EncodedVerifyingKey, MlDsa44};
use sha2::{Digest, Sha256};

use crate::{Error, KeyName, cosignature, encoding};

/// The short identifier of a key within its name: the first 4 bytes of a hash. Not a fingerprint to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// SHA-256(name ‖ 0x0A ‖ type ‖ public key), first four bytes (C2SP signed-note, "Signatures").
    pub fn new(name: &KeyName, key_type: KeyType, public_key: &[u8]) -> Self {
        let hash = Sha256::new_with_prefix(name.as_str())
            .chain_update([b'\n', key_type as u8])
            .chain_update(public_key)
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// What a key signs and how: the signature types of C2SP signed-note that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyType {
    /// Ed25519 over the note's text.
    Ed25519 = 0x01,
    /// Timestamped Ed25519 cosignature of a checkpoint, `cosignature/v1`.
    Cosignature = 0x04,
    /// Timestamped ML-DSA-44 cosignature of a checkpoint or subtree, `subtree/v1`.
    MlDsa44 = 0x06,
}

impl KeyType {
    pub(crate) fn from_byte(byte: u8) -> Result<Self, Error> {
        [Self::Ed25519, Self::Cosignature, Self::MlDsa44]
            .into_iter()
            .find(|key_type| *key_type as u8 == byte)
            .ok_or(Error::InvalidKey("its type is not supported"))
    }
}

/// A public key with its name, as text `<name>+<id, 8 hex digits>+<base64 of type and key>`.
#[derive(Clone)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    key_type: KeyType,
    key: PublicKey,
}

#[derive(Clone)]
enum PublicKey {
    Ed25519(VerifyingKey),
    MlDsa44(Box<ml_dsa::VerifyingKey<MlDsa44>>),
}

impl VerifierKey {
    /// A key of 32 bytes (Ed25519, [`KeyType::Cosignature`]) or 1,312 bytes ([`KeyType::MlDsa44`]).
    ///
    /// Errors: [`Error::InvalidKey`] for another length, for bytes that are no curve point, and for weak Ed25519 keys,
    /// which would accept signatures of anybody.
    pub fn new(name: KeyName, key_type: KeyType, public_key: &[u8]) -> Result<Self, Error> {
        let key = match key_type {
            KeyType::Ed25519 | KeyType::Cosignature => ed25519_key(public_key).map(PublicKey::Ed25519)?,
            KeyType::MlDsa44 => {
                let encoded = EncodedVerifyingKey::<MlDsa44>::try_from(public_key)
                    .map_err(|_| Error::InvalidKey("an ML-DSA-44 key has 1312 bytes"))?;
                PublicKey::MlDsa44(Box::new(ml_dsa::VerifyingKey::decode(&encoded)))
            }
        };
        Ok(Self { id: KeyId::new(&name, key_type, public_key), name, key_type, key })
    }

    /// The name that stands in front of the key's signatures.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id that stands in its signatures.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs and how.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The encoded public key: 32 or 1,312 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        match &self.key {
            PublicKey::Ed25519(key) => key.as_bytes().to_vec(),
            PublicKey::MlDsa44(key) => key.encode().to_vec(),
        }
    }

    /// Checks what stands after the key id in a note's signature line, over the note's text.
    /// Keys that cosign need the text to be a checkpoint.
    ///
    /// Errors: [`Error::InvalidSignature`].
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<(), Error> {
        if self.key_type == KeyType::Ed25519 {
            return self.verify_message(text.as_bytes(), signature);
        }
        let cosignature = cosignature::split(signature).map_err(|_| self.invalid())?;
        let message = cosignature::checkpoint_message(self, text, cosignature.timestamp).map_err(|_| self.invalid())?;
        self.verify_message(&message, cosignature.signature)
    }

    /// Checks a bare signature over exactly these bytes: the counterpart of [`Signer::sign`](crate::Signer::sign).
    /// Ed25519 is verified strictly (no small-order points, no second encodings of a signature); ML-DSA-44 has an
    /// empty context.
    ///
    /// Errors: [`Error::InvalidSignature`].
    pub fn verify_message(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let holds = match &self.key {
            PublicKey::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            PublicKey::MlDsa44(key) => ml_dsa::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify_with_context(message, &[], &signature)),
        };
        if holds { Ok(()) } else { Err(self.invalid()) }
    }

    fn invalid(&self) -> Error {
        Error::InvalidSignature { name: self.name.clone(), id: self.id }
    }
}

fn ed25519_key(bytes: &[u8]) -> Result<VerifyingKey, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::InvalidKey("an Ed25519 key has 32 bytes"))?;
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| Error::InvalidKey("it is not a point of the curve"))?;
    if key.is_weak() { Err(Error::InvalidKey("it is a weak Ed25519 key")) } else { Ok(key) }
}

/// Takes `<name>+<id>+<base64>` apart into the name, the id and the decoded bytes: a type and a key.
pub(crate) fn split_key_text(text: &str) -> Result<(KeyName, KeyId, KeyType, Vec<u8>), Error> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::InvalidKey("its text is not <name>+<id>+<base64>"));
    };
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let id = match u32::from_str_radix(id, 16) {
        Ok(number) if id.len() == 8 && id.bytes().all(hex) => KeyId(number.to_be_bytes()),
        _ => return Err(Error::InvalidKey("its id is not 8 lowercase hex digits")),
    };
    let mut bytes = encoding::from_base64(key).ok_or(Error::InvalidKey("it is not base64"))?;
    let key_type = KeyType::from_byte(*bytes.first().ok_or(Error::InvalidKey("it is empty"))?)?;
    bytes.remove(0);
    Ok((KeyName::new(name)?, id, key_type, bytes))
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, id, key_type, bytes) = split_key_text(text)?;
        let key = Self::new(name, key_type, &bytes)?;
        if key.id == id { Ok(key) } else { Err(Error::InvalidKey("its id does not belong to its name and bytes")) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.key_type as u8], self.public_key().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, encoding::base64(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.key_type == other.key_type && self.public_key() == other.public_key()
    }
}

impl Eq for VerifierKey {}
