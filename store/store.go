// Package store keeps Graphite's points: it takes them by path, time and value, finds paths by Graphite's patterns and reads
// series on their own step. Underneath is Prometheus' tsdb. DESIGN.md says what is promised and why it is built so.
//
// Its interface is made of plain types, so that those who serve it need not know it.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// A Store is an open folder of points. It is safe for concurrent use.
type Store struct {
	config Config
	log    *slog.Logger
	db     *tsdb.DB      // nil: read only
	blocks []*tsdb.Block // of a read-only store
	guard  guard
	series seriesCache
	budget *budget
	damage damage
	counts counts
	lock   *os.File
}

const (
	blockRange  = 2 * time.Hour
	maxBlock    = 27 * blockRange
	walSegment  = 16 << 20
	blockFile   = 32 << 20
	headStripes = 1 << 12
)

// Open opens the folder, which is made when missing, and replays what was not in blocks yet. What is damaged is moved to the
// folder "damaged" inside and logged; it is no error.
func Open(c Config) (*Store, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Path, 0o750); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock, err := lockFolder(c.Path)
	if err != nil {
		return nil, err
	}
	s := &Store{config: c, log: c.Logger, lock: lock, budget: newBudget(c.MaxPoints)}
	s.guard.init(c)
	s.series.init(c.MaxSeries)
	_ = s.guard.check() // it logs
	if s.Room() {
		s.db, err = s.openDB()
	} else {
		c.Logger.Error("disk is too full to open the logs: only blocks are served, and the last hours not", "path", c.Path)
		err = s.openBlocks()
	}
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("store: open %s: %w", c.Path, err)
	}
	return s, nil
}

// lockFolder makes sure that the folder is this process's alone. The lock goes with the process, however that ends.
func lockFolder(path string) (*os.File, error) {
	name := filepath.Join(path, "lock")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("store: %s is in use by another process: %w", path, err)
	}
	return f, nil
}

func (s *Store) openDB() (*tsdb.DB, error) {
	if err := s.setAsideBlocks(); err != nil {
		return nil, err
	}
	db, err := tsdb.Open(s.config.Path, s.tsdbLogger(), nil, s.options(), nil)
	if err == nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EROFS) {
		return db, err
	}
	// The logs are beyond the repair that tsdb makes itself.
	if err := s.setAsideLogs(err); err != nil {
		return nil, err
	}
	return tsdb.Open(s.config.Path, s.tsdbLogger(), nil, s.options(), nil)
}

func (s *Store) options() *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.RetentionDuration = s.config.Retention.Milliseconds()
	o.MaxBytes = s.config.MaxSize
	o.MinBlockDuration = blockRange.Milliseconds()
	o.MaxBlockDuration = min(maxBlock, max(blockRange, s.config.Retention/10)).Milliseconds()
	o.MaxBlockChunkSegmentSize = blockFile
	o.WALSegmentSize = walSegment
	o.WALCompression = compression.Snappy
	o.OutOfOrderTimeWindow = s.config.Retention.Milliseconds()
	o.StripeSize = headStripes
	o.NoLockfile = true // ours is released at kill -9
	o.BlockQuerierFunc = s.blockQuerier
	return o
}

// Close writes what is left and releases the folder. It waits for queries that run.
func (s *Store) Close() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	for _, b := range s.blocks {
		errs = append(errs, b.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// querier reads what lies between two times in milliseconds, both included.
func (s *Store) querier(from, until int64) (storage.Querier, error) {
	if s.db == nil {
		return s.blocksQuerier(from, until)
	}
	q, err := s.db.Querier(from, until)
	if err != nil {
		return nil, fmt.Errorf("store: read: %w", err)
	}
	return q, nil
}

// timeRange turns seconds into tsdb's milliseconds; a bound of 0 is open.
func timeRange(from, until int64) (int64, int64) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if from > 0 {
		lo = from * 1000
	}
	if until > 0 && until < math.MaxInt64/1000-1 {
		hi = until*1000 + 999
	}
	return lo, hi
}

// Sync forces what was committed to the disk: after it, neither a crash nor a power cut loses it.
func (s *Store) Sync() error {
	if s.db == nil {
		return nil
	}
	var errs []error
	for _, folder := range []string{"wal", wlog.WblDirName} {
		errs = append(errs, syncLast(filepath.Join(s.config.Path, folder)))
	}
	return errors.Join(errs...)
}

// syncLast syncs the segment that is written. A segment is synced by tsdb when the next one is begun.
func syncLast(folder string) error {
	_, last, err := wlog.Segments(folder)
	if errors.Is(err, os.ErrNotExist) || err == nil && last < 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store: sync: %w", err)
	}
	f, err := os.Open(wlog.SegmentName(folder, last))
	if errors.Is(err, os.ErrNotExist) {
		return nil // truncated meanwhile: all of it is in a block
	}
	if err != nil {
		return fmt.Errorf("store: sync: %w", err)
	}
	err = errors.Join(syscall.Fdatasync(int(f.Fd())), f.Close())
	if err != nil {
		return fmt.Errorf("store: sync %s: %w", f.Name(), err)
	}
	return nil
}

// Compact moves points that are older than about three hours into blocks. It runs by itself; tests call it.
func (s *Store) Compact(ctx context.Context) error { return s.db.Compact(ctx) }
