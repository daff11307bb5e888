//! A client's signature of an entry (Ed25519, RFC 8032, verified strictly).
//!
//! Signed are the bytes `counterfoil-entry/v1`, a line feed, the ledger's origin, a line feed, and the
//! canonical bytes of the entry without `recorded_at`, `recorder`, `salt` and `signature.value`. The rest of
//! `signature` stays in, so the key and the algorithm are signed too.

use crate::draft::Draft;
use crate::error::EntryError;
use crate::fields::Fields;
use crate::member::Member;
use crate::rules;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The one algorithm of version 1.
pub const ALGORITHM: &str = "ed25519";

/// What signed bytes begin with, so that a signature of an entry is good for nothing else.
const DOMAIN: &str = "counterfoil-entry/v1\n";

/// The `signature` member of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Hex SHA-256 of the public key, 64 lowercase digits.
    pub key_id: Cow<'a, str>,
    /// [`ALGORITHM`].
    pub algorithm: Cow<'a, str>,
    /// The signature itself.
    pub value: [u8; 64],
}

impl<'a> Signature<'a> {
    /// Reads the canonical JSON of the member.
    pub(crate) fn read(value: &'a str) -> Result<Self, EntryError> {
        let member = Member::Signature.name();
        let [algorithm, key_id, signature] = rules::exact_strings(member, value, ["algorithm", "key_id", "value"])?;
        if algorithm != ALGORITHM {
            return Err(rules::refused("signature.algorithm", "must be \"ed25519\""));
        }
        if key_id.len() != 64 || !key_id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(rules::refused(
                "signature.key_id",
                "must be the SHA-256 of the public key in 64 lowercase hex digits",
            ));
        }
        let problem = "must be 64 bytes in canonical base64 (88 characters, padded)";
        let value = rules::decode(&signature).ok_or_else(|| rules::refused("signature.value", problem))?;
        Ok(Self { key_id, algorithm, value })
    }

    /// Appends the canonical JSON of the member.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_without_value(out);
        out.pop();
        out.extend_from_slice(b",\"value\":\"");
        out.extend_from_slice(BASE64.encode(self.value).as_bytes());
        out.extend_from_slice(b"\"}");
    }

    pub(crate) fn write_without_value(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"algorithm\":");
        crate::canonical::write_string(&self.algorithm, out);
        out.extend_from_slice(b",\"key_id\":");
        crate::canonical::write_string(&self.key_id, out);
        out.push(b'}');
    }
}

/// What can carry a signature: a [`Draft`] or the [`Fields`] of a committed entry.
pub trait Signed {
    /// The `signature` member.
    fn signature(&self) -> Option<Signature<'_>>;

    /// Appends the canonical bytes of the signed members.
    fn write_signed_members(&self, out: &mut Vec<u8>);
}

impl Signed for Draft {
    fn signature(&self) -> Option<Signature<'_>> {
        Draft::signature(self)
    }

    fn write_signed_members(&self, out: &mut Vec<u8>) {
        Draft::write_signed_members(self, out);
    }
}

impl Signed for Fields<'_> {
    fn signature(&self) -> Option<Signature<'_>> {
        self.signature.clone()
    }

    fn write_signed_members(&self, out: &mut Vec<u8>) {
        Fields::write_signed_members(self, out);
    }
}

/// The bytes that the signature of an entry covers, for a ledger of this origin.
pub fn signed_bytes(origin: &str, entry: &impl Signed) -> Vec<u8> {
    let mut bytes = format!("{DOMAIN}{origin}\n").into_bytes();
    entry.write_signed_members(&mut bytes);
    bytes
}

/// The bytes that a signer outside has to sign for a draft that is not signed yet.
///
/// # Errors
/// As [`sign`].
pub fn bytes_to_sign(origin: &str, draft: &Draft, key_id: &str) -> Result<Vec<u8>, EntryError> {
    Ok(signed_bytes(origin, &attach(draft, key_id, &[0; 64])?))
}

/// The draft with a signature that was made over [`bytes_to_sign`].
///
/// # Errors
/// A draft that is signed already, or lacks `timestamp`, `source` or `sequence`; a `key_id` that is not 64
/// lowercase hex digits.
pub fn attach(draft: &Draft, key_id: &str, value: &[u8; 64]) -> Result<Draft, EntryError> {
    if draft.has(Member::Signature) {
        return Err(rules::refused("signature", "the entry is signed already"));
    }
    let (head, tail) = draft.client_bytes().split_at(draft.place_of(Member::Signature));
    let mut json = head.to_vec();
    json.extend_from_slice(b",\"signature\":");
    Signature { key_id: key_id.into(), algorithm: ALGORITHM.into(), value: *value }.write(&mut json);
    json.extend_from_slice(tail);
    Draft::parse(&json)
}

/// Signs a draft for a ledger of this origin.
///
/// # Errors
/// A draft that is signed already, or lacks `timestamp`, `source` or `sequence`.
pub fn sign(key: &SigningKey, origin: &str, draft: &Draft) -> Result<Draft, EntryError> {
    let key_id = key_id(&key.verifying_key());
    let value = key.sign(&bytes_to_sign(origin, draft, &key_id)?);
    attach(draft, &key_id, &value.to_bytes())
}

/// Whether the entry carries a signature that this key made for this origin.
///
/// Strict: small-order keys and points and non-canonical encodings are refused.
pub fn verify(key: &VerifyingKey, origin: &str, entry: &impl Signed) -> bool {
    entry.signature().is_some_and(|signature| {
        signature.algorithm == ALGORITHM
            && signature.key_id == key_id(key)
            && key
                .verify_strict(&signed_bytes(origin, entry), &ed25519_dalek::Signature::from_bytes(&signature.value))
                .is_ok()
    })
}

/// The name of a key in entries: hex SHA-256 of its 32 bytes.
pub fn key_id(key: &VerifyingKey) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
