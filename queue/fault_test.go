package queue

import (
	"bytes"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failing fails the operations of a list, separated by spaces, with err.
func failing(ops string, err error) func(op, name string) error {
	return func(op, _ string) error {
		if strings.Contains(" "+ops+" ", " "+op+" ") {
			return err
		}
		return nil
	}
}

func logTo(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// TestDiskFailsAndComesBack fails each operation that Put needs, with each error, when the queue is empty and when it
// is not, and asks for every block in its order, without a restart and with one.
func TestDiskFailsAndComesBack(t *testing.T) {
	for _, op := range []string{"write", "sync", "create", "syncfolder", "write truncate", "sync truncate", "create write sync truncate remove rename"} {
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			for _, before := range []int{1, 6} {
				t.Run(op+"/"+errno.Error(), func(t *testing.T) {
					var log bytes.Buffer
					d := newDisk(uint64(before))
					q := openDisk(t, d, Options{SegmentBytes: 700, Log: logTo(&log)})
					put(t, q, 1, before)
					d.setFail(failing(op, errno))
					put(t, q, before, 20)
					s := q.Stats()
					require.ErrorIs(t, s.Err, errno)
					assert.Equal(t, sum(1, 20), s.Tally)
					assert.Equal(t, 1, strings.Count(log.String(), "cannot write"), "%s", &log)
					assert.Positive(t, s.Memory.Blocks)
					assert.Zero(t, s.Dropped)

					out := take(t, q, 3)                 // some from memory: they are still delivered
					if err := out[0].Ack(); err != nil { // block 1 may come again after a restart
						assert.ErrorIs(t, err, errno)
					}
					d.setFail(nil)
					require.NoError(t, q.Flush())
					assert.NoError(t, q.Stats().Err)
					assert.Zero(t, q.Stats().Memory)
					assert.Equal(t, 1, strings.Count(log.String(), "writes to the disk again"), "%s", &log)
					for i, b := range out[1:] {
						assert.Equal(t, i+2, number(t, b), "bytes stay valid while the block moves to the disk")
					}
					out[2].Nack()
					require.NoError(t, out[1].Ack())
					put(t, q, 20, 22)
					assert.Equal(t, sum(3, 22), q.Stats().Tally)
					require.NoError(t, q.Close())

					if !strings.Contains(op, "truncate") {
						assert.Zero(t, openDisk(t, d.crashNothing(), Options{}).Stats().Damaged, "nothing is left of what failed")
					}
					q = openDisk(t, d.crash(), Options{})
					assert.Subset(t, upTo(1, 22), drainAfterCrash(t, q, upTo(3, 22)))
				})
			}
		}
	}
}

// drainAfterCrash reads everything, and wants the blocks of want, in order; some before them may come again.
func drainAfterCrash(t *testing.T, q *Queue, want []int) []int {
	t.Helper()
	got := drain(t, q)
	assert.Subset(t, got, want)
	assert.IsIncreasing(t, append([]int{0}, got...))
	return got
}

// TestSyncFails wants a new file: what a sync that failed once says of the old one later is not to be trusted.
func TestSyncFails(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{})
	put(t, q, 1, 2)
	first := d.segmentNames()[0]
	failed := false
	d.setFail(func(op, _ string) error {
		if op == "sync" && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	})
	put(t, q, 2, 3)
	require.True(t, failed)
	assert.NoError(t, q.Stats().Err, "the second try stands")
	assert.Zero(t, q.Stats().Memory)
	size := len(d.names[first].data)
	put(t, q, 3, 4)
	assert.Len(t, d.names[first].data, size, "the old file gets no more")
	assert.Equal(t, upTo(1, 4), drain(t, q))
}

// TestNothingIsLeftOfWhatFailed has a write, and a sync, that fail for a long block; a short one follows.
func TestNothingIsLeftOfWhatFailed(t *testing.T) {
	for _, op := range []string{"write", "sync"} {
		t.Run(op, func(t *testing.T) {
			d := newDisk(3)
			q := openDisk(t, d, Options{MemoryBytes: 1})
			put(t, q, 1, 2)
			d.setFail(failing(op, syscall.EIO))
			put(t, q, 90, 91) // too large for the memory: it is dropped
			d.setFail(nil)
			put(t, q, 2, 3)
			q = openDisk(t, d.crashNothing(), Options{})
			assert.Equal(t, upTo(1, 3), drain(t, q))
			assert.Zero(t, q.Stats().Damaged)
		})
	}
}

