use std::borrow::Cow;
use std::collections::BTreeMap;

use counterfoil_tlog::{
    CompactRange, Error, Hash, HashReader, LeafIndex, Tile, TilePath, TileReader, TileSource, TreeSize, bundle,
    consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

use crate::naive::{self, Nodes, Refused};

fn tile(level: u8, index: u64, width: u16) -> Tile {
    Tile::new(level, index, width).unwrap()
}

#[test]
fn paths_of_the_standard() {
    let paths = [
        (TilePath::Hashes(tile(0, 0, 256)), "tile/0/000"),
        (TilePath::Hashes(tile(0, 5, 256)), "tile/0/005"),
        (TilePath::Hashes(tile(1, 0, 1)), "tile/1/000.p/1"),
        (TilePath::Hashes(tile(63, 1_234_067, 255)), "tile/63/x001/x234/067.p/255"),
        (TilePath::Hashes(tile(0, 1000, 256)), "tile/0/x001/000"),
        (TilePath::Entries(tile(0, 1_234_067, 256)), "tile/entries/x001/x234/067"),
        (TilePath::Entries(tile(0, 273, 112)), "tile/entries/273.p/112"),
        (TilePath::Hashes(tile(0, u64::MAX, 256)), "tile/0/x018/x446/x744/x073/x709/x551/615"),
    ];
    for (path, text) in paths {
        assert_eq!(path.to_string(), text);
        assert_eq!(text.parse(), Ok(path));
    }
}

#[test]
fn other_paths_are_refused() {
    let wrong = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/x/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/ 01",
        "tile/0/+01",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/-1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/entries",
        "tile/entries/",
        "tile/Entries/000",
        "tile/entries/000.p/256",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/..",
        "tile/entries/0/000",
        "tile/256/000",
    ];
    for text in wrong {
        assert!(matches!(text.parse::<TilePath>(), Err(Error::InvalidTile(_))), "{text}");
    }
}

#[test]
fn tiles_of_the_standards_examples() {
    let all = |size| -> Vec<String> {
        Tile::added(TreeSize(0), TreeSize(size)).map(|tile| TilePath::Hashes(tile).to_string()).collect()
    };
    assert_eq!(all(0), [""; 0]);
    assert_eq!(all(256), ["tile/0/000", "tile/1/000.p/1"]);
    let big = all(70_000);
    assert_eq!(big.len(), 273 + 1 + 1 + 1 + 1);
    assert_eq!(big[273..], ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!(Tile::in_tree(0, 273, TreeSize(70_000)), Some(tile(0, 273, 112)));
    assert_eq!(Tile::in_tree(0, 274, TreeSize(70_000)), None);
    assert_eq!(Tile::in_tree(8, 0, TreeSize(u64::MAX)), None);
    assert_eq!(Tile::in_tree(7, 0, TreeSize(u64::MAX)), Some(tile(7, 0, 255)));
    assert_eq!(Tile::in_tree(0, u64::MAX, TreeSize(u64::MAX)), None);
    assert_eq!(Tile::of_node(63, 1, TreeSize(u64::MAX)), None);
    assert_eq!(Tile::of_node(63, 0, TreeSize(u64::MAX)), Some(tile(7, 0, 255)));
}

#[test]
fn impossible_tiles_are_refused() {
    assert!(Tile::new(64, 0, 1).is_err());
    assert!(Tile::new(0, 0, 0).is_err());
    assert!(Tile::new(0, 0, 257).is_err());
}

#[test]
fn a_tile_of_the_wrong_length_gives_no_node() {
    let bytes = [7; 3 * 32];
    assert_eq!(tile(0, 0, 3).node(&bytes, 0, 2), Ok(Hash([7; 32])));
    for (tile, bytes, level, index) in [
        (tile(0, 0, 3), &bytes[1..], 0, 2),
        (tile(0, 0, 4), &bytes[..], 0, 2),
        (tile(0, 0, 2), &bytes[..], 0, 1),
        (tile(0, 0, 3), &bytes[..], 0, 3),
        (tile(0, 0, 3), &bytes[..], 1, 1),
        (tile(0, 0, 3), &bytes[..], 8, 0),
        (tile(0, 0, 3), &bytes[..], 0, 256),
        (tile(1, 0, 3), &bytes[..], 0, 0),
        (tile(0, 0, 3), &[], 0, 0),
    ] {
        assert!(tile.node(bytes, level, index).is_err(), "{tile:?} {level} {index}");
    }
}

/// Tiles in memory, made from the nodes that a growing range visits, as a log does.
#[derive(Default)]
struct Store(BTreeMap<(u8, u64), Vec<u8>>);

impl Store {
    fn grow(leaves: &[Hash]) -> Self {
        let mut store = Self::default();
        let mut range = CompactRange::new(LeafIndex(0));
        for leaf in leaves {
            range.push_visiting(*leaf, |level, index, hash| {
                if level % 8 == 0 {
                    store.0.entry((level / 8, index / 256)).or_default().extend(hash.as_bytes());
                }
            });
        }
        store
    }
}

impl TileSource for &Store {
    type Error = Refused;

    fn tile(&self, tile: Tile) -> Result<Cow<'_, [u8]>, Refused> {
        let bytes = &self.0[&(tile.level(), tile.index())];
        Ok(Cow::Borrowed(&bytes[..usize::from(tile.width()) * 32]))
    }
}

