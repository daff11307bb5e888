//! What in a copy is the ledger's own: whoever may put objects puts what he likes, but signs nothing.

use counterfoil::{Config, frames_in};
use counterfoil_tlog::Hash;

use crate::keys;
use crate::link::{Link, digest};

/// Tells what a ledger wrote from what somebody else put there.
#[derive(Debug, Clone)]
pub struct Judge {
    config: Config,
}

/// What the chain of journal objects ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tip {
    /// The newest journal object, and its digest.
    pub newest: Option<(Link, [u8; 32])>,
}

impl Tip {
    /// The tip that an object is.
    pub fn of(link: Link, object: &[u8]) -> Self {
        Self { newest: Some((link, digest(object))) }
    }

    /// One past the last entry that the journal objects hold: the number in the key of the next one.
    pub fn position(&self) -> u64 {
        self.newest.map_or(0, |(link, _)| link.end())
    }

    /// The digest that the next object embeds.
    pub fn digest(&self) -> [u8; 32] {
        self.newest.map_or([0; 32], |(_, digest)| digest)
    }

    /// Why an object does not go on behind this one.
    pub fn refuses(&self, link: &Link) -> Option<&'static str> {
        let end = self.position();
        let continues = self.newest.is_some_and(|(before, _)| {
            link.file == before.file && link.first == before.end() && link.offset == before.end_offset()
        });
        let begins = link.offset == 0 && link.first == link.file && (link.first <= end || link.first <= link.sealed);
        if link.from != end || link.end() <= end {
            Some("it does not begin where the object before it ends")
        } else if link.previous != self.digest() {
            Some("it does not embed the digest of the object before it")
        } else if !continues && !begins {
            Some("its frames neither continue the journal file of the object before it nor begin one")
        } else {
            None
        }
    }
}

/// A journal object whose frames are the ledger's.
#[derive(Debug, Clone)]
pub struct Own {
    pub link: Link,
    /// The root over all entries up to its end.
    pub root: Hash,
    /// What stands behind the keys of segments that came before it, where theirs were taken.
    pub mark: String,
}

impl Judge {
    /// One that knows a ledger by its `ledger.toml`.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The root in a checkpoint of the ledger, of the size that its key says; or why it is none.
    pub fn checkpoint(&self, key: &str, note: &[u8]) -> std::result::Result<Hash, String> {
        let opened = self.config.open_checkpoint(note, &[]).map_err(|error| error.to_string())?;
        let size = opened.checkpoint.size.0;
        match keys::numbered(key, keys::CHECKPOINTS) {
            Some(number) if number == size => Ok(opened.checkpoint.root),
            _ => Err(format!("it is a checkpoint of {size} entries")),
        }
    }

    /// A journal object of frames that the ledger signed, whole and in order; or why it is none.
    pub fn own(&self, key: &str, object: &[u8]) -> std::result::Result<Own, String> {
        let link = Link::parse(key, object).map_err(|error| error.message)?;
        if keys::numbered(key, keys::JOURNAL) != Some(link.from) {
            return Err(format!("it is the object that begins at {}", link.from));
        }
        let frames = link.frames(key, object).map_err(|error| error.message)?;
        let headers = frames_in(&frames).map_err(|error| error.message)?;
        let mark = headers.first().map(|(_, frame)| keys::mark(frame)).unwrap_or_default();
        let (mut next, mut root) = (link.first, None);
        for (header, frame) in headers {
            if header.first != next {
                return Err(format!("a frame begins with entry {}, not {next}", header.first));
            }
            let signed = self.config.check_frame(&header, frame);
            signed.map_err(|error| format!("its writer was not the ledger: {error}"))?;
            (next, root) = (header.end(), Some(header.root));
        }
        match root {
            Some(root) if next == link.end() => Ok(Own { link, root, mark }),
            _ => Err(format!("its frames end with entry {next}, not {}", link.end())),
        }
    }
}
