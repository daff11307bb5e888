//! A small ledger in memory, always the same: six entries, one of them signed by a registered client.

use counterfoil_entry::{Draft, Fields, Timestamp, signature};
use counterfoil_evidence::{Bundle, BundleSource, ProvenEntry};
use counterfoil_tlog::{
    Checkpoint, EMPTY_ROOT, Hash, HashReader, KeyName, KeyType, LeafIndex, NoteSigner, Origin, Signer, TreeSize,
    VerifierKey, inclusion_proof, leaf_hash, node_hash, root,
};
use ed25519_dalek::SigningKey;

pub const ORIGIN: &str = "bank.example/audit";

/// The index of the entry that registers the client's key, and that of the entry that the client signed.
pub const REGISTERED: u64 = 1;
pub const SIGNED: u64 = 4;

pub struct Sample {
    pub entries: Vec<String>,
    pub signer: NoteSigner,
}

struct Leaves(Vec<Hash>);

impl HashReader for Leaves {
    type Error = counterfoil_tlog::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        match level {
            0 => Ok(self.0[index as usize]),
            _ => Ok(node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?)),
        }
    }
}

pub fn ledger_key(seed: u8) -> NoteSigner {
    NoteSigner::from_seed(KeyName::new(ORIGIN).unwrap(), KeyType::Ed25519, &[seed; 32]).unwrap()
}

pub fn client_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

impl Sample {
    pub fn new() -> Sample {
        let client = client_key(7);
        let approved = draft(
            r#"{"event_type":"invoice_approved","actor":"invoice-bot","actor_type":"ai_agent","entity_id":"INV-7",
                "old_value":"received","new_value":"approved","context":{"confidence":0.97,"model_version":"inv-3.2"},
                "timestamp":"2026-11-24T09:00:04Z","source":"invoice-bot","sequence":1}"#,
        );
        let drafts = [
            own(r#"{"event_type":"ledger.created","actor":"counterfoil","entity_id":"bank.example/audit"}"#),
            registration(&client, &["invoice-bot"]),
            draft(
                r#"{"event_type":"kyc_check","actor":"kyc-model","actor_type":"ai_agent","entity_id":"CUST-3","outcome":"success"}"#,
            ),
            draft(
                r#"{"event_type":"invoice_received","actor":"mail-gateway","actor_type":"service","entity_id":"INV-7","new_value":"received"}"#,
            ),
            signature::sign(&client, ORIGIN, &approved).unwrap(),
            draft(
                r#"{"event_type":"manual_override","actor":"maria","actor_type":"user","entity_id":"INV-7","old_value":"approved","new_value":"held","reason":"supplier changed its bank account: \"urgent\" mail"}"#,
            ),
        ];
        let entries = drafts.iter().enumerate().map(|(second, draft)| committed(draft, second as i64)).collect();
        Sample { entries, signer: ledger_key(1) }
    }

    pub fn vkey(&self) -> VerifierKey {
        self.signer.verifier_key().clone()
    }

    fn leaves(&self) -> Leaves {
        Leaves(self.entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect())
    }

    pub fn proven(&self, index: u64) -> ProvenEntry {
        let size = TreeSize(self.entries.len() as u64);
        let proof = inclusion_proof(&self.leaves(), LeafIndex(index), size).unwrap();
        ProvenEntry { index, canonical: self.entries[index as usize].clone(), proof }
    }

    /// The bundle of the life of INV-7.
    pub fn bundle(&self) -> Bundle {
        let state = State {
            sample: self,
            origin: Origin::new(ORIGIN).unwrap(),
            vkey: self.vkey(),
            checkpoint: self.checkpoint_by(&self.signer),
        };
        Bundle::build(&state, "entity_id = 'INV-7'", &[SIGNED, 3, 5, 3]).unwrap()
    }

    pub fn checkpoint_by(&self, signer: &NoteSigner) -> String {
        let size = TreeSize(self.entries.len() as u64);
        let root = if size.0 == 0 { EMPTY_ROOT } else { root(&self.leaves(), size).unwrap() };
        Checkpoint::new(Origin::new(ORIGIN).unwrap(), size, root).sign(signer).unwrap().to_string()
    }
}

struct State<'a> {
    sample: &'a Sample,
    origin: Origin,
    vkey: VerifierKey,
    checkpoint: String,
}

impl BundleSource for State<'_> {
    type Error = std::convert::Infallible;

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.vkey
    }

    fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn entry(&self, index: u64) -> Result<Vec<u8>, Self::Error> {
        Ok(self.sample.entries[index as usize].clone().into_bytes())
    }

    fn proof(&self, index: u64) -> Result<Vec<Hash>, Self::Error> {
        Ok(self.sample.proven(index).proof)
    }

    fn about(&self, entity_id: &str) -> Result<Vec<(u64, Vec<u8>)>, Self::Error> {
        let entries = (0..).zip(self.sample.entries.iter().map(|entry| entry.clone().into_bytes()));
        Ok(entries.filter(|(_, entry)| Fields::split(entry).unwrap().entity_id == entity_id).collect())
    }
}

pub fn draft(json: &str) -> Draft {
    Draft::parse(json.as_bytes()).unwrap()
}

pub fn own(json: &str) -> Draft {
    Draft::parse_own(json.as_bytes()).unwrap()
}

pub fn registration(key: &SigningKey, actors: &[&str]) -> Draft {
    let id = signature::key_id(&key.verifying_key());
    let public_key = hex::encode(key.verifying_key().as_bytes());
    let entry = serde_json::json!({
        "event_type": "ledger.key_registered", "actor": "counterfoil", "entity_id": id,
        "context": {"algorithm": "ed25519", "public_key": public_key, "actors": actors},
    });
    own(&entry.to_string())
}

/// The canonical bytes of a draft that was committed so many seconds after nine o'clock.
pub fn committed(draft: &Draft, second: i64) -> String {
    let nine = Timestamp::parse("2026-11-24T09:00:00Z").unwrap().micros();
    let mut bytes = Vec::new();
    draft.write_entry(Timestamp::from_micros(nine + second * 1_000_000), None, &mut bytes);
    String::from_utf8(bytes).unwrap()
}
