//! Whether a service's log still is what it was: it may only have grown.

use std::borrow::Cow;
use std::cell::RefCell;

use counterfoil::{Error, ErrorKind, Result};
use counterfoil_tlog::{
    Checkpoint, Note, Origin, Tile, TilePath, TileReader, TileSource, VerifierKey, consistency_proof,
    verify_consistency,
};

use crate::remote::{Call, Remote};

/// Signers that a message names.
const MAX_NAMED: usize = 4;

/// What a service's checkpoint says beside one that was remembered.
#[derive(Debug)]
pub enum Growth {
    /// It covers what was remembered, and more.
    Grown(Checkpoint),
    /// It is the same.
    Same(Checkpoint),
    /// It contradicts what was signed before.
    Broken {
        /// `rollback`, `fork` or `signature`.
        kind: &'static str,
        message: String,
    },
}

/// Compares what a service shows now with what it showed before.
///
/// Errors: those of reaching the service.
pub fn compare(service: &Remote, keys: &[VerifierKey], remembered: Option<&[u8]>, shown: &[u8]) -> Result<Growth> {
    let origin: Origin = keys[0].name().as_str().parse().map_err(Error::from)?;
    let open = |note| Checkpoint::open(note, &origin, keys, &[]).map(|opened| opened.checkpoint);
    let new = match open(shown) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let told = not_signed(keys, shown, &error);
            return match other_ledger(&origin, remembered, shown) {
                true => Err(Error::new(ErrorKind::Invalid, told)),
                false => Ok(broken("signature", told)),
            };
        }
    };
    let Some(remembered) = remembered else { return Ok(Growth::Grown(new)) };
    let old = open(remembered).map_err(|error| {
        Error::new(ErrorKind::Invalid, format!("the remembered checkpoint is not one of this ledger: {error}"))
    })?;
    if new.size < old.size {
        let message = format!("it showed {} entries before, and shows {} now", old.size, new.size);
        return Ok(broken("rollback", message));
    }
    if new.size == old.size {
        return Ok(match new.root == old.root {
            true => Growth::Same(new),
            false => broken("fork", format!("it signed two different logs of {} entries", old.size)),
        });
    }
    let reader = TileReader::new(Tiles { service, newest: RefCell::default() }, new.size);
    let consistent = consistency_proof(&reader, old.size, new.size)
        .and_then(|proof| verify_consistency(old.size, new.size, &proof, &old.root, &new.root).map_err(Error::from));
    match consistent {
        Ok(()) => Ok(Growth::Grown(new)),
        Err(error)
            if matches!(
                error.kind,
                ErrorKind::Unavailable | ErrorKind::Busy | ErrorKind::Denied | ErrorKind::NotFound
            ) =>
        {
            Err(error)
        }
        Err(error) => {
            let (old, new) = (old.size, new.size);
            let message =
                format!("it does not prove that its {new} entries begin with the {old} it showed before: {error}");
            Ok(broken("fork", message))
        }
    }
}

/// At first contact a key of another name is a mistake of whoever gave it. Later the service did sign with it.
fn other_ledger(origin: &Origin, remembered: Option<&[u8]>, shown: &[u8]) -> bool {
    let named = Note::parse(shown).ok().and_then(|note| note.text().parse::<Checkpoint>().ok());
    remembered.is_none() && named.is_some_and(|checkpoint| checkpoint.origin != *origin)
}

/// What is shown, which key was to have signed it, and what to do.
fn not_signed(keys: &[VerifierKey], shown: &[u8], error: &counterfoil_tlog::Error) -> String {
    let given: Vec<String> = keys.iter().map(|key| format!("{}+{}", key.name(), key.id())).collect();
    let given = given.join(", ");
    let Ok(note) = Note::parse(shown) else {
        return format!("it shows no signed checkpoint ({error}): is a ledger of the key {given} served there?");
    };
    let origin = note.text().lines().next().unwrap_or_default();
    let by: Vec<String> =
        note.signatures().iter().take(MAX_NAMED).map(|one| format!("{}+{}", one.name, one.id)).collect();
    format!(
        "the key given is {given}; it shows a checkpoint of {origin} signed by {} ({error}). Compare the key with the one that was kept \
         (`counterfoil key LEDGER` on the ledger's machine prints it), and the address with the one that was meant: if both are right, \
         another ledger answers there",
        by.join(", ")
    )
}

fn broken(kind: &'static str, message: String) -> Growth {
    Growth::Broken { kind, message }
}

/// The tiles that a service serves; the newest is kept, since one is asked for several times in a row.
struct Tiles<'a> {
    service: &'a Remote,
    newest: RefCell<Option<(Tile, Vec<u8>)>>,
}

impl TileSource for Tiles<'_> {
    type Error = Error;

    fn tile(&self, tile: Tile) -> Result<Cow<'_, [u8]>> {
        let mut newest = self.newest.borrow_mut();
        if let Some((_, bytes)) = newest.as_ref().filter(|(kept, _)| *kept == tile) {
            return Ok(Cow::Owned(bytes.clone()));
        }
        let path = format!("/tlog/{}", TilePath::Hashes(tile));
        let bytes = self.service.text_within(Call::get(&path), usize::from(tile.width()) * 32)?;
        *newest = Some((tile, bytes.clone()));
        Ok(Cow::Owned(bytes))
    }
}
