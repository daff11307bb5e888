//! Verifying a service from outside, by what it serves under `/tlog`.

use counterfoil::Result;
use counterfoil_evidence::{Crawl, Report};
use counterfoil_tlog::{TilePath, VerifierKey};

use crate::remote::{Call, Remote};

/// What is known from outside the service.
pub struct Trust {
    /// Keys that are trusted to be the ledger's; without any, the one that the service names.
    pub keys: Vec<VerifierKey>,
    /// A checkpoint that was kept elsewhere.
    pub checkpoint: Option<Vec<u8>>,
}

/// Reads the whole log of a service, as far as its checkpoint `note` goes, and reports everything that is wrong with it.
///
/// Errors: those of reaching the service.
pub fn verify(
    service: &Remote,
    note: &[u8],
    named: &VerifierKey,
    trust: &Trust,
    progress: &dyn Fn(u64, u64),
) -> Result<Report> {
    let mut crawl = Crawl::new(note, named, &trust.keys, trust.checkpoint.as_deref());
    while let Some(tile) = crawl.next() {
        let bytes = service.text(Call::get(&format!("/tlog/{}", TilePath::Entries(tile))))?;
        if !crawl.add(&bytes) {
            break;
        }
        progress(crawl.checked(), crawl.size());
    }
    Ok(crawl.finish())
}
