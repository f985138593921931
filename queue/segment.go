package queue

import (
	"errors"
	"io/fs"
	"time"
)

// A segment is one file of blocks. Its fields are held by the queue's mu.
type segment struct {
	id, salt uint64
	path     string
	end      int64 // where the next block goes: the length of the file
	put      Tally // all blocks that it got, as far as known
	left     Tally // blocks neither acknowledged nor dropped nor damaged
	out      int64 // of these, handed out
	first    int64 // when the oldest block left was put, or its first block: Unix nanoseconds

	sealed   bool // its header has a summary
	touched  bool // a block was acknowledged
	counted  bool // left is of this process's own knowledge, not the summary's
	reported bool // its damage is counted
	keep     bool // something in it could not be read: the file stays for the next Open
	fresh    bool // its name in the folder is not synced

	file    file     // nil while not loaded
	entries []*entry // in order, acknowledged ones too; nil while not loaded
	low     int      // entries before it are gone
	ready   int      // entries before it are gone or out
}

// An entry is a block that the queue knows by its header, or holds in memory.
type entry struct {
	header
	segment *segment // nil: in memory, or its segment was dropped
	at      int64    // offset of the header
	memory  []byte   // the payload, while it is in memory only
	holder  *Block   // who has it; nil: nobody
	gone    bool     // acknowledged, dropped or damaged
}

func (e *entry) tally() Tally { return Tally{1, int64(e.points), headerSize + int64(e.length)} }

func (s *segment) waiting() bool { return s.left.Blocks > s.out }

// next returns the oldest entry that nobody has, or nil.
func (s *segment) next() *entry {
	for ; s.ready < len(s.entries); s.ready++ {
		if e := s.entries[s.ready]; !e.gone && e.holder == nil {
			return e
		}
	}
	return nil
}

// oldest returns when the oldest block left was put; of a segment that is not loaded, its first block.
func (s *segment) oldest() time.Time {
	for ; s.low < len(s.entries); s.low++ {
		if e := s.entries[s.low]; !e.gone {
			return time.Unix(0, e.time)
		}
	}
	return time.Unix(0, s.first)
}

func (s *segment) summary() summary {
	return summary{uint32(s.put.Blocks), uint64(s.put.Points), s.end, s.first, !s.touched}
}

// close lets the file and the entries go; load brings them back.
func (s *segment) close() {
	if s.file != nil {
		s.first = s.oldest().UnixNano()
		s.file.Close()
	}
	s.file, s.entries, s.low, s.ready = nil, nil, 0, 0
}

// load opens a segment and reads its headers. One that is missing, or that cannot be read, is left without blocks, and
// is no error: errors are those that may pass, such as too many open files. The caller holds mu.
func (q *Queue) load(s *segment) error {
	f, err := q.files.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		q.setAside(s, err)
		return nil
	}
	if err != nil {
		return err
	}
	var entries []*entry
	var put, left Tally
	size, err := f.Size()
	if err == nil {
		var damage Tally
		damage, err = scan(f, size, s.salt, func(at int64, h header, acked bool) {
			e := &entry{header: h, segment: s, at: at, gone: acked}
			put.add(e.tally())
			if !acked {
				left.add(e.tally())
			}
			s.touched = s.touched || acked
			entries = append(entries, e)
		})
		if err == nil {
			q.report(s, put, damage)
		}
	}
	if err != nil {
		f.Close()
		q.setAside(s, err)
		return nil
	}
	s.file, s.entries, s.left, s.end, s.counted = f, entries, left, size, true
	return nil
}

// report counts a segment's damage, once. Put is what was found whole: where the summary says more, it is right.
func (q *Queue) report(s *segment, put, damage Tally) {
	if s.reported {
		return
	}
	s.reported = true
	if s.sealed {
		damage.Blocks = max(damage.Blocks, s.put.Blocks-put.Blocks)
		damage.Points = max(damage.Points, s.put.Points-put.Points)
		damage.Bytes = max(damage.Bytes, s.put.Bytes-put.Bytes)
	} else {
		s.put = put
	}
	if damage == (Tally{}) {
		return
	}
	q.damaged.add(damage)
	q.log.Warn("queue file is damaged; the rest of it is used", "file", s.path,
		"damaged_blocks", damage.Blocks, "damaged_bytes", damage.Bytes, "good_blocks", put.Blocks)
}

// setAside gives a segment up that cannot be read. Its file, where there is one, stays for the next Open.
func (q *Queue) setAside(s *segment, err error) {
	lost := s.left
	if !s.counted {
		lost = s.put
	}
	if lost == (Tally{}) {
		lost = Tally{Blocks: 1, Bytes: max(0, s.end-segmentHeaderSize)}
	}
	q.damaged.add(lost)
	q.log.Error("queue file cannot be read; its blocks are left aside until the next start",
		"file", s.path, "blocks", lost.Blocks, "error", err)
	s.left, s.keep, s.counted, s.reported = Tally{}, true, true, true
	if errors.Is(err, fs.ErrNotExist) {
		s.keep, s.end = false, 0
	}
	s.close()
}

// discard deletes a segment that has no blocks left. The caller holds mu; the segment is not active.
func (q *Queue) discard(s *segment) {
	if s.left.Blocks > 0 || s.keep {
		return
	}
	q.forget(s)
	q.remove(s.path)
}

// forget takes a segment off the list.
func (q *Queue) forget(s *segment) {
	s.close()
	for i, other := range q.segments {
		if other == s {
			q.segments = append(q.segments[:i], q.segments[i+1:]...)
			return
		}
	}
}

// remove deletes a file. One that stays does no harm: the next Open finds nothing in it that is left, and tries again.
func (q *Queue) remove(path string) {
	if err := q.files.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		q.log.Warn("queue file cannot be deleted", "file", path, "error", err)
	}
}
