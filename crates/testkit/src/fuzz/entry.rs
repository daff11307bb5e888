//! Any bytes, as a client's entry and as a committed one.

use counterfoil_entry::{Draft, Fields, MAX_ENTRY_BYTES, Timestamp};

/// What a draft writes is a valid entry, and a valid entry has one form.
pub fn entry(bytes: &[u8]) {
    for draft in [Draft::parse(bytes), Draft::parse_own(bytes)].into_iter().flatten() {
        let mut entry = Vec::new();
        draft.write_entry(Timestamp::from_micros(1_795_526_161_000_000), Some("fuzz"), &mut entry);
        assert!(entry.len() <= MAX_ENTRY_BYTES, "a draft always fits");
        let fields = Fields::check(&entry).expect("what a draft writes is a valid entry");
        assert_eq!(Fields::split(&entry).as_ref(), Ok(&fields));
        assert_eq!(fields.content_digest_without_timestamp(), draft.content_digest_without_timestamp());
    }
    let _ = Fields::split(bytes);
    if let Ok(fields) = Fields::check(bytes) {
        let mut again = Vec::new();
        fields.write_canonical(&mut again);
        assert_eq!(again, bytes, "a valid entry has one form");
        assert_eq!(Fields::split(bytes).as_ref(), Ok(&fields));
    }
}
