//! Making a ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil_entry::{Draft, Timestamp};
use counterfoil_segment::blocks::BlockCache;
use counterfoil_tlog::{CompactRange, EMPTY_ROOT, LeafIndex, Origin, Signer, VerifierKey};
use sha2::{Digest, Sha256};

use crate::config::{Config, DEFAULT_SEGMENT_SPAN, check_span};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::keys;
use crate::layout::Layout;
use crate::options::OpenOptions;
use crate::own::{self, CREATED};
use crate::snapshot::{Folder, Head};
use crate::start::refuse_network_file_system;

/// The retention class of entries whose type names none.
pub const DEFAULT_RETENTION_CLASS: &str = "sec_6y";

/// What a new ledger is.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Its name, as checkpoints carry it: best a URL without schema, such as `example.com/payments`.
    pub origin: Origin,
    /// How many entries a segment holds at most: 256·2^k, 256 to 1,048,576.
    pub segment_span: u64,
    /// The retention class of entries whose type names none.
    pub retention_class: String,
}

impl CreateOptions {
    /// The usual options for a ledger of this name. `Invalid` for a name with spaces, `+` or control characters.
    pub fn new(origin: &str) -> Result<Self> {
        let origin = Origin::new(origin).map_err(|error| Error::invalid(format!("origin {origin:?}: {error}")))?;
        Ok(Self { origin, segment_span: DEFAULT_SEGMENT_SPAN, retention_class: DEFAULT_RETENTION_CLASS.to_owned() })
    }
}

/// A folder that is almost a ledger: `ledger.toml` is written last, so that half a ledger is none.
pub(crate) struct Prepared {
    pub folder: Arc<Folder>,
    pub signer: Arc<dyn Signer + Send + Sync>,
    pub head: Head,
    config_text: String,
}

/// Makes the folders, the key and the first, empty journal file.
pub(crate) fn prepare(path: &Path, create: &CreateOptions, open: &OpenOptions) -> Result<Prepared> {
    check_span(create.segment_span)?;
    let layout = Layout::new(path);
    let disk = open.disk.clone();
    refuse_occupied(path, open)?;
    let folders =
        [layout.root().to_owned(), layout.journals(), layout.segments(), layout.attachments(), layout.state()];
    for folder in &folders {
        disk.create_folder(folder).map_err(|error| Error::io(folder.display(), error))?;
    }
    refuse_network_file_system(path, open)?;
    let signer: Arc<dyn Signer + Send + Sync> = match &open.signer {
        Some(signer) => signer.clone(),
        None => Arc::new(keys::create(disk.as_ref(), &layout, &create.origin)?),
    };
    let config = Config {
        origin: create.origin.clone(),
        created: Timestamp::from_micros(open.clock.now_micros()).to_string(),
        segment_span: create.segment_span,
        retention_class: create.retention_class.clone(),
        verifier_key: signer.verifier_key().clone(),
        earlier: Vec::new(),
    };
    refuse_foreign_key(&config.verifier_key, &config)?;
    let config_text = config.to_text();
    let path = layout.journal(0);
    let name = layout.relative(&path);
    let file = disk.create(&path, 0o644).and_then(|file| file.sync().map(|()| file));
    let file = file.map_err(|error| Error::io(&name, error))?;
    let parent = layout.root().parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for folder in folders.iter().map(PathBuf::as_path).chain([parent]) {
        disk.sync_folder(folder).map_err(|error| Error::io(folder.display(), error))?;
    }
    let folder = Folder { layout, config, disk, blocks: Arc::new(BlockCache::new(0)) };
    let note = crate::sequencer::sign(&folder, signer.as_ref(), &CompactRange::new(LeafIndex(0)))?;
    let head = Head {
        size: 0,
        root: EMPTY_ROOT,
        checkpoint: note,
        segments: Arc::new([]),
        journals: Arc::new([Arc::new(Journal::new(0, name, file))]),
    };
    Ok(Prepared { folder: Arc::new(folder), signer, head, config_text })
}

impl Prepared {
    /// The ledger's first entry: what it is, with the digest of `ledger.toml`.
    pub fn created_draft(&self) -> Draft {
        let config = &self.folder.config;
        let context = serde_json::json!({
            "origin": config.origin.as_str(),
            "verifier_key": config.verifier_key.to_string(),
            "segment_span": config.segment_span,
            "retention_class": config.retention_class,
            "ledger_toml_sha256": config_digest(self.config_text.as_bytes()),
        });
        own::draft(CREATED, config.origin.as_str(), "ledger", &context)
    }

    /// Writes `ledger.toml`.
    pub fn finish(&self) -> Result<()> {
        let layout = &self.folder.layout;
        let written = self.folder.disk.replace(&layout.config(), self.config_text.as_bytes());
        written.map_err(|error| Error::io("ledger.toml", error))
    }
}

/// The digest of `ledger.toml` as `ledger.created` holds it.
pub(crate) fn config_digest(text: &[u8]) -> String {
    hex::encode(Sha256::digest(text))
}

/// The signer of an existing ledger; `Denied` when it is not the key that the ledger names.
pub(crate) fn signer(folder: &Folder, open: &OpenOptions) -> Result<Arc<dyn Signer + Send + Sync>> {
    let signer: Arc<dyn Signer + Send + Sync> = match &open.signer {
        Some(signer) => signer.clone(),
        None => Arc::new(keys::load(folder.disk.as_ref(), &folder.layout, &folder.config.origin)?),
    };
    refuse_foreign_key(signer.verifier_key(), &folder.config)?;
    Ok(signer)
}

fn refuse_foreign_key(key: &VerifierKey, config: &Config) -> Result<()> {
    if *key == config.verifier_key && key.name().as_str() == config.origin.as_str() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!("the signing key is {key}, but this ledger signs with {}", config.verifier_key),
    ))
}

pub(crate) fn refuse_occupied(path: &Path, open: &OpenOptions) -> Result<()> {
    match open.disk.list(path) {
        Ok(names) if names.iter().any(|name| name == "ledger.toml") => {
            Err(Error::new(ErrorKind::Conflict, format!("{} is a ledger already", path.display())))
        }
        Ok(names) if !names.is_empty() => Err(Error::new(
            ErrorKind::Conflict,
            format!("{} is not empty; a ledger needs its own folder", path.display()),
        )),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path.display(), error)),
        _ => Ok(()),
    }
}
