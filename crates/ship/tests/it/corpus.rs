//! The fuzz targets on a stable toolchain: the corpora, as they are and damaged, through every target.

use std::path::Path;

use counterfoil_ship::fuzz::TARGETS;

/// How often each input is damaged.
const DAMAGES: usize = 500;

#[test]
fn no_target_panics_on_what_is_known_or_damaged() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    // Numbers that look as if they were random, the same in every run (xorshift).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % limit as u64) as usize
    };
    for (name, target) in TARGETS {
        let inputs = std::fs::read_dir(root.join(name)).expect("the target has a corpus");
        let mut count = 0;
        for input in inputs {
            let bytes = std::fs::read(input.unwrap().path()).unwrap();
            target(&bytes);
            for _ in 0..DAMAGES {
                let mut damaged = bytes.clone();
                match below(3) {
                    0 => damaged.truncate(below(bytes.len())),
                    1 => damaged[below(bytes.len())] = below(256) as u8,
                    _ => damaged[below(bytes.len())] ^= 1 << below(8),
                }
                target(&damaged);
            }
            count += 1;
        }
        assert!(count > 0, "{name} has inputs");
    }
}
