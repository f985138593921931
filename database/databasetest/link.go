package databasetest

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Kind of fault.
type Kind int

const (
	None      Kind = iota
	Reset          // both sides are reset
	Close          // both sides are closed in order; the kernel makes a reset of it where something is unread
	Unread         // nothing more is read; once the client has ended its side, or after a second, that is thrown away: a reset
	Stall          // nothing more is read, and the connection stays
	Slow           // from the first byte on, two kilobytes a millisecond
	CutAnswer      // the client is reset after so many bytes of the server's answer
)

// A Fault is what happens to one connection after so many bytes from the client were passed on.
type Fault struct {
	Kind  Kind
	After int
}

// A Link passes bytes between clients and a TCP server, faithfully: ends of one side become ends of the other, resets
// become resets. Then it makes the faults that it is told to.
type Link struct {
	target  string
	address string

	mu       sync.Mutex
	listener net.Listener
	faults   []Fault
	struck   func()
	marker   string // the address of a connection of Cut's own
	marked   chan struct{}
	conns    map[*net.TCPConn]bool
	changed  chan struct{} // closed when conns changes
	wg       sync.WaitGroup
}

// NewLink starts a link to a server for the length of the test, on loopback and without faults.
func NewLink(t testing.TB, target string) *Link {
	l := &Link{target: target, address: "127.0.0.1:0", conns: map[*net.TCPConn]bool{}, changed: make(chan struct{})}
	if err := l.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Down()
		l.wg.Wait()
	})
	return l
}

// Address is host:port where clients are to connect.
func (l *Link) Address() string { return l.address }

// Next sets what happens to the next connections, one each. Later ones are left in peace.
func (l *Link) Next(faults ...Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, faults...)
}

// OnFault has f called each time that a fault strikes.
func (l *Link) OnFault(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.struck = f
}

// Up listens again after Down.
func (l *Link) Up() {
	if err := l.listen(); err != nil {
		panic(err) // the port was the link's a moment ago
	}
}

// Down refuses connections and resets those that stand.
func (l *Link) Down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
	for c := range l.conns {
		abort(c)
	}
}

// Cut closes the clients' connections in order, as a server does with idle ones, and waits until they are gone.
func (l *Link) Cut(ctx context.Context) {
	l.catchUp(ctx)
	for {
		l.mu.Lock()
		for c := range l.conns {
			_ = c.CloseWrite()
			_ = c.CloseRead()
		}
		left, changed := len(l.conns), l.changed
		l.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// catchUp waits until all connections were accepted that clients have made so far: one of its own is accepted after them.
func (l *Link) catchUp(ctx context.Context) {
	l.mu.Lock()
	c, err := net.Dial("tcp", l.address)
	if err != nil {
		l.mu.Unlock()
		return
	}
	defer c.Close()
	marked := make(chan struct{})
	l.marker, l.marked = c.LocalAddr().String(), marked
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-marked:
	}
}

func (l *Link) listen() error {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", l.address)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.listener, l.address = listener, listener.Addr().String()
	l.mu.Unlock()
	l.wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			client := c.(*net.TCPConn)
			if fault, ok := l.begin(client); ok {
				l.wg.Go(func() { l.serve(client, fault) })
			}
		}
	})
	return nil
}

func (l *Link) serve(client *net.TCPConn, fault Fault) {
	defer l.end(client)
	s, err := net.Dial("tcp", l.target)
	if err != nil {
		abort(client)
		return
	}
	server := s.(*net.TCPConn)
	l.track(server, true)
	defer l.track(server, false)
	var ended atomic.Bool               // the client has, and the server knows
	_ = client.SetReadBuffer(128 << 10) // so that a stall is felt soon; twice a segment of loopback, or the kernel waits
	var answers sync.WaitGroup
	answers.Go(func() { l.answer(client, server, fault, &ended) })
	l.pass(client, server, fault, &ended)
	answers.Wait()
	client.Close()
	server.Close()
}

