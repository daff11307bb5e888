//! The keys that may sign entries, as the ledger's own entries register and revoke them.

use std::collections::HashMap;

use counterfoil_entry::{Fields, signature};
use counterfoil_tlog::Origin;
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;

use crate::{Finding, FindingKind};

/// The type of the entry that registers a key.
pub const KEY_REGISTERED: &str = "ledger.key_registered";
/// The type of the entry that revokes a key.
pub const KEY_REVOKED: &str = "ledger.key_revoked";

/// The keys that are registered at some point of a ledger. Feed it the entries in order.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    keys: HashMap<String, RegisteredKey>,
}

#[derive(Clone, Debug)]
struct RegisteredKey {
    key: VerifyingKey,
    /// For whom it may sign; none means any.
    actors: Vec<String>,
    revoked: bool,
}

/// The `context` of [`KEY_REGISTERED`]; the entry's `entity_id` is the key's id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    algorithm: String,
    public_key: String,
    actors: Vec<String>,
}

impl KeyRing {
    /// Whether the entry registers or revokes a key.
    pub fn concerns(fields: &Fields<'_>) -> bool {
        matches!(fields.event_type.as_ref(), KEY_REGISTERED | KEY_REVOKED)
    }

    /// Takes in an entry that registers or revokes a key; others change nothing.
    ///
    /// Errors: a finding when the entry does not say what it must.
    pub fn observe(&mut self, fields: &Fields<'_>) -> Result<(), Finding> {
        match fields.event_type.as_ref() {
            KEY_REGISTERED => self.register(fields),
            KEY_REVOKED => match self.keys.get_mut(fields.entity_id.as_ref()) {
                Some(key) => {
                    key.revoked = true;
                    Ok(())
                }
                None => Err(Finding::new(FindingKind::KeyUnregistered, "it revokes a key that was never registered")),
            },
            _ => Ok(()),
        }
    }

    fn register(&mut self, fields: &Fields<'_>) -> Result<(), Finding> {
        let malformed =
            |reason: &str| Finding::new(FindingKind::EntryMalformed, format!("a key registration: {reason}"));
        let context = fields.context.ok_or_else(|| malformed("it has no context"))?;
        let registration: Registration =
            serde_json::from_str(context).map_err(|error| malformed(&error.to_string()))?;
        if registration.algorithm != signature::ALGORITHM {
            return Err(malformed("its algorithm is not ed25519"));
        }
        let mut bytes = [0; 32];
        let decoded = hex::decode_to_slice(&registration.public_key, &mut bytes).ok();
        let key = decoded.and_then(|()| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
        let key = key.ok_or_else(|| malformed("its public_key is no Ed25519 key of 64 hex digits"))?;
        if signature::key_id(&key) != fields.entity_id {
            return Err(malformed("its entity_id is not the SHA-256 of its public_key"));
        }
        let registered = RegisteredKey { key, actors: registration.actors, revoked: false };
        self.keys.insert(fields.entity_id.to_string(), registered);
        Ok(())
    }

    /// Checks the signature of an entry of the ledger `origin`, and that its key may sign for its actor at this point.
    /// An entry without a signature passes.
    ///
    /// Errors: [`FindingKind::KeyUnregistered`] and [`FindingKind::EntrySignature`].
    pub fn check(&self, origin: &Origin, fields: &Fields<'_>) -> Result<(), Finding> {
        let Some(signature) = &fields.signature else { return Ok(()) };
        let refused = |reason: String| Finding::new(FindingKind::KeyUnregistered, reason);
        let key_id = signature.key_id.as_ref();
        let key = self.keys.get(key_id).ok_or_else(|| refused(format!("no registration of the key {key_id}")))?;
        if key.revoked {
            return Err(refused(format!("the key {key_id} was revoked before")));
        }
        if !key.actors.is_empty() && !key.actors.iter().any(|actor| *actor == fields.actor) {
            return Err(refused(format!("the key {key_id} is not registered for the actor {}", fields.actor)));
        }
        if signature::verify(&key.key, origin.as_str(), fields) {
            return Ok(());
        }
        let message = format!("the signature by the key {key_id} does not hold");
        Err(Finding::new(FindingKind::EntrySignature, message))
    }
}
