//! The memory of the process.

use std::fs;
use std::sync::OnceLock;

/// Small values are not worth asking the system.
const LOOK_FROM_BYTES: usize = 1 << 20;

/// Whether so many bytes more would take the process beyond half of the machine's memory.
pub(crate) fn is_short_of(bytes: usize) -> bool {
    static HALF: OnceLock<Option<usize>> = OnceLock::new();
    if bytes < LOOK_FROM_BYTES {
        return false;
    }
    match (HALF.get_or_init(|| Some(total()? / 2)), resident()) {
        (Some(half), Some(resident)) => resident.saturating_add(bytes) > *half,
        _ => false,
    }
}

/// Bytes of the machine, or of the control group (v2) if that has fewer.
fn total() -> Option<usize> {
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some(kib_in("/proc/meminfo", "MemTotal:")?.min(group.unwrap_or(usize::MAX)))
}

/// Bytes that the process has in memory.
fn resident() -> Option<usize> {
    kib_in("/proc/self/status", "VmRSS:")
}

/// Bytes that a line of a file of the kernel tells in KiB.
fn kib_in(file: &str, label: &str) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let kib: usize = text.lines().find_map(|line| line.strip_prefix(label))?.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}
