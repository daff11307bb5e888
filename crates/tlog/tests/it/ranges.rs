use counterfoil_tlog::{
    CompactRange, EMPTY_ROOT, Error, Hash, LeafIndex, Subtree, TreeSize, cover, leaf_hash, node_hash, root,
    subtree_root,
};
use proptest::prelude::*;

use crate::naive;

/// The eight entries and roots that the Certificate Transparency reference code has tested with since 2012.
const CT_ENTRIES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const CT_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn range(begin: u64, leaves: &[Hash]) -> CompactRange {
    let mut range = CompactRange::new(LeafIndex(begin));
    leaves.iter().for_each(|leaf| range.push(*leaf));
    range
}

#[test]
fn certificate_transparency_roots() {
    let mut range = CompactRange::new(LeafIndex(0));
    assert_eq!(range.root(), Some(EMPTY_ROOT));
    for (entry, root) in CT_ENTRIES.iter().zip(CT_ROOTS) {
        range.push(leaf_hash(&hex::decode(entry).unwrap()));
        assert_eq!(range.root().unwrap().to_string(), root);
    }
    assert_eq!(range.end(), TreeSize(8));
}

#[test]
fn hashes_of_every_length_around_the_blocks_of_sha256() {
    let entry: Vec<u8> = (0..1000u32).map(|i| i as u8).collect();
    for length in 0..entry.len() {
        assert_eq!(leaf_hash(&entry[..length]), naive::leaf(&entry[..length]), "{length} bytes");
    }
    let (left, right) = (naive::leaf(b"left"), naive::leaf(b"right"));
    assert_eq!(node_hash(&left, &right), naive::node(&left, &right));
    assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
}

#[test]
fn hash_texts_are_exact() {
    let hash = leaf_hash(b"text");
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
    assert_eq!(hash.to_string().to_uppercase().parse::<Hash>(), Err(Error::InvalidHash));
    for wrong in ["", "AAAA", hash.to_base64().trim_end_matches('='), &format!("{} ", hash.to_base64())] {
        assert_eq!(Hash::from_base64(wrong), Err(Error::InvalidHash), "{wrong:?}");
    }
    // The last character carries two unused bits, which must be 0: otherwise a hash would have four texts.
    let other_text = format!("{}B=", "A".repeat(42));
    assert_eq!(Hash::from_base64(&other_text), Err(Error::InvalidHash));
    assert_eq!(Hash::from_base64(&format!("{}A=", "A".repeat(42))), Ok(Hash([0; 32])));
}

#[test]
fn cover_reaches_the_top_of_the_index_space() {
    assert_eq!(cover(0, u64::MAX).count(), 64);
    assert_eq!(cover(1, 1 << 63).map(|(level, _)| u64::from(level)).sum::<u64>(), (0..63).sum::<u64>());
    assert_eq!(cover(5, 5).count(), 0);
    assert_eq!(cover(5, 4).count(), 0);
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let whole = range(0, &naive::leaves(7));
    let again = CompactRange::from_parts(LeafIndex(0), TreeSize(7), whole.hashes().to_vec());
    assert_eq!(again.as_ref(), Ok(&whole));
    for (begin, end) in [(0, 6), (0, 8), (1, 7), (7, 0), (0, u64::MAX)] {
        let parts = CompactRange::from_parts(LeafIndex(begin), TreeSize(end), whole.hashes().to_vec());
        assert!(matches!(parts, Err(Error::InvalidRange { .. })), "[{begin}, {end}) {parts:?}");
    }
    let mut left = range(0, &naive::leaves(7));
    assert!(left.append(&CompactRange::new(LeafIndex(8))).is_err(), "a gap");
    assert!(left.append(&CompactRange::new(LeafIndex(6))).is_err(), "an overlap");
    assert_eq!(left, whole);
}

#[test]
fn only_subtrees_have_a_root() {
    let leaves = naive::leaves(40);
    for begin in 0..leaves.len() {
        for end in begin..=leaves.len() {
            let expected = naive::is_subtree(begin, end).then(|| naive::root(&leaves[begin..end]));
            assert_eq!(range(begin as u64, &leaves[begin..end]).root(), expected, "[{begin}, {end})");
            let subtree = Subtree::new(LeafIndex(begin as u64), TreeSize(end as u64));
            let read = subtree.ok().map(|subtree| subtree_root(&naive::Nodes::over(&leaves), subtree).unwrap());
            assert_eq!(read, expected, "[{begin}, {end})");
        }
    }
    assert!(Subtree::new(LeafIndex(1), TreeSize((1 << 63) + 2)).is_err());
    assert!(Subtree::new(LeafIndex(0), TreeSize(u64::MAX)).is_ok());
}

proptest! {
    #[test]
    fn pushing_gives_the_naive_root(n in 0usize..600) {
        let leaves = naive::leaves(n);
        prop_assert_eq!(range(0, &leaves).root(), Some(naive::root(&leaves)));
        prop_assert_eq!(root(&naive::Nodes::over(&leaves), TreeSize(n as u64)).unwrap(), naive::root(&leaves));
    }

    #[test]
    fn stretches_join_to_the_same_range(mut cuts in prop::collection::vec(0usize..400, 3)) {
        cuts.sort_unstable();
        let [begin, middle, end] = cuts[..] else { unreachable!() };
        let leaves = naive::leaves(end);
        let mut joined = range(begin as u64, &leaves[begin..middle]);
        joined.append(&range(middle as u64, &leaves[middle..end])).unwrap();
        prop_assert_eq!(&joined, &range(begin as u64, &leaves[begin..end]));
        let nodes = naive::Nodes::over(&leaves);
        let covered: Vec<_> = cover(begin as u64, end as u64).map(|(level, i)| *nodes.get(level, i).unwrap()).collect();
        prop_assert_eq!(joined.hashes(), covered);
    }

    #[test]
    fn every_complete_node_is_visited_once(begin in 0usize..70, length in 0usize..200) {
        let leaves = naive::leaves(begin + length);
        let nodes = naive::Nodes::over(&leaves);
        let mut seen = std::collections::BTreeSet::new();
        let mut range = CompactRange::new(LeafIndex(begin as u64));
        for leaf in &leaves[begin..] {
            range.push_visiting(*leaf, |level, index, hash| {
                assert_eq!(nodes.get(level, index), Some(hash));
                assert!(seen.insert((level, index)), "{level}/{index} came twice");
            });
        }
        let inside = (0..10u8).flat_map(|level| (0..300u64).map(move |index| (level, index)));
        let inside = inside.filter(|(level, index)| {
            index << level >= begin as u64 && (index + 1) << level <= (begin + length) as u64
        });
        prop_assert_eq!(seen, inside.collect());
    }
}
