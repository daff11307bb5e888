package main

import (
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

func (c *checks) checkInclusion() {
	sealed := c.sealed()
	indexes := []int64{0, 1, 255, 256, sealed / 2, sealed - 1, sealed, c.tree.N - 1}
	for _, index := range indexes {
		proof, err := c.inclusion(index)
		if err == nil {
			err = proof.verify(c.entries[index], c.verifier)
		}
		c.report(fmt.Sprintf("tlog.CheckRecord accepts the proof of entry %d", index), err)
	}
	for _, size := range []int64{1000, sealed, c.tree.N - 1} {
		proof, err := c.inclusion(7, "--size", strconv.FormatInt(size, 10))
		if err == nil {
			err = c.compareSigned(proof.checkpoint, size)
		}
		if err == nil {
			err = proof.verify(c.entries[7], c.verifier)
		}
		c.report(fmt.Sprintf("tlog.CheckRecord accepts the proof of entry 7 under the older size %d", size), err)
	}
	c.refuseInclusion(indexes[4])
}

// inclusion asks for the proof of an entry; more arguments may ask for an older size.
func (c *checks) inclusion(index int64, more ...string) (inclusion, error) {
	text, err := c.counterfoil("prove", append([]string{strconv.FormatInt(index, 10)}, more...)...)
	if err != nil {
		return inclusion{}, err
	}
	proof, err := parseInclusion(text)
	if err == nil && proof.index != index {
		err = fmt.Errorf("the proof is of entry %d", proof.index)
	}
	return proof, err
}

func (c *checks) refuseInclusion(index int64) {
	proof, err := c.inclusion(index)
	if err != nil {
		c.report("proofs can be tampered with", err)
		return
	}
	entry := c.entries[index]
	c.report("an inclusion proof with a bit changed in any byte is refused",
		c.allRefused(len(proof.proof)*tlog.HashSize, func(at int) error {
			changed := proof
			changed.proof = flipHash(proof.proof, at)
			return changed.verify(entry, c.verifier)
		}))
	c.report("an inclusion proof of an entry with a bit changed in any byte is refused", c.allRefused(len(entry), func(at int) error {
		return proof.verify(flip(entry, at), c.verifier)
	}))
	moved := proof
	moved.index++
	c.report("an inclusion proof moved to the next index is refused", wantRefusal(moved.verify(entry, c.verifier)))
	short := proof
	short.proof = proof.proof[:len(proof.proof)-1]
	c.report("an inclusion proof that lacks a hash is refused", wantRefusal(short.verify(entry, c.verifier)))
}

func (c *checks) checkConsistency() {
	for _, size := range []int64{1, 255, 256, 1000, c.sealed(), c.tree.N - 1} {
		older, err := c.treeOf(size)
		if err == nil {
			err = c.compareGrowth(older)
		}
		c.report(fmt.Sprintf("tlog.CheckTree accepts the proof from %d to %d entries", size, c.tree.N), err)
	}
	for _, pair := range [][2]int64{{1, 256}, {255, 1000}, {1000, c.sealed()}, {c.sealed(), c.tree.N - 1}} {
		proof, err := c.growth(pair[0], "--to", strconv.FormatInt(pair[1], 10))
		if err == nil {
			err = c.compareSigned(proof.checkpoint, pair[1])
		}
		if err == nil {
			var older tlog.Tree
			if older, err = c.treeOf(pair[0]); err == nil {
				err = proof.verify(older, c.verifier)
			}
		}
		c.report(fmt.Sprintf("tlog.CheckTree accepts the proof from %d to the older size %d", pair[0], pair[1]), err)
	}
	if older, err := c.treeOf(c.sealed() - 1); err == nil {
		c.refuseGrowth(older)
	} else {
		c.report("an older tree can be had from the tiles", err)
	}
}

// treeOf is the tree of the first entries, by what the tiles hold.
func (c *checks) treeOf(size int64) (tlog.Tree, error) {
	root, err := tlog.TreeHash(size, tlog.TileHashReader(c.tree, c.source))
	return tlog.Tree{N: size, Hash: root}, err
}

// compareSigned checks that a checkpoint signed for an older size has the root that the tiles give there.
func (c *checks) compareSigned(checkpoint []byte, size int64) error {
	signed, err := openCheckpoint(checkpoint, c.verifier)
	if err != nil {
		return err
	}
	ours, err := c.treeOf(size)
	if err == nil && signed != ours {
		err = fmt.Errorf("the checkpoint signs %v at %d entries, the tiles give %v at %d", signed.Hash, signed.N, ours.Hash, ours.N)
	}
	return err
}

// growth asks for a proof of consistency; more arguments may ask for one to an older size.
func (c *checks) growth(from int64, more ...string) (growth, error) {
	text, err := c.counterfoil("prove", append([]string{"--from", strconv.FormatInt(from, 10)}, more...)...)
	if err != nil {
		return growth{}, err
	}
	return parseGrowth(text)
}

func (c *checks) compareGrowth(older tlog.Tree) error {
	proof, err := c.growth(older.N)
	if err != nil {
		return err
	}
	return proof.verify(older, c.verifier)
}

func (c *checks) refuseGrowth(older tlog.Tree) {
	proof, err := c.growth(older.N)
	if err != nil {
		c.report("consistency proofs can be tampered with", err)
		return
	}
	c.report("a consistency proof with a bit changed in any byte is refused",
		c.allRefused(len(proof.proof)*tlog.HashSize, func(at int) error {
			changed := proof
			changed.proof = flipHash(proof.proof, at)
			return changed.verify(older, c.verifier)
		}))
	forked := older
	forked.Hash[0] ^= 1
	c.report("a consistency proof from another history is refused", wantRefusal(proof.verify(forked, c.verifier)))
}
