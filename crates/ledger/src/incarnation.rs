//! A ledger that was lost and goes on from a copy: under a new name and a new key, so that nothing that the old one signed
//! is ever signed otherwise.

use std::path::Path;
use std::sync::Arc;

use counterfoil_entry::{Draft, Fields};
use counterfoil_segment::blocks::BlockCache;
use counterfoil_tlog::{Hash, Origin, Signer};

use crate::config::{Config, Earlier};
use crate::create::config_digest;
use crate::error::{Error, Result};
use crate::keys;
use crate::layout::Layout;
use crate::load::{Until, load, read_checkpoint};
use crate::options::OpenOptions;
use crate::own;
use crate::snapshot::Folder;
use crate::start::{check_last_frame, tree_at};

/// The type of the entry that a restored ledger begins with.
const RESTORED: &str = "ledger.restored";
/// The number that the second incarnation has behind its name.
const SECOND: u64 = 2;

/// Makes a folder that holds the files of a copy, all but `ledger.toml`, a ledger that can go on: it gets a key of its own
/// (or that of `open`), the old name with a number behind it, and a `ledger.toml` that names what it was before. Opening it records
/// `ledger.restored`. `ahead` is a checkpoint that the ledger signed over more entries than the copy has, where one is known: it
/// is kept with the rest. The new name.
///
/// Errors: `Tampered` when the files are not what their checkpoint and frames sign.
pub fn continue_copy(
    path: impl AsRef<Path>,
    config_text: &[u8],
    ahead: Option<String>,
    open: &OpenOptions,
) -> Result<Origin> {
    let layout = Layout::new(path.as_ref());
    let old = Config::parse(config_text)?;
    let blocks = Arc::new(BlockCache::new(0));
    let folder =
        |config| Arc::new(Folder { layout: layout.clone(), config, disk: open.disk.clone(), blocks: blocks.clone() });
    let before = folder(old.clone());
    let (_, note) = read_checkpoint(&before)?;
    let loaded = load(before.clone(), Until::End)?;
    loaded.published()?;
    let end = loaded.end_index();
    let mut head = loaded.head(end);
    let tree = tree_at(&before, &head, head.sealed_size(), end)?;
    head.root = tree.root().expect("a tree that begins at 0 has a root");
    check_last_frame(&before, &head)?;
    let origin = next_origin(&old)?;
    let signer: Arc<dyn Signer + Send + Sync> = match &open.signer {
        Some(signer) => signer.clone(),
        None => Arc::new(keys::create(open.disk.as_ref(), &layout, &origin)?),
    };
    let ended = Earlier {
        size: end,
        origin: old.origin.clone(),
        verifier_key: old.verifier_key.clone(),
        checkpoint: note.to_string(),
        ahead,
    };
    let earlier = old.earlier.iter().cloned().chain([ended]).collect();
    let config = Config { origin: origin.clone(), verifier_key: signer.verifier_key().clone(), earlier, ..old };
    let text = config.to_text();
    let after = folder(config);
    let signed = crate::sequencer::sign(&after, signer.as_ref(), &tree)?;
    let written = open.disk.replace(&layout.checkpoint(), signed.as_bytes());
    written.map_err(|error| Error::io("checkpoint", error))?;
    open.disk.replace(&layout.config(), text.as_bytes()).map_err(|error| Error::io("ledger.toml", error))?;
    Ok(origin)
}

/// The name of the next incarnation: `<name>/2`, then `<name>/3`.
fn next_origin(old: &Config) -> Result<Origin> {
    let first = old.earlier.first().map_or(&old.origin, |first| &first.origin);
    let number = SECOND + old.earlier.len() as u64;
    Ok(Origin::new(&format!("{first}/{number}"))?)
}

/// The entry that says that the ledger goes on from a copy, where nothing was recorded since.
pub(crate) fn restored_draft(folder: &Folder, end: u64, root: &Hash) -> Result<Option<Draft>> {
    let Some(earlier) = folder.config.earlier.last().filter(|earlier| earlier.size == end) else { return Ok(None) };
    let text = folder.disk.read_small(&folder.layout.config()).map_err(|error| Error::io("ledger.toml", error))?;
    let mut context = serde_json::json!({
        "origin": earlier.origin.as_str(),
        "size": earlier.size,
        "root": root.to_string(),
        "checkpoint": earlier.checkpoint,
        "verifier_key": folder.config.verifier_key.to_string(),
        "ledger_toml_sha256": config_digest(&text),
    });
    if let Some(ahead) = &earlier.ahead {
        context["ahead"] = ahead.as_str().into();
    }
    Ok(Some(own::draft(RESTORED, folder.config.origin.as_str(), "ledger", &context)))
}

/// The digest of `ledger.toml` in an entry that says that the ledger was restored.
pub(crate) fn restored_digest(canonical: &[u8]) -> Option<String> {
    let fields = Fields::split(canonical).ok().filter(|fields| fields.event_type == RESTORED)?;
    let context: serde_json::Value = serde_json::from_str(fields.context?).ok()?;
    Some(context.get("ledger_toml_sha256")?.as_str()?.to_owned())
}
