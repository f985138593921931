package queue

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Put appends a block and returns once it is on the disk: then it outlives a crash of the process and of the machine.
// Points is how many points p holds, for the count of what is dropped. P is not kept.
//
// A full queue takes a block and drops the oldest, counted. A disk that fails is no error either: the block is
// kept in memory, Stats says so, and each later Put, Flush and Close first tries to write what is there, in order;
// beyond MemoryBytes the oldest of these are dropped, counted. Put fails only on a block larger than the queue could
// ever hold (ErrTooLarge), and on a closed queue (ErrClosed).
func (q *Queue) Put(p []byte, points int) error {
	need := headerSize + int64(len(p))
	if limit := min(MaxBlock, q.o.MaxBytes-segmentHeaderSize-headerSize); int64(len(p)) > limit {
		return fmt.Errorf("queue %q: %w: %d bytes: want at most %d", q.o.Folder, ErrTooLarge, len(p), limit)
	}
	if points < 0 || points > math.MaxUint32 {
		return fmt.Errorf("queue %q: block of %d points: want 0 to %d", q.o.Folder, points, uint32(math.MaxUint32))
	}
	e := &entry{header: header{
		length: uint32(len(p)), points: uint32(points), time: time.Now().UnixNano(),
		sum: crc32.Checksum(p, castagnoli),
	}}
	q.writing.Lock()
	defer q.writing.Unlock()
	if q.isClosed() {
		return ErrClosed
	}
	err := q.flush()
	if err == nil {
		err = q.store(e, p, need)
	}
	if err != nil {
		q.remember(e, p)
	}
	return nil
}

// Flush writes the blocks that are only in memory. Its error is the disk's.
func (q *Queue) Flush() error {
	q.writing.Lock()
	defer q.writing.Unlock()
	if q.isClosed() {
		return ErrClosed
	}
	return q.flush()
}

// flush is Flush; the caller holds writing.
func (q *Queue) flush() error {
	for {
		q.mu.Lock()
		var e *entry
		if len(q.memory) > 0 {
			e = q.memory[0]
		}
		q.mu.Unlock()
		if e == nil {
			return nil
		}
		if err := q.store(e, e.memory, headerSize+int64(e.length)); err != nil {
			return err
		}
	}
}

// store brings a block to the disk, and tries again in a new segment where the one at hand has failed.
func (q *Queue) store(e *entry, p []byte, need int64) error {
	abandoned, err := q.write(e, p, need)
	if err != nil && abandoned {
		_, err = q.write(e, p, need)
	}
	q.note(err)
	return err
}

// note keeps how the disk does, and logs where that changes.
func (q *Queue) note(err error) {
	q.mu.Lock()
	last, since := q.err, q.since
	q.err = err
	if last == nil {
		q.since = time.Now()
	}
	q.mu.Unlock()
	switch {
	case err == nil && last != nil:
		q.log.Info("queue writes to the disk again", "failed_for", time.Since(since).Round(time.Second))
	case err != nil && (last == nil || cause(err) != cause(last)):
		q.log.Error("queue cannot write to the disk; new blocks are kept in memory", "error", err)
	}
}

// cause is an error's innermost text: the paths in it change from one try to the next.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// write appends a block to the active segment and syncs it. Where the sync fails the segment is abandoned: a file whose
// sync has failed once may say later that all is well and have lost the data.
func (q *Queue) write(e *entry, p []byte, need int64) (abandoned bool, err error) {
	s, err := q.writable(need)
	if err != nil {
		return false, err
	}
	at := s.end
	q.buf = append(appendHeader(slices.Grow(q.buf[:0], int(need)), e.header, s.salt, at), p...)
	defer func() {
		if cap(q.buf) > 1<<20 {
			q.buf = nil
		}
	}()
	if _, err := s.file.WriteAt(q.buf, at); err != nil {
		// A file that cannot be cut back has what was written of the block before the next one; and where nothing is left
		// of a file, deleting it may make the room that the disk lacks.
		if cut := s.file.Truncate(at); cut != nil || q.isDone(s) {
			q.retire()
			return true, err
		}
		return false, err
	}
	err = s.file.Sync()
	if err == nil && s.fresh {
		if err = q.files.SyncFolder(q.o.Folder); err == nil {
			s.fresh = false
		}
	}
	if err != nil {
		_ = s.file.Truncate(at) // if this fails too, the block may come twice after a crash
		q.abandon()
		return true, err
	}
	q.publish(s, e, at)
	return false, nil
}

