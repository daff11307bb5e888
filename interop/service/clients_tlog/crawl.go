package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// randomEntries is how many entries are chosen for proofs.
const randomEntries = 20

// crawl is one visit: what was seen before, what is seen now, and how many checks failed.
type crawl struct {
	*site
	*memory
	verifier note.Verifier
	random   *rand.Rand
	name     string
	failed   int

	// earlier are the trees of earlier visits.
	earlier []tlog.Tree
	text    []byte
	tree    tlog.Tree
	// hashes reads authenticated hashes of the tree of this visit.
	hashes  tlog.HashReader
	entries [][]byte
	// seen are the tiles that were authenticated.
	seen map[tlog.Tile][]byte
}

// report prints the line of one check.
func (c *crawl) report(name string, err error) {
	if err != nil {
		c.failed++
		fmt.Printf("FAIL  clients_tlog: %s: %s: %v\n", c.name, name, err)
		return
	}
	fmt.Printf("ok    clients_tlog: %s: %s\n", c.name, name)
}

func (c *crawl) run() {
	err := c.checkpoint()
	c.report(fmt.Sprintf("note.Open accepts the checkpoint, of %d entries; those of %d earlier visits are remembered", c.tree.N, len(c.earlier)), err)
	if err != nil {
		return
	}
	c.hashes = tlog.TileHashReader(c.tree, c.site)
	c.report("package tlog finds every remembered tree to be a beginning of this one, and of each between them", c.growth())
	c.report("each hash of each tile is authentic", c.tiles())
	err = c.bundles()
	c.report("every entry of every bundle has the leaf hash that package tlog authenticated", err)
	if err == nil {
		c.report(fmt.Sprintf("tlog.CheckRecord accepts proofs from tiles of %d random entries", randomEntries), c.inclusion())
		c.report("tlog.CheckRecord and CheckTree accept the proofs that the API computes", c.proofs())
		c.report("torchwood's client reads and authenticates every entry", c.torchwood())
	}
	c.report("every tile of every earlier size is still served, byte for byte", c.tilesOfOld())
	if c.failed == 0 {
		c.report("this visit is remembered", c.remember())
	}
}

// open verifies a checkpoint and reads its tree.
func (c *crawl) open(text []byte) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(c.verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	if err == nil && checkpoint.Origin != c.verifier.Name() {
		err = fmt.Errorf("the checkpoint is of %q, the key of %q", checkpoint.Origin, c.verifier.Name())
	}
	return checkpoint.Tree, err
}

func (c *crawl) checkpoint() (err error) {
	texts, err := c.checkpoints()
	if err != nil {
		return err
	}
	for _, text := range texts {
		tree, err := c.open(text)
		if err != nil {
			return err
		}
		c.earlier = append(c.earlier, tree)
	}
	if c.text, err = c.get("/tlog/checkpoint", ""); err != nil {
		return err
	}
	if c.tree, err = c.open(c.text); err != nil {
		return err
	}
	if len(c.earlier) > 0 && c.tree.N <= c.earlier[len(c.earlier)-1].N {
		return fmt.Errorf("the log has %d entries and had %d", c.tree.N, c.earlier[len(c.earlier)-1].N)
	}
	return nil
}

// trees are those of all visits.
func (c *crawl) trees() []tlog.Tree {
	return append(append([]tlog.Tree{}, c.earlier...), c.tree)
}

// growth checks consistency between all pairs of sizes that were ever seen, with hashes of today's tiles.
func (c *crawl) growth() error {
	trees := c.trees()
	for newer, tree := range trees {
		for _, older := range trees[:newer] {
			proof, err := tlog.ProveTree(tree.N, older.N, c.hashes)
			if err != nil {
				return err
			}
			if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
				return fmt.Errorf("from %d to %d entries: %w", older.N, tree.N, err)
			}
		}
	}
	return nil
}

// tiles compares each hash of each tile with what package tlog derives from the signed root.
func (c *crawl) tiles() error {
	for _, tile := range tilesOf(c.tree.N) {
		if tile.L < 0 {
			continue
		}
		data, err := c.tile(tile)
		if err != nil {
			return err
		}
		if len(data) != tile.W*tlog.HashSize {
			return fmt.Errorf("tile %s has %d bytes", torchwood.TilePath(tile), len(data))
		}
		var indexes []int64
		for i := range tile.W {
			indexes = append(indexes, tlog.StoredHashIndex(tile.L*torchwood.TileHeight, tile.N*torchwood.TileWidth+int64(i)))
		}
		hashes, err := c.hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, hash := range hashes {
			if !bytes.Equal(hash[:], data[i*tlog.HashSize:][:tlog.HashSize]) {
				return fmt.Errorf("tile %s has another hash at %d", torchwood.TilePath(tile), i)
			}
		}
		c.seen[tile] = data
	}
	return nil
}