// TestAckWhileItIsWritten acknowledges a block from memory in the moment in which it is written to the disk.
func TestAckWhileItIsWritten(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{})
	d.setFail(failing("create", syscall.ENOSPC))
	put(t, q, 1, 4)
	out := take(t, q, 2)
	d.setFail(func(op, _ string) error {
		if op == "sync" {
			assert.NoError(t, out[0].Ack())
		}
		return nil
	})
	require.NoError(t, q.Flush())
	assert.Equal(t, sum(2, 4), q.Stats().Tally)
	assert.Equal(t, []int{3}, drain(t, q))
	assert.Equal(t, upTo(2, 3), drain(t, openDisk(t, d.crashNothing(), Options{})))
	assert.NoError(t, out[1].Ack())
	assert.Zero(t, q.Stats().Tally)
}

// TestFullDiskIsFreed fills the disk with the queue's own blocks: once they are acknowledged there is room again.
func TestFullDiskIsFreed(t *testing.T) {
	d := newDisk(2)
	q := openDisk(t, d, Options{})
	d.setFail(func(op, name string) error {
		total := 0
		for _, n := range d.names {
			total += len(n.data)
		}
		if op == "write" && total > 2000 {
			return syscall.ENOSPC
		}
		return nil
	})
	put(t, q, 1, 30)
	require.ErrorIs(t, q.Stats().Err, syscall.ENOSPC)
	onDisk := int(q.Stats().Blocks - q.Stats().Memory.Blocks)
	require.Greater(t, onDisk, 5)
	for range onDisk {
		_ = take(t, q, 1)[0].Ack()
	}
	put(t, q, 30, 31)
	s := q.Stats()
	assert.Greater(t, s.Blocks-s.Memory.Blocks, int64(5), "as many again")
	assert.Len(t, d.segmentNames(), 1)
	d.setFail(nil)
	assert.Equal(t, upTo(onDisk+1, 31), drain(t, q))
}

// TestMarkFails is the fault that an Ack can meet.
func TestMarkFails(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{})
	put(t, q, 1, 4)
	d.setFail(failing("write", syscall.EIO))
	b := take(t, q, 1)[0]
	err := b.Ack()
	require.ErrorIs(t, err, syscall.EIO)
	assert.ErrorContains(t, err, `queue "/q": acknowledge: `)
	assert.Equal(t, []int{2}, []int{number(t, take(t, q, 1)[0])}, "it does not come again")
	d.setFail(nil)
	require.NoError(t, q.Close())
	assert.Equal(t, upTo(1, 4), drain(t, openDisk(t, d, Options{})), "but after a restart")
}

func TestMemoryIsBounded(t *testing.T) {
	d := newDisk(1)
	room := sum(11, 20).Bytes
	q := openDisk(t, d, Options{MemoryBytes: room})
	put(t, q, 1, 3)
	d.setFail(failing("write", syscall.ENOSPC))
	put(t, q, 3, 20)
	s := q.Stats()
	assert.Equal(t, sum(11, 20), s.Memory)
	assert.Equal(t, sum(3, 11), s.Dropped)
	assert.NoError(t, q.Put(make([]byte, room), 77), "one too large for the memory is dropped too, and all before it")
	s.Dropped.add(sum(11, 20))
	s.Dropped.add(Tally{1, 77, room + headerSize})
	assert.Equal(t, s.Dropped, q.Stats().Dropped)
	d.setFail(nil)
	put(t, q, 30, 32)
	assert.Equal(t, []int{1, 2, 30, 31}, drain(t, q))
	require.NoError(t, q.Close())
	assert.Equal(t, s.Dropped, openDisk(t, d, Options{}).Stats().Dropped, "the count outlives a restart")
}

func TestHandedOutFromMemoryIsNotDropped(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{MemoryBytes: sum(4, 6).Bytes})
	d.setFail(failing("create", syscall.ENOSPC))
	put(t, q, 1, 2)
	b := take(t, q, 1)[0]
	put(t, q, 2, 6)
	assert.Equal(t, 1, number(t, b))
	b.Nack()
	d.setFail(nil)
	assert.Equal(t, []int{1, 5}, drain(t, q))
	assert.Equal(t, sum(2, 5), q.Stats().Dropped)
}

func TestCloseSaysWhatIsLost(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{})
	put(t, q, 1, 3)
	d.setFail(failing("write", syscall.ENOSPC))
	put(t, q, 3, 7)
	err := q.Close()
	require.ErrorIs(t, err, syscall.ENOSPC)
	assert.ErrorContains(t, err, `queue "/q": 4 blocks in memory are lost: `)
	d.setFail(nil)
	assert.Equal(t, upTo(1, 3), drain(t, openDisk(t, d, Options{})))
}

