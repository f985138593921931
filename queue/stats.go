package queue

import "time"

// A Tally counts blocks, the points in them, and their bytes.
type Tally struct{ Blocks, Points, Bytes int64 }

func (t *Tally) add(o Tally) {
	t.Blocks += o.Blocks
	t.Points += o.Points
	t.Bytes += o.Bytes
}

func (t *Tally) sub(o Tally) {
	t.Blocks -= o.Blocks
	t.Points -= o.Points
	t.Bytes -= o.Bytes
}

// Stats is the state of a queue.
type Stats struct {
	Tally             // not acknowledged: waiting and handed out, on disk and in memory; bytes with headers
	Memory  Tally     // of these, in memory only, because the disk took none
	Disk    int64     // bytes of all segments, with blocks that are acknowledged but whose segment is not yet done
	Oldest  time.Time // when the oldest of these was put; zero where there is none
	Dropped Tally     // went because the queue was full; counted on over restarts
	Damaged Tally     // found unreadable since Open: each stretch of damage is one block, its points as far as they are known
	Err     error     // why the disk took no block when last asked; nil where it did
}

// Stats returns the state as of now. It touches no file.
//
// A segment that was sealed and never touched counts as what its header says; where that is found to be wrong when the
// segment is read, the count is set right then.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Dropped: q.dropped, Damaged: q.damaged, Err: q.err}
	for _, seg := range q.segments {
		s.add(seg.left)
		s.Disk += seg.end
		if s.Oldest.IsZero() && seg.left.Blocks > 0 {
			s.Oldest = seg.oldest()
		}
	}
	for _, e := range q.memory {
		s.Memory.add(e.tally())
	}
	s.add(s.Memory)
	if s.Oldest.IsZero() && len(q.memory) > 0 {
		s.Oldest = time.Unix(0, q.memory[0].time)
	}
	return s
}
