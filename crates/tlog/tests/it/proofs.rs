use counterfoil_tlog::{
    EMPTY_ROOT, Error, Hash, LeafIndex, Subtree, TreeSize, consistency_proof, inclusion_proof, inclusion_root,
    subtree_consistency_proof, subtree_inclusion_proof, subtree_root, verify_consistency, verify_inclusion,
    verify_subtree_consistency, verify_subtree_inclusion,
};
use proptest::prelude::*;

use crate::naive::{self, Nodes, Refused};

fn subtree(begin: usize, end: usize) -> Option<Subtree> {
    Subtree::new(LeafIndex(begin as u64), TreeSize(end as u64)).ok()
}

/// The accumulated test vectors of draft-ietf-plants-merkle-tree-certs (commit d7362d6, 2026-08-20): a hash over every
/// answer for every tree up to 130 leaves.
#[test]
fn accumulated_subtree_vectors() {
    let leaves: Vec<Hash> = (0..130u8).map(|entry| naive::leaf(&[entry])).collect();
    let nodes = Nodes::over(&leaves);
    let ranges = || (0..=130).flat_map(|end| (0..=end).filter_map(move |begin| subtree(begin, end)));
    let hexes = |proof: Vec<Hash>| proof.iter().map(|hash| format!(" {hash}")).collect::<String>();

    let roots: String = ranges().map(|range| format!("{range} {}\n", subtree_root(&nodes, range).unwrap())).collect();
    assert_eq!(
        naive::sha256(roots.as_bytes()).to_string(),
        "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81"
    );

    let mut inclusion = String::new();
    for range in ranges() {
        for index in range.begin().0..range.end().0 {
            let proof = subtree_inclusion_proof(&nodes, LeafIndex(index), range).unwrap();
            let (leaf, root) = (&leaves[index as usize], subtree_root(&nodes, range).unwrap());
            verify_subtree_inclusion(leaf, LeafIndex(index), range, &proof, &root).unwrap();
            inclusion += &format!("{index} {range}{}\n", hexes(proof));
        }
    }
    assert_eq!(
        naive::sha256(inclusion.as_bytes()).to_string(),
        "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f"
    );

    let mut consistency = String::new();
    for size in 0..=130 {
        let root = counterfoil_tlog::root(&nodes, TreeSize(size)).unwrap();
        for range in ranges().take_while(|range| range.end().0 <= size) {
            let proof = subtree_consistency_proof(&nodes, range, TreeSize(size)).unwrap();
            let hash = subtree_root(&nodes, range).unwrap();
            verify_subtree_consistency(range, TreeSize(size), &proof, &hash, &root).unwrap();
            consistency += &format!("{range} {size}{}\n", hexes(proof));
        }
    }
    assert_eq!(
        naive::sha256(consistency.as_bytes()).to_string(),
        "10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74"
    );
}

