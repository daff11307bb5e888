//! The most of everything that rules may take.

/// Bytes of one file of rules.
pub const MAX_FILE_BYTES: u64 = 256 << 10;
/// What the ids of alerts that no rule raised begin with.
pub const OWN_RULES: &str = "counterfoil.";
/// Files in a folder of rules, its subfolders included.
pub const MAX_FILES: usize = 5_000;
/// Folders one inside the other.
pub const MAX_FOLDER_DEPTH: usize = 8;
/// Folders that are looked into, links among them.
pub const MAX_FOLDERS: usize = 1_000;
/// Documents in one file.
pub const MAX_DOCUMENTS: usize = 200;
/// Rules in all.
pub const MAX_RULES: usize = 5_000;
/// Bytes of one regular expression. Its matching takes time linear in the text, whatever it says.
pub const MAX_PATTERN_BYTES: usize = 2_048;
/// Groups that all correlations keep together; beyond it the stalest tenth is forgotten, and counted.
pub const MAX_CORRELATION_GROUPS: usize = 100_000;
/// Entries that all groups of correlations keep together; beyond it the stalest groups are forgotten, and counted.
pub const MAX_CORRELATION_ENTRIES: usize = 1_000_000;
/// Entries that one group of a correlation keeps; beyond it the oldest are forgotten.
pub const MAX_GROUP_ENTRIES: usize = 10_000;
/// Groups that one detector keeps; beyond it the stalest tenth is forgotten, and counted.
pub const MAX_DETECTOR_GROUPS: usize = 50_000;
/// Periods of a detector's baseline.
pub const MAX_PERIODS: u32 = 366;
/// Indices that an alert names as its cause; the newest stay.
pub const MAX_CAUSES: usize = 100;
/// Bytes of a value that an alert quotes from an entry.
pub const MAX_QUOTED_BYTES: usize = 256;
/// Groups that one detector of amounts keeps.
pub const MAX_AMOUNT_GROUPS: usize = 1_000;
/// Amounts that such a group keeps; the oldest is forgotten for the newest.
pub const MAX_AMOUNTS: usize = 256;
/// Steps of a process.
pub const MAX_STEPS: usize = 16;
/// How long after its time was taken an entry may take to be seen: deadlines are held to be over this much later.
pub const MAX_COMMIT_SECONDS: i64 = 5;
