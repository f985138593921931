package queue

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payload is the text of block i: no two are equal, in text or in length.
func payload(i int) string {
	return fmt.Sprintf("block %d ", i) + strings.Repeat(string(rune('a'+i%26)), 100+i)
}

func openQueue(t *testing.T, o Options) *Queue {
	t.Helper()
	q, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// put puts blocks from to to-1, block i with i points.
func put(t *testing.T, q *Queue, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		require.NoError(t, q.Put([]byte(payload(i)), i))
	}
}

// take reads n blocks and leaves them out.
func take(t *testing.T, q *Queue, n int) []*Block {
	t.Helper()
	var blocks []*Block
	for range n {
		b, err := q.TryNext()
		require.NoError(t, err)
		require.NotNil(t, b, "want %d blocks, got %d", n, len(blocks))
		blocks = append(blocks, b)
	}
	return blocks
}

// drain acknowledges everything that is ready and returns the numbers of the blocks.
func drain(t *testing.T, q *Queue) []int {
	t.Helper()
	var got []int
	for {
		b, err := q.TryNext()
		require.NoError(t, err)
		if b == nil {
			return got
		}
		got = append(got, number(t, b))
		require.NoError(t, b.Ack())
	}
}

// number checks that a block is as it was put and returns its number.
func number(t *testing.T, b *Block) int {
	t.Helper()
	var i int
	_, err := fmt.Sscanf(string(b.Bytes()), "block %d ", &i)
	require.NoError(t, err, "payload %q", b.Bytes())
	require.Equal(t, payload(i), string(b.Bytes()))
	require.Equal(t, i, b.Points())
	return i
}

func upTo(from, to int) []int {
	var is []int
	for i := from; i < to; i++ {
		is = append(is, i)
	}
	return is
}

func sum(from, to int) (t Tally) {
	for i := from; i < to; i++ {
		t.add(Tally{1, int64(i), headerSize + int64(len(payload(i)))})
	}
	return t
}

func TestOrder(t *testing.T) {
	for _, segment := range []int64{1, 500, 8 << 20} {
		t.Run(fmt.Sprint(segment), func(t *testing.T) {
			q := openQueue(t, Options{Folder: t.TempDir(), SegmentBytes: segment})
			begin := time.Now()
			put(t, q, 1, 30)
			s := q.Stats()
			assert.Equal(t, sum(1, 30), s.Tally)
			assert.WithinRange(t, s.Oldest, begin, time.Now())

			out := take(t, q, 5)
			for i, b := range out {
				assert.Equal(t, i+1, number(t, b))
				assert.WithinRange(t, b.Time(), begin, time.Now())
			}
			out[3].Nack()
			out[1].Nack()
			again := take(t, q, 3)
			for i, want := range []int{2, 4, 6} {
				assert.Equal(t, want, number(t, again[i]), "what came back goes first, in its order")
			}
			for _, b := range append(out, again...) {
				assert.NoError(t, b.Ack(), "and an Ack of what is done with does nothing")
			}
			assert.Equal(t, sum(7, 30), q.Stats().Tally)
			assert.Equal(t, upTo(7, 30), drain(t, q))
			assert.Equal(t, Stats{Disk: q.Stats().Disk}, q.Stats())
		})
	}
}

func TestStaleBlockDoesNothing(t *testing.T) {
	q := openQueue(t, Options{Folder: t.TempDir()})
	put(t, q, 1, 2)
	first := take(t, q, 1)[0]
	first.Nack()
	second := take(t, q, 1)[0]
	require.NoError(t, first.Ack())
	first.Nack()
	assert.EqualValues(t, 1, q.Stats().Blocks)
	b, err := q.TryNext()
	require.NoError(t, err)
	assert.Nil(t, b, "the second holder has it still")
	assert.Equal(t, 1, number(t, second))
}

