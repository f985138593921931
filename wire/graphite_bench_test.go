package wire

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// cpuTime is what this thread has used, in the kernel too: a figure that other work on the machine hardly changes.
func cpuTime(b *testing.B) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(thread, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchBatch is what a cluster's tick looks like: counts, sums and shares by partition, user and node. One value in four
// has a fraction.
func benchBatch(n int, dirty bool) []aggregator.Metric {
	descs := []*aggregator.Desc{
		{Template: "partition.{partition}.jobs.{state}"}, {Template: "user.{user}.jobs.{state}"},
		{Template: "partition.{partition}.cpus.{state}"}, {Template: "node.{node}.load_ratio"},
	}
	states := []string{"running", "pending", "completing"}
	ms := make([]aggregator.Metric, n)
	for i := range ms {
		d := descs[i%len(descs)]
		name := fmt.Sprintf("name%d", i/len(descs)%1000)
		if dirty {
			name = fmt.Sprintf("Name.%d", i/len(descs)%1000)
		}
		m := metric(d, float64(i), name, states[i%3])
		if len(d.Placeholders()) == 1 {
			m.Labels = m.Labels[:1]
			m.Value = float64(i%4000) / 4001
		}
		ms[i] = m
	}
	return ms
}

// discard is a TCP server on loopback that reads and throws away.
func discard(b *testing.B) net.Conn {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1<<20)
				for err := error(nil); err == nil; {
					_, err = c.Read(buf)
				}
			}()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() { c.Close() })
	return c
}

func benchmark(b *testing.B, spell func(g *Graphite, dst []byte) []byte) {
	targets := map[string]func(b *testing.B) io.Writer{
		"memory": func(*testing.B) io.Writer { return io.Discard },
		"tcp":    func(b *testing.B) io.Writer { return discard(b) },
	}
	for _, target := range []string{"memory", "tcp"} {
		for _, n := range []int{1, 100, 10_000, 1_000_000} {
			for _, names := range []string{"clean", "spelled"} {
				b.Run(fmt.Sprintf("%s/%s/%d", target, names, n), func(b *testing.B) {
					ms := benchBatch(n, names == "spelled")
					w := targets[target](b)
					g := NewGraphite(GraphiteOptions{})
					buf := make([]byte, 0, 600<<10)
					size := 0
					send := func() {
						size = 0
						for g.Begin(ms); g.More(); {
							buf = spell(g, buf[:0])
							_, err := w.Write(buf)
							require.NoError(b, err)
							size += len(buf)
						}
					}
					send() // the names are learned
					b.ReportAllocs()
					b.SetBytes(int64(size))
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					begin := cpuTime(b)
					for b.Loop() {
						send()
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/metric")
					b.ReportMetric(float64(cpuTime(b)-begin)/float64(b.N*n), "cpu-ns/metric")
				})
			}
		}
	}
}

func BenchmarkLines(b *testing.B) {
	benchmark(b, func(g *Graphite, dst []byte) []byte { return g.AppendLines(dst, 256<<10) })
}

func BenchmarkPickle(b *testing.B) {
	benchmark(b, func(g *Graphite, dst []byte) []byte { return g.AppendPickle(dst, MaxFrame) })
}

func BenchmarkParseLine(b *testing.B) {
	line := []byte("hpc1.partition.gpu.jobs.running 17.25 1753000000")
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := ParseLine(line); err != nil {
			b.Fatal(err)
		}
	}
}
