//! The fuzz targets on a stable toolchain: every known answer under testdata, as it is and damaged, through every target.

use std::path::{Path, PathBuf};

use counterfoil_testkit::Random;
use counterfoil_testkit::fuzz::TARGETS;

/// Larger files are for other tests.
const MAX_BYTES: u64 = 16_384;
/// How often each file is damaged.
const DAMAGES: usize = 2;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if entry.metadata().is_ok_and(|metadata| metadata.len() <= MAX_BYTES) {
            found.push(path);
        }
    }
}

#[test]
fn no_target_panics_on_what_is_known_or_damaged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut inputs = Vec::new();
    files(&root.join("testdata"), &mut inputs);
    files(&root.join("fuzz/corpus"), &mut inputs);
    files(&root.join("rules"), &mut inputs);
    inputs.sort();
    assert!(inputs.len() > 500, "the known answers are there: {}", inputs.len());
    let mut random = Random::new(1);
    for path in inputs {
        let bytes = std::fs::read(&path).expect("an input");
        for (_, target) in TARGETS {
            target(&bytes);
        }
        for _ in 0..DAMAGES {
            let mut damaged = bytes.clone();
            if damaged.is_empty() {
                continue;
            }
            let at = random.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << random.below(8);
            for (_, target) in TARGETS {
                target(&damaged);
            }
        }
    }
}
