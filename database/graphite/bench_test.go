package graphite

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// BenchmarkSend spells and sends a batch over a TCP connection on loopback, until the peer's kernel has all of it, to a peer
// that throws it away. It reports the time a metric, and that as a share of writing the same bytes ready-made.
func BenchmarkSend(b *testing.B) {
	for _, protocol := range []string{"line", "pickle"} {
		for _, n := range []int{100, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", protocol, n), func(b *testing.B) { benchmarkSend(b, protocol, n) })
		}
	}
}

func benchmarkSend(b *testing.B, protocol string, n int) {
	address := discard(b)
	c := opener(fmt.Sprintf("protocol = %q\nacknowledge = \"drain\"", protocol))(b, address, patient).(*Client)
	defer c.Close()
	ms := batch(n)
	bytes := ready(c, ms)
	require.NoError(b, c.Send(b.Context(), ms))
	floor := writeTime(b, address, bytes)
	b.ReportAllocs()
	b.SetBytes(int64(len(bytes)))
	for b.Loop() {
		if err := c.Send(b.Context(), ms); err != nil {
			b.Fatal(err)
		}
	}
	took := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(took/float64(n), "ns/metric")
	b.ReportMetric(took/floor, "x-write")
}

func batch(n int) []aggregator.Metric {
	jobs := &aggregator.Desc{Template: "partition.{partition}.jobs.{state}"}
	loads := &aggregator.Desc{Template: "node.{node}.load_ratio"}
	ms := make([]aggregator.Metric, n)
	for i := range ms {
		ms[i] = aggregator.Metric{Desc: jobs, Cluster: "hpc1", Labels: []string{fmt.Sprint("part", i%50), []string{"running", "pending"}[i%2]},
			Time: 1753000000, Value: float64(i)}
		if i%4 == 3 {
			ms[i].Desc, ms[i].Labels, ms[i].Value = loads, []string{fmt.Sprint("node", i)}, float64(i)/1001
		}
	}
	return ms
}

// ready returns what Send writes.
func ready(c *Client, ms []aggregator.Metric) (b []byte) {
	for c.speller.Begin(ms); c.speller.More(); {
		if c.config.Protocol == protocolPickle {
			b = c.speller.AppendPickle(b, chunk)
		} else {
			b = c.speller.AppendLines(b, len(b)+chunk)
		}
	}
	return b
}

// writeTime returns how many nanoseconds it takes to write b in chunks.
func writeTime(b *testing.B, address string, text []byte) float64 {
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	rounds := 0
	begin := time.Now()
	for ; time.Since(begin) < 100*time.Millisecond; rounds++ {
		for rest := text; len(rest) > 0; rest = rest[min(chunk, len(rest)):] {
			_, err := conn.Write(rest[:min(chunk, len(rest))])
			require.NoError(b, err)
		}
	}
	return float64(time.Since(begin).Nanoseconds()) / float64(rounds)
}

func discard(b *testing.B) (address string) {
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
				buf := make([]byte, 1<<20)
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, buf)
			}()
		}
	}()
	return l.Addr().String()
}
