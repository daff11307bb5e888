package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// checkKept verifies what was kept while the ledger grew: each checkpoint is extended by the ledger of today, and the
// proofs that were made under it hold for the tree of then.
func (c *checks) checkKept() {
	if c.kept == "" {
		return
	}
	names, err := filepath.Glob(filepath.Join(c.kept, "*.checkpoint"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s has no checkpoints", c.kept)
	}
	if err != nil {
		c.report("checkpoints were kept", err)
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		stem := strings.TrimSuffix(name, ".checkpoint")
		stage := filepath.Base(stem)
		c.report(stage+": note.Open and tlog.CheckTree accept the kept checkpoint as a beginning of today's ledger", c.keptCheckpoint(name))
		c.report(stage+": tlog.CheckTree accepts the growth that was proven then", c.keptGrowth(stem+".growth"))
		c.report(stage+": tlog.CheckRecord accepts the entry that was proven then", c.keptInclusion(stem+".inclusion"))
	}
}

func (c *checks) keptCheckpoint(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	tree, err := openCheckpoint(text, c.verifier)
	if err != nil {
		return err
	}
	return c.compareGrowth(tree)
}

func (c *checks) keptGrowth(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	proof, err := parseGrowth(text)
	if err != nil {
		return err
	}
	older, err := c.treeOf(proof.old)
	if err != nil {
		return err
	}
	return proof.verify(older, c.verifier)
}

func (c *checks) keptInclusion(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	proof, err := parseInclusion(text)
	if err != nil {
		return err
	}
	if proof.index >= c.tree.N {
		return fmt.Errorf("entry %d is not in the ledger", proof.index)
	}
	return proof.verify(c.entries[proof.index], c.verifier)
}
