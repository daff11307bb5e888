//! A signing key that remembers everything it signed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use counterfoil_tlog::{Checkpoint, Error, KeyName, KeyType, NoteSigner, SignError, Signer, VerifierKey};

/// An Ed25519 key as a KMS would hold it: it keeps every checkpoint that it signed, and it can be made to fail.
#[derive(Debug)]
pub struct RecordingSigner {
    key: NoteSigner,
    seed: [u8; 32],
    signed: Mutex<Vec<Checkpoint>>,
    left: AtomicU64,
    frames_fail: AtomicBool,
}

impl RecordingSigner {
    /// The key of this name that grows from a seed.
    ///
    /// # Errors
    /// A name that no key can have.
    pub fn new(name: &str, seed: u8) -> Result<Self, Error> {
        Self::from_seed(KeyName::new(name)?, [seed; 32], Vec::new())
    }

    /// The same key with the same memory, for another course of events from here on.
    ///
    /// # Errors
    /// None, as the key is one already.
    pub fn branch(&self) -> Result<Self, Error> {
        Self::from_seed(self.key.verifier_key().name().clone(), self.seed, self.signed())
    }

    fn from_seed(name: KeyName, seed: [u8; 32], signed: Vec<Checkpoint>) -> Result<Self, Error> {
        let key = NoteSigner::from_seed(name, KeyType::Ed25519, &seed)?;
        Ok(Self {
            key,
            seed,
            signed: Mutex::new(signed),
            left: AtomicU64::new(u64::MAX),
            frames_fail: AtomicBool::new(false),
        })
    }

    /// Every checkpoint signed so far, oldest first.
    pub fn signed(&self) -> Vec<Checkpoint> {
        self.signed.lock().expect("no panic while held").clone()
    }

    /// Makes the signing of frames fail, or not, before anything is written.
    pub fn fail_frames(&self, fail: bool) {
        self.frames_fail.store(fail, Ordering::SeqCst);
    }

    /// Fails every checkpoint after the next `calls`; `u64::MAX` for never.
    pub fn fail_after(&self, calls: u64) {
        self.left.store(calls, Ordering::SeqCst);
    }
}

impl Signer for RecordingSigner {
    fn verifier_key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if message.starts_with(b"counterfoil-frame/v1\n") {
            return match self.frames_fail.load(Ordering::SeqCst) {
                true => Err(SignError("the key service does not answer".into())),
                false => self.key.sign(message),
            };
        }
        let take = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(1) };
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            return Err(SignError("the key service does not answer".into()));
        }
        let text = String::from_utf8_lossy(message);
        let checkpoint = text.parse().map_err(|error: Error| SignError(error.to_string()))?;
        self.signed.lock().expect("no panic while held").push(checkpoint);
        self.key.sign(message)
    }
}