func TestReopenKeepsWhatIsNotAcknowledged(t *testing.T) {
	for _, segment := range []int64{1, 700, 8 << 20} {
		t.Run(fmt.Sprint(segment), func(t *testing.T) {
			o := Options{Folder: t.TempDir(), SegmentBytes: segment}
			q := openQueue(t, o)
			put(t, q, 1, 21)
			out := take(t, q, 15)
			for _, i := range []int{14, 2, 9, 3, 7} { // in any order
				require.NoError(t, out[i].Ack())
			}
			require.NoError(t, q.Close())
			assert.ErrorIs(t, out[0].Ack(), ErrClosed)
			out[1].Nack()

			q = openQueue(t, o)
			left := []int{1, 2, 5, 6, 7, 9, 11, 12, 13, 14, 16, 17, 18, 19, 20}
			assert.EqualValues(t, len(left), q.Stats().Blocks)
			put(t, q, 21, 23)
			assert.Equal(t, append(left, 21, 22), drain(t, q))
			require.NoError(t, q.Close())

			q = openQueue(t, o)
			assert.Equal(t, Stats{}, q.Stats())
			files, err := filepath.Glob(filepath.Join(o.Folder, "*"))
			require.NoError(t, err)
			assert.Equal(t, []string{filepath.Join(o.Folder, "lock")}, files, "segments that are done are deleted")
		})
	}
}

func TestSegmentsAreDeletedOnTheWay(t *testing.T) {
	d := newDisk(1)
	q := openDisk(t, d, Options{SegmentBytes: 1000})
	put(t, q, 1, 40)
	before := len(d.segmentNames())
	require.Greater(t, before, 5)
	for range 20 {
		require.NoError(t, take(t, q, 1)[0].Ack())
	}
	assert.Less(t, len(d.segmentNames()), before)
	assert.Equal(t, upTo(21, 40), drain(t, q))
	assert.Len(t, d.segmentNames(), 1, "the active one")
	require.NoError(t, q.Close())
	assert.Empty(t, d.segmentNames())
}

func TestEmptyBlock(t *testing.T) {
	o := Options{Folder: t.TempDir()}
	q := openQueue(t, o)
	require.NoError(t, q.Put(nil, 0))
	require.NoError(t, q.Close())
	b := take(t, openQueue(t, o), 1)[0]
	assert.Empty(t, b.Bytes())
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openDisk(t, newDisk(1), Options{})
		blocks, failed := make(chan *Block, 4), make(chan error, 4)
		next := func(ctx context.Context) {
			b, err := q.Next(ctx)
			if err != nil {
				failed <- err
				return
			}
			blocks <- b
		}
		go next(t.Context())
		go next(t.Context())
		synctest.Wait()
		assert.Empty(t, blocks)

		put(t, q, 3, 4)
		synctest.Wait()
		require.Len(t, blocks, 1, "one of the two has it")
		b := <-blocks
		assert.Equal(t, 3, number(t, b))
		b.Nack()
		synctest.Wait()
		require.Len(t, blocks, 1, "a block that comes back wakes the other")
		assert.Equal(t, 3, number(t, <-blocks))

		ctx, cancel := context.WithCancel(t.Context())
		go next(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		assert.ErrorIs(t, <-failed, context.Canceled)

		put(t, q, 4, 5)
		next(ctx)
		assert.Equal(t, 4, number(t, <-blocks), "a block that is ready comes even so")

		go next(t.Context())
		synctest.Wait()
		require.NoError(t, q.Close())
		synctest.Wait()
		assert.ErrorIs(t, <-failed, ErrClosed)
		require.NoError(t, q.Close(), "once more does no harm")
	})
}

func TestClosed(t *testing.T) {
	q := openQueue(t, Options{Folder: t.TempDir()})
	require.NoError(t, q.Close())
	assert.ErrorIs(t, q.Put([]byte("late"), 1), ErrClosed)
	assert.ErrorIs(t, q.Flush(), ErrClosed)
	_, err := q.Next(t.Context())
	assert.ErrorIs(t, err, ErrClosed)
	_, err = q.TryNext()
	assert.ErrorIs(t, err, ErrClosed)
}

