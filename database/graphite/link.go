package graphite

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A link is one TCP connection to a server, with TLS over it or without. A goroutine listens on it: Graphite never says a
// word, so that all there is to hear is its end.
type link struct {
	tcp     *net.TCPConn
	raw     syscall.RawConn
	conn    net.Conn // tcp, or the TLS over it
	timeout time.Duration

	ended chan struct{} // closed once the peer has ended its side, or the connection is broken

	mu   sync.Mutex
	err  error  // valid once ended is closed: io.EOF where the peer closed in order
	said []byte // the beginning of what the peer said
}

var (
	errClosed  = errors.New("closed by the peer")
	errStalled = errors.New("the peer stopped reading")

	errUnanswered = errors.New("the peer has not closed the connection")
)

// dial connects and, with TLS, shakes hands, all within the timeout.
func dial(ctx context.Context, c *Config) (*link, error) {
	timeout := c.Timeout.Or(defaultTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.target())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l := &link{tcp: conn.(*net.TCPConn), conn: conn, timeout: timeout, ended: make(chan struct{})}
	if l.raw, err = l.tcp.SyscallConn(); err != nil {
		l.abort()
		return nil, fmt.Errorf("connect: %w", err)
	}
	if c.TLS != nil {
		if err := l.encrypt(ctx, c); err != nil {
			l.abort()
			return nil, err
		}
	}
	go l.listen()
	return l, nil
}

func (l *link) encrypt(ctx context.Context, c *Config) error {
	config, err := c.TLS.config(c.Address)
	if err != nil {
		return err
	}
	t := tls.Client(l.tcp, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	l.conn = t
	return nil
}

// listen reads until the connection ends.
func (l *link) listen() {
	var b [256]byte
	for {
		n, err := l.conn.Read(b[:])
		l.mu.Lock()
		if room := cap(b) - len(l.said); n > 0 && room > 0 {
			l.said = append(l.said, b[:min(n, room)]...)
		}
		l.err = err
		l.mu.Unlock()
		if err != nil {
			close(l.ended)
			return
		}
	}
}

// broken returns why the connection is of no use any more, or nil while it stands: it was reset, the peer closed its side,
// or the peer talks, which Graphite never does.
func (l *link) broken() error {
	l.mu.Lock()
	said := l.said
	l.mu.Unlock()
	if len(said) > 0 {
		return fmt.Errorf("the peer answers %.60q: want a Graphite receiver, which never answers", said)
	}
	select {
	case <-l.ended:
		return l.end()
	default:
	}
	return l.peek()
}

// end returns how the connection ended.
func (l *link) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == io.EOF || errors.Is(l.err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	return l.err
}

// peek asks the kernel whether the peer has ended its side, without taking anything away. It knows before listen does.
func (l *link) peek() error {
	var n int
	var err error
	var b [1]byte
	if e := l.raw.Control(func(fd uintptr) {
		n, _, err = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}); e != nil {
		return e
	}
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errClosed
	}
	return nil // listen takes what there is
}

// write writes whole lines or frames within the timeout.
func (l *link) write(ctx context.Context, b []byte) error {
	stop, err := l.limit(ctx, l.timeout)
	if err != nil {
		return err
	}
	defer stop()
	_, err = l.conn.Write(b)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return fmt.Errorf("write: %w: %d bytes are not taken after %s", errStalled, len(b), l.timeout)
	}
	if broken := l.broken(); broken != nil {
		return fmt.Errorf("write: %w", broken)
	}
	return fmt.Errorf("write: %w", err)
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// limit bounds what is written next, in time and by ctx. Stop ends the latter.
func (l *link) limit(ctx context.Context, timeout time.Duration) (stop func() bool, err error) {
	if err := l.tcp.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, func() { _ = l.tcp.SetWriteDeadline(time.Unix(1, 0)) }), nil
}

// The pause between two looks at the send queue: short at first, since on loopback and in a machine room an answer takes
// less than a millisecond.
const (
	firstNap = 50 * time.Microsecond
	lastNap  = 5 * time.Millisecond
)

// drain waits until the peer's kernel has taken everything that was written, and the connection still stands. It gives up
// once nothing was taken for as long as the timeout.
func (l *link) drain(ctx context.Context) error {
	left, nap := -1, firstNap
	var giveUp time.Time
	for {
		if err := l.broken(); err != nil {
			return err
		}
		n, err := l.unsent()
		if err != nil || n == 0 {
			return err
		}
		switch now := time.Now(); {
		case n != left:
			left, giveUp = n, now.Add(l.timeout)
		case now.After(giveUp):
			return fmt.Errorf("%w: %d bytes are not taken after %s", errStalled, n, l.timeout)
		}
		if err := sleep(ctx, nap); err != nil {
			return err
		}
		nap = min(2*nap, lastNap)
	}
}

// unsent returns how many bytes the kernel holds that the peer's kernel has not taken.
func (l *link) unsent() (n int, err error) {
	e := l.raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if e == nil && err != nil {
		err = fmt.Errorf("send queue: %w", err)
	}
	return n, errors.Join(e, err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// objection waits a moment for what the server may have against the client. In TLS 1.3 it says only after the handshake, from
// the client's side, that it does not like the certificate.
func (l *link) objection(ctx context.Context) error {
	if l.conn == net.Conn(l.tcp) {
		return nil
	}
	timer := time.NewTimer(min(l.timeout, 250*time.Millisecond))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-l.ended:
	}
	return l.broken()
}

// halfClose tells the peer that nothing more comes: with TLS its own notice first, then TCP's.
func (l *link) halfClose(ctx context.Context) error {
	stop, err := l.limit(ctx, l.timeout)
	if err != nil {
		return err
	}
	defer stop()
	if t, ok := l.conn.(*tls.Conn); ok {
		if err := t.CloseWrite(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	if err := l.tcp.CloseWrite(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// close ends the connection in order. What was written goes on its way.
func (l *link) close() error { return l.conn.Close() }

// abort resets the connection. What the peer has not taken is thrown away, and it learns that a line may be torn: after an
// orderly end some servers take an unfinished line for a whole one.
func (l *link) abort() {
	_ = l.tcp.SetLinger(0)
	_ = l.tcp.Close()
}
