//! What fuzzing does with bytes out of a bucket, a function a parser.

use std::collections::BTreeMap;

use crate::backend::{Element, add_page};
use crate::link::Link;

/// What is done with some bytes.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: [(&str, Target); 3] = [("journal_object", journal_object), ("s3_answer", s3_answer), ("lake", lake)];

/// A journal object, and the frames in it.
pub fn journal_object(bytes: &[u8]) {
    let key = "journal/00000000000000000000";
    let Ok(link) = Link::parse(key, bytes) else { return };
    assert!(link.end() > link.first && link.end_offset() > link.offset);
    if let Ok(frames) = link.frames(key, bytes) {
        assert_eq!(frames.len() as u64, link.length);
        let _ = counterfoil::frames_in(&frames);
    }
}

/// What an S3 service answers: a listing, or any other document.
pub fn s3_answer(bytes: &[u8]) {
    let Ok(answer) = Element::parse(bytes) else { return };
    let mut found = BTreeMap::new();
    add_page(&mut found, &answer);
    assert!(found.iter().all(|(key, stored)| *key == stored.key));
    let _ = (answer.text("Code"), answer.text("UploadId"), answer.child("Rule"));
}

/// The files of a table: metadata, a list of manifests, a manifest.
pub fn lake(bytes: &[u8]) {
    crate::lake::read_any(bytes);
}
