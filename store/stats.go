package store

import (
	"math"
	"time"
)

// Stats is what the store tells about itself.
type Stats struct {
	Series   int       // series with points of the last hours
	Blocks   int       // persisted blocks
	Bytes    int64     // of blocks and logs
	Samples  uint64    // points in persisted blocks
	Taken    uint64    // points kept since the start
	Refused  uint64    // points refused since the start, for what they are
	Damaged  int       // blocks in which damage was met since the start
	Oldest   time.Time // of the oldest point; zero: there is none
	Newest   time.Time // of the newest point; zero: there is none
	Accepts  bool      // false: the disk is full
	Reason   string    // why nothing is accepted
	FreeDisk int64     // bytes
}

// Stats looks at the store.
func (s *Store) Stats() Stats {
	st := Stats{Taken: s.counts.taken.Load(), Refused: s.counts.refused.Load(), Damaged: s.damage.count()}
	oldest, newest := int64(math.MaxInt64), int64(math.MinInt64)
	blocks := s.blocks
	if s.db != nil {
		head := s.db.Head()
		blocks = s.db.Blocks()
		st.Series, st.Bytes = int(head.NumSeries()), head.Size()
		oldest, newest = head.MinTime(), head.MaxTime()
	}
	for _, b := range blocks {
		m := b.Meta()
		st.Blocks++
		st.Bytes += b.Size()
		st.Samples += m.Stats.NumSamples
		oldest, newest = min(oldest, m.MinTime), max(newest, m.MaxTime-1)
	}
	if oldest != math.MaxInt64 && newest != math.MinInt64 {
		st.Oldest, st.Newest = time.UnixMilli(oldest), time.UnixMilli(newest)
	}
	if err := s.guard.check(); err != nil {
		st.Reason = err.Error()
	} else if s.ReadOnly() {
		st.Reason = errReadOnly.Error()
	} else {
		st.Accepts = true
	}
	st.FreeDisk, _ = s.config.free(s.config.Path)
	return st
}
