//! Cosignatures: statements of witnesses and mirrors about a checkpoint or a subtree (C2SP tlog-cosignature).
//!
//! Every function that makes or checks one follows the type of the key: [`KeyType::Cosignature`] signs the text
//! `cosignature/v1`, [`KeyType::MlDsa44`] the structure `subtree/v1`.

use crate::{Checkpoint, Error, Hash, KeyType, Origin, Signature, Signer, Subtree, VerifierKey};

/// The greatest timestamp, in POSIX seconds.
const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// What stands after the key id in the line of a cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature<'a> {
    /// When it was made, in POSIX seconds, at most 2^63-1. 0 makes no claim that this is the largest tree seen.
    pub timestamp: u64,
    /// The bare signature: 64 or 2,420 bytes.
    pub signature: &'a [u8],
}

/// Takes the bytes of a [`Signature`] by a cosigner's key apart.
///
/// Errors: [`Error::InvalidCosignature`] when there is no timestamp up to 2^63-1.
pub fn split(bytes: &[u8]) -> Result<Cosignature<'_>, Error> {
    let (timestamp, signature) =
        bytes.split_first_chunk::<8>().ok_or(Error::InvalidCosignature("it has no timestamp"))?;
    let timestamp = u64::from_be_bytes(*timestamp);
    check_timestamp(timestamp)?;
    Ok(Cosignature { timestamp, signature })
}

/// Cosigns a whole checkpoint, given its text, at a time in POSIX seconds.
///
/// Errors: [`Error::WrongKeyType`] for a key that does not cosign, [`Error::InvalidCosignature`],
/// [`Error::MalformedCheckpoint`], [`Error::Sign`].
pub fn cosign(checkpoint_text: &str, timestamp: u64, signer: &dyn Signer) -> Result<Signature, Error> {
    let message = checkpoint_message(signer.verifier_key(), checkpoint_text, timestamp)?;
    timestamped(signer, timestamp, &message)
}

/// Cosigns a subtree of the log `origin` with an ML-DSA-44 key. The timestamp is 0, as C2SP tlog-witness asks of
/// `sign-subtree`.
///
/// Errors: as [`cosign`].
pub fn cosign_subtree(origin: &Origin, subtree: Subtree, hash: &Hash, signer: &dyn Signer) -> Result<Signature, Error> {
    let message = subtree_message(signer.verifier_key(), 0, origin, subtree, hash)?;
    timestamped(signer, 0, &message)
}

/// Checks a line that cosigns a subtree, and gives its timestamp.
///
/// Errors: [`Error::NoTrustedSignature`] when the line is by another key, [`Error::InvalidSignature`], and as
/// [`cosign`].
pub fn verify_subtree(
    key: &VerifierKey,
    origin: &Origin,
    subtree: Subtree,
    hash: &Hash,
    line: &Signature,
) -> Result<u64, Error> {
    if !line.is_by(key) {
        return Err(Error::NoTrustedSignature);
    }
    let cosignature = split(&line.bytes)?;
    let message = subtree_message(key, cosignature.timestamp, origin, subtree, hash)?;
    key.verify_message(&message, cosignature.signature)?;
    Ok(cosignature.timestamp)
}

/// The bytes that a cosigner signs for a checkpoint.
pub(crate) fn checkpoint_message(key: &VerifierKey, text: &str, timestamp: u64) -> Result<Vec<u8>, Error> {
    check_timestamp(timestamp)?;
    let checkpoint: Checkpoint = text.parse()?;
    match key.key_type() {
        KeyType::Ed25519 => Err(Error::WrongKeyType("it signs notes, it does not cosign checkpoints")),
        KeyType::Cosignature => Ok(format!("cosignature/v1\ntime {timestamp}\n{text}").into_bytes()),
        KeyType::MlDsa44 => {
            subtree_message(key, timestamp, &checkpoint.origin, checkpoint.size.into(), &checkpoint.root)
        }
    }
}

/// The structure `cosigned_message` in TLS encoding.
fn subtree_message(
    key: &VerifierKey,
    timestamp: u64,
    origin: &Origin,
    subtree: Subtree,
    hash: &Hash,
) -> Result<Vec<u8>, Error> {
    if key.key_type() != KeyType::MlDsa44 {
        return Err(Error::WrongKeyType("only ML-DSA-44 keys cosign subtrees"));
    }
    let begin = subtree.begin().0;
    if begin != 0 && timestamp != 0 {
        return Err(Error::InvalidCosignature("a subtree that is not a whole tree has no timestamp"));
    }
    let mut message = b"subtree/v1\n\0".to_vec();
    write_name(&mut message, key.name().as_str())?;
    message.extend(timestamp.to_be_bytes());
    write_name(&mut message, origin.as_str())?;
    message.extend(begin.to_be_bytes());
    message.extend(subtree.end().0.to_be_bytes());
    message.extend(hash.as_bytes());
    Ok(message)
}

fn write_name(message: &mut Vec<u8>, name: &str) -> Result<(), Error> {
    let length = u8::try_from(name.len()).map_err(|_| Error::InvalidCosignature("a name has more than 255 bytes"))?;
    message.push(length);
    message.extend(name.bytes());
    Ok(())
}

fn check_timestamp(timestamp: u64) -> Result<(), Error> {
    match timestamp {
        0..=MAX_TIMESTAMP => Ok(()),
        _ => Err(Error::InvalidCosignature("its timestamp is beyond 2^63-1")),
    }
}

fn timestamped(signer: &dyn Signer, timestamp: u64, message: &[u8]) -> Result<Signature, Error> {
    let key = signer.verifier_key();
    let bytes = [timestamp.to_be_bytes().as_slice(), &signer.sign(message)?].concat();
    Ok(Signature { name: key.name().clone(), id: key.id(), bytes })
}
