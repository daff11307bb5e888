package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// memory is what earlier crawls saw: checkpoints, and tiles of every width, byte for byte.
type memory struct{ folder string }

// keepCheckpoint remembers a checkpoint that was verified.
func (m *memory) keepCheckpoint(tree tlog.Tree, text []byte) error {
	return os.WriteFile(filepath.Join(m.folder, fmt.Sprintf("%020d.checkpoint", tree.N)), text, 0o600)
}

// checkpoints are those of earlier crawls, the oldest first.
func (m *memory) checkpoints() ([][]byte, error) {
	names, err := filepath.Glob(filepath.Join(m.folder, "*.checkpoint"))
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, name := range slices.Sorted(slices.Values(names)) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// keepTile remembers a tile that was authenticated.
func (m *memory) keepTile(tile tlog.Tile, data []byte) error {
	return os.WriteFile(filepath.Join(m.folder, fileName(tile)), data, 0o600)
}

// remembered is a tile as an earlier crawl saw it.
func (m *memory) remembered(tile tlog.Tile) ([]byte, error) {
	return os.ReadFile(filepath.Join(m.folder, fileName(tile)))
}

// keepEntries writes all entries of a tree, a line each.
func (m *memory) keepEntries(entries [][]byte) error {
	var lines []byte
	for _, entry := range entries {
		lines = append(append(lines, entry...), '\n')
	}
	return os.WriteFile(filepath.Join(m.folder, "entries"), lines, 0o600)
}
