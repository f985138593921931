package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// ahead is how far in the future a point may be. A point of next year would make every other one late.
const ahead = 15 * time.Minute

// rewrites is how many values, each in place of the one before, a series may get for one second.
const rewrites = 900

// errReadOnly is why a store that was opened on a full disk takes nothing.
var errReadOnly = errors.New("opened for reading only: it is opened anew once there is room")

// counts is what the store tells about itself.
type counts struct{ taken, refused atomic.Uint64 }

// A seriesCache finds a series in tsdb's head by its path.
type seriesCache struct {
	mu      sync.Mutex
	index   map[string]*series
	builder *labels.Builder
	most    int
	swept   time.Time
}

// A series is what is known of the newest point of one path.
type series struct {
	ref   storage.SeriesRef
	time  int64 // in milliseconds, of the newest point; 0: not known
	value float64
}

func (c *seriesCache) init(most int) {
	c.index, c.builder, c.most = map[string]*series{}, labels.NewBuilder(labels.EmptyLabels()), most
}

// sweep forgets, now and then, the series that have had no point for four hours: tsdb's head forgets them too.
func (c *seriesCache) sweep(now time.Time) {
	if now.Sub(c.swept) < 30*time.Minute {
		return
	}
	c.swept = now
	old := now.Add(-4 * time.Hour).UnixMilli()
	for path, e := range c.index {
		if e.time < old {
			delete(c.index, path)
		}
	}
}

// A Batch takes points, which are kept all together by Commit. It belongs to one goroutine.
type Batch struct {
	store    *Store
	appender storage.Appender
	points   int
	now      time.Time
}

// NewBatch begins a batch.
func (s *Store) NewBatch() *Batch { return &Batch{store: s, now: s.config.now()} }

// Len is the number of points that wait for Commit.
func (b *Batch) Len() int { return b.points }

// Add takes a point: a path, dotted or tagged, its time in Unix seconds, 0 or less for now, and a finite value. The error says why the
// point can never be kept, and the batch goes on; a *FullError says that it may be kept later.
func (b *Batch) Add(path string, at int64, value float64) error {
	s := b.store
	if at <= 0 {
		at = b.now.Unix()
	}
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return b.refuse(fmt.Errorf("point %.200q: value %v: want a finite number", path, value))
	case at > b.now.Add(ahead).Unix():
		return b.refuse(fmt.Errorf("point %.200q: time %d is %s ahead of the clock", path, at, time.Duration(at-b.now.Unix())*time.Second))
	case at < b.now.Add(-s.config.Retention).Unix():
		return b.refuse(fmt.Errorf("point %.200q: time %d is older than the retention of %s", path, at, s.config.Retention))
	}
	if b.appender == nil {
		if err := s.guard.check(); err != nil {
			return err
		}
		if s.db == nil {
			return &FullError{Path: s.config.Path, Floor: s.config.Floor, Cause: errReadOnly}
		}
		b.appender = s.db.Appender(context.Background())
	}
	if err := b.append(path, at*1000, value); err != nil {
		return b.refuse(err)
	}
	return nil
}

func (b *Batch) refuse(err error) error {
	b.store.counts.refused.Add(1)
	return err
}

// append adds a point. Of several values for one second the last one counts, as in Whisper: it is kept a millisecond after
// the one before, since tsdb keeps the first.
func (b *Batch) append(path string, at int64, value float64) error {
	c := &b.store.series
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.index[path]
	if e == nil {
		var err error
		if e, err = c.add(path, b.now); err != nil {
			return err
		}
	}
	switch {
	case at > e.time:
	case e.time-at < rewrites && e.value == value:
		at = e.time // told twice: tsdb sees that, and may have lost the first
	case e.time-at < rewrites:
		at = e.time + 1
	default:
		at++ // late: after what may be there, in the same second
	}
	for last := at + rewrites; ; at++ {
		err := b.appendAt(e, path, at, value)
		if err == nil {
			break
		}
		if !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) || at == last {
			return fmt.Errorf("point %.200q: time %d: %w", path, at/1000, err)
		}
	}
	b.points++
	if at > e.time {
		e.time, e.value = at, value
	}
	return nil
}

// add makes a path known. Another spelling of a known path shares its entry.
func (c *seriesCache) add(path string, now time.Time) (*series, error) {
	c.sweep(now)
	name := canonical(path)
	if e := c.index[name]; e != nil {
		return e, nil
	}
	if len(c.index) >= c.most {
		return nil, fmt.Errorf("point %.200q: there are %d series already, as many as may be", path, c.most)
	}
	if _, err := pathLabels(c.builder, name); err != nil {
		return nil, err
	}
	e := &series{}
	c.index[name] = e
	return e, nil
}

// appendAt appends by the reference, or by the labels where tsdb's head does not know the series (any more).
func (b *Batch) appendAt(e *series, path string, at int64, value float64) error {
	if e.ref != 0 {
		_, err := b.appender.Append(e.ref, labels.EmptyLabels(), at, value)
		if err == nil || errors.Is(err, storage.ErrDuplicateSampleForTimestamp) || errors.Is(err, storage.ErrTooOldSample) {
			return err
		}
	}
	ls, err := pathLabels(b.store.series.builder, canonical(path))
	if err != nil {
		return err
	}
	ref, err := b.appender.Append(0, ls, at, value)
	if err != nil {
		return err
	}
	e.ref = ref
	return nil
}

// Commit keeps the points of the batch: once it returns nil, they outlive the end of the process, and those of the machine
// after Sync. After an error none or some are kept, and all may be added again. The batch is empty afterwards.
func (b *Batch) Commit() error {
	if b.appender == nil {
		return nil
	}
	a, n := b.appender, b.points
	b.appender, b.points = nil, 0
	if err := b.store.guard.check(); err != nil {
		return errors.Join(err, a.Rollback())
	}
	if err := a.Commit(); err != nil {
		b.store.guard.failed(err)
		return fmt.Errorf("store: commit %d points: %w", n, err)
	}
	b.store.counts.taken.Add(uint64(n))
	b.now = b.store.config.now()
	return nil
}

// Rollback drops the points of the batch.
func (b *Batch) Rollback() {
	if b.appender != nil {
		_ = b.appender.Rollback()
		b.appender, b.points = nil, 0
	}
}
