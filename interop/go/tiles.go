package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// tileFile is a .tiles file as docs/formats/tiles.md lays it out.
type tileFile struct {
	name   string
	bytes  []byte
	levels []tileLevel
}

// tileLevel says where a file keeps hashes of one tile level.
type tileLevel struct{ start, count, offset uint64 }

// readTileFiles reads the .tiles files of a ledger, in the order of their segments.
func readTileFiles(ledger string) ([]tileFile, error) {
	names, err := filepath.Glob(filepath.Join(ledger, "segments", "*.tiles"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no .tiles files", ledger)
	}
	slices.Sort(names)
	var files []tileFile
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parseTileFile(filepath.Base(name), content)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func parseTileFile(name string, content []byte) (tileFile, error) {
	if len(content) < 32 || !bytes.HasPrefix(content, []byte("CFTILES1")) {
		return tileFile{}, fmt.Errorf("%s does not start with CFTILES1", name)
	}
	number := func(at uint64) uint64 { return binary.LittleEndian.Uint64(content[at:]) }
	file := tileFile{name: name, bytes: content}
	count := number(24)
	if count < 1 || count > 8 || uint64(len(content)) < 32+24*count {
		return tileFile{}, fmt.Errorf("%s has %d levels", name, count)
	}
	end := 32 + 24*count
	for row := range count {
		at := 32 + 24*row
		level := tileLevel{number(at), number(at + 8), number(at + 16)}
		if level.offset != end || level.count > (uint64(len(content))-end)/tlog.HashSize {
			return tileFile{}, fmt.Errorf("%s: level %d is not where it should be", name, row)
		}
		end += level.count * tlog.HashSize
		file.levels = append(file.levels, level)
	}
	if file.levels[0].start != number(8) || file.levels[0].count != number(16) {
		return tileFile{}, fmt.Errorf("%s: its leaves are not its span", name)
	}
	return file, nil
}

// hashArea is the part of a file that holds hashes.
func (f tileFile) hashArea() (start, end uint64) {
	last := f.levels[len(f.levels)-1]
	return f.levels[0].offset, last.offset + last.count*tlog.HashSize
}

// flipped is the file with one bit changed.
func (f tileFile) flipped(at uint64) tileFile {
	f.bytes = slices.Clone(f.bytes)
	f.bytes[at] ^= 1
	return f
}

// tileSource serves a ledger's tiles to package tlog: those of its .tiles files, and behind them what
// follows from the leaves of the entries that are in no segment yet.
type tileSource struct{ levels [][]tlog.Hash }

// newTileSource joins the files, which must agree where they overlap, and the leaves of the tail.
func newTileSource(files []tileFile, tail []tlog.Hash) (*tileSource, error) {
	source := &tileSource{}
	for _, file := range files {
		for number, level := range file.levels {
			if number == len(source.levels) {
				source.levels = append(source.levels, nil)
			}
			known := source.levels[number]
			if level.start > uint64(len(known)) {
				return nil, fmt.Errorf("%s: hashes are missing before it at level %d", file.name, number)
			}
			for i := range level.count {
				hash := tlog.Hash(file.bytes[level.offset+i*tlog.HashSize:][:tlog.HashSize])
				if at := level.start + i; at < uint64(len(known)) {
					if known[at] != hash {
						return nil, fmt.Errorf("%s: hash %d of level %d differs from an earlier file's", file.name, at, number)
					}
				} else {
					known = append(known, hash)
				}
			}
			source.levels[number] = known
		}
	}
	source.levels[0] = append(source.levels[0], tail...)
	for number := 1; len(source.levels[number-1]) >= tileWidth; number++ {
		if number == len(source.levels) {
			source.levels = append(source.levels, nil)
		}
		below := source.levels[number-1]
		for at := len(source.levels[number]); at < len(below)/tileWidth; at++ {
			source.levels[number] = append(source.levels[number], subtree(below[at*tileWidth:][:tileWidth]))
		}
	}
	return source, nil
}

// subtree is the root over a power of two of neighbouring complete subtrees.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

// Height implements tlog.TileReader.
func (s *tileSource) Height() int { return tileHeight }

// ReadTiles implements tlog.TileReader.
func (s *tileSource) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if tile.H != tileHeight || tile.L < 0 || tile.L >= len(s.levels) {
			return nil, fmt.Errorf("no tile %s", tile.Path())
		}
		start, level := int(tile.N)*tileWidth, s.levels[tile.L]
		if start+tile.W > len(level) {
			return nil, fmt.Errorf("tile %s has only %d hashes", tile.Path(), len(level)-start)
		}
		for _, hash := range level[start:][:tile.W] {
			data[i] = append(data[i], hash[:]...)
		}
	}
	return data, nil
}

// SaveTiles implements tlog.TileReader; package tlog calls it with tiles that it has authenticated.
func (s *tileSource) SaveTiles([]tlog.Tile, [][]byte) {}

// authenticate reads every leaf through tiles that package tlog checks against the tree's hash.
func (s *tileSource) authenticate(tree tlog.Tree) error {
	if int64(len(s.levels[0])) != tree.N {
		return fmt.Errorf("the tiles and the tail have %d leaves, the checkpoint %d", len(s.levels[0]), tree.N)
	}
	reader := tlog.TileHashReader(tree, s)
	for start := int64(0); start < tree.N; start += tileWidth {
		end := min(start+tileWidth, tree.N)
		indexes := make([]int64, 0, tileWidth)
		for leaf := start; leaf < end; leaf++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, leaf))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		if !slices.Equal(hashes, s.levels[0][start:end]) {
			return errors.New("package tlog read other leaves than the tiles hold")
		}
	}
	return nil
}
