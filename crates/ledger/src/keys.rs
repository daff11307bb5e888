//! The ledger's signing key as a file.

use std::path::Path;

use counterfoil_tlog::{KeyName, KeyType, NoteSigner, Origin};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::layout::Layout;

/// Makes a new key, keeps it as PKCS#8 readable by its owner alone, and returns its signer.
pub fn create(disk: &dyn Disk, layout: &Layout, origin: &Origin) -> Result<NoteSigner> {
    let (key, pem) = generate()?;
    let path = layout.signing_key();
    disk.create_folder(&layout.keys())
        .and_then(|()| disk.write_new(&path, 0o600, pem.as_bytes()))
        .and_then(|()| disk.sync_folder(&layout.keys()))
        .map_err(|error| Error::io(layout.relative(&path), error))?;
    signer(origin, key.as_bytes())
}

/// A new key, and the same as PKCS#8 PEM: version 1, without the public key (RFC 8410, section 7), since few programs
/// read version 2.
pub fn generate() -> Result<(SigningKey, Zeroizing<String>)> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Error::unavailable(format!("no randomness for a key: {error}")))?;
    let key = SigningKey::from_bytes(&seed);
    let pem = KeypairBytes { secret_key: key.to_bytes(), public_key: None }
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| Error::new(crate::ErrorKind::Internal, format!("the key cannot be written: {error}")))?;
    Ok((key, pem))
}

/// Reads the key that [`create`] kept.
pub fn load(disk: &dyn Disk, layout: &Layout, origin: &Origin) -> Result<NoteSigner> {
    let path = layout.signing_key();
    let name = layout.relative(&path);
    refuse_readable_by_others(&path, &name)?;
    let bytes = disk.read_small(&path).map_err(|error| Error::io(&name, error))?;
    let key = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|pem| SigningKey::from_pkcs8_pem(pem).ok())
        .ok_or_else(|| Error::damaged(format!("{name}: it is no Ed25519 key in PKCS#8 PEM")))?;
    signer(origin, key.as_bytes())
}

fn signer(origin: &Origin, seed: &[u8; 32]) -> Result<NoteSigner> {
    Ok(NoteSigner::from_seed(KeyName::new(origin.as_str())?, KeyType::Ed25519, seed)?)
}

fn refuse_readable_by_others(path: &Path, name: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    match mode {
        Ok(mode) if mode & 0o077 != 0 => Err(Error::new(
            crate::ErrorKind::Denied,
            format!("{name}: others may read this key (mode {:o}); run chmod 600 on it", mode & 0o777),
        )),
        _ => Ok(()),
    }
}
