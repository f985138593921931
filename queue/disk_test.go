package queue

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// disk is a file system in memory that knows what is synced: crash forgets some of the rest. Each operation can be made
// to fail.
type disk struct {
	mu     sync.Mutex
	names  map[string]*inode
	synced map[string]*inode
	moves  []move // changes of names since the folder was synced, in order
	locked bool
	random *rand.Rand
	fail   func(op, name string) error // nil: nothing fails
	ops    map[string]int              // calls by operation
	read   int                         // bytes read
}

// move is a change of a folder: name now means node, or nothing.
type move struct {
	name string
	node *inode
}

type inode struct {
	data   []byte // as reads see it
	synced []byte // as it is on the disk
	writes []write
}

// write is a change of a file that is not synced.
type write struct {
	at       int64
	data     []byte
	truncate bool // to at
}

const sector = 512

func newDisk(seed uint64) *disk {
	return &disk{names: map[string]*inode{}, synced: map[string]*inode{}, ops: map[string]int{},
		random: rand.New(rand.NewPCG(seed, 7))}
}

// do counts an operation and returns the error that it is to fail with.
func (d *disk) do(op, name string) error {
	d.ops[op]++
	if d.fail == nil {
		return nil
	}
	if err := d.fail(op, filepath.Base(name)); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

func (d *disk) setFail(fail func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

func (d *disk) MakeFolder(string) error { return nil }

func (d *disk) Lock(string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, &inUse{}
	}
	d.locked = true
	return closer(func() { d.mu.Lock(); d.locked = false; d.mu.Unlock() }), nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

func (d *disk) List(string) ([]fileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("list", ""); err != nil {
		return nil, err
	}
	var infos []fileInfo
	for name := range d.names {
		infos = append(infos, fileInfo{filepath.Base(name), true})
	}
	return infos, nil
}

func (d *disk) Create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("create", name); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	n := &inode{}
	d.names[name] = n
	d.moves = append(d.moves, move{name, n})
	return &handle{d: d, n: n, name: name}, nil
}

func (d *disk) Open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("open", name); err != nil {
		return nil, err
	}
	n := d.names[name]
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &handle{d: d, n: n, name: name}, nil
}

func (d *disk) Read(name string) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	size, _ := f.Size()
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	return b, err
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("rename", to); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	d.moves = append(d.moves, move{to, d.names[to]}, move{from, nil})
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(d.names, name)
	d.moves = append(d.moves, move{name, nil})
	return nil
}

func (d *disk) SyncFolder(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.do("syncfolder", ""); err != nil {
		return err
	}
	d.settle(len(d.moves))
	return nil
}

// settle brings the first n changes of names to the disk.
func (d *disk) settle(n int) {
	for _, m := range d.moves[:n] {
		if m.node == nil {
			delete(d.synced, m.name)
		} else {
			d.synced[m.name] = m.node
		}
	}
	d.moves = slices.Delete(d.moves, 0, n)
}

// crash returns the disk as the machine finds it when it starts again.
func (d *disk) crash() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle(d.random.IntN(len(d.moves) + 1))
	after := newDisk(d.random.Uint64())
	for name, n := range d.synced {
		n.lose(d.random)
		after.names[name] = &inode{data: slices.Clone(n.synced), synced: slices.Clone(n.synced)}
		after.synced[name] = after.names[name]
	}
	return after
}

// lose brings some sectors of what was not synced to the disk, and forgets the rest.
func (n *inode) lose(random *rand.Rand) {
	for _, w := range n.writes {
		if w.truncate {
			if random.IntN(2) == 0 {
				n.synced = resize(n.synced, w.at)
			}
			continue
		}
		for len(w.data) > 0 {
			piece := min(int64(len(w.data)), sector-w.at%sector)
			if random.IntN(2) == 0 {
				n.synced = writeAt(n.synced, w.data[:piece], w.at)
			}
			w.data, w.at = w.data[piece:], w.at+piece
		}
	}
	n.writes = nil
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func writeAt(b, p []byte, at int64) []byte {
	b = resize(b, max(int64(len(b)), at+int64(len(p))))
	copy(b[at:], p)
	return b
}

// handle is an open file.
type handle struct {
	d      *disk
	n      *inode
	name   string
	closed bool
}

func (h *handle) do(op string) error {
	if h.closed {
		return fs.ErrClosed
	}
	return h.d.do(op, h.name)
}

func (h *handle) ReadAt(p []byte, at int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.do("read"); err != nil {
		return 0, err
	}
	if at >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.n.data[at:])
	h.d.read += n
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, at int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	err := h.do("write")
	if errors.Is(err, fs.ErrClosed) {
		return 0, err
	}
	if err != nil { // as a full disk does: some of it is written
		p = p[:h.d.random.IntN(len(p)+1)]
	}
	h.n.data = writeAt(h.n.data, p, at)
	h.n.writes = append(h.n.writes, write{at: at, data: slices.Clone(p)})
	return len(p), err
}

func (h *handle) Size() (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return int64(len(h.n.data)), h.do("size")
}

func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.do("truncate"); err != nil {
		return err
	}
	h.n.data = resize(h.n.data, size)
	h.n.writes = append(h.n.writes, write{at: size, truncate: true})
	return nil
}

// Sync that fails does as Linux does: what was not written is lost, reads go on showing it, and the next sync is well.
func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.do("sync"); err != nil {
		h.n.lose(h.d.random)
		return err
	}
	for _, w := range h.n.writes {
		if w.truncate {
			h.n.synced = resize(h.n.synced, w.at)
		} else {
			h.n.synced = writeAt(h.n.synced, w.data, w.at)
		}
	}
	h.n.writes = nil
	return nil
}

func (h *handle) Close() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.closed {
		return fs.ErrClosed
	}
	h.closed = true
	return nil
}

// segmentNames lists the segment files on the disk, oldest first.
func (d *disk) segmentNames() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for name := range d.names {
		if strings.HasSuffix(name, ".v1") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// openDisk opens a queue on a disk of the tests; the options need no folder.
func openDisk(t *testing.T, d *disk, o Options) *Queue {
	t.Helper()
	o.Folder = "/q"
	q, err := open(o, d)
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}
