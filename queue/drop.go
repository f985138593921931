package queue

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
)

// makeRoom drops the oldest segments until need more bytes fit under the cap. The caller holds writing.
func (q *Queue) makeRoom(need int64) {
	for {
		q.mu.Lock()
		disk := int64(0)
		for _, s := range q.segments {
			disk += s.end
		}
		var oldest *segment
		if len(q.segments) > 0 {
			oldest = q.segments[0]
		}
		q.roomy(disk + need)
		q.mu.Unlock()
		if oldest == nil || disk+need <= q.o.MaxBytes {
			return
		}
		if oldest == q.active {
			q.retire()
			need += segmentHeaderSize // of the segment that takes its place
		} else {
			q.drop(oldest)
		}
	}
}

// roomy notes that the queue is not full any more once it has come down to half of its cap, for the log.
func (q *Queue) roomy(disk int64) {
	if q.full && disk <= q.o.MaxBytes/2 {
		q.full = false
		q.log.Info("queue is no longer full", "dropped_blocks", q.dropped.Blocks, "dropped_points", q.dropped.Points)
	}
}

// drop gives a segment up. Blocks that nobody has are counted as dropped now; those handed out are when they come
// back: their reader has the bytes, and may still deliver them.
//
// The count is saved before the file goes, with the segment's number, so that a crash between the two neither
// counts it twice nor not at all.
func (q *Queue) drop(s *segment) {
	q.mu.Lock()
	if s.file == nil && !s.counted {
		if err := q.load(s); err != nil {
			q.log.Debug("queue file is dropped by what its header says", "file", s.path, "error", err)
		}
	}
	gone := s.left
	for _, e := range s.entries {
		if e.gone {
			continue
		}
		e.gone, e.segment = true, nil
		if e.holder != nil {
			gone.sub(e.tally())
			q.limbo.add(e.tally())
		}
	}
	q.dropped.add(gone)
	q.through = max(q.through, s.id)
	first := !q.full && gone.Blocks > 0
	q.full = q.full || first
	q.forget(s)
	q.mu.Unlock()

	if first {
		q.log.Warn("queue is full; its oldest blocks are dropped", "max_bytes", q.o.MaxBytes)
	}
	if err := q.saveDropped(); err != nil { // the next drop and Close save it again
		q.log.Debug("count of dropped blocks is not saved", "error", err)
	}
	q.remove(s.path)
}

const dropsName = "dropped"

// dropsFormat is the one line of the file of drops; CRC32C of what is before it follows.
const dropsFormat = "v1 blocks=%d points=%d bytes=%d through=%d crc="

// saveDropped writes the count of drops where it has changed. Blocks in limbo are in it: after a crash nobody knows
// whether they were delivered. The caller holds writing.
func (q *Queue) saveDropped() error {
	q.mu.Lock()
	total := q.dropped
	total.add(q.limbo)
	q.mu.Unlock()
	if total == q.saved {
		return nil
	}
	if err := q.replace(dropsName, []byte(dropsLine(total, q.through))); err != nil {
		return err
	}
	q.saved = total
	return nil
}

func dropsLine(t Tally, through uint64) string {
	line := fmt.Sprintf(dropsFormat, t.Blocks, t.Points, t.Bytes, through)
	return line + fmt.Sprintf("%08x\n", crc32.Checksum([]byte(line), castagnoli))
}

// replace writes a small file so that after a crash it is either the old one or the new one.
func (q *Queue) replace(name string, b []byte) error {
	temporary := q.path(name + ".new")
	if err := q.files.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := q.files.Create(temporary)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := q.files.Rename(temporary, q.path(name)); err != nil {
		return err
	}
	return q.files.SyncFolder(q.o.Folder)
}

// readDropped reads what saveDropped wrote.
func (q *Queue) readDropped() error {
	b, err := q.files.Read(q.path(dropsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t, through, ok := parseDropped(string(b))
	if !ok {
		q.log.Warn("count of dropped blocks is damaged and begins at zero again", "file", q.path(dropsName))
		return nil
	}
	q.dropped, q.saved, q.through = t, t, through
	return nil
}

// parseDropped reads a line like
//
//	v1 blocks=3 points=3000 bytes=180123 through=17 crc=9a8b7c6d
func parseDropped(line string) (t Tally, through uint64, ok bool) {
	head, sum, found := strings.Cut(line, "crc=")
	if !found || sum != fmt.Sprintf("%08x\n", crc32.Checksum([]byte(head+"crc="), castagnoli)) {
		return Tally{}, 0, false
	}
	_, err := fmt.Sscanf(line, dropsFormat, &t.Blocks, &t.Points, &t.Bytes, &through)
	return t, through, err == nil
}
