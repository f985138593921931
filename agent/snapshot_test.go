package agent

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

var (
	testJobs  = &aggregator.Desc{Template: "partition.{partition}.jobs.{state}", Unit: aggregator.Count}
	testLoad  = &aggregator.Desc{Template: "cpus.load", Unit: aggregator.Count}
	testSent  = &aggregator.Desc{Template: "agent.database.{database}.sent", Kind: aggregator.Counter, Unit: aggregator.Count}
	testRunOK = &aggregator.Desc{Template: "agent.aggregator.{aggregator}.skipped", Kind: aggregator.Counter, Unit: aggregator.Count}
)

// unpack returns what a snapshot holds.
func unpack(s *snapshot) []aggregator.Metric {
	var ms []aggregator.Metric
	s.each(func(*aggregator.Desc) bool { return true }, func(m *aggregator.Metric) bool {
		ms = append(ms, *m)
		return true
	})
	return ms
}

func metric(d *aggregator.Desc, value, rate float64, labels ...string) aggregator.Metric {
	return aggregator.Metric{Desc: d, Cluster: "hpc1", Time: 1763676010, Labels: labels, Value: value, Rate: rate}
}

// same compares metrics to the bit; NaN is itself.
func same(t *testing.T, want, got []aggregator.Metric) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		w, g := want[i], got[i]
		assert.Same(t, w.Desc, g.Desc)
		assert.Equal(t, fmt.Sprintf("%s %d %q %x %x", w.Cluster, w.Time, w.Labels, math.Float64bits(w.Value), math.Float64bits(w.Rate)),
			fmt.Sprintf("%s %d %q %x %x", g.Cluster, g.Time, g.Labels, math.Float64bits(g.Value), math.Float64bits(g.Rate)), "metric %d", i)
	}
}

func TestSnapshot(t *testing.T) {
	nan := math.NaN()
	ms := []aggregator.Metric{
		metric(testJobs, 3, nan, "batch", "running"),
		metric(testJobs, 5, nan, "batch", "pending"),
		metric(testLoad, 7.25, nan),
		metric(testLoad, math.Copysign(0, -1), nan),
		metric(testLoad, 1<<60, nan),
		metric(testJobs, -11, nan, "gpu", "pending"),
		metric(testJobs, 1<<53-1, nan, "", "pending"),
		metric(testSent, 1e300, nan, "gpu"),
		metric(testSent, 13, 0.5, "gpu\x00,\n"),
		metric(testJobs, 17, nan, "gpu\x00,\n", ""),
	}
	var p packer
	var s snapshot
	p.pack(&s, ms)
	same(t, ms, unpack(&s))
	assert.Less(t, len(s.bytes), 130, "labels that repeat take a byte, small numbers one or two")

	p.pack(&s, ms[2:4])
	same(t, ms[2:4], unpack(&s))
	assert.Len(t, s.descs, 1)

	var some []float64
	p.pack(&s, ms)
	s.each(func(d *aggregator.Desc) bool { return d == testJobs }, func(m *aggregator.Metric) bool {
		some = append(some, m.Value)
		return len(some) < 3
	})
	assert.Equal(t, []float64{3, 5, -11}, some)
}

func FuzzSnapshot(f *testing.F) {
	f.Add("batch", "running", "gpu", 3.0, -1.5, 0.25)
	f.Add("", "a.b", "\xff\x00", math.Inf(1), math.NaN(), -1e-300)
	f.Fuzz(func(t *testing.T, a, b, c string, x, y, z float64) {
		ms := []aggregator.Metric{
			metric(testJobs, x, math.NaN(), a, b), metric(testJobs, y, math.NaN(), a, c), metric(testSent, z, y, b),
			metric(testSent, x, z, b), metric(testLoad, y, math.NaN()), metric(testJobs, z, math.NaN(), c, b),
		}
		var p packer
		var s snapshot
		p.pack(&s, ms)
		same(t, ms, unpack(&s))
	})
}

func TestSnapshots(t *testing.T) {
	batch := func(name string, value float64) []aggregator.Metric {
		return []aggregator.Metric{metric(testLoad, value, math.NaN()), metric(testRunOK, 0, math.NaN(), name)}
	}
	var s snapshots
	s.take(nil)
	s.take([]aggregator.Metric{metric(testLoad, 1, math.NaN())}) // of nobody
	assert.Zero(t, s.newest())
	s.take(batch("a", 2))
	s.take(batch("b", 3))
	values := func(names ...string) map[string]float64 {
		found := map[string]float64{}
		s.read(names, func(name string, b *snapshot) { found[name] = unpack(b)[0].Value })
		return found
	}
	assert.Equal(t, map[string]float64{"a": 2, "b": 3}, values("a", "b", "never ran"))

	// what is being read stays as it is, however many batches come
	newest := s.read([]string{"a", "b"}, func(name string, b *snapshot) {
		if name != "a" {
			return
		}
		for v := range 5 {
			s.take(batch("a", float64(10+v)))
		}
		same(t, batch("a", 2), unpack(b))
	})
	assert.EqualValues(t, 2, newest)
	assert.EqualValues(t, 7, s.newest())
	assert.Equal(t, map[string]float64{"a": 14}, values("a"))
	assert.NotContains(t, s.held, "b", "an aggregator that has gone is forgotten")
}

// BenchmarkSnapshot says how many bytes a series takes.
func BenchmarkSnapshot(b *testing.B) {
	for _, series := range []int{100, 10_000, 100_000} {
		ms := manyMetrics(series)
		b.Run(fmt.Sprint(series), func(b *testing.B) {
			var p packer
			var s snapshot
			p.pack(&s, ms)
			b.SetBytes(int64(len(s.bytes)))
			b.ReportAllocs()
			for b.Loop() {
				p.pack(&s, ms)
			}
			b.ReportMetric(float64(len(s.bytes))/float64(series), "B/series")
		})
	}
}

// manyMetrics makes a batch like that of a large cluster: of each user forty figures, most of them small numbers.
func manyMetrics(n int) []aggregator.Metric {
	var descs []*aggregator.Desc
	for i := range 40 {
		descs = append(descs, &aggregator.Desc{Template: fmt.Sprintf("user.{user}.jobs.figure%d.{state}", i)})
	}
	states := []string{"running", "pending", "suspended", "completing"}
	ms := make([]aggregator.Metric, n)
	for i := range ms {
		ms[i] = metric(descs[i/len(states)%len(descs)], float64(i%977), math.NaN(), fmt.Sprintf("user%05d", i/160), states[i%len(states)])
		if i%10 == 0 {
			ms[i].Value += 0.37
		}
	}
	return ms
}
