package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"
)

// tsdb panics when it cannot write a chunk, so nothing is accepted once the disk is nearly full: what is in memory then still
// has room to be written.

// A FullError says that the disk has no room. It passes when room is made.
type FullError struct {
	Path        string
	Free, Floor int64 // bytes
	Cause       error // what a write said; nil: free space was measured
}

func (e *FullError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: disk full: %v", e.Path, e.Cause)
	}
	return fmt.Sprintf("%s: %d MiB free: want %d MiB before points are taken", e.Path, e.Free>>20, e.Floor>>20)
}

func (e *FullError) Unwrap() error { return e.Cause }

// Retry says that the same points may be kept later.
func (e *FullError) Retry() bool { return true }

// HTTPStatus is 507: Insufficient Storage.
func (e *FullError) HTTPStatus() int { return 507 }

// guard looks at the free space at most once a second.
type guard struct {
	path  string
	floor int64
	free  func(string) (int64, error)
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	looked time.Time
	full   error
}

func (g *guard) init(c Config) {
	g.path, g.floor, g.free, g.now, g.log = c.Path, c.Floor, c.free, c.now, c.Logger
}

// check returns a *FullError while there is too little room.
func (g *guard) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if d := now.Sub(g.looked); !g.looked.IsZero() && d >= 0 && d < time.Second {
		return g.full
	}
	g.looked = now
	free, err := g.free(g.path)
	switch {
	case err != nil:
		g.set(&FullError{Path: g.path, Floor: g.floor, Cause: fmt.Errorf("look for free space: %w", err)})
	case free < g.floor:
		g.set(&FullError{Path: g.path, Free: free, Floor: g.floor})
	default:
		g.set(nil)
	}
	return g.full
}

// failed notes that a write has failed for want of room.
func (g *guard) failed(err error) {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looked = g.now()
	g.set(&FullError{Path: g.path, Floor: g.floor, Cause: err})
}

// set logs what changes.
func (g *guard) set(err error) {
	switch {
	case err != nil && g.full == nil:
		g.log.Error("no points are accepted", "reason", err)
	case err == nil && g.full != nil:
		g.log.Info("there is room again: points are accepted")
	}
	g.full = err
}

// freeBytes is what an ordinary user may still write on the disk that holds path.
func freeBytes(path string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
