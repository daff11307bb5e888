//! Tokens: random, shown once, kept as their SHA-256.
//!
//! They stand in `state/tokens.json`, which the command line and the running service share: whoever changes it replaces
//! it whole under a lock, and the service reads it again when it has changed. Lost, it denies everybody. A service that only
//! reads a ledger keeps them in memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use counterfoil::{Error, ErrorKind, Result};
use counterfoil_entry::{EntryBuilder, Timestamp, check_recorder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::access::principal::{LOCAL_ADMINISTRATOR, Principal, Role};
use crate::moment::now;
use crate::service::act;
use crate::state;

/// What every token begins with, so that leaked ones are found.
pub const TOKEN_PREFIX: &str = "cf_";

/// Most tokens of a ledger.
const MAX_TOKENS: usize = 10_000;

/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// What is asked of a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The principal's name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The beginnings of the event types that it may record; none means any.
    pub prefixes: Vec<String>,
    /// When it ends to hold.
    pub expires_at: Option<Timestamp>,
}

/// What is kept of a token.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Names it in lists; no secret.
    pub id: String,
    /// The principal.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The beginnings of the event types that it may record; none means any.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ends to hold.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// Hex SHA-256 of the token.
    sha256: String,
}

impl TokenRecord {
    /// The entry that says who made it.
    fn created_by(&self, actor: &str) -> EntryBuilder {
        let context = json!({
            "token": self.id, "role": self.role, "prefixes": self.prefixes, "expires_at": self.expires_at,
        });
        act("ledger.token_created", actor, &self.name, "principal", context)
    }

    /// The entry that says who revoked it.
    fn revoked_by(&self, actor: &str) -> EntryBuilder {
        act("ledger.token_revoked", actor, &self.name, "principal", json!({"token": self.id, "role": self.role}))
    }

    /// Whom it stands for, unless it has expired.
    fn principal(&self) -> Option<Principal> {
        let expires_at = match &self.expires_at {
            Some(text) => Some(Timestamp::parse(text).ok().filter(|expiry| *expiry > now())?),
            None => None,
        };
        let prefixes = self.prefixes.clone().into();
        Some(Principal { name: self.name.as_str().into(), role: self.role, prefixes, expires_at })
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    tokens: Vec<TokenRecord>,
}

/// The tokens of one ledger.
#[derive(Debug)]
pub struct Tokens {
    kept: Kept,
    /// When each was last recognised here, by id.
    used: Mutex<HashMap<String, Timestamp>>,
}

/// Where tokens are kept.
#[derive(Debug)]
enum Kept {
    File(TokenFile),
    Memory(Mutex<Vec<TokenRecord>>),
}

/// `state/tokens.json` of a ledger.
#[derive(Debug)]
struct TokenFile {
    ledger: PathBuf,
    path: PathBuf,
    read: Mutex<Option<(Version, Vec<TokenRecord>)>>,
}

/// What tells one version of the file from the next: each is a new file.
type Version = (u64, i64, i64, u64);

impl Tokens {
    /// The tokens kept in the `state/` folder of a ledger.
    pub fn in_folder(ledger: &Path) -> Self {
        let path = ledger.join("state").join("tokens.json");
        let kept = Kept::File(TokenFile { ledger: ledger.to_owned(), path, read: Mutex::new(None) });
        Self { kept, used: Mutex::default() }
    }

    /// Tokens that end with the program.
    pub(crate) fn in_memory() -> Self {
        Self { kept: Kept::Memory(Mutex::default()), used: Mutex::default() }
    }

