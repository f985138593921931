package queue

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// floor is the least that a durable append can do: one write and one fdatasync.
type floor struct {
	f  osFile
	at int64
}

func newFloor(b *testing.B) *floor {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	return &floor{f: osFile{f}}
}

func (f *floor) append(b *testing.B, p []byte) {
	if f.at > 8<<20 { // as long as a segment
		f.at = 0
		require.NoError(b, f.f.Truncate(0))
	}
	_, err := f.f.WriteAt(p, f.at)
	require.NoError(b, err)
	require.NoError(b, f.f.Sync())
	f.at += int64(len(p))
}

// BenchmarkPut compares a Put, and a Put with its Next and Ack, to one write and fdatasync of the same bytes to the same
// disk, turn by turn: ×floor is the ratio.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{600, 60_000, 600_000} { // 10, 1,000 and 10,000 metrics
		for _, ack := range []bool{false, true} {
			b.Run(fmt.Sprintf("bytes=%d/ack=%t", size, ack), func(b *testing.B) {
				p := bytes.Repeat([]byte("hpc1.partition.batch.jobs.running 1234 1700000000\n"), size/50+1)[:size]
				f := newFloor(b)
				q, err := Open(Options{Folder: b.TempDir(), MaxBytes: 256 << 20})
				require.NoError(b, err)
				defer q.Close()
				var ours, least time.Duration
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					begin := time.Now()
					f.append(b, p)
					middle := time.Now()
					require.NoError(b, q.Put(p, 1000))
					if ack {
						block, err := q.Next(b.Context())
						require.NoError(b, err)
						require.NoError(b, block.Ack())
					}
					ours += time.Since(middle)
					least += middle.Sub(begin)
				}
				b.ReportMetric(ours.Seconds()/least.Seconds(), "×floor")
				b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/put")
			})
		}
	}
}

// BenchmarkNext reads a backlog.
func BenchmarkNext(b *testing.B) {
	p := bytes.Repeat([]byte("x"), 60_000)
	q, err := Open(Options{Folder: b.TempDir()})
	require.NoError(b, err)
	defer q.Close()
	b.ReportAllocs()
	b.SetBytes(int64(len(p)))
	for i := 0; b.Loop(); i++ {
		if i%512 == 0 {
			b.StopTimer()
			for range 512 {
				require.NoError(b, q.Put(p, 1000))
			}
			b.StartTimer()
		}
		block, err := q.Next(b.Context())
		require.NoError(b, err)
		require.NoError(b, block.Ack())
	}
}

// BenchmarkOpen opens a queue with a backlog.
func BenchmarkOpen(b *testing.B) {
	for _, segments := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("segments=%d", segments), func(b *testing.B) {
			o := Options{Folder: b.TempDir(), SegmentBytes: 100, MaxBytes: 1 << 30}
			q, err := Open(o)
			require.NoError(b, err)
			for i := range segments {
				require.NoError(b, q.Put([]byte(payload(i)), i))
			}
			require.NoError(b, q.Close())
			b.ReportAllocs()
			for b.Loop() {
				q, err := Open(o)
				require.NoError(b, err)
				require.EqualValues(b, segments, q.Stats().Blocks)
				require.NoError(b, q.Close())
			}
		})
	}
}
