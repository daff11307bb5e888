//! The embedded audit ledger: append-only, durable, provable.
//!
//! [`Ledger`] is the one writer of a folder; [`Reader`] reads beside it; both give [`Snapshot`]s: one consistent state up
//! to one signed checkpoint, with entries, proofs and the segments for queries. [`verify()`] checks a folder without
//! trusting whoever wrote it.
//!
//! Acknowledged means durable, ordered and covered by a signed checkpoint.

mod background;
mod clock;
mod commit;
mod config;
mod copy;
mod create;
mod disk;
mod error;
pub mod frame;
mod incarnation;
mod journal;
mod keys;
mod layout;
mod ledger;
mod load;
mod options;
mod own;
mod proving;
mod prune;
mod pruned;
mod reader;
mod receipt;
mod recovery;
mod registry;
mod roll;
mod room;
mod sealed;
mod sealed_segment;
mod sealer;
mod seen;
mod sequencer;
mod shared;
mod snapshot;
mod sources;
mod start;
mod status;
mod tail_check;
mod tiles;
mod verify;

pub use background::{background_threads, run_in_background};
pub use clock::{Clock, SystemClock};
pub use config::{Config, DEFAULT_SEGMENT_SPAN, Earlier, FORMAT_VERSION};
pub use copy::{JournalPart, frames_in};
pub use create::{CreateOptions, DEFAULT_RETENTION_CLASS};
pub use disk::{Disk, DiskFile, FolderLock, OsDisk, Stamp};
pub use error::{Error, ErrorKind, Result};
pub use incarnation::continue_copy;
pub use layout::{Layout, SegmentFile};
pub use ledger::Ledger;
pub use options::{OnCommit, OpenOptions};
pub use own::act_context;
pub use pruned::{LetGo, OnlyInCopy, OpenStore, Pruned, SegmentStore, read_pruned_with};
pub use reader::Reader;
pub use receipt::Receipt;
pub use registry::{ClientKey, Registration};
pub use sealed_segment::SealedSegment;
pub use sequencer::SEQUENCER_THREAD;
pub use snapshot::Snapshot;
pub use status::{SourceStatus, Status};
pub use verify::{CopyMark, Verified, VerifyOptions, verify};
