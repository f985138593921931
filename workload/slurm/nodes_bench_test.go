package slurm

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// manyNodes multiplies a capture to n nodes, each with a name of its own.
func manyNodes(t testing.TB, version string, n int) [][]byte {
	lines := capture(t, version, "scontrol_nodes.out")
	many := make([][]byte, n)
	for i := range many {
		old := lines[i%len(lines)]
		end := bytes.IndexByte(old, ' ')
		many[i] = fmt.Appendf(nil, "%s-%05d%s", old[:end], i, old[end:])
	}
	return many
}

// splitKeys is the least that any reader of these lines does: it parts them into keys and values, and counts them.
func splitKeys(lines [][]byte) (keys int) {
	for _, l := range lines {
		for rest := l; len(rest) > 0; {
			token := rest
			if i := bytes.IndexByte(rest, ' '); i >= 0 {
				token, rest = rest[:i], rest[i+1:]
			} else {
				rest = nil
			}
			if bytes.IndexByte(token, '=') > 0 {
				keys++
			}
		}
	}
	return keys
}

// BenchmarkNodes folds whole calls, and says how many times that costs what splitting the lines does.
func BenchmarkNodes(b *testing.B) {
	for _, version := range []string{"20.11", "26.05"} {
		for _, n := range []int{1, 100, 10_000, 20_000} {
			for _, each := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/nodes=%d/each=%v", version, n, each), func(b *testing.B) {
					benchmarkNodes(b, manyNodes(b, version, n), &Config{Nodes: each})
				})
			}
		}
	}
}

func benchmarkNodes(b *testing.B, lines [][]byte, c *Config) {
	size := 0
	for _, l := range lines {
		size += len(l) + 1
	}
	r := newNodes(c, quiet())
	var batch aggregator.Batch
	call := func() {
		batch.Reset(tickTime)
		r.begin(batch.Time)
		for _, l := range lines {
			if err := r.line(l); err != nil {
				b.Fatal(err)
			}
		}
		r.end(&batch)
	}
	call() // what is learnt once
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
	took := b.Elapsed()
	began := time.Now()
	keys := 0
	for range b.N {
		keys += splitKeys(lines)
	}
	if keys == 0 {
		b.Fatal("no keys")
	}
	b.ReportMetric(float64(took)/float64(time.Since(began)), "x-floor")
}

func BenchmarkGRES(b *testing.B) {
	list := []byte("gpu:a100:3(IDX:0-1,3),gpu:v100:1(IDX:2),shard:a100:0(0/2,0/2,0/2,0/2),fpga:2")
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	sum := int64(0)
	for b.Loop() {
		if err := eachGRES(list, func(_ []byte, n int64) { sum += n }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkState(b *testing.B) {
	state := []byte("IDLE+MAINTENANCE+RESERVED+PLANNED")
	b.SetBytes(int64(len(state)))
	b.ReportAllocs()
	for b.Loop() {
		if st := parseState(state, func([]byte) { b.Fail() }); st.base != baseIdle {
			b.Fatal(st)
		}
	}
}