#[test]
fn every_small_proof_is_the_one_that_rfc_9162_defines() {
    let leaves = naive::leaves(70);
    let nodes = Nodes::over(&leaves);
    for size in 0..=leaves.len() {
        let root = naive::root(&leaves[..size]);
        for index in 0..size {
            let proof = inclusion_proof(&nodes, LeafIndex(index as u64), TreeSize(size as u64)).unwrap();
            assert_eq!(proof, naive::path(index, &leaves[..size]), "{index} in {size}");
        }
        for from in 0..=size {
            let (old, new) = (TreeSize(from as u64), TreeSize(size as u64));
            let proof = consistency_proof(&nodes, old, new).unwrap();
            assert_eq!(proof, naive::subtree_proof(0, from, &leaves[..size]), "{from} to {size}");
            verify_consistency(old, new, &proof, &naive::root(&leaves[..from]), &root).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_proven_is_refused() {
    let leaves = naive::leaves(5);
    let nodes = Nodes::over(&leaves);
    let (size, root) = (TreeSize(5), naive::root(&leaves));
    let outside = Error::LeafOutside { index: 5, begin: 0, end: 5 };
    assert_eq!(inclusion_proof(&nodes, LeafIndex(5), size), Err(Refused(outside.clone())));
    assert_eq!(verify_inclusion(&leaves[0], LeafIndex(5), size, &[], &root), Err(outside));
    let reversed = Error::SizesReversed { from: 5, to: 4 };
    assert_eq!(consistency_proof(&nodes, size, TreeSize(4)), Err(Refused(reversed.clone())));
    assert_eq!(verify_consistency(size, TreeSize(4), &[], &root, &root), Err(reversed));

    let proof = inclusion_proof(&nodes, LeafIndex(2), size).unwrap();
    let check = |proof: &[Hash]| verify_inclusion(&leaves[2], LeafIndex(2), size, proof, &root);
    assert_eq!(check(&proof), Ok(()));
    assert_eq!(check(&proof[..2]), Err(Error::ProofTooShort));
    assert_eq!(check(&[&proof[..], &proof[..1]].concat()), Err(Error::ProofTooLong));
    assert_eq!(inclusion_root(&leaves[2], LeafIndex(2), size, &proof), Ok(root));

    let old = naive::root(&leaves[..3]);
    let proof = consistency_proof(&nodes, TreeSize(3), size).unwrap();
    let check = |proof: &[Hash], old, new| verify_consistency(TreeSize(3), size, proof, old, new);
    assert_eq!(check(&proof, &old, &root), Ok(()));
    assert_eq!(check(&[], &old, &root), Err(Error::ProofTooShort));
    assert_eq!(check(&proof[..2], &old, &root), Err(Error::ProofTooShort));
    assert_eq!(check(&[&proof[..], &proof[..1]].concat(), &old, &root), Err(Error::ProofTooLong));
    assert_eq!(check(&proof, &root, &root), Err(Error::OldRootMismatch));
    assert_eq!(check(&proof, &old, &old), Err(Error::RootMismatch));
}

#[test]
fn the_empty_tree_is_the_beginning_of_every_tree() {
    let root = naive::leaf(b"any");
    let check =
        |to, proof: &[Hash], old: &Hash, new: &Hash| verify_consistency(TreeSize(0), TreeSize(to), proof, old, new);
    assert_eq!(check(1, &[], &EMPTY_ROOT, &root), Ok(()));
    assert_eq!(check(0, &[], &EMPTY_ROOT, &EMPTY_ROOT), Ok(()));
    assert_eq!(check(1, &[root], &EMPTY_ROOT, &root), Err(Error::ProofTooLong));
    assert_eq!(check(1, &[], &root, &root), Err(Error::OldRootMismatch));
    assert_eq!(check(0, &[], &EMPTY_ROOT, &root), Err(Error::RootMismatch));
}

#[test]
fn the_largest_trees_do_not_overflow() {
    let hash = naive::leaf(b"leaf");
    for size in [TreeSize(u64::MAX), TreeSize::MAX, TreeSize(1 << 63)] {
        for index in [0, 1, size.0 / 2, size.0 - 1] {
            for length in 0..=65 {
                let proof = vec![hash; length];
                let fails = verify_inclusion(&hash, LeafIndex(index), size, &proof, &hash);
                assert!(fails.is_err(), "{index} in {size} by {length} hashes: {fails:?}");
                let fails = verify_consistency(TreeSize(index.max(1)), size, &proof, &hash, &hash);
                assert!(fails.is_err(), "{index} to {size} by {length} hashes: {fails:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn inclusion_proofs_hold_and_any_flipped_bit_breaks_them(
        size in 1usize..300, place in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let leaves = naive::leaves(size);
        let (index, root) = (place.index(size), naive::root(&leaves));
        let (at, count) = (LeafIndex(index as u64), TreeSize(size as u64));
        let proof = inclusion_proof(&Nodes::over(&leaves), at, count).unwrap();
        prop_assert_eq!(verify_inclusion(&leaves[index], at, count, &proof, &root), Ok(()));

        // The leaf, the proof and the root in one row of bits, one of which is flipped.
        let mut row = [&leaves[index..=index], &proof, &[root]].concat();
        flip(&mut row, bit);
        let [leaf, proof @ .., root] = &row[..] else { unreachable!() };
        prop_assert_eq!(verify_inclusion(leaf, at, count, proof, root), Err(Error::RootMismatch));
    }

    #[test]
    fn consistency_proofs_hold_and_any_flipped_bit_breaks_them(
        size in 1usize..300, place in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
    ) {
        let leaves = naive::leaves(size);
        let older = 1 + place.index(size);
        let (from, to) = (TreeSize(older as u64), TreeSize(size as u64));
        let (old, new) = (naive::root(&leaves[..older]), naive::root(&leaves));
        let proof = consistency_proof(&Nodes::over(&leaves), from, to).unwrap();
        prop_assert_eq!(verify_consistency(from, to, &proof, &old, &new), Ok(()));

        let mut row = [&[old], &proof[..], &[new]].concat();
        flip(&mut row, bit);
        let [old, proof @ .., new] = &row[..] else { unreachable!() };
        prop_assert!(verify_consistency(from, to, proof, old, new).is_err());
    }

    #[test]
    fn proofs_hold_for_nothing_else(size in 2usize..120, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let leaves = naive::leaves(size);
        let (a, b) = (a.index(size), b.index(size));
        let (nodes, root) = (Nodes::over(&leaves), naive::root(&leaves));
        let proof = inclusion_proof(&nodes, LeafIndex(a as u64), TreeSize(size as u64)).unwrap();
        let other_place = verify_inclusion(&leaves[a], LeafIndex(b as u64), TreeSize(size as u64), &proof, &root);
        prop_assert_eq!(other_place.is_ok(), a == b);
        let other_leaf = verify_inclusion(&leaves[b], LeafIndex(a as u64), TreeSize(size as u64), &proof, &root);
        prop_assert_eq!(other_leaf.is_ok(), a == b);
    }
}

fn flip(row: &mut [Hash], bit: prop::sample::Index) {
    let bit = bit.index(row.len() * 256);
    row[bit / 256].0[bit % 256 / 8] ^= 1 << (bit % 8);
}