    /// Makes a token, recorded as an act of `actor`; the token itself is nowhere but in this answer.
    ///
    /// # Errors
    /// `Invalid` for a name, prefix or expiry that is none, `Unavailable` when it cannot be kept; those of `record`: what
    /// is not in the ledger does not hold.
    pub fn create(
        &self,
        new: NewToken,
        actor: &str,
        record: impl FnOnce(EntryBuilder) -> Result<()>,
    ) -> Result<(String, TokenRecord)> {
        // The name will be the recorder of entries; whoever sent it calls it a name.
        check_recorder(&new.name).map_err(|error| invalid(&error.to_string().replacen("recorder", "name", 1)))?;
        if [LOCAL_ADMINISTRATOR, "counterfoil"].contains(&new.name.as_str()) {
            return Err(invalid("this name is taken by the ledger itself or by whoever has its folder"));
        }
        if new.expires_at.is_some_and(|expiry| expiry <= now()) {
            return Err(invalid("the token would have expired already"));
        }
        let is_none = |prefix: &String| prefix.is_empty() || prefix.len() > 128 || prefix.contains(char::is_control);
        if new.prefixes.len() > 64 || new.prefixes.iter().any(is_none) {
            return Err(invalid(
                "a token has at most 64 event-type prefixes, of 1 to 128 bytes each, without control characters",
            ));
        }
        let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<SECRET_BYTES>()?));
        let made = TokenRecord {
            id: hex::encode(random::<6>()?),
            name: new.name,
            role: new.role,
            prefixes: new.prefixes,
            created_at: now().to_string(),
            expires_at: new.expires_at.map(|expiry| expiry.to_string()),
            sha256: digest(&token),
        };
        self.change(|tokens| {
            if tokens.len() >= MAX_TOKENS {
                return Err(Error::new(ErrorKind::Busy, format!("there are {MAX_TOKENS} tokens: revoke some first")));
            }
            tokens.push(made.clone());
            record(made.created_by(actor))
        })?;
        Ok((token, made))
    }

    /// All tokens, oldest first.
    ///
    /// # Errors
    /// `Damaged` or `Unavailable` when the file cannot be read.
    pub fn list(&self) -> Result<Vec<TokenRecord>> {
        self.current(|tokens| tokens.to_vec())
    }

    /// Revokes the token of this id, or all of the principal of this name, each recorded as an act of `actor`.
    ///
    /// # Errors
    /// `NotFound` when there is none; those of `record`, and then all of them still hold: no token ends without its entry.
    pub fn revoke(&self, id_or_name: &str, actor: &str, record: impl FnMut(EntryBuilder) -> Result<()>) -> Result<()> {
        self.change(|tokens| {
            let named = |token: &TokenRecord| token.id == id_or_name || token.name == id_or_name;
            let revoked: Vec<TokenRecord> = tokens.extract_if(.., |token| named(token)).collect();
            if revoked.is_empty() {
                return Err(Error::new(ErrorKind::NotFound, format!("there is no token {id_or_name:?}")));
            }
            revoked.iter().map(|token| token.revoked_by(actor)).try_for_each(record)
        })
    }

    /// Whose token this is; `None` for one that is unknown, revoked or expired.
    ///
    /// # Errors
    /// `Damaged` or `Unavailable` when the file cannot be read.
    pub fn recognise(&self, token: &str) -> Result<Option<Principal>> {
        let wanted = digest(token);
        let known = self.current(|tokens| {
            let record = tokens.iter().find(|record| record.sha256 == wanted)?;
            Some((record.id.clone(), record.principal()?))
        })?;
        Ok(known.map(|(id, principal)| {
            self.used.lock().expect("no panic while held").insert(id, now());
            principal
        }))
    }

    /// When the token of this id was last recognised by this program; `None` when it was not since its start.
    pub(crate) fn last_used_at(&self, id: &str) -> Option<Timestamp> {
        self.used.lock().expect("no panic while held").get(id).copied()
    }

    /// The principal of this name, as long as it has a token; for credentials that only name somebody.
    ///
    /// # Errors
    /// `Damaged` or `Unavailable` when the file cannot be read.
    pub(crate) fn principal(&self, name: &str) -> Result<Option<Principal>> {
        self.current(|tokens| tokens.iter().filter(|record| record.name == name).find_map(TokenRecord::principal))
    }

    fn current<T>(&self, look: impl FnOnce(&[TokenRecord]) -> T) -> Result<T> {
        match &self.kept {
            Kept::File(file) => file.current(look),
            Kept::Memory(tokens) => Ok(look(&tokens.lock().expect("no panic while held"))),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<TokenRecord>) -> Result<()>) -> Result<()> {
        match &self.kept {
            Kept::File(file) => file.change(change),
            Kept::Memory(tokens) => {
                let mut kept = tokens.lock().expect("no panic while held");
                let mut changed = kept.clone();
                change(&mut changed)?;
                *kept = changed;
                Ok(())
            }
        }
    }
}

impl TokenFile {
    fn current<T>(&self, look: impl FnOnce(&[TokenRecord]) -> T) -> Result<T> {
        let mut read = self.read.lock().expect("no panic while held");
        let version = match std::fs::symlink_metadata(&self.path) {
            Ok(metadata) => version(&metadata),
            Err(error) if error.kind() == IoErrorKind::NotFound => {
                *read = None;
                return Ok(look(&[]));
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        if read.as_ref().is_none_or(|(known, _)| *known != version) {
            *read = Some((version, self.load()?));
        }
        Ok(look(read.as_ref().map_or(&[], |(_, tokens)| tokens)))
    }

    fn load(&self) -> Result<Vec<TokenRecord>> {
        let text = match state::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unreadable(&error)),
        };
        let file: Written = serde_json::from_slice(&text).map_err(|error| self.unreadable(&error.into()))?;
        Ok(file.tokens)
    }

    /// Replaces the file: read, changed and renamed into place while a lock on its folder keeps others out.
    fn change(&self, change: impl FnOnce(&mut Vec<TokenRecord>) -> Result<()>) -> Result<()> {
        let unwritable = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("{} cannot be written: {error}", self.path.display()))
        };
        let folder = state::folder(&self.ledger).and_then(File::open).map_err(unwritable)?;
        folder.lock().map_err(unwritable)?;
        let mut file = Written { tokens: self.load()? };
        change(&mut file.tokens)?;
        let text = serde_json::to_vec_pretty(&file).expect("plain values are JSON");
        state::replace(&self.path, &text).map_err(unwritable)
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        let kind = match error.kind() {
            IoErrorKind::InvalidData | IoErrorKind::UnexpectedEof => ErrorKind::Damaged,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, format!("{} cannot be read: {error}", self.path.display()))
    }
}

fn version(metadata: &std::fs::Metadata) -> Version {
    use std::os::unix::fs::MetadataExt;
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, message)
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Unavailable, format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}
