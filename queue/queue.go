// Package queue keeps blocks of bytes on disk, in order, until each is acknowledged: whatever Put took is still there
// after a crash of the process or of the machine. DESIGN.md has the format and the reasons.
package queue

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// ErrClosed is what a closed queue returns.
var ErrClosed = errors.New("queue is closed")

// ErrInUse is what Open returns, wrapped, for a folder that another queue holds, of this process or another.
var ErrInUse = errors.New("queue is in use")

// ErrTooLarge is what Put returns, wrapped, for a block that the queue could never hold.
var ErrTooLarge = errors.New("block is too large")

// Options says where a queue stands and how large it may become. Zeros mean the defaults.
type Options struct {
	Folder       string       // of this queue alone; made where it is missing
	MaxBytes     int64        // of all files: where they would be more, the oldest blocks go; 1 GiB
	SegmentBytes int64        // of one file, the unit that is dropped and deleted; 8 MiB, at most a quarter of MaxBytes
	MemoryBytes  int64        // of the blocks kept in memory while the disk takes none; 16 MiB
	Log          *slog.Logger // nil: silent
}

// segmentBlocks is how many blocks a segment holds at most: it bounds the memory for a segment's headers.
const segmentBlocks = 8192

func (o Options) withDefaults() (Options, error) {
	for _, d := range []struct {
		name  string
		value *int64
		def   int64
	}{{"MaxBytes", &o.MaxBytes, 1 << 30}, {"SegmentBytes", &o.SegmentBytes, 8 << 20}, {"MemoryBytes", &o.MemoryBytes, 16 << 20}} {
		if *d.value < 0 {
			return o, fmt.Errorf("queue %q: %s %d: want a size above zero", o.Folder, d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/4)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// A Queue is a durable first-in, first-out queue of blocks. All methods may be called from several goroutines at once.
//
// Two locks: writing is held over a whole Put, its disk operations included; mu over what is in memory, and over disk
// operations that do not wait for the device. Where both are taken, writing comes first.
type Queue struct {
	o     Options
	files files
	log   *slog.Logger
	lock  io.Closer

	writing sync.Mutex
	buf     []byte // the block being written
	nextID  uint64 // of the next segment; numbers are never used twice
	saved   Tally  // what the file of drops holds
	through uint64 // the last segment that was dropped

	mu       sync.Mutex
	segments []*segment // oldest first
	active   *segment   // the last one, where blocks are appended; nil: the next Put makes one. Changed under both locks
	memory   []*entry   // newer than all segments: what the disk did not take
	memBytes int64
	limbo    Tally         // of dropped segments, handed out: neither delivered nor lost yet
	changed  chan struct{} // closed and replaced when a block becomes ready, or the queue closes
	awaited  bool          // somebody looks at changed
	payloads [][]byte      // buffers to use again
	closed   bool
	dropped  Tally
	damaged  Tally
	full     bool // dropping, and said so
	err      error
	since    time.Time // when err began
}

// Open opens the queue in a folder, makes one where there is none, and holds it until Close. It refuses a folder that
// is in use (ErrInUse) or not accessible; damage it only counts. How long it takes does not depend on how much is waiting.
func Open(o Options) (*Queue, error) { return open(o, osFiles{}) }

func open(o Options, fs files) (*Queue, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := fs.MakeFolder(o.Folder); err != nil {
		return nil, fmt.Errorf("queue %q: %w", o.Folder, err)
	}
	lock, err := fs.Lock(filepath.Join(o.Folder, "lock"))
	if err != nil {
		return nil, fmt.Errorf("queue %q: %w", o.Folder, err)
	}
	q := &Queue{o: o, files: fs, log: o.Log.With("queue", o.Folder), lock: lock, changed: make(chan struct{})}
	if err := q.restore(); err != nil {
		for _, s := range q.segments {
			s.close()
		}
		lock.Close()
		return nil, fmt.Errorf("queue %q: %w", o.Folder, err)
	}
	return q, nil
}

// Close ends waiting calls of Next with ErrClosed and lets the folder go. What was not acknowledged stays on the disk.
// Blocks that are only in memory are written first; its error says how many could not be, and those are lost.
func (q *Queue) Close() error {
	q.writing.Lock()
	defer q.writing.Unlock()
	if q.isClosed() {
		return nil
	}
	failed := q.flush()
	q.retire()

	q.mu.Lock()
	q.closed = true
	q.wake()
	var lost Tally
	for _, e := range q.memory {
		lost.add(e.tally())
	}
	q.memory = nil
	q.dropped.add(lost)
	q.dropped.add(q.limbo)
	q.limbo = Tally{}
	for _, s := range q.segments {
		s.close()
	}
	q.mu.Unlock()

	if err := q.saveDropped(); err != nil {
		failed = errors.Join(failed, fmt.Errorf("count of dropped blocks: %w", err))
	}
	q.lock.Close()
	if lost.Blocks > 0 {
		return fmt.Errorf("queue %q: %d blocks in memory are lost: %w", q.o.Folder, lost.Blocks, failed)
	}
	if failed != nil {
		return fmt.Errorf("queue %q: %w", q.o.Folder, failed)
	}
	return nil
}

func (q *Queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// wake lets waiting calls of Next look again. The caller holds mu.
func (q *Queue) wake() {
	if q.awaited {
		close(q.changed)
		q.changed, q.awaited = make(chan struct{}), false
	}
}

func (q *Queue) path(name string) string { return filepath.Join(q.o.Folder, name) }