func TestCloseWritesWhatIsInMemory(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{})
	d.setFail(failing("sync", syscall.EIO))
	put(t, q, 1, 4)
	d.setFail(nil)
	require.NoError(t, q.Close())
	assert.Equal(t, upTo(1, 4), drain(t, openDisk(t, d, Options{})))
}

// TestReadErrors tells errors that may pass from those that do not.
func TestReadErrors(t *testing.T) {
	t.Run("too many open files: it is tried again", func(t *testing.T) {
		d := newDisk(1)
		q := openDisk(t, d, Options{})
		put(t, q, 1, 4)
		require.NoError(t, q.Close())
		q = openDisk(t, d, Options{})
		d.setFail(failing("open", syscall.EMFILE))
		_, err := q.TryNext()
		require.ErrorIs(t, err, syscall.EMFILE)
		assert.ErrorContains(t, err, `queue "/q": open /q/0000000000000001-`)
		d.setFail(nil)
		assert.Equal(t, upTo(1, 4), drain(t, q))
	})
	t.Run("no memory for a read: it is tried again", func(t *testing.T) {
		d := newDisk(1)
		q := openDisk(t, d, Options{})
		put(t, q, 1, 4)
		d.setFail(failing("read", syscall.ENOMEM))
		_, err := q.TryNext()
		require.ErrorIs(t, err, syscall.ENOMEM)
		d.setFail(nil)
		assert.Equal(t, upTo(1, 4), drain(t, q))
	})
	t.Run("a bad sector under a payload: skipped, kept for the next start", func(t *testing.T) {
		d := newDisk(1)
		q := openDisk(t, d, Options{})
		put(t, q, 1, 2)
		d.setFail(failing("read", syscall.EIO))
		b, err := q.TryNext()
		require.NoError(t, err)
		require.Nil(t, b)
		assert.Equal(t, sum(1, 2), q.Stats().Damaged)
		assert.Zero(t, q.Stats().Tally)
		d.setFail(nil)
		put(t, q, 2, 4)
		assert.Equal(t, upTo(2, 4), drain(t, q))
		require.NoError(t, q.Close())
		assert.Equal(t, upTo(1, 2), drain(t, openDisk(t, d, Options{})))
	})
	t.Run("a bad sector under a header: the file waits for the next start", func(t *testing.T) {
		d := newDisk(1)
		q := openDisk(t, d, Options{SegmentBytes: 1})
		put(t, q, 1, 4)
		require.NoError(t, q.Close())
		q = openDisk(t, d, Options{})
		first := d.segmentNames()[0]
		d.setFail(func(op, name string) error {
			if op == "read" && strings.HasSuffix(first, name) {
				return syscall.EIO
			}
			return nil
		})
		assert.Equal(t, upTo(2, 4), drain(t, q))
		assert.Equal(t, sum(1, 2), q.Stats().Damaged)
		require.NoError(t, q.Close())
		d.setFail(nil)
		assert.Equal(t, upTo(1, 2), drain(t, openDisk(t, d, Options{})))
	})
	t.Run("a file that somebody deleted", func(t *testing.T) {
		d := newDisk(1)
		q := openDisk(t, d, Options{SegmentBytes: 1})
		put(t, q, 1, 4)
		require.NoError(t, q.Close())
		q = openDisk(t, d, Options{})
		require.NoError(t, d.Remove(d.segmentNames()[1]))
		assert.Equal(t, []int{1, 3}, drain(t, q))
		assert.Equal(t, sum(2, 3), q.Stats().Damaged)
		assert.Zero(t, q.Stats().Tally)
	})
}

// TestOpenFails asks that a failed Open lets the folder go.
func TestOpenFails(t *testing.T) {
	for _, test := range []struct {
		op  string
		err error
	}{{"list", fs.ErrPermission}, {"open", fs.ErrPermission}, {"size", syscall.EIO}} {
		t.Run(test.op, func(t *testing.T) {
			d := newDisk(1)
			q := openDisk(t, d, Options{})
			put(t, q, 1, 3)
			require.NoError(t, q.Close())
			d.setFail(failing(test.op, test.err))
			_, err := open(Options{Folder: "/q"}, d)
			require.ErrorIs(t, err, test.err)
			assert.ErrorContains(t, err, `queue "/q": `)
			d.setFail(nil)
			assert.Equal(t, upTo(1, 3), drain(t, openDisk(t, d, Options{})))
		})
	}
}
