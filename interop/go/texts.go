package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// openCheckpoint verifies a C2SP checkpoint (signed-note, tlog-checkpoint) with package note and reads its tree head.
func openCheckpoint(text []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.SplitN(opened.Text, "\n", 4)
	if len(lines) < 4 {
		return tlog.Tree{}, errors.New("a checkpoint has at least three lines")
	}
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is of %q, the key of %q", lines[0], verifier.Name())
	}
	size, err := decimal(lines[1])
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := hashOf(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// inclusion is a C2SP tlog-proof text.
type inclusion struct {
	index      int64
	proof      tlog.RecordProof
	checkpoint []byte
}

func parseInclusion(text []byte) (inclusion, error) {
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return inclusion{}, errors.New("this is no tlog-proof")
	}
	number, found := strings.CutPrefix(lines[1], "index ")
	if !found {
		return inclusion{}, errors.New("the second line is not the index")
	}
	index, err := decimal(number)
	if err != nil {
		return inclusion{}, err
	}
	hashes, err := hashesOf(lines[2:])
	return inclusion{index, hashes, checkpoint}, err
}

// verify checks the signature, and with package tlog that the entry is in the tree.
func (p inclusion) verify(entry []byte, verifier note.Verifier) error {
	tree, err := openCheckpoint(p.checkpoint, verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(p.proof, tree.N, tree.Hash, p.index, tlog.RecordHash(entry))
}

// growth is the body of a C2SP tlog-witness add-checkpoint request: how a newer tree extends an older one.
type growth struct {
	old        int64
	proof      tlog.TreeProof
	checkpoint []byte
}

func parseGrowth(text []byte) (growth, error) {
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	number, old := strings.CutPrefix(lines[0], "old ")
	if !found || !old {
		return growth{}, errors.New("this is no consistency proof")
	}
	size, err := decimal(number)
	if err != nil {
		return growth{}, err
	}
	hashes, err := hashesOf(lines[1:])
	return growth{size, hashes, checkpoint}, err
}

// verify checks the newer checkpoint's signature, and with package tlog that its tree extends the older one.
func (p growth) verify(older tlog.Tree, verifier note.Verifier) error {
	newer, err := openCheckpoint(p.checkpoint, verifier)
	if err != nil {
		return err
	}
	if p.old != older.N {
		return fmt.Errorf("the proof is from %d entries, not %d", p.old, older.N)
	}
	return tlog.CheckTree(p.proof, newer.N, newer.Hash, older.N, older.Hash)
}

func decimal(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(number, 10) != text || number < 0 {
		return 0, fmt.Errorf("%q is no size or index", text)
	}
	return number, nil
}

func hashesOf(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := hashOf(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func hashOf(text string) (tlog.Hash, error) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(decoded) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%q is no hash", text)
	}
	return tlog.Hash(decoded), nil
}
