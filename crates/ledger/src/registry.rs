//! The keys of clients that sign their entries, as the ledger's own entries register and revoke them.

use std::collections::HashMap;
use std::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use counterfoil_entry::{Draft, Fields, check_recorder, signature};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::pkcs8::spki::der::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::keys;
use crate::ledger::Ledger;
use crate::own::{self, KEY_REGISTERED, KEY_REVOKED};
use crate::receipt::Receipt;
use crate::snapshot::Snapshot;

/// The public key of a client that signs its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientKey {
    /// The Ed25519 public key.
    pub key: VerifyingKey,
}

impl ClientKey {
    /// Makes a key pair: the public key, and the private key as PKCS#8 PEM.
    ///
    /// Errors: `Unavailable` when the machine has no randomness.
    pub fn generate() -> Result<(Self, Zeroizing<String>)> {
        let (key, pem) = keys::generate()?;
        Ok((Self { key: key.verifying_key() }, pem))
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self { key: VerifyingKey::from_bytes(&bytes).ok()? })
    }

    /// Reads a SubjectPublicKeyInfo in PEM (RFC 8410), as `openssl pkey -pubout` writes it.
    pub fn from_pem(pem: &str) -> Option<Self> {
        Some(Self { key: VerifyingKey::from_public_key_pem(pem).ok()? })
    }

    /// Lowercase hexadecimal SHA-256 of the public key: how entries name it.
    pub fn id(&self) -> String {
        signature::key_id(&self.key)
    }
}

/// A client's key and the actors for whom it may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The Ed25519 public key.
    pub key: VerifyingKey,
    /// The actors; none means any.
    pub actors: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistrationContext {
    algorithm: String,
    public_key: String,
    actors: Vec<String>,
}

impl Registration {
    /// Lowercase hexadecimal SHA-256 of the public key.
    pub fn key_id(&self) -> String {
        signature::key_id(&self.key)
    }

    /// The entry that says who registered the key.
    pub fn draft(&self, actor: &str) -> Draft {
        let context = RegistrationContext {
            algorithm: "ed25519".into(),
            public_key: hex::encode(self.key.as_bytes()),
            actors: self.actors.clone(),
        };
        let context = serde_json::to_value(context).expect("plain values are JSON");
        own::draft_by(actor, KEY_REGISTERED, &self.key_id(), "key", &context)
    }

    /// Reads a registration from the context of its entry.
    pub fn read(context: &str) -> Option<Self> {
        let context: RegistrationContext = serde_json::from_str(context).ok()?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&context.public_key, &mut bytes).ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (context.algorithm == "ed25519").then_some(Self { key, actors: context.actors })
    }

    /// Whether the key may sign for an actor.
    pub fn allows(&self, actor: &str) -> bool {
        self.actors.is_empty() || self.actors.iter().any(|one| one == actor)
    }
}

/// What the ledger says of a key at the end of some state: registered, or not (any more).
pub(crate) fn current(snapshot: &Snapshot, key_id: &str) -> Result<Option<Registration>> {
    let mut registration = None;
    for (_, bytes) in snapshot.history(key_id)? {
        let fields = Fields::split(&bytes)?;
        match fields.event_type.as_ref() {
            KEY_REGISTERED => registration = fields.context.and_then(Registration::read),
            KEY_REVOKED => registration = None,
            _ => {}
        }
    }
    Ok(registration)
}

/// Registrations that have been looked up. Only the ledger's own acts change them, and those clear it.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    kept: Mutex<HashMap<String, Option<Registration>>>,
    changes: RwLock<()>,
}

/// The most keys that are kept.
const MAX_KEPT: usize = 4_096;

impl Registry {
    /// Keeps all registrations as they are from the check of an entry until the entry has its place in the queue.
    pub fn unchanged(&self) -> RwLockReadGuard<'_, ()> {
        self.changes.read().expect("no panic while held")
    }

    /// Held from before a registration changes until the change is recorded and [forgotten](Self::forget).
    pub fn changing(&self) -> RwLockWriteGuard<'_, ()> {
        self.changes.write().expect("no panic while held")
    }

    /// Refuses a submission whose signature does not hold, or whose key may not sign for its actor.
    pub fn check(&self, draft: &Draft, snapshot: &Snapshot) -> Result<()> {
        let Some(found) = draft.signature() else { return Ok(()) };
        let denied = |message: String| Err(Error::new(ErrorKind::Denied, message));
        let Some(registration) = self.find(&found.key_id, snapshot)? else {
            return denied(format!("key {} is not registered, or was revoked", found.key_id));
        };
        if !registration.allows(&draft.actor()) {
            return denied(format!("key {} may not sign for actor {:?}", found.key_id, draft.actor()));
        }
        match signature::verify(&registration.key, snapshot.origin().as_str(), draft) {
            true => Ok(()),
            false => denied(format!("the signature by key {} does not hold", found.key_id)),
        }
    }

    /// Forgets what was looked up of a key.
    pub fn forget(&self, key_id: &str) {
        self.kept.lock().expect("no panic while held").remove(key_id);
    }

    fn find(&self, key_id: &str, snapshot: &Snapshot) -> Result<Option<Registration>> {
        if let Some(known) = self.kept.lock().expect("no panic while held").get(key_id) {
            return Ok(known.clone());
        }
        let found = current(snapshot, key_id)?;
        let mut kept = self.kept.lock().expect("no panic while held");
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(key_id.to_owned(), found.clone());
        Ok(found)
    }
}

impl Ledger {
    /// Registers the key of a client that signs its entries, for these actors (none means any).
    pub fn register_key(&self, key: VerifyingKey, actors: Vec<String>) -> Result<Receipt> {
        self.register_key_as(own::ACTOR, key, actors)
    }

    /// [`register_key`](Self::register_key) as an act of a principal: its name becomes the entry's `actor`.
    pub fn register_key_as(&self, principal: &str, key: VerifyingKey, actors: Vec<String>) -> Result<Receipt> {
        check_recorder(principal)?;
        let registration = Registration { key, actors };
        let _changing = self.registry.changing();
        let receipts = self.append_own(vec![registration.draft(principal)])?;
        self.registry.forget(&registration.key_id());
        Ok(receipts[0].clone())
    }

    /// Revokes a client's key: entries that it signs are `Denied` from now on. `NotFound` for a key that is not
    /// registered.
    pub fn revoke_key(&self, key_id: &str) -> Result<Receipt> {
        self.revoke_key_as(own::ACTOR, key_id)
    }

    /// [`revoke_key`](Self::revoke_key) as an act of a principal: its name becomes the entry's `actor`.
    pub fn revoke_key_as(&self, principal: &str, key_id: &str) -> Result<Receipt> {
        check_recorder(principal)?;
        let _changing = self.registry.changing();
        if current(&self.snapshot(), key_id)?.is_none() {
            return Err(Error::not_found(format!("key {key_id} is not registered")));
        }
        let revocation = own::draft_by(principal, KEY_REVOKED, key_id, "key", &serde_json::json!({}));
        let receipts = self.append_own(vec![revocation])?;
        self.registry.forget(key_id);
        Ok(receipts[0].clone())
    }
}
