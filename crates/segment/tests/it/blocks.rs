//! Every byte is hashed before it is used.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use counterfoil_segment::blocks::{BLOCK_BYTES, BlockCache, BlockHashes, BlockMismatch, VerifiedFile};
use counterfoil_segment::index::{Index, Key};
use counterfoil_segment::{ReadAt, Segment, SegmentError};
use counterfoil_tlog::{EMPTY_ROOT, leaf_hash, node_hash};
use proptest::prelude::*;

use crate::entries::{plain, seal};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn verified(file: Vec<u8>, hashes: &BlockHashes, budget: usize) -> Result<VerifiedFile, BlockMismatch> {
    VerifiedFile::new(Arc::new(file), Arc::new(hashes.clone()), Arc::new(BlockCache::new(budget)))
}

fn range(file: &VerifiedFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buf = vec![0; length];
    file.read_at(offset, &mut buf).map(|()| buf)
}

#[test]
fn the_root_is_the_tree_over_the_blocks() {
    let file = bytes(BLOCK_BYTES * 2 + 5);
    let leaves: Vec<_> = file.chunks(BLOCK_BYTES).map(leaf_hash).collect();
    let hashes = BlockHashes::of(&file);
    assert_eq!(hashes.root(), node_hash(&node_hash(&leaves[0], &leaves[1]), &leaves[2]));
    assert_eq!((hashes.length(), hashes.blocks()), (file.len() as u64, 3));
    assert_eq!(BlockHashes::of(&[]).root(), EMPTY_ROOT);
    for length in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, BLOCK_BYTES * 3] {
        let file = bytes(length);
        let hashes = BlockHashes::of(&file);
        assert_eq!(BlockHashes::of_reader(&file).unwrap(), hashes);
        assert_eq!(BlockHashes::decode(&hashes.encode(), length as u64).unwrap(), hashes);
        assert_eq!(hashes.encode().len(), length.div_ceil(BLOCK_BYTES) * 32);
    }
    assert!(BlockHashes::decode(&[0; 32], 0).is_err());
    assert!(BlockHashes::decode(&[0; 33], 9).is_err());
    assert!(BlockHashes::decode(&[0; 32], u64::MAX).is_err());
}

