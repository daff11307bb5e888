package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// wantRefusal turns the outcome of a check on tampered input around.
func wantRefusal(err error) error {
	if err == nil {
		return errors.New("it was accepted")
	}
	return nil
}

// allRefused tries a change at each of so many places.
func (c *checks) allRefused(places int, check func(at int) error) error {
	if places == 0 {
		return errors.New("there is nothing to change")
	}
	for at := range places {
		if err := wantRefusal(check(at)); err != nil {
			return fmt.Errorf("changed at byte %d, %w", at, err)
		}
	}
	return nil
}

// flip changes one bit of a text.
func flip(text []byte, at int) []byte {
	changed := slices.Clone(text)
	changed[at] ^= 1
	return changed
}

// flipHash changes one bit of a list of hashes; at counts their bytes.
func flipHash(hashes []tlog.Hash, at int) []tlog.Hash {
	changed := slices.Clone(hashes)
	changed[at/tlog.HashSize][at%tlog.HashSize] ^= 1
	return changed
}

// otherKey is the verifier key of somebody else who uses the same name.
func otherKey(name string) string {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	key, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		panic(err) // only a malformed public key gets here
	}
	return key
}
