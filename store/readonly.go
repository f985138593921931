package store

import (
	"fmt"
	"path/filepath"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// openRoom is the part of Config.Floor that must be free to open the folder for writing: the logs are replayed into files.
const openRoom = 4

// ReadOnly tells whether the disk was too full to open the logs: blocks are served, and the last hours not yet. Opened again
// when there is room, the store has all of it.
func (s *Store) ReadOnly() bool { return s.db == nil }

// Room tells whether there is room to open the folder for writing.
func (s *Store) Room() bool {
	free, err := s.config.free(s.config.Path)
	return err == nil && free >= s.config.Floor/openRoom
}

// openBlocks opens the persisted blocks and nothing else, writing nothing.
func (s *Store) openBlocks() error {
	names, err := s.blockNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		folder := filepath.Join(s.config.Path, name)
		if _, err := openable(folder); err != nil {
			s.log.Error("block is damaged and not served", "block", name, "error", err)
			continue
		}
		b, err := tsdb.OpenBlock(nil, folder, chunkenc.NewPool(), nil)
		if err != nil {
			return err
		}
		s.blocks = append(s.blocks, b)
	}
	return nil
}

// blocksQuerier reads the blocks between two times in milliseconds.
func (s *Store) blocksQuerier(from, until int64) (storage.Querier, error) {
	var qs []storage.Querier
	for _, b := range s.blocks {
		if !b.OverlapsClosedInterval(from, until) {
			continue
		}
		q, err := s.blockQuerier(b, from, until)
		if err != nil {
			return nil, fmt.Errorf("store: read: %w", err)
		}
		qs = append(qs, q)
	}
	return storage.NewMergeQuerier(qs, nil, storage.ChainedSeriesMerge), nil
}
