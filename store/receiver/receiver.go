// Package receiver takes points from the network as carbon does: lines and pickles over TCP or a unix socket. It closes a
// connection at the sender's end of stream only once all that was sent is kept, and resets it where that failed, so that a
// sender who half-closes and waits knows which of the two has happened.
package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/clusterload/clusterload/wire"
)

// A Batch collects points, which are kept all together by Commit. An error of Add is about one point, unless it has a
// method Retry() bool that says true: then nothing can be kept now.
type Batch interface {
	Add(path string, at int64, value float64) error
	Len() int
	Commit() error
	Rollback()
}

// Config says what keeps the points.
type Config struct {
	NewBatch func() Batch
	Sync     func() error // forces what was committed to the disk, before a connection is closed
	Logger   *slog.Logger // slog.Default()
}

const (
	maxBatch  = 10_000                 // points before a commit
	idle      = 100 * time.Millisecond // without data before a commit
	maxLine   = 16 << 10               // bytes, as carbon has it
	maxFrame  = 1 << 20                // bytes, as carbon has it
	maxConns  = 1024
	closing   = 5 * time.Second // for connections to end when the receiver does
	pickleLen = 4
)

// A Protocol is how points are spelled on a connection.
type Protocol int

// The protocols of carbon.
const (
	Line   Protocol = iota // "path value time\n"
	Pickle                 // frames: 4 bytes of length, a pickled list of (path, (time, value))
)

// A Receiver accepts connections until it is closed.
type Receiver struct {
	config   Config
	protocol Protocol
	listener net.Listener
	done     chan struct{}
	wg       sync.WaitGroup
	slots    chan struct{}

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	bad    string // the last reason for which points were refused, so that it is logged once
	refuse string // the last reason for which nothing could be kept
}

// Listen opens the address: "host:port", or the path of a unix socket, which begins with "/" or "unix:".
func Listen(address string, p Protocol, c Config) (*Receiver, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	l, err := listen(address)
	if err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	r := &Receiver{config: c, protocol: p, listener: l, done: make(chan struct{}), conns: map[net.Conn]struct{}{}, slots: make(chan struct{}, maxConns)}
	r.wg.Add(1)
	go r.accept()
	return r, nil
}

func listen(address string) (net.Listener, error) {
	path := strings.TrimPrefix(address, "unix:")
	if path == address && !strings.HasPrefix(address, "/") {
		return net.Listen("tcp", address)
	}
	// A socket that a killed process left behind is in the way; one that answers is not ours to remove.
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("listen unix %s: in use", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o660)
}

// Addr is where the receiver listens.
func (r *Receiver) Addr() net.Addr { return r.listener.Addr() }

func (r *Receiver) accept() {
	defer r.wg.Done()
	pause := time.Millisecond
	for {
		select {
		case r.slots <- struct{}{}:
		case <-r.done:
			return
		}
		conn, err := r.listener.Accept()
		if err != nil {
			<-r.slots
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of file descriptors: they come back
			case <-time.After(pause):
				pause = min(2*pause, time.Second)
				continue
			case <-r.done:
				return
			}
		}
		pause = time.Millisecond
		r.mu.Lock()
		r.conns[conn] = struct{}{}
		r.mu.Unlock()
		r.wg.Add(1)
		go r.serve(conn)
	}
}

func (r *Receiver) serve(conn net.Conn) {
	defer r.wg.Done()
	defer func() {
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
		<-r.slots
	}()
	// Until all is kept, the end of the connection is a reset, and so it is when this process is killed: the kernel would end
	// it well where everything was read, be it kept or not.
	linger(conn, 0)
	s := &session{receiver: r, conn: conn, batch: r.config.NewBatch()}
	var err error
	if r.protocol == Pickle {
		err = s.pickles()
	} else {
		err = s.lines()
	}
	if err = s.finish(err); err == nil {
		linger(conn, -1)
	}
	_ = conn.Close()
}

// linger says how a connection ends: with a reset (0), or with the end of stream (-1).
func linger(conn net.Conn, seconds int) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(seconds)
	}
}

// Close ends the receiver: what the kernel has taken on open connections is still read and kept, as far as senders end or
// five seconds allow; the others are reset.
func (r *Receiver) Close() error {
	if r.ended() {
		return nil
	}
	close(r.done)
	err := r.listener.Close()
	r.mu.Lock()
	for conn := range r.conns {
		_ = conn.SetReadDeadline(time.Now()) // wakes the reader, who sees done
	}
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	ended := make(chan struct{})
	go func() { r.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		r.mu.Lock()
		for conn := range r.conns {
			_ = conn.Close()
		}
		r.mu.Unlock()
		<-ended
	}
	return err
}

// ended tells whether the receiver is being closed.
func (r *Receiver) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// A session is one connection.
type session struct {
	receiver *Receiver
	conn     net.Conn
	batch    Batch
	dirty    bool // something was committed and not forced to the disk yet
}

// errEnding ends a session because the receiver is closed.
var errEnding = errors.New("receiver is closed")

// add takes a point. The error is one of those that end the connection.
func (s *session) add(p wire.Point) error {
	at := p.Time
	if at == -1 {
		at = 0 // carbon's way to say now
	}
	if err := s.batch.Add(p.Path, at, p.Value); err != nil {
		if passes(err) {
			return err
		}
		s.receiver.note(err)
	}
	if s.batch.Len() >= maxBatch {
		return s.commit()
	}
	return nil
}

// passes tells whether the same point may be kept later.
func passes(err error) bool {
	var r interface{ Retry() bool }
	return errors.As(err, &r) && r.Retry()
}

func (s *session) commit() error {
	if s.batch.Len() == 0 {
		return nil
	}
	s.dirty = true
	return s.batch.Commit()
}

// finish keeps what was taken. It returns an error when the sender has to send again.
func (s *session) finish(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errEnding) && passes(err) {
		s.batch.Rollback()
		s.receiver.noteFull(err)
		return err
	}
	commit := s.commit()
	if commit == nil && s.dirty && s.receiver.config.Sync != nil {
		commit = s.receiver.config.Sync()
	}
	if commit != nil {
		s.receiver.noteFull(commit)
		return commit
	}
	s.receiver.noteFull(nil)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil && !errors.Is(err, errEnding) && !errors.Is(err, net.ErrClosed):
		s.receiver.note(fmt.Errorf("connection of %s: %w", s.conn.RemoteAddr(), err))
	}
	return err
}

// note logs why points were refused, each reason when it is a new one.
func (r *Receiver) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reason := err.Error(); reason != r.bad {
		known := r.bad != ""
		r.bad = reason
		level := slog.LevelWarn
		if known {
			level = slog.LevelDebug
		}
		r.config.Logger.Log(context.Background(), level, "points refused", "reason", reason)
	}
}

// noteFull logs when points can no longer be kept, and when they can again.
func (r *Receiver) noteFull(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil && r.refuse == "":
		r.refuse = err.Error()
		r.config.Logger.Error("points cannot be kept: their senders keep them", "reason", err)
	case err == nil && r.refuse != "":
		r.refuse = ""
		r.config.Logger.Info("points are kept again")
	}
}