// begin takes the fault of a new connection.
func (l *Link) begin(client *net.TCPConn) (fault Fault, ok bool) {
	l.mu.Lock()
	if client.RemoteAddr().String() == l.marker {
		l.marker = ""
		close(l.marked)
		l.mu.Unlock()
		client.Close()
		return fault, false
	}
	if len(l.faults) > 0 {
		fault, l.faults = l.faults[0], l.faults[1:]
	}
	l.mu.Unlock()
	l.track(client, true)
	return fault, true
}

func (l *Link) end(client *net.TCPConn) {
	client.Close()
	l.track(client, false)
}

func (l *Link) track(c *net.TCPConn, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open {
		l.conns[c] = true
	} else {
		delete(l.conns, c)
		close(l.changed)
		l.changed = make(chan struct{})
	}
	if l.listener == nil {
		abort(c) // it came while the link went down
	}
}

// pass copies what the client sends until a fault strikes or the client ends.
func (l *Link) pass(client, server *net.TCPConn, fault Fault, ended *atomic.Bool) {
	b := make([]byte, 2<<10)
	for passed := 0; ; {
		room := len(b)
		switch fault.Kind {
		case Reset, Close, Unread, Stall:
			if room = min(room, fault.After-passed); room == 0 {
				l.strike(client, server, fault)
				return
			}
		case Slow:
			time.Sleep(time.Millisecond)
		}
		n, err := client.Read(b[:room])
		if n > 0 {
			passed += n
			if _, err := server.Write(b[:n]); err != nil {
				abort(client)
				return
			}
		}
		if err == io.EOF {
			ended.Store(true)
			_ = server.CloseWrite()
			return
		}
		if err != nil {
			abort(server)
			return
		}
	}
}

func (l *Link) strike(client, server *net.TCPConn, fault Fault) {
	l.mu.Lock()
	struck := l.struck
	l.mu.Unlock()
	if struck != nil {
		struck()
	}
	switch fault.Kind {
	case Close:
		client.Close() // first, or the server's answer to its own end would reach the client as one
		_ = server.CloseWrite()
	case Unread:
		await(client, time.Second, func(state uint8) bool { return state == tcpCloseWait || state == tcpClose })
		client.Close()
		abort(server)
	case Stall:
		await(client, limit, func(state uint8) bool { return state == tcpClose })
		abort(client)
		abort(server)
	default:
		abort(client)
		abort(server)
	}
}

// answer copies what the server says until it ends. Where it ends before the client, what the client still sends is thrown
// away unread, as it would be without the link.
func (l *Link) answer(client, server *net.TCPConn, fault Fault, ended *atomic.Bool) {
	b := make([]byte, 2<<10)
	for passed := 0; ; {
		room := len(b)
		if fault.Kind == CutAnswer {
			if room = min(room, fault.After-passed); room == 0 {
				l.strike(client, server, fault)
				return
			}
		}
		n, err := server.Read(b[:room])
		if n > 0 {
			passed += n
			if _, err := client.Write(b[:n]); err != nil {
				abort(server)
				return
			}
		}
		if err == io.EOF {
			if ended.Load() {
				_ = client.CloseWrite()
			} else {
				_ = client.Close()
			}
			return
		}
		if err != nil {
			abort(client)
			return
		}
	}
}

// The states of a connection, from Linux's tcp_states.h.
const (
	tcpClose     = 7 // reset, or gone
	tcpCloseWait = 8 // the peer has ended its side
)

// await returns once the kernel says that the connection is in a state that will do, or it is closed on this side, or it took
// too long. Nothing is read, so the kernel can only be asked again and again.
func await(c *net.TCPConn, most time.Duration, done func(state uint8) bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for giveUp := time.Now().Add(most); time.Now().Before(giveUp); time.Sleep(time.Millisecond) {
		var info *unix.TCPInfo
		if raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }) != nil {
			return
		}
		if err != nil || done(info.State) {
			return
		}
	}
}

// abort resets a connection.
func abort(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