// bundles reads every entry and compares its leaf hash.
func (c *crawl) bundles() error {
	for _, tile := range tilesOf(c.tree.N) {
		if tile.L >= 0 {
			continue
		}
		data, err := c.tile(tile)
		if err != nil {
			return err
		}
		entries, err := cut(data)
		if err == nil && len(entries) != tile.W {
			err = fmt.Errorf("it has %d entries, not %d", len(entries), tile.W)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", torchwood.TilePath(tile), err)
		}
		var indexes []int64
		for i := range entries {
			indexes = append(indexes, tlog.StoredHashIndex(0, tile.N*torchwood.TileWidth+int64(i)))
		}
		leaves, err := c.hashes.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != leaves[i] {
				return fmt.Errorf("entry %d has another leaf hash", tile.N*torchwood.TileWidth+int64(i))
			}
		}
		c.entries = append(c.entries, entries...)
		c.seen[tile] = data
	}
	return nil
}

// cut takes a bundle apart as C2SP tlog-tiles lays it out: each entry behind its length, big-endian in two bytes.
func cut(bundle []byte) (entries [][]byte, err error) {
	for len(bundle) > 0 {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			return nil, errors.New("the bundle ends within an entry")
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		entries = append(entries, bundle[2:end])
		bundle = bundle[end:]
	}
	return entries, nil
}

func (c *crawl) inclusion() error {
	for range randomEntries {
		index := c.random.Int64N(c.tree.N)
		tree := c.treeWith(index)
		proof, err := tlog.ProveRecord(tree.N, index, c.hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(c.entries[index])); err != nil {
			return fmt.Errorf("entry %d of %d: %w", index, tree.N, err)
		}
	}
	return nil
}

// treeWith is a random tree among those ever seen that has an entry.
func (c *crawl) treeWith(index int64) tlog.Tree {
	var trees []tlog.Tree
	for _, tree := range c.trees() {
		if tree.N > index {
			trees = append(trees, tree)
		}
	}
	return trees[c.random.IntN(len(trees))]
}

// proofs asks the API for proofs and verifies them against the checkpoints that were seen at /tlog.
func (c *crawl) proofs() error {
	var answer struct {
		Hashes     []string
		Checkpoint string
	}
	ask := func(path string, wanted tlog.Tree) ([]tlog.Hash, error) {
		text, err := c.get(path, c.token)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return nil, err
		}
		signed, err := c.open([]byte(answer.Checkpoint))
		if err == nil && signed != wanted {
			err = fmt.Errorf("it signs %v of %d entries, which is not what was seen", signed.Hash, signed.N)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		var hashes []tlog.Hash
		for _, text := range answer.Hashes {
			hash, err := hexadecimal(text)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, hash)
		}
		return hashes, nil
	}
	for range randomEntries {
		index := c.random.Int64N(c.tree.N)
		tree := c.treeWith(index)
		proof, err := ask(fmt.Sprintf("/api/v1/proofs/inclusion?index=%d&size=%d", index, tree.N), tree)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(c.entries[index])); err != nil {
			return fmt.Errorf("entry %d of %d: %w", index, tree.N, err)
		}
	}
	trees := c.trees()
	for newer, tree := range trees {
		for _, older := range trees[:newer] {
			proof, err := ask(fmt.Sprintf("/api/v1/proofs/consistency?from=%d&to=%d", older.N, tree.N), tree)
			if err != nil {
				return err
			}
			if err := tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash); err != nil {
				return fmt.Errorf("from %d to %d entries: %w", older.N, tree.N, err)
			}
		}
	}
	return nil
}

func hexadecimal(text string) (tlog.Hash, error) {
	decoded, err := hex.DecodeString(text)
	if err != nil || len(decoded) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%q is no hash", text)
	}
	return tlog.Hash(decoded), nil
}

// torchwood reads the log with Filippo Valsorda's client, which authenticates what it returns.
func (c *crawl) torchwood() error {
	fetcher, err := torchwood.NewTileFetcher(c.url+"/tlog/", torchwood.WithConcurrencyLimit(4))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	next := int64(0)
	// The client leaves a partial bundle behind full ones to a second call.
	for range 2 {
		for index, entry := range client.Entries(c.ctx, c.tree, next) {
			if index != next || !bytes.Equal(entry, c.entries[index]) {
				return fmt.Errorf("entry %d is another where %d belongs", index, next)
			}
			next++
		}
		if err := client.Err(); err != nil {
			return err
		}
	}
	if next != c.tree.N {
		return fmt.Errorf("it read %d entries of %d", next, c.tree.N)
	}
	index := c.random.Int64N(c.tree.N)
	entry, _, err := client.Entry(c.ctx, c.tree, index)
	if err == nil && !bytes.Equal(entry, c.entries[index]) {
		err = fmt.Errorf("entry %d is another", index)
	}
	return err
}

// tilesOfOld asks for what earlier visits were served, at the widths of then.
func (c *crawl) tilesOfOld() error {
	for _, tree := range c.earlier {
		for _, tile := range tilesOf(tree.N) {
			known, err := c.remembered(tile)
			if err != nil {
				return err
			}
			data, err := c.tile(tile)
			if err != nil {
				return err
			}
			if !bytes.Equal(known, data) {
				return fmt.Errorf("%s, first seen at %d entries, has other bytes", torchwood.TilePath(tile), tree.N)
			}
		}
	}
	return nil
}

func (c *crawl) remember() error {
	for tile, data := range c.seen {
		if err := c.keepTile(tile, data); err != nil {
			return err
		}
	}
	if err := c.keepEntries(c.entries); err != nil {
		return err
	}
	return c.keepCheckpoint(c.tree, c.text)
}
