package databasetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/clusterload/clusterload/wire"
)

// Protocol is how a Graphite is spoken to.
type Protocol int

const (
	Lines   Protocol = iota
	Pickles          // in carbon's frames
)

// A Graphite is a server in this program that reads what carbon reads, as carbon reads it: an unfinished line is dropped, and
// whoever sends a line of more than 16,384 bytes or a frame of more than 1 MiB is thrown out. What it cannot read it
// notes.
type Graphite struct {
	protocol Protocol
	address  string

	mu       sync.Mutex
	listener net.Listener
	conns    map[*net.TCPConn]bool
	points   map[wire.Point]int // how often each came
	garbage  []string
	wg       sync.WaitGroup
}

// StartGraphite starts an empty server for the length of the test. The test fails where anything came that it could not
// read.
func StartGraphite(t testing.TB, p Protocol) *Graphite {
	g := &Graphite{protocol: p, address: "127.0.0.1:0", conns: map[*net.TCPConn]bool{}, points: map[wire.Point]int{}}
	if err := g.listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.stop()
		for _, s := range g.Garbage() {
			t.Errorf("came at the server, which cannot read it: %s", s)
		}
	})
	return g
}

// Address implements Database.
func (g *Graphite) Address() string { return g.address }

// Stored implements Database, for series spelled as paths or with tags.
func (g *Graphite) Stored(_ context.Context, name string) (map[Key]float64, error) {
	stored := map[Key]float64{}
	for p := range g.Points() {
		of, series, ok := splitPath(p.Path)
		if !ok {
			return nil, fmt.Errorf("%+v was never sent", p)
		}
		if of == name {
			stored[Key{series, p.Time}] = p.Value
		}
	}
	return stored, nil
}

// splitPath returns the labels of a path of the suite.
func splitPath(path string) (name, series string, ok bool) {
	if rest, ok := strings.CutPrefix(path, Cluster+".suite."); ok {
		return strings.Cut(rest, ".")
	}
	words, tags, err := wire.ParseTags(path)
	if err != nil || words != "suite" || len(tags) != 3 || tags[0] != (wire.Tag{Name: "case", Value: tags[0].Value}) ||
		tags[1] != (wire.Tag{Name: "cluster", Value: Cluster}) || tags[2].Name != "series" {
		return "", "", false
	}
	return tags[0].Value, tags[2].Value, true
}

// Points returns what came, and how often.
func (g *Graphite) Points() map[wire.Point]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	points := make(map[wire.Point]int, len(g.points))
	for p, n := range g.points {
		points[p] = n
	}
	return points
}

// Garbage returns what came that it cannot read, and forgets it.
func (g *Graphite) Garbage() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	garbage := g.garbage
	g.garbage = nil
	return garbage
}

// Restart implements Database: connections are reset.
func (g *Graphite) Restart(context.Context) error {
	g.stop()
	return g.listen()
}

func (g *Graphite) stop() {
	g.mu.Lock()
	g.listener.Close()
	g.listener = nil
	for c := range g.conns {
		abort(c)
	}
	g.mu.Unlock()
	g.wg.Wait()
}

func (g *Graphite) listen() error {
	listener, err := net.Listen("tcp", g.address)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.listener, g.address = listener, listener.Addr().String()
	g.mu.Unlock()
	g.wg.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			if conn := c.(*net.TCPConn); g.keep(conn) {
				g.wg.Go(func() { g.serve(conn) })
			}
		}
	})
	return nil
}

// keep notes a connection, unless the server was stopped when it came.
func (g *Graphite) keep(c *net.TCPConn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		abort(c)
		return false
	}
	g.conns[c] = true
	return true
}

func (g *Graphite) serve(c *net.TCPConn) {
	defer func() {
		c.Close()
		g.mu.Lock()
		delete(g.conns, c)
		g.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, maxLine)
	read := g.line
	if g.protocol == Pickles {
		read = g.frame
	}
	for read(r) == nil {
	}
}

const (
	maxLine  = 16384
	maxFrame = 1 << 20
)

func (g *Graphite) line(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		g.refuse("a line of more than %d bytes: %.100q…", maxLine, line)
	}
	if err != nil {
		return err // an unfinished line is dropped
	}
	p, err := wire.ParseLine(line)
	if err != nil {
		g.refuse("%v", err)
		return nil
	}
	g.take(p)
	return nil
}

func (g *Graphite) frame(r *bufio.Reader) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxFrame {
		g.refuse("a frame of %d bytes", n)
		return io.ErrShortBuffer
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return err
	}
	points, err := wire.ParsePickle(b.Bytes())
	if err != nil {
		g.refuse("%v", err)
		return nil
	}
	g.take(points...)
	return nil
}

func (g *Graphite) take(points ...wire.Point) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range points {
		g.points[p]++
	}
}

func (g *Graphite) refuse(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.garbage = append(g.garbage, fmt.Sprintf(format, args...))
}