proptest! {
    #[test]
    fn any_range_reads_as_the_file(offset in 0..200_000_u64, length in 0..150_000_usize, budget in 0..4_usize) {
        let file = bytes(200_000);
        let verified = verified(file.clone(), &BlockHashes::of(&file), budget * 16 * BLOCK_BYTES).unwrap();
        let expected = file.get(offset as usize..offset as usize + length);
        match range(&verified, offset, length) {
            Ok(found) => prop_assert_eq!(Some(found.as_slice()), expected),
            Err(error) => {
                prop_assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                prop_assert_eq!(expected, None);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_found_by_every_read_of_its_block(at in 0..200_000_usize, bit in 0..8_u8, offset in 0..200_000_u64) {
        let file = bytes(200_000);
        let hashes = BlockHashes::of(&file);
        let mut damaged = file.clone();
        damaged[at] ^= 1 << bit;
        let verified = verified(damaged, &hashes, 1 << 24).unwrap();
        let block = (at / BLOCK_BYTES) as u64;
        let found = range(&verified, offset, 1);
        if offset / BLOCK_BYTES as u64 == block {
            let mismatch = BlockMismatch::in_error(&found.unwrap_err());
            prop_assert_eq!(mismatch, Some(BlockMismatch { block, offset: block * BLOCK_BYTES as u64 }));
        } else {
            prop_assert_eq!(found.unwrap(), vec![file[offset as usize]]);
        }
    }
}

#[test]
fn another_length_is_a_mismatch_of_the_block_where_it_shows() {
    let file = bytes(BLOCK_BYTES * 2);
    let hashes = BlockHashes::of(&file);
    assert_eq!(verified(bytes(BLOCK_BYTES * 2 + 1), &hashes, 0).unwrap_err().block, 2);
    assert_eq!(verified(bytes(BLOCK_BYTES * 2 - 1), &hashes, 0).unwrap_err().block, 1);
    assert_eq!(verified(Vec::new(), &hashes, 0).unwrap_err().block, 0);
}

#[test]
fn what_was_hashed_is_what_is_read_even_if_the_file_changes() {
    #[derive(Debug)]
    struct Changing(std::sync::Mutex<Vec<u8>>);
    impl ReadAt for Changing {
        fn len(&self) -> u64 {
            ReadAt::len(&*self.0.lock().unwrap())
        }
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            self.0.lock().unwrap().read_at(offset, buf)
        }
    }
    let file = bytes(BLOCK_BYTES + 10);
    let changing = Arc::new(Changing(std::sync::Mutex::new(file.clone())));
    let cache = Arc::new(BlockCache::new(1 << 24));
    let verified = VerifiedFile::new(changing.clone(), Arc::new(BlockHashes::of(&file)), cache.clone()).unwrap();
    assert_eq!(range(&verified, 3, 4).unwrap(), file[3..7]);
    changing.0.lock().unwrap().fill(0xEE);
    assert_eq!(range(&verified, 100, 4).unwrap(), file[100..104], "the block that was hashed");
    assert!(BlockMismatch::in_error(&range(&verified, BLOCK_BYTES as u64, 1).unwrap_err()).is_some());
    let again = VerifiedFile::new(changing, Arc::new(BlockHashes::of(&file)), cache).unwrap();
    assert!(range(&again, 100, 4).is_err(), "another opening does not use what this one remembered");
}

#[test]
fn the_cache_keeps_to_its_budget() {
    let file = bytes(BLOCK_BYTES * 64);
    let cache = Arc::new(BlockCache::new(16 * 2 * BLOCK_BYTES));
    let verified = VerifiedFile::new(Arc::new(file.clone()), Arc::new(BlockHashes::of(&file)), cache.clone()).unwrap();
    for round in 0..3 {
        for block in 0..64 {
            let at = block * BLOCK_BYTES as u64 + round;
            assert_eq!(range(&verified, at, 1).unwrap(), vec![file[at as usize]]);
            assert!(cache.held_bytes() <= 32 * BLOCK_BYTES);
        }
    }
    assert_eq!(cache.held_bytes(), 32 * BLOCK_BYTES);
}

#[test]
fn a_changed_byte_anywhere_in_a_segment_or_its_index_stops_the_reader() {
    let entries: Vec<Vec<u8>> = (0..3_000).map(plain).collect();
    let sealed = seal(0, &entries);
    let hashes = BlockHashes::of(&sealed.parquet);
    for at in (0..sealed.parquet.len()).step_by(577).chain(sealed.parquet.len() - 12..sealed.parquet.len()) {
        let mut damaged = sealed.parquet.clone();
        damaged[at] ^= 0x20;
        let expected =
            BlockMismatch { block: (at / BLOCK_BYTES) as u64, offset: (at / BLOCK_BYTES * BLOCK_BYTES) as u64 };
        assert_eq!(first_mismatch(verified(damaged, &hashes, 1 << 24).unwrap()), Some(expected), "byte {at}");
    }
    let hashes = BlockHashes::of(&sealed.index);
    for at in (0..sealed.index.len()).step_by(97) {
        let mut damaged = sealed.index.clone();
        damaged[at] ^= 0x01;
        let file = Arc::new(verified(damaged, &hashes, 1 << 24).unwrap());
        let found = Index::open(file).and_then(|index| index.lookup(Key::Actor, "bot-1"));
        assert!(matches!(found, Err(SegmentError::Block(_))), "byte {at}");
    }
}

/// The block at which reading the whole segment and then the whole file stops.
fn first_mismatch(file: VerifiedFile) -> Option<BlockMismatch> {
    let file = Arc::new(file);
    let read = Segment::open(file.clone()).and_then(|segment| {
        let rows = segment.meta().count;
        segment.scan(0..rows, &mut |_, _| ControlFlow::Continue(()))
    });
    match read {
        Err(SegmentError::Block(mismatch)) => Some(mismatch),
        Err(error) => panic!("{error}"),
        Ok(_) => BlockMismatch::in_error(&BlockHashes::of_reader(file.as_ref()).err()?),
    }
}
