//! What fuzzing does with bytes from strangers, a function a parser. `fuzz/` drives them with libFuzzer; a test replays
//! the corpora on a stable toolchain.

mod bundle;
mod canonical;
mod entry;
mod frame;
mod segment;
mod texts;

pub use bundle::bundle;
pub use canonical::canonical;
pub use entry::entry;
pub use frame::frame;
pub use segment::segment;
pub use texts::{checkpoint, note, policy, proof, verified};

/// What is done with some bytes.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("bundle", bundle),
    ("canonical", canonical),
    ("checkpoint", checkpoint),
    ("entry", entry),
    ("frame", frame),
    ("note", note),
    ("policy", policy),
    ("proof", proof),
    ("segment", segment),
    ("verified", verified),
];
