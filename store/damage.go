package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// damagedFolder holds what was set aside. Nothing in it is read again.
const damagedFolder = "damaged"

// damage remembers which blocks have told of damage, so that each is logged once.
type damage struct {
	mu     sync.Mutex
	blocks map[ulid.ULID]int
}

func (d *damage) note(log *slog.Logger, m tsdb.BlockMeta, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.blocks == nil {
		d.blocks = map[ulid.ULID]int{}
	}
	d.blocks[m.ULID]++
	if d.blocks[m.ULID] == 1 {
		log.Error("block is damaged: the rest of it is served", "block", m.ULID, "from", stamp(m.MinTime), "until", stamp(m.MaxTime), "error", err)
	}
}

func (d *damage) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.blocks)
}

// setAsideBlocks moves the blocks that cannot be opened out of tsdb's way, which would refuse to start.
func (s *Store) setAsideBlocks() error {
	names, err := s.blockNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		folder := filepath.Join(s.config.Path, name)
		meta, err := openable(folder)
		if err == nil {
			continue
		}
		lost := []any{"block", name, "error", err, "moved", filepath.Join(damagedFolder, name)}
		if meta.MaxTime > 0 {
			lost = append(lost, "from", stamp(meta.MinTime), "until", stamp(meta.MaxTime), "points", meta.Stats.NumSamples)
		}
		if err := s.setAside(name); err != nil {
			return err
		}
		s.log.Error("block is damaged and lost", lost...)
	}
	return nil
}

// blockNames lists the folders of persisted blocks.
func (s *Store) blockNames() ([]string, error) {
	entries, err := os.ReadDir(s.config.Path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// openable opens a block and closes it.
func openable(folder string) (meta tsdb.BlockMeta, err error) {
	defer func() { // an index cut short makes the library read beyond its end
		if r := recover(); r != nil {
			err = fmt.Errorf("open block: %v", r)
		}
	}()
	b, err := tsdb.OpenBlock(nil, folder, chunkenc.NewPool(), nil)
	if err != nil {
		return meta, err
	}
	defer b.Close()
	meta = b.Meta()
	q, err := tsdb.NewBlockQuerier(b, meta.MinTime, meta.MaxTime)
	if err != nil {
		return meta, err
	}
	defer q.Close()
	_, _, err = q.LabelValues(context.Background(), depthLabel, nil)
	return meta, err
}

// setAsideLogs gives up what was not in blocks yet: the last hours.
func (s *Store) setAsideLogs(cause error) error {
	for _, name := range []string{"wal", wlog.WblDirName, "chunks_head"} {
		if _, err := os.Stat(filepath.Join(s.config.Path, name)); err != nil {
			continue
		}
		if err := s.setAside(name); err != nil {
			return err
		}
	}
	s.log.Error("logs are damaged: points of the last hours are lost", "error", cause, "moved", damagedFolder)
	return nil
}

// setAside moves one entry of the folder, under a name that is free.
func (s *Store) setAside(name string) error {
	folder := filepath.Join(s.config.Path, damagedFolder)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	to := filepath.Join(folder, name)
	for i := 2; ; i++ {
		if _, err := os.Lstat(to); os.IsNotExist(err) {
			break
		}
		to = filepath.Join(folder, fmt.Sprintf("%s-%d", name, i))
	}
	return os.Rename(filepath.Join(s.config.Path, name), to)
}

// blockQuerier is how tsdb reads one block. Damage in a persisted one costs what is damaged and no more.
func (s *Store) blockQuerier(b tsdb.BlockReader, from, until int64) (storage.Querier, error) {
	if _, persisted := b.(*tsdb.Block); !persisted {
		return tsdb.NewBlockQuerier(b, from, until)
	}
	note := func(err error) { s.damage.note(s.log, b.Meta(), err) }
	q, err := tsdb.NewBlockQuerier(tolerantBlock{b, note}, from, until)
	if err != nil {
		note(err)
		return storage.NoopQuerier(), nil
	}
	return tolerantQuerier{q, note}, nil
}

// A tolerantBlock leaves out the chunks whose checksum is wrong.
type tolerantBlock struct {
	tsdb.BlockReader
	note func(error)
}

func (b tolerantBlock) Chunks() (tsdb.ChunkReader, error) {
	r, err := b.BlockReader.Chunks()
	if err != nil {
		return nil, err
	}
	return tolerantChunks{r, b.note}, nil
}

type tolerantChunks struct {
	tsdb.ChunkReader
	note func(error)
}

func (c tolerantChunks) ChunkOrIterable(m chunks.Meta) (chunkenc.Chunk, chunkenc.Iterable, error) {
	chunk, iterable, err := c.ChunkReader.ChunkOrIterable(m)
	if err != nil {
		c.note(err)
		return chunkenc.NewXORChunk(), nil, nil
	}
	return chunk, iterable, nil
}

// A tolerantQuerier ends a set of series where the index is damaged.
type tolerantQuerier struct {
	storage.Querier
	note func(error)
}

func (q tolerantQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	return tolerantSet{q.Querier.Select(ctx, sorted, hints, ms...), ctx, q.note}
}

type tolerantSet struct {
	storage.SeriesSet
	ctx  context.Context
	note func(error)
}

func (s tolerantSet) Err() error {
	err := s.SeriesSet.Err()
	if err == nil || s.ctx.Err() != nil {
		return err
	}
	s.note(err)
	return nil
}
