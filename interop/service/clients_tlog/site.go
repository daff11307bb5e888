package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// site is the service. It is a tlog.TileReader that remembers authenticated tiles for one visit.
type site struct {
	ctx           context.Context
	url, token    string
	authenticated map[tlog.Tile][]byte
}

// get asks for a path of the service, with the token where that is needed.
func (s *site) get(path, token string) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, answer.Status, body)
	}
	return body, err
}

// tile asks for a tile; level -1 are entry bundles.
func (s *site) tile(tile tlog.Tile) ([]byte, error) {
	return s.get("/tlog/"+torchwood.TilePath(tile), "")
}

// Height implements tlog.TileReader.
func (s *site) Height() int { return torchwood.TileHeight }

// ReadTiles implements tlog.TileReader.
func (s *site) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if known, is := s.authenticated[tile]; is {
			data[i] = known
			continue
		}
		var err error
		if data[i], err = s.tile(tile); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// SaveTiles implements tlog.TileReader; package tlog calls it with tiles that it has authenticated.
func (s *site) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, tile := range tiles {
		s.authenticated[tile] = data[i]
	}
}

// tilesOf is every tile of a tree, with its bundles of entries, the last of each level partial.
func tilesOf(size int64) []tlog.Tile {
	var tiles []tlog.Tile
	for level, hashes := -1, size; hashes > 0; level++ {
		for n := int64(0); n*torchwood.TileWidth < hashes; n++ {
			width := min(hashes-n*torchwood.TileWidth, torchwood.TileWidth)
			tiles = append(tiles, tlog.Tile{H: torchwood.TileHeight, L: level, N: n, W: int(width)})
		}
		if level >= 0 {
			hashes /= torchwood.TileWidth
		}
	}
	return tiles
}

// fileName is a tile's name as a file.
func fileName(tile tlog.Tile) string {
	return strings.ReplaceAll(torchwood.TilePath(tile), "/", "_")
}
