//! How a ledger is.

use counterfoil_entry::Fields;
use counterfoil_tlog::Hash;

use crate::error::{Error, Result};
use crate::sealer::note_source;
use crate::snapshot::Snapshot;
use crate::sources::{Ranges, SourceName, Sources};

/// How a ledger is, as of one snapshot.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// Entries in sealed segments; the others are in the journal.
    pub sealed_size: u64,
    /// Sealed segments.
    pub segments: usize,
    /// The most entries of a segment.
    pub segment_span: u64,
    /// The sources with their sequence numbers.
    pub sources: Vec<SourceStatus>,
    /// Entries that have left the journal's current file and wait for the sealer; only a writer knows.
    pub waiting_for_seal: u64,
    /// Why sealing fails, if it does; only a writer knows.
    pub sealing_fault: Option<String>,
    /// Why the file `checkpoint` cannot be written, if so; only a writer knows.
    pub publishing_fault: Option<String>,
    /// Why the ledger takes nothing more, if so; only a writer knows.
    pub poisoned: Option<String>,
}

/// One recording program's sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// The credential that submitted, if the ledger was told one.
    pub recorder: Option<String>,
    /// The program's name.
    pub source: String,
    /// The highest sequence number.
    pub last: u64,
    /// Numbers that never arrived: inclusive ranges.
    pub gaps: Vec<(u64, u64)>,
}

impl Status {
    /// The status at a snapshot. Reads the newest segment's source states and the tail.
    pub fn of(snapshot: &Snapshot) -> Result<Self> {
        let sources = sources_of(snapshot)?;
        Ok(Self {
            origin: snapshot.origin().to_string(),
            size: snapshot.size(),
            root: snapshot.root(),
            sealed_size: snapshot.sealed_size(),
            segments: snapshot.head.segments.len(),
            segment_span: snapshot.folder.config.segment_span,
            sources: sources.iter().filter_map(|(name, ranges)| source_status(name, ranges)).collect(),
            waiting_for_seal: 0,
            sealing_fault: None,
            publishing_fault: None,
            poisoned: None,
        })
    }
}

fn source_status(name: &SourceName, ranges: &Ranges) -> Option<SourceStatus> {
    Some(SourceStatus {
        recorder: name.recorder.clone(),
        source: name.source.clone(),
        last: ranges.last()?,
        gaps: ranges.gaps(),
    })
}

/// What was seen of every source up to a snapshot.
fn sources_of(snapshot: &Snapshot) -> Result<Sources> {
    let mut sources = crate::start::sealed_sources(snapshot)?;
    let mut fault = None;
    snapshot.tail(snapshot.sealed_size()..snapshot.size(), &mut |_, bytes| match Fields::split(bytes) {
        Ok(fields) => note_source(&fields, &mut sources),
        Err(error) => fault = Some(Error::from(error)),
    })?;
    fault.map_or(Ok(sources), Err)
}
