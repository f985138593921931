package graphite

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/wire"
)

const (
	// datagram is the longest, in bytes, that reaches a server whole over any usual network: an Ethernet frame less the
	// headers of IP, UDP and a tunnel.
	datagram = 1432

	// Datagrams go out in bursts with a pause after each, so that the receiver's buffer of some 90 such datagrams (Linux's
	// default) does not overflow before carbon has read them: some 60,000 lines a second.
	burst = 8
	pause = 4 * time.Millisecond

	// refresh is how long a socket is used before the name is resolved again.
	refresh = time.Minute
)

// UDP sends lines in datagrams. What is lost on the way, or by a server that is down, stays lost: only where the server's
// own machine answers that nothing listens does Send say so. It is no database.Confirmer.
//
// The library graphite-golang is not used for it: it sends a datagram a line, drops what the kernel says of them, and has
// no deadline.
type UDP struct {
	config  Config
	speller *wire.Graphite
	buf     []byte
	conn    net.Conn
	raw     syscall.RawConn
	dialed  time.Time
}

func newUDP(c Config) *UDP { return &UDP{config: c, speller: c.speller()} }

// Send implements database.Client. An empty ms resolves the name.
func (u *UDP) Send(ctx context.Context, ms []aggregator.Metric) error {
	if err := u.connect(ctx); err != nil {
		return failed(u.config.target(), err)
	}
	if err := u.write(ctx, ms); err != nil {
		_ = u.Close()
		return failed(u.config.target(), err)
	}
	return rejected(u.speller)
}

func (u *UDP) connect(ctx context.Context) error {
	if u.conn != nil {
		if err := u.refused(); err == nil && time.Since(u.dialed) < refresh {
			return nil
		}
		_ = u.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, u.config.Timeout.Or(defaultTimeout))
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", u.config.target())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	u.conn, u.dialed = conn, time.Now()
	u.raw, err = conn.(*net.UDPConn).SyscallConn()
	return err
}

func (u *UDP) write(ctx context.Context, ms []aggregator.Metric) error {
	sent := 0
	for u.speller.Begin(ms); u.speller.More(); {
		u.buf = u.speller.AppendLines(u.buf[:0], datagram)
		if len(u.buf) == 0 {
			continue
		}
		if sent++; sent%burst == 0 {
			if err := sleep(ctx, pause); err != nil {
				return err
			}
		}
		if err := u.conn.SetWriteDeadline(time.Now().Add(u.config.Timeout.Or(defaultTimeout))); err != nil {
			return err
		}
		if _, err := u.conn.Write(u.buf); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return u.refused()
}

// refused returns what the network has said about datagrams that were sent: that nothing listens, or that there is no way.
func (u *UDP) refused() (err error) {
	var code int
	e := u.raw.Control(func(fd uintptr) { code, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR) })
	switch {
	case e != nil:
		return e
	case err != nil:
		return fmt.Errorf("socket error: %w", err)
	case code != 0:
		return fmt.Errorf("write: %w", syscall.Errno(code))
	}
	return nil
}

// Close implements database.Client.
func (u *UDP) Close() error {
	if u.conn == nil {
		return nil
	}
	err := u.conn.Close()
	u.conn = nil
	return err
}