#[test]
fn a_tree_read_from_tiles_is_the_tree() {
    let leaves = naive::leaves(70_000);
    let (nodes, store) = (Nodes::over(&leaves), Store::grow(&leaves));
    let newest = root(&nodes, TreeSize(70_000)).unwrap();
    for size in [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 69_999, 70_000] {
        let reader = TileReader::new(&store, TreeSize(size));
        let old = root(&nodes, TreeSize(size)).unwrap();
        assert_eq!(root(&reader, TreeSize(size)).unwrap(), old, "root at {size}");
        for index in [0, size / 2, size - 1] {
            let proof = inclusion_proof(&reader, LeafIndex(index), TreeSize(size)).unwrap();
            verify_inclusion(&leaves[index as usize], LeafIndex(index), TreeSize(size), &proof, &old).unwrap();
        }
        let reader = TileReader::new(&store, TreeSize(70_000));
        let proof = consistency_proof(&reader, TreeSize(size), TreeSize(70_000)).unwrap();
        verify_consistency(TreeSize(size), TreeSize(70_000), &proof, &old, &newest).unwrap();
    }
    let beyond = TileReader::new(&store, TreeSize(256)).node(0, 256);
    assert!(matches!(beyond, Err(Refused(Error::InvalidTile(_)))));
}

proptest! {
    #[test]
    fn added_tiles_are_exactly_those_that_changed(a in 0u64..200_000, b in 0u64..200_000) {
        let (from, to) = (TreeSize(a.min(b)), TreeSize(a.max(b)));
        let every = |size| Tile::added(TreeSize(0), size).collect::<Vec<_>>();
        let before = every(from);
        let fresh: Vec<_> = every(to).into_iter().filter(|tile| !before.contains(tile)).collect();
        prop_assert_eq!(Tile::added(from, to).collect::<Vec<_>>(), fresh);
        for tile in every(to) {
            prop_assert_eq!(Tile::in_tree(tile.level(), tile.index(), to), Some(tile));
        }
    }

    #[test]
    fn any_path_is_read_back(level in 0u8..64, index in any::<u64>(), width in 1u16..=256) {
        for path in [TilePath::Hashes(tile(level, index, width)), TilePath::Entries(tile(0, index, width))] {
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }
    }

    #[test]
    fn bundles_are_read_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..40)) {
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| bundle::push_entry(&mut bytes, entry).unwrap());
        prop_assert_eq!(bundle::entries(&bytes).unwrap(), entries);
    }
}

#[test]
fn bundles_have_limits() {
    let mut bytes = Vec::new();
    bundle::push_entry(&mut bytes, &[1; 65_535]).unwrap();
    assert_eq!(bundle::push_entry(&mut bytes, &[1; 65_536]), Err(Error::EntryTooLong(65_536)));
    assert_eq!(bytes[..2], [0xff, 0xff]);
    assert_eq!(bundle::entries(&bytes).unwrap(), [[1; 65_535]]);
    for cut in [1, 2, 65_536] {
        assert!(matches!(bundle::entries(&bytes[..cut]), Err(Error::InvalidBundle(_))), "cut at {cut}");
    }
    assert_eq!(bundle::entries(&[0; 512]).unwrap().len(), 256);
    assert!(bundle::entries(&[0; 514]).is_err(), "257 entries");
    assert!(bundle::entries(&[]).unwrap().is_empty());
}
