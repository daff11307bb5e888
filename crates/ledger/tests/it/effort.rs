//! How much the long tests do: little in `make test`, all of it in `make torture`.

/// The number in an environment variable, else `usual`.
fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// How many seeds a simulation runs (`COUNTERFOIL_SEEDS`).
pub fn seeds() -> u64 {
    from_environment("COUNTERFOIL_SEEDS", 200)
}

/// How often a writer is killed (`COUNTERFOIL_KILLS`).
pub fn kills() -> u64 {
    from_environment("COUNTERFOIL_KILLS", 20)
}

/// Whether matrices leave nothing out, which takes long: `COUNTERFOIL_SEEDS` asks for more than usual.
pub fn is_torture() -> bool {
    seeds() > 200
}

/// Every how manieth case of a large matrix is tried.
pub fn stride(usual: usize) -> usize {
    if is_torture() { 1 } else { usual }
}
