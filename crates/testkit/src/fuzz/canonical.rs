//! Any bytes: what is canonicalised is canonical, stays so, and is JSON to others too.

use counterfoil_entry::canonical::{canonicalise, check_value};

/// The scan accepts exactly the canonical form.
pub fn canonical(bytes: &[u8]) {
    let scanned = check_value(bytes);
    let mut form = Vec::new();
    match canonicalise(bytes, &mut form) {
        Ok(()) => {
            check_value(&form).expect("canonical bytes pass the scan");
            let mut again = Vec::new();
            canonicalise(&form, &mut again).expect("canonical bytes are JSON");
            assert_eq!(again, form, "the canonical form is its own");
            assert_eq!(scanned.is_ok(), form == bytes, "the scan accepts exactly the canonical form");
            serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("what we accept is JSON");
        }
        Err(error) => {
            assert!(scanned.is_err());
            assert!(!error.to_string().is_empty());
        }
    }
}
