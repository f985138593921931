package graphite

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/database/databasetest"
)

var load = &aggregator.Desc{Template: "load"}

func loads(values ...float64) (ms []aggregator.Metric) {
	for _, v := range values {
		ms = append(ms, aggregator.Metric{Desc: load, Cluster: "hpc1", Time: 1753000000, Value: v})
	}
	return ms
}

// serve runs handle for each connection, with its number, for the length of the test.
func serve(t *testing.T, handle func(n int, c *net.TCPConn)) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go handle(n, c.(*net.TCPConn))
		}
	}()
	return l.Addr().String()
}

// client makes one whose log is kept.
func client(t *testing.T, address, settings string) (*Client, *bytes.Buffer) {
	var log bytes.Buffer
	host, port := split(t, address)
	c, err := New(database.Options{Decode: decoder(fmt.Sprintf("address = %q\nport = %d\n%s", host, port, settings)),
		Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c.(*Client), &log
}

// push sends and confirms.
func push(t *testing.T, c *Client, values ...float64) error {
	if err := c.Send(t.Context(), loads(values...)); err != nil {
		return err
	}
	return c.Confirm(t.Context())
}

// drink reads for ever and never closes.
func drink(_ int, c *net.TCPConn) {
	_, _ = io.Copy(io.Discard, c)
	select {}
}

// A peer that never closes is, after the second time, believed by its kernel; the log says once what that means.
func TestAutoFallsBack(t *testing.T) {
	c, log := client(t, serve(t, drink), `timeout = "200ms"`)
	err := push(t, c, 1)
	assert.ErrorIs(t, err, errUnanswered)
	assert.ErrorContains(t, err, "not confirmed: the peer has not closed the connection 200ms after everything was sent")
	assert.Empty(t, log.String())

	require.NoError(t, push(t, c, 1, 2))
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
	assert.Contains(t, log.String(), `acknowledge = \"drain\"`)

	require.NoError(t, push(t, c, 3))
	kept := c.link
	require.NoError(t, push(t, c, 4))
	assert.Same(t, kept, c.link, "and connections are kept")
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
}

// A peer that has closed once is held to it: however often it does not, it is never believed.
func TestAutoHoldsToIt(t *testing.T) {
	var never atomic.Bool
	c, log := client(t, serve(t, func(n int, conn *net.TCPConn) {
		if never.Load() {
			drink(n, conn)
		}
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}), `timeout = "100ms"`)
	for push(t, c, 1) != nil { // on a busy machine that may be too short for the answer
		c.drains, c.unclosed = false, 0
	}
	never.Store(true)
	for i := range 3 {
		assert.ErrorIs(t, push(t, c, float64(2+i)), errUnanswered)
		assert.Equal(t, i+1, c.unclosed)
	}
	assert.Empty(t, log.String())
}

// With acknowledge = "close" a peer is never believed; with "drain" always.
func TestAcknowledge(t *testing.T) {
	c, _ := client(t, serve(t, drink), "timeout = \"100ms\"\nacknowledge = \"close\"")
	for i := range 4 {
		assert.ErrorIs(t, push(t, c, float64(i)), errUnanswered)
	}
	c, log := client(t, serve(t, drink), "timeout = \"100ms\"\nacknowledge = \"drain\"")
	for i := range 4 {
		assert.NoError(t, push(t, c, float64(i)))
	}
	assert.Empty(t, log.String())
}

// What speaks is no Graphite receiver.
func TestTalkingPeer(t *testing.T) {
	c, _ := client(t, serve(t, func(_ int, conn *net.TCPConn) {
		b := make([]byte, 10)
		_, _ = conn.Read(b)
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}), "")
	err := push(t, c, 7)
	assert.ErrorContains(t, err, `the peer answers "HTTP/1.1 400 Bad Request\r\n\r\n": want a Graphite receiver, which never answers`)
}

// A connection that was closed with something unconfirmed on it is an error; with nothing on it, it is replaced in silence.
func TestClosedByPeer(t *testing.T) {
	closed := make(chan bool, 1)
	got := make(chan string, 9)
	c, _ := client(t, serve(t, func(n int, conn *net.TCPConn) {
		b := make([]byte, 100)
		k, _ := conn.Read(b)
		got <- string(b[:k])
		conn.Close()
		closed <- true
	}), `acknowledge = "drain"`)
	require.NoError(t, c.Send(t.Context(), loads(1)))
	<-closed
	<-c.link.ended
	err := c.Send(t.Context(), loads(2))
	assert.ErrorIs(t, err, errClosed)
	assert.ErrorContains(t, err, "connection lost")
	require.NoError(t, c.Send(t.Context(), loads(1, 2)), "and then all of it can be sent again")
	assert.Equal(t, "hpc1.load 1 1753000000\n", <-got)
	assert.Equal(t, "hpc1.load 1 1753000000\nhpc1.load 2 1753000000\n", <-got)
}

// The peer is told apart by name at each connect; an address of no use is said.
func TestConnectErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	c, _ := client(t, address, "")
	err = c.Send(t.Context(), nil)
	assert.EqualError(t, err, "graphite "+address+": connect: dial tcp "+address+": connect: connection refused")

	c, _ = client(t, "host.invalid:2003", `timeout = "2s"`)
	assert.ErrorContains(t, c.Send(t.Context(), loads(1)), "graphite host.invalid:2003: connect: ")
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine")
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			b, _ := io.ReadAll(c)
			c.Close()
			got <- string(b)
		}
	}()
	c, _ := client(t, l.Addr().String(), "")
	require.NoError(t, c.Send(t.Context(), loads(6)))
	require.NoError(t, c.Confirm(t.Context()))
	assert.Equal(t, "hpc1.load 6 1753000000\n", <-got)
}

