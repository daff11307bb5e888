// Command interop verifies a Counterfoil ledger with the transparency-log packages of Go's checksum database,
// which share no code with Counterfoil: checkpoints with sumdb/note, tiles and proofs with sumdb/tlog.
package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checks is one run: the ledger, what was learnt of it, and how many checks failed.
type checks struct {
	binary, ledger, kept string
	failed               int

	verifier   note.Verifier
	checkpoint []byte
	tree       tlog.Tree
	entries    [][]byte
	files      []tileFile
	source     *tileSource
}

func main() {
	var run checks
	flag.StringVar(&run.binary, "counterfoil", "", "the counterfoil binary")
	flag.StringVar(&run.ledger, "ledger", "", "the ledger's folder")
	flag.StringVar(&run.kept, "kept", "", "a folder of checkpoints and proofs that were kept as the ledger grew")
	flag.Parse()
	run.report("the ledger's key, checkpoint, entries and tiles can be read", run.load())
	if run.failed == 0 {
		run.checkNotes()
		run.checkTiles()
		run.checkInclusion()
		run.checkConsistency()
		run.checkKept()
	}
	if run.failed > 0 {
		os.Exit(1)
	}
}

// report prints the line of one check.
func (c *checks) report(name string, err error) {
	if err != nil {
		c.failed++
		fmt.Printf("FAIL  go: %s: %v\n", name, err)
		return
	}
	fmt.Printf("ok    go: %s\n", name)
}

// counterfoil runs the binary and returns what it printed.
func (c *checks) counterfoil(command string, arguments ...string) ([]byte, error) {
	out, err := exec.Command(c.binary, append([]string{command, c.ledger}, arguments...)...).Output()
	if exit, is := err.(*exec.ExitError); is {
		return nil, fmt.Errorf("counterfoil %s: %v: %s", command, err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

func (c *checks) load() error {
	key, err := c.counterfoil("key")
	if err != nil {
		return err
	}
	if c.verifier, err = note.NewVerifier(strings.TrimSpace(string(key))); err != nil {
		return err
	}
	if c.checkpoint, err = c.counterfoil("checkpoint"); err != nil {
		return err
	}
	if c.tree, err = openCheckpoint(c.checkpoint, c.verifier); err != nil {
		return err
	}
	exported, err := c.counterfoil("export", "--format", "jsonl")
	if err != nil {
		return err
	}
	c.entries = bytes.Split(bytes.TrimSuffix(exported, []byte("\n")), []byte("\n"))
	if int64(len(c.entries)) != c.tree.N {
		return fmt.Errorf("%d entries were exported, the checkpoint has %d", len(c.entries), c.tree.N)
	}
	if c.files, err = readTileFiles(c.ledger); err != nil {
		return err
	}
	c.source, err = newTileSource(c.files, c.tail())
	return err
}

// sealed is how many entries the segments hold.
func (c *checks) sealed() int64 {
	leaves := c.files[len(c.files)-1].levels[0]
	return int64(leaves.start + leaves.count)
}

// tail is the leaves of the entries behind the segments.
func (c *checks) tail() []tlog.Hash {
	var leaves []tlog.Hash
	for _, entry := range c.entries[min(c.sealed(), c.tree.N):] {
		leaves = append(leaves, tlog.RecordHash(entry))
	}
	return leaves
}

func (c *checks) checkNotes() {
	c.report(fmt.Sprintf("note.Open accepts the checkpoint, of %d entries", c.tree.N), nil)
	at := bytes.LastIndexByte(c.checkpoint, ' ') + 1
	text, signature := c.checkpoint[:at], string(bytes.TrimSpace(c.checkpoint[at:]))
	c.report("a checkpoint with a bit changed in any byte of its text is refused", c.allRefused(len(text), func(at int) error {
		_, err := openCheckpoint(flip(c.checkpoint, at), c.verifier)
		return err
	}))
	blob, err := base64.StdEncoding.DecodeString(signature)
	c.report("a checkpoint with a bit changed in any byte of its signature is refused", errors.Join(err,
		c.allRefused(len(blob), func(at int) error {
			changed := base64.StdEncoding.EncodeToString(flip(blob, at))
			_, err := openCheckpoint(fmt.Appendf(nil, "%s%s\n", text, changed), c.verifier)
			return err
		})))
	other, err := note.NewVerifier(otherKey(c.verifier.Name()))
	if err == nil {
		_, refusal := openCheckpoint(c.checkpoint, other)
		err = wantRefusal(refusal)
	}
	c.report("the checkpoint is refused under another key of the same name", err)
}

func (c *checks) checkTiles() {
	c.report(fmt.Sprintf("every tile of %d .tiles files and a tail of %d is authentic", len(c.files), c.tree.N-c.sealed()),
		c.source.authenticate(c.tree))
	c.report(fmt.Sprintf("the leaves of the tiles are those of the %d exported entries", len(c.entries)), c.compareLeaves())
	root, err := tlog.TreeHash(c.tree.N, tlog.HashReaderFunc(c.storedHashes))
	if err == nil && root != c.tree.Hash {
		err = fmt.Errorf("it is %v, the checkpoint says %v", root, c.tree.Hash)
	}
	c.report("the root computed from the entries alone is the checkpoint's", err)
	for _, file := range []tileFile{c.files[0], c.files[len(c.files)/2], c.files[len(c.files)-1]} {
		start, end := file.hashArea()
		for _, at := range []uint64{start, (start + end) / 2, end - 1} {
			err := wantRefusal(c.authenticateWith(file.flipped(at)))
			c.report(fmt.Sprintf("%s with a bit of byte %d changed is refused", file.name, at), err)
		}
	}
}

func (c *checks) compareLeaves() error {
	for index, entry := range c.entries {
		if c.source.levels[0][index] != tlog.RecordHash(entry) {
			return fmt.Errorf("entry %d has another leaf", index)
		}
	}
	return nil
}

// authenticateWith checks the tiles with one file replaced.
func (c *checks) authenticateWith(replaced tileFile) error {
	files := slices.Clone(c.files)
	for at, file := range files {
		if file.name == replaced.name {
			files[at] = replaced
		}
	}
	source, err := newTileSource(files, c.tail())
	if err != nil {
		return err
	}
	return source.authenticate(c.tree)
}

// storedHashes computes hashes from the entries, without tiles.
func (c *checks) storedHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, stored := range indexes {
		level, n := tlog.SplitStoredHashIndex(stored)
		var leaves []tlog.Hash
		for _, entry := range c.entries[n<<level:][:1<<level] {
			leaves = append(leaves, tlog.RecordHash(entry))
		}
		hashes[i] = subtree(leaves)
	}
	return hashes, nil
}
