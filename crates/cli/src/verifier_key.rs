//! Verifier keys on the command line.

use std::path::Path;

use counterfoil_tlog::VerifierKey;

use crate::exit::Failure;
use crate::files;

/// A verifier key as the command line gives it: the key itself, or a file that holds it.
pub fn read(text: &str) -> Result<VerifierKey, Failure> {
    let invalid = |message: String| {
        Failure::invalid(message)
            .advise("A verifier key looks like bank.example/audit+1a2b3c4d+AZ…; `counterfoil key LEDGER` prints it.")
    };
    let refused = |error| invalid(format!("--key: {error}"));
    if !text.contains('+') {
        if !Path::new(text).is_file() {
            return Err(invalid(format!("--key {text}: no such file, and not a verifier key")));
        }
        let bytes = files::read(Path::new(text))?;
        return String::from_utf8_lossy(&bytes).trim().parse().map_err(refused);
    }
    text.trim().parse().map_err(refused)
}
