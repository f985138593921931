package queue

import (
	"bytes"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFullDropsTheOldest(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		var log bytes.Buffer
		d := newDisk(1)
		o := Options{MaxBytes: 4000, SegmentBytes: 600, Log: logTo(&log)}
		q := openDisk(t, d, o)
		for i := 1; i < 100; i++ {
			put(t, q, i, i+1)
			assert.LessOrEqual(t, q.Stats().Disk, o.MaxBytes)
			if reopen && i%7 == 0 {
				require.NoError(t, q.Close())
				q = openDisk(t, d, o)
			}
		}
		s := q.Stats()
		assert.Greater(t, s.Disk, o.MaxBytes-o.MaxBytes/4, "the room is used")
		got := drain(t, q)
		require.NotEmpty(t, got)
		assert.Equal(t, upTo(got[0], 100), got, "only the oldest went")
		assert.Equal(t, sum(1, got[0]), s.Dropped)
		put(t, q, 100, 101)
		if !reopen {
			assert.Equal(t, 1, strings.Count(log.String(), "queue is full"), "%s", &log)
			assert.Equal(t, 1, strings.Count(log.String(), "no longer full"), "%s", &log)
		}
		require.NoError(t, q.Close())
		assert.Equal(t, sum(1, got[0]), openDisk(t, d, o).Stats().Dropped, "the count outlives a restart")
	}
}

// TestDropCountsOnlyWhatIsLeft has acknowledged blocks in the segments that go.
func TestDropCountsOnlyWhatIsLeft(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		d := newDisk(1)
		o := Options{MaxBytes: 4000, SegmentBytes: 1000}
		q := openDisk(t, d, o)
		put(t, q, 1, 10)
		out := take(t, q, 4)
		require.NoError(t, out[1].Ack())
		require.NoError(t, out[3].Ack())
		out[0].Nack()
		out[2].Nack()
		if reopen {
			require.NoError(t, q.Close())
			q = openDisk(t, d, o)
		}
		put(t, q, 10, 50)
		s := q.Stats()
		got := drain(t, q)
		want := sum(1, got[0])
		want.sub(sum(2, 3))
		want.sub(sum(4, 5))
		assert.Equal(t, want, s.Dropped)
	}
}

func TestDropOfBlocksThatAreOut(t *testing.T) {
	d := newDisk(1)
	o := Options{MaxBytes: 4000, SegmentBytes: 1000}
	q := openDisk(t, d, o)
	put(t, q, 1, 10)
	out := take(t, q, 3)
	put(t, q, 10, 50)
	for i, b := range out {
		assert.Equal(t, i+1, number(t, b), "the bytes are still there")
	}
	left := take(t, q, 1)[0]
	first := number(t, left)
	left.Nack()
	assert.Equal(t, sum(4, first), q.Stats().Dropped, "what is out is not lost yet")
	require.NoError(t, out[1].Ack())
	require.NoError(t, out[1].Ack())
	out[0].Nack()
	out[0].Nack()
	want := sum(4, first)
	want.add(sum(1, 2))
	assert.Equal(t, want, q.Stats().Dropped, "delivered: not dropped; given back: dropped")

	after := d.crash()
	want.add(sum(3, 4))
	want.add(sum(2, 3)) // the count on the disk is from before its Ack
	assert.Equal(t, want, openDisk(t, after, o).Stats().Dropped, "a crash leaves open whether block 3 was delivered")

	require.NoError(t, q.Close())
	want.sub(sum(2, 3))
	assert.Equal(t, want, openDisk(t, d, o).Stats().Dropped)
}

// TestCrashWhileDropping crashes between saving the count and deleting the file, and before.
func TestCrashWhileDropping(t *testing.T) {
	for _, test := range []struct{ op, name string }{{"remove", "0"}, {"rename", "dropped"}, {"create", "dropped"}, {"sync", "dropped"}} {
		t.Run(test.op, func(t *testing.T) {
			op := test.op
			d := newDisk(1)
			o := Options{MaxBytes: 4000, SegmentBytes: 1000}
			q := openDisk(t, d, o)
			put(t, q, 1, 20)
			d.setFail(func(failed, name string) error {
				if failed == op && strings.HasPrefix(name, test.name) {
					return syscall.EIO
				}
				return nil
			})
			put(t, q, 20, 60)
			running := q.Stats().Dropped
			after := d.crash()
			if op != "remove" {
				d.setFail(nil)
				require.NoError(t, q.Close(), "saved at the latest when it closes")
				after = d
			}
			q = openDisk(t, after, o)
			s := q.Stats()
			assert.Equal(t, running, s.Dropped)
			got := drain(t, q)
			assert.Equal(t, upTo(got[0], 60), got)
			assert.Equal(t, sum(1, got[0]), s.Dropped, "neither twice nor not at all")
		})
	}
}

func TestDamagedCountOfDrops(t *testing.T) {
	d := newDisk(1)
	o := Options{MaxBytes: 4000}
	q := openDisk(t, d, o)
	put(t, q, 1, 60)
	left := q.Stats().Blocks
	require.NoError(t, q.Close())
	d.names["/q/dropped"].data[20] ^= 1
	q = openDisk(t, d, o)
	assert.Zero(t, q.Stats().Dropped)
	assert.Equal(t, left, q.Stats().Blocks)
}

// FuzzParseDropped writes any count, reads it back, and wants a line that is altered anywhere to be refused.
func FuzzParseDropped(f *testing.F) {
	f.Add(int64(3), int64(3000), int64(180123), uint64(17), uint8(5), byte(1))
	f.Add(int64(0), int64(math.MaxInt64), int64(-1), uint64(math.MaxUint64), uint8(70), byte(0x80))
	f.Fuzz(func(t *testing.T, blocks, points, bytes int64, through uint64, at uint8, flip byte) {
		line := []byte(dropsLine(Tally{blocks, points, bytes}, through))
		tally, last, ok := parseDropped(string(line))
		require.True(t, ok, "%q", line)
		assert.Equal(t, Tally{blocks, points, bytes}, tally)
		assert.Equal(t, through, last)
		if flip != 0 {
			line[int(at)%len(line)] ^= flip
			_, _, ok = parseDropped(string(line))
			assert.False(t, ok, "%q", line)
		}
	})
}