// isDone says whether all blocks of a segment are acknowledged, and it had some.
func (q *Queue) isDone(s *segment) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return s.left.Blocks == 0 && s.put.Blocks > 0
}

// publish makes a block that is on the disk known to readers.
func (q *Queue) publish(s *segment, e *entry, at int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := e.tally()
	s.end += t.Bytes
	s.put.add(t)
	if len(s.entries) == 0 {
		s.first = e.time
	}
	s.entries = append(s.entries, e)
	wasReady := e.memory != nil
	e.at = at
	if wasReady {
		q.leaveMemory(e)
		e.memory = nil
	}
	e.segment = s
	if e.gone { // acknowledged while it was being written
		_ = q.mark(s, at)
		return
	}
	s.left.add(t)
	if e.holder != nil {
		s.out++
	}
	if !wasReady {
		q.wake()
	}
}

// writable returns the active segment with room for need bytes, within the cap of the whole queue.
func (q *Queue) writable(need int64) (*segment, error) {
	if s := q.active; s != nil && (s.end+need > q.o.SegmentBytes && s.put.Blocks > 0 || s.put.Blocks >= segmentBlocks) {
		q.retire()
	}
	whole := need
	if q.active == nil {
		whole += segmentHeaderSize
	}
	q.makeRoom(whole)
	if q.active != nil {
		return q.active, nil
	}
	return q.create()
}

// create begins a new segment.
func (q *Queue) create() (*segment, error) {
	q.nextID++
	s := &segment{id: q.nextID, salt: rand.Uint64(), end: segmentHeaderSize, counted: true, reported: true, fresh: true}
	s.path = q.path(fileName(s.id, s.salt))
	f, err := q.files.Create(s.path)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(openHeader(s.salt), 0); err != nil {
		f.Close()
		q.remove(s.path)
		return nil, err
	}
	s.file = f
	q.mu.Lock()
	defer q.mu.Unlock()
	q.segments = append(q.segments, s)
	q.active = s
	return s, nil
}

// retire seals the active segment and lets it go: the next Put begins a new one. The caller holds writing.
func (q *Queue) retire() {
	s := q.active
	if s == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	// Not synced: where the summary is lost, the segment is read instead.
	if _, err := s.file.WriteAt(appendSummary(nil, s.summary(), s.salt), 0); err == nil {
		s.sealed = true
	}
	q.deactivate(s)
}

// abandon lets the active segment go without sealing it. The caller holds writing.
func (q *Queue) abandon() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deactivate(q.active)
}

func (q *Queue) deactivate(s *segment) {
	q.active = nil
	switch {
	case s.left.Blocks == 0:
		q.discard(s)
	case s.out == 0 && q.segments[0] != s: // its turn comes later: load brings it back
		s.close()
	}
}

// remember keeps a block in memory that the disk did not take.
func (q *Queue) remember(e *entry, p []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.memory = append(make([]byte, 0, len(p)), p...)
	q.memory = append(q.memory, e)
	q.memBytes += e.tally().Bytes
	for i := 0; i < len(q.memory) && q.memBytes > q.o.MemoryBytes; {
		old := q.memory[i]
		if old.holder != nil { // its bytes are in use in any case
			i++
			continue
		}
		old.gone = true
		q.leaveMemory(old)
		q.dropped.add(old.tally())
	}
	q.wake()
}

// leaveMemory takes an entry off the list of those in memory.
func (q *Queue) leaveMemory(e *entry) {
	if i := slices.Index(q.memory, e); i >= 0 {
		q.memory = slices.Delete(q.memory, i, i+1)
		q.memBytes -= e.tally().Bytes
	}
}
