package queue

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"syscall"
	"time"
)

// A Block is one that a queue has handed out. It is used from one goroutine at a time, and is done with after Ack or
// Nack.
type Block struct {
	q       *Queue
	e       *entry
	payload []byte
	shared  bool // payload is not a buffer to use again
}

// Bytes returns what was put. They are valid, and not to be changed, until Ack or Nack.
func (b *Block) Bytes() []byte { return b.payload }

// Points returns the number that came with Put.
func (b *Block) Points() int { return int(b.e.points) }

// Time returns when the block was put.
func (b *Block) Time() time.Time { return time.Unix(0, b.e.time) }

// Next hands out the oldest block that nobody has, and waits for one where there is none. Reading does not remove:
// the block is in the queue until its Ack, and after a crash it comes again. Several may be out at once.
//
// It returns ctx's error once that is done, ErrClosed once the queue is closed, and the system's where a file cannot
// be opened now, which may pass. A damaged block is counted and skipped.
func (q *Queue) Next(ctx context.Context) (*Block, error) {
	for {
		b, changed, err := q.poll()
		if b != nil || err != nil {
			return b, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryNext is Next, but returns nil where there is no block to hand out.
func (q *Queue) TryNext() (*Block, error) {
	b, _, err := q.poll()
	return b, err
}

// poll returns the next block, or a channel that is closed once it is worth to look again.
func (q *Queue) poll() (*Block, <-chan struct{}, error) {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return nil, nil, ErrClosed
		}
		e, err := q.take()
		if err != nil || e == nil {
			changed := q.changed
			q.awaited = true
			q.mu.Unlock()
			if err != nil {
				err = fmt.Errorf("queue %q: %w", q.o.Folder, err)
			}
			return nil, changed, err
		}
		b := &Block{q: q, e: e}
		e.holder = b
		if e.memory != nil {
			b.payload, b.shared = e.memory, true
			q.mu.Unlock()
			return b, nil, nil
		}
		s, f := e.segment, e.segment.file
		s.out++
		b.payload = q.buffer(int(e.length))
		q.mu.Unlock()

		err = b.read(f)
		if err == nil {
			return b, nil, nil
		}
		if err = q.unreadable(b, err); err != nil {
			return nil, nil, err
		}
	}
}

// take finds the oldest block that nobody has, or nil. The caller holds mu.
func (q *Queue) take() (*entry, error) {
	for i := 0; i < len(q.segments); {
		s := q.segments[i]
		switch {
		case !s.waiting():
			i++
		case s.file == nil:
			if err := q.load(s); err != nil {
				return nil, err
			}
			q.discard(s) // where nothing is left after all; then i is the one behind it
		default:
			if e := s.next(); e != nil {
				return e, nil
			}
			i++
		}
	}
	for _, e := range q.memory {
		if e.holder == nil {
			return e, nil
		}
	}
	return nil, nil
}

var errAltered = errors.New("checksum is wrong")

// read reads a block's payload and checks it, twice where the first is wrong: not every flipped bit is the disk's.
func (b *Block) read(f file) (err error) {
	for range 2 {
		var n int
		if n, err = f.ReadAt(b.payload, b.e.at+headerSize); n == len(b.payload) {
			if crc32.Checksum(b.payload, castagnoli) == b.e.sum {
				return nil
			}
			err = errAltered
		}
	}
	return err
}

// unreadable takes a block back whose payload could not be read. A damaged one is counted and skipped; an error that
// may pass is returned, and the block stays.
func (q *Queue) unreadable(b *Block, err error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	lost := q.release(b)
	e, s := b.e, b.e.segment
	switch {
	case q.closed:
		return ErrClosed
	case lost:
		return nil
	case errors.Is(err, errAltered) || errors.Is(err, io.EOF):
		q.damaged.add(e.tally())
		q.log.Warn("queue block is damaged and skipped", "file", s.path, "offset", e.at, "points", e.points, "error", err)
		_ = q.finish(e) // where it cannot be marked, the next Open finds it again
		return nil
	case errors.Is(err, syscall.EIO):
		q.damaged.add(e.tally())
		q.log.Error("queue block cannot be read and is left aside until the next start", "file", s.path, "offset", e.at, "error", err)
		e.gone, s.keep = true, true
		s.left.sub(e.tally())
		return nil
	}
	return fmt.Errorf("queue %q: %w", q.o.Folder, err)
}

// Ack removes the block from the queue: it has been delivered. An error says that this could not be written down: the
// block comes again after a restart, not before. Where the block was dropped meanwhile, or the Block is done with,
// Ack does nothing.
func (b *Block) Ack() error {
	q := b.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if b.e.holder != b {
		return nil
	}
	if b.e.gone { // its segment was dropped while it was out, and it was delivered all the same
		q.limbo.sub(b.e.tally())
		q.recycle(b)
		b.e.holder = nil
		return nil
	}
	q.release(b)
	if err := q.finish(b.e); err != nil {
		return fmt.Errorf("queue %q: acknowledge: %w", q.o.Folder, err)
	}
	return nil
}

// Nack gives the block back: the next Next hands out the oldest block that nobody has, this one where it is that.
func (b *Block) Nack() {
	q := b.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || b.e.holder != b {
		return
	}
	if !q.release(b) {
		q.wake()
	}
}

// release takes a block back from its holder and makes it ready. It is lost where its segment was dropped meanwhile:
// then it is counted as dropped now. The caller holds mu.
func (q *Queue) release(b *Block) (lost bool) {
	e, s := b.e, b.e.segment
	q.recycle(b)
	e.holder = nil
	if e.gone {
		q.limbo.sub(e.tally())
		q.dropped.add(e.tally())
		return true
	}
	if s != nil {
		s.out--
		s.ready = min(s.ready, s.position(e))
	}
	return false
}

// position returns the index of an entry among its segment's.
func (s *segment) position(e *entry) int {
	low, high := 0, len(s.entries)
	for low < high {
		if middle := (low + high) / 2; s.entries[middle].at < e.at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// finish marks a block as acknowledged and deletes its segment where it was the last. The caller holds mu.
func (q *Queue) finish(e *entry) error {
	e.gone = true
	s := e.segment
	if s == nil {
		q.leaveMemory(e)
		return nil
	}
	s.left.sub(e.tally())
	if s.left.Blocks == 0 && s != q.active && !s.keep {
		q.discard(s)
		return nil
	}
	return q.mark(s, e.at)
}

// mark writes to the file that the block at offset at is acknowledged. It is not synced: kill -9 does not undo it, and
// after a crash of the machine the block comes again.
func (q *Queue) mark(s *segment, at int64) error {
	var first error
	if s.sealed && !s.touched {
		_, first = s.file.WriteAt([]byte{touched}, touchedAt)
	}
	s.touched = true
	_, err := s.file.WriteAt([]byte{acknowledged}, at+flagAt)
	return errors.Join(first, err)
}

// keptBuffers and keptBytes bound the memory that waits to be used again.
const (
	keptBuffers = 4
	keptBytes   = 1 << 20
)

// buffer returns n bytes to read into.
func (q *Queue) buffer(n int) []byte {
	for i, b := range q.payloads {
		if cap(b) >= n {
			q.payloads[i] = q.payloads[len(q.payloads)-1]
			q.payloads = q.payloads[:len(q.payloads)-1]
			return b[:n]
		}
	}
	return make([]byte, n)
}

// recycle ends the use of a block's payload.
func (q *Queue) recycle(b *Block) {
	if !b.shared && cap(b.payload) <= keptBytes && len(q.payloads) < keptBuffers {
		q.payloads = append(q.payloads, b.payload)
	}
	b.payload = nil
}