// Each way that TLS can fail is said when the database is tried.
func TestTLSRefusals(t *testing.T) {
	ca, stranger := databasetest.NewAuthority(t), databasetest.NewAuthority(t)
	cert, key := ca.Issue("head")
	other, otherKey := stranger.Issue("head")
	g := databasetest.StartGraphite(t, databasetest.Lines)
	server := databasetest.Terminate(t, g.Address(), ca.Config("127.0.0.1"))
	tests := []struct{ tls, want string }{
		{fmt.Sprintf("{ca = %q}", ca.File()), "tls: certificate required"},
		{fmt.Sprintf("{ca = %q, cert = %q, key = %q}", ca.File(), other, otherKey), "tls: unknown certificate authority"},
		{fmt.Sprintf("{ca = %q, cert = %q, key = %q}", stranger.File(), cert, key), "certificate signed by unknown authority"},
		{fmt.Sprintf("{ca = %q, cert = %q, key = %q, server_name = \"other\"}", ca.File(), cert, key), "wanted to match other"},
		{fmt.Sprintf("{ca = %q, cert = %q, key = %q}", ca.File(), cert, key), ""},
	}
	for _, test := range tests {
		c, _ := client(t, server, "tls = "+test.tls)
		err := c.Send(t.Context(), nil)
		if test.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, test.want, test.tls)
	}
}

// A TLS server that closes without TLS's own notice is believed, and one that breaks off in a record is not.
func TestTLSWithoutNotice(t *testing.T) {
	ca := databasetest.NewAuthority(t)
	config := ca.Config("127.0.0.1")
	config.ClientAuth = tls.NoClientCert
	c, _ := client(t, serve(t, func(n int, raw *net.TCPConn) {
		conn := tls.Server(raw, config)
		_, _ = io.Copy(io.Discard, conn)
		if n == 2 {
			_, _ = raw.Write([]byte{23, 3, 3, 0, 99})
		}
		raw.Close()
	}), fmt.Sprintf("tls = {ca = %q}", ca.File()))
	assert.NoError(t, push(t, c, 1))
	assert.ErrorContains(t, push(t, c, 2), "thrown away unread by the peer: unexpected EOF")
}

// What was accepted and is then rejected by name goes with the rest of its batch, and nothing of it is kept.
func TestRejectedIndexes(t *testing.T) {
	g := databasetest.StartGraphite(t, databasetest.Lines)
	c, _ := client(t, g.Address(), "")
	ms := append(loads(1, 2), bad("x")...)
	ms = append(ms, loads(3)...)
	err := c.Send(t.Context(), ms)
	var r *database.Rejected
	require.ErrorAs(t, err, &r)
	assert.Len(t, r.Points, len(ms)-3)
	assert.Equal(t, 2, r.Points[0].Index)
	assert.NoError(t, r.Rest)
	require.NoError(t, c.Confirm(t.Context()))
	assert.Len(t, g.Points(), 3)
}

func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	address := server.LocalAddr().String()
	c := opener(`protocol = "udp"`)(t, address, patient)
	defer c.Close()
	_, confirms := c.(database.Confirmer)
	assert.False(t, confirms)

	var want, got strings.Builder
	ms := make([]aggregator.Metric, 200)
	for i := range ms {
		ms[i] = loads(float64(i))[0]
		fmt.Fprintf(&want, "hpc1.load %d 1753000000\n", i)
	}
	require.NoError(t, c.Send(t.Context(), ms))
	b := make([]byte, 1<<16)
	for got.Len() < want.Len() {
		require.NoError(t, server.SetReadDeadline(time.Now().Add(patient)))
		n, _, err := server.ReadFrom(b)
		require.NoError(t, err)
		assert.LessOrEqual(t, n, datagram)
		assert.Equal(t, byte('\n'), b[n-1], "whole lines")
		got.Write(b[:n])
	}
	assert.Equal(t, want.String(), got.String())

	server.Close()
	assert.ErrorContains(t, c.Send(t.Context(), ms[:1]), "connection refused", "the machine says that nothing listens")
	server, err = net.ListenPacket("udp", address)
	require.NoError(t, err)
	defer server.Close()
	assert.NoError(t, c.Send(t.Context(), ms[:1]))
	n, _, err := server.ReadFrom(b)
	require.NoError(t, err)
	assert.Equal(t, "hpc1.load 0 1753000000\n", string(b[:n]))
}
