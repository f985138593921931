package receiver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A shelf keeps points in the order in which they were committed.
type shelf struct {
	mu     sync.Mutex
	points []string
	synced int
	full   error // what Add answers
	broken error // what Commit answers
}

type shelfBatch struct {
	shelf  *shelf
	points []string
}

func (b *shelfBatch) Add(path string, at int64, value float64) error {
	b.shelf.mu.Lock()
	defer b.shelf.mu.Unlock()
	if b.shelf.full != nil {
		return b.shelf.full
	}
	if path == "bad" {
		return errors.New("bad path")
	}
	b.points = append(b.points, fmt.Sprintf("%s %g %d", path, value, at))
	return nil
}
func (b *shelfBatch) Len() int  { return len(b.points) }
func (b *shelfBatch) Rollback() { b.points = nil }
func (b *shelfBatch) Commit() error {
	b.shelf.mu.Lock()
	defer b.shelf.mu.Unlock()
	if b.shelf.broken != nil {
		return b.shelf.broken
	}
	b.shelf.points = append(b.shelf.points, b.points...)
	b.points = nil
	return nil
}

// kept is what was committed.
func (s *shelf) kept() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.points
}

type fullError struct{}

func (fullError) Error() string { return "full" }
func (fullError) Retry() bool   { return true }

func listenTest(t *testing.T, s *shelf, address string, p Protocol) *Receiver {
	t.Helper()
	r, err := Listen(address, p, Config{NewBatch: func() Batch { return &shelfBatch{shelf: s} }, Sync: func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.synced = len(s.points)
		return nil
	}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// deliver sends bytes, half-closes, and returns what the receiver's end says: nil for the end of stream.
func deliver(t *testing.T, a net.Addr, data []byte) error {
	t.Helper()
	conn, err := net.Dial(a.Network(), a.String())
	require.NoError(t, err)
	defer conn.Close()
	if _, err := conn.Write(data); err != nil {
		return err
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

func frame(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// pickled is what Python's pickle.dumps([('a.b', (1760011200, 1.5)), ('c', (1760011210, 2))], protocol=0) gives.
const pickled = "(lp0\n(Va.b\np1\n(I1760011200\nF1.5\ntp2\ntp3\na(Vc\np4\n(I1760011210\nI2\ntp5\ntp6\na."

func TestReceive(t *testing.T) {
	var long strings.Builder
	var all []string
	for i := range 25_000 {
		fmt.Fprintf(&long, "many.s%d %d.5 %d\n", i, i, 1760000000+i)
		all = append(all, fmt.Sprintf("many.s%d %d.5 %d", i, i, 1760000000+i))
	}
	tests := []struct {
		name     string
		protocol Protocol
		data     []byte
		want     []string
		ok       bool // the end of stream, no reset
	}{
		{"lines", Line, []byte("a.b 1.5 1760011200\r\n\n  c;t=v\t2 1760011210.9 \n"), []string{"a.b 1.5 1760011200", "c;t=v 2 1760011210"}, true},
		{"now", Line, []byte("a 3 -1\n"), []string{"a 3 0"}, true},
		{"bad lines", Line, []byte("a b\nbad 1 1760011200\na nan 1760011200\nx 7 1760011200\n\xff\xfe\n"), []string{"x 7 1760011200"}, true},
		{"torn line", Line, []byte("a 1 1760011200\nb 2 1760011"), []string{"a 1 1760011200"}, true},
		{"nothing", Line, nil, nil, true},
		{"many", Line, []byte(long.String()), all, true},
		{"endless line", Line, append([]byte("a 1 1760011200\n"), make([]byte, 200_000)...), []string{"a 1 1760011200"}, false},
		{"pickle", Pickle, append(frame(pickled), frame(pickled)...), []string{"a.b 1.5 1760011200", "c 2 1760011210", "a.b 1.5 1760011200", "c 2 1760011210"}, true},
		{"bad pickle", Pickle, append(frame("cos\nsystem\n(S'true'\ntR."), frame(pickled)...), []string{"a.b 1.5 1760011200", "c 2 1760011210"}, true},
		{"torn pickle", Pickle, frame(pickled)[:40], nil, false},
		{"huge pickle", Pickle, []byte("\xff\xff\xff\xff"), nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, address := range []string{"127.0.0.1:0", filepath.Join(t.TempDir(), "socket")} {
				s := &shelf{}
				r := listenTest(t, s, address, test.protocol)
				err := deliver(t, r.Addr(), test.data)
				if test.ok {
					assert.NoError(t, err)
				} else if r.Addr().Network() == "tcp" {
					assert.Error(t, err, "want a reset")
				}
				require.NoError(t, r.Close())
				assert.Equal(t, test.want, s.kept())
				if test.ok {
					assert.Equal(t, len(test.want), s.synced, "forced to the disk before the end")
				}
			}
		})
	}
}

// TestFull shows that a sender is reset, and keeps its points, while nothing can be kept.
func TestFull(t *testing.T) {
	for name, s := range map[string]*shelf{"add": {full: fullError{}}, "commit": {broken: fullError{}}} {
		r := listenTest(t, s, "127.0.0.1:0", Line)
		assert.Error(t, deliver(t, r.Addr(), []byte("a 1 1760011200\nb 2 1760011200\n")), name)
		assert.Empty(t, s.kept())
		s.mu.Lock()
		s.full, s.broken = nil, nil
		s.mu.Unlock()
		assert.NoError(t, deliver(t, r.Addr(), []byte("a 1 1760011200\n")))
		assert.Equal(t, []string{"a 1 1760011200"}, s.kept(), name)
	}
}

// TestClose ends connections that are open: with a reset, since their senders have not ended.
func TestClose(t *testing.T) {
	s := &shelf{}
	r := listenTest(t, s, "127.0.0.1:0", Line)
	conn, err := net.Dial("tcp", r.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("a 1 1760011200\n"))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = io.ReadAll(conn)
	assert.Error(t, err)
}

func TestSocketInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	r := listenTest(t, &shelf{}, path, Line)
	_, err := Listen(path, Line, Config{})
	assert.ErrorContains(t, err, "in use")
	require.NoError(t, r.Close())
	listenTest(t, &shelf{}, path, Line)
}