func TestOneQueueAFolder(t *testing.T) {
	o := Options{Folder: filepath.Join(t.TempDir(), "queue", "graphite")}
	q := openQueue(t, o)
	_, err := Open(o)
	assert.ErrorIs(t, err, ErrInUse)
	assert.EqualError(t, err, fmt.Sprintf("queue %q: in use by process %d", o.Folder, os.Getpid()))
	require.NoError(t, q.Close())
	openQueue(t, o)
}

func TestModes(t *testing.T) {
	o := Options{Folder: filepath.Join(t.TempDir(), "deep", "queue"), MaxBytes: 2000}
	q := openQueue(t, o)
	put(t, q, 1, 30)
	require.NotZero(t, q.Stats().Dropped)
	require.NoError(t, filepath.Walk(filepath.Dir(o.Folder), func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		assert.Equal(t, want, info.Mode().Perm(), path)
		return err
	}))
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	taken := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(taken, []byte("x"), 0o600))
	for _, test := range []struct {
		name, want string
		o          Options
	}{
		{"negative size", fmt.Sprintf("queue %q: SegmentBytes -1: want a size above zero", folder), Options{Folder: folder, SegmentBytes: -1}},
		{"no folder", fmt.Sprintf("queue %q: mkdir %s: not a directory", taken, taken), Options{Folder: taken}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(test.o)
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestPutRefuses(t *testing.T) {
	q := openQueue(t, Options{Folder: t.TempDir(), MaxBytes: 1000})
	assert.EqualError(t, q.Put(make([]byte, 905), 1), fmt.Sprintf("queue %q: block is too large: 905 bytes: want at most 904", q.o.Folder))
	assert.EqualError(t, q.Put(nil, -1), fmt.Sprintf("queue %q: block of -1 points: want 0 to 4294967295", q.o.Folder))
	assert.Zero(t, q.Stats().Blocks)
	require.NoError(t, q.Put(make([]byte, 904), 1))
	assert.EqualValues(t, 1000, q.Stats().Disk)
	require.NoError(t, q.Put(make([]byte, 904), 2))
	assert.EqualValues(t, 1000, q.Stats().Disk)
	assert.Equal(t, Tally{1, 1, 936}, q.Stats().Dropped)
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	o := Options{Folder: t.TempDir()}
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	names := []string{"README", "0000000000000001-0000000000000002.v2", "0000000000000000-0000000000000002.v1",
		"ffffffffffffffff-0000000000000002.v1", "0000000000000001-0000000000000002.v1.bak"}
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(o.Folder, name), []byte("not ours"), 0o600))
	}
	folder := filepath.Join(o.Folder, "0000000000000003-0000000000000004.v1")
	require.NoError(t, os.Mkdir(folder, 0o700))
	q := openQueue(t, o)
	assert.Contains(t, log.String(), "README")
	put(t, q, 1, 3)
	assert.Equal(t, upTo(1, 3), drain(t, q))
	require.NoError(t, q.Close())
	for _, name := range names {
		assert.FileExists(t, filepath.Join(o.Folder, name))
	}
	assert.DirExists(t, folder)
}

func TestConcurrentUse(t *testing.T) {
	q := openQueue(t, Options{Folder: t.TempDir(), SegmentBytes: 4000})
	const writers, each = 4, 60
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				assert.NoError(t, q.Put([]byte(payload(w*each+i)), w*each+i))
				q.Stats()
			}
		})
	}
	var mu sync.Mutex
	got := map[int]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r := range 3 {
		wait.Go(func() {
			for n := 0; ; n++ {
				b, err := q.Next(ctx)
				if err != nil {
					return
				}
				if (n+r)%5 == 0 {
					b.Nack()
					continue
				}
				i := number(t, b)
				mu.Lock()
				assert.False(t, got[i], "block %d came twice", i)
				got[i] = true
				all := len(got) == writers*each
				mu.Unlock()
				assert.NoError(t, b.Ack())
				if all {
					cancel()
				}
			}
		})
	}
	wait.Wait()
	assert.Len(t, got, writers*each)
	assert.Zero(t, q.Stats().Tally)
}
