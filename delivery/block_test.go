package delivery

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

var (
	jobs = &aggregator.Desc{Template: "partition.{partition}.jobs.{state}", Unit: aggregator.Count, Help: "Jobs by state", Source: "squeue %T"}
	load = &aggregator.Desc{Template: "host.load", Unit: aggregator.Ratio, Help: "Load"}
	sent = &aggregator.Desc{Template: "net.{device}.sent", Kind: aggregator.Counter, Unit: aggregator.Bytes}
)

// metric is the i-th of a set in which no two are equal.
func metric(i int) aggregator.Metric {
	m := aggregator.Metric{Cluster: "hpc1", Time: 1700000000 + int64(i/1000)*10, Value: float64(i), Rate: math.NaN()}
	switch i % 3 {
	case 0:
		m.Desc, m.Labels = jobs, []string{fmt.Sprint("p", i/3%20), []string{"running", "pending"}[i/60%2]}
	case 1:
		m.Desc, m.Value = load, float64(i)+0.25
	case 2:
		m.Desc, m.Labels, m.Rate = sent, []string{fmt.Sprint("eth", i%7)}, float64(i)/7
	}
	return m
}

func metrics(from, to int) []aggregator.Metric {
	var ms []aggregator.Metric
	for i := from; i < to; i++ {
		ms = append(ms, metric(i))
	}
	return ms
}

// assertEqual compares metrics by what they say; NaN equals NaN.
func assertEqual(t *testing.T, want, got []aggregator.Metric) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		w, g := &want[i], &got[i]
		assert.Equal(t, w.Desc.Template, g.Desc.Template)
		assert.Equal(t, w.Desc.Kind, g.Desc.Kind)
		assert.Equal(t, w.Desc.Unit, g.Desc.Unit)
		assert.Equal(t, w.Desc.Help, g.Desc.Help)
		assert.Equal(t, w.Desc.Source, g.Desc.Source)
		assert.True(t, slices.Equal(w.Labels, g.Labels), "labels %q, want %q", g.Labels, w.Labels)
		assert.Equal(t, w.Cluster, g.Cluster)
		assert.Equal(t, w.Time, g.Time)
		assert.Equal(t, math.Float64bits(w.Value), math.Float64bits(g.Value), "value %v, want %v", g.Value, w.Value)
		if w.Desc.Kind == aggregator.Counter {
			assert.Equal(t, math.Float64bits(w.Rate), math.Float64bits(g.Rate), "rate %v, want %v", g.Rate, w.Rate)
		} else {
			assert.True(t, math.IsNaN(g.Rate))
		}
		if t.Failed() {
			t.Fatalf("metric %d: %+v, want %+v", i, *g, *w)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1 << 52, 1<<53 - 1, 1 << 53, 1 << 62, 1 << 63, -(1 << 63), 1 << 64, math.MaxFloat64, math.SmallestNonzeroFloat64, -1e300}
	var odd []aggregator.Metric
	for i, v := range values {
		odd = append(odd, aggregator.Metric{Desc: load, Cluster: "", Time: int64(-i), Value: v},
			aggregator.Metric{Desc: sent, Cluster: "ü|\n", Labels: []string{strings.Repeat("x", i*100) + "\xff\x00"}, Time: math.MaxInt64, Value: v, Rate: v / 3},
			aggregator.Metric{Desc: sent, Cluster: "ü|\n", Labels: []string{""}, Time: math.MinInt64, Value: -v, Rate: math.NaN()})
	}
	e, d := newEncoder(), newDecoder()
	for _, ms := range [][]aggregator.Metric{nil, metrics(0, 1), metrics(0, 5000), odd, metrics(7, 2200)} {
		b, err := e.encode(ms)
		require.NoError(t, err)
		got, err := d.decode(b)
		require.NoError(t, err)
		assertEqual(t, ms, got)
	}
}

// TestBlockBytes holds the bytes of the format: blocks outlive the version that wrote them.
func TestBlockBytes(t *testing.T) {
	ms := []aggregator.Metric{
		{Desc: &aggregator.Desc{Template: "a.{b}", Unit: "count", Help: "h", Source: "s"}, Cluster: "c", Labels: []string{"x"}, Time: 3, Value: -2},
		{Desc: &aggregator.Desc{Template: "n", Kind: aggregator.Counter, Unit: "count"}, Cluster: "c", Time: 3, Value: 0.5, Rate: 2},
	}
	b, err := newEncoder().encode(ms)
	require.NoError(t, err)
	const want = "01" + // version
		"08" + "0163" + "05612e7b627d" + "05636f756e74" + "0168" + "0173" + "0178" + "016e" + "00" + // strings
		"02" + "01" + "00" + "02" + "03" + "04" + "01" + "06" + "01" + "02" + "07" + "07" + "00" + // descs
		"00" + "06" + "02" + // group
		"01" + "05" + "03" + // desc 0, integer
		"02" + "000000000000e03f" + "0000000000000040" // desc 1
	assert.Equal(t, want, hex.EncodeToString(b))
	got, err := newDecoder().decode(b)
	require.NoError(t, err)
	assertEqual(t, ms, got)
}

// TestDescsAreOneAcrossBlocks lets clients remember by pointer what they made of a desc.
func TestDescsAreOneAcrossBlocks(t *testing.T) {
	d := newDecoder()
	seen := map[string]*aggregator.Desc{}
	for n := range 4 {
		again := &aggregator.Desc{Template: jobs.Template, Unit: jobs.Unit, Help: jobs.Help, Source: jobs.Source} // as after a restart
		ms := append(metrics(n*3, n*3+3), aggregator.Metric{Desc: again, Labels: []string{"a", "b"}})
		b, err := newEncoder().encode(ms)
		require.NoError(t, err)
		b = slices.Clone(b)
		got, err := d.decode(b)
		require.NoError(t, err)
		clear(b) // what was decoded does not point into the block
		for _, m := range got {
			if last := seen[m.Desc.Template]; last != nil {
				assert.Same(t, last, m.Desc)
			}
			seen[m.Desc.Template] = m.Desc
		}
	}
	assert.Len(t, seen, 3)

	other := aggregator.Desc{Template: jobs.Template, Unit: jobs.Unit, Help: "another text", Source: jobs.Source}
	b, err := newEncoder().encode([]aggregator.Metric{{Desc: &other, Labels: []string{"a", "b"}}})
	require.NoError(t, err)
	got, err := d.decode(b)
	require.NoError(t, err)
	assert.NotSame(t, seen[jobs.Template], got[0].Desc)
	assert.Equal(t, "another text", got[0].Desc.Help)
}

func TestDescsAreForgotten(t *testing.T) {
	d := newDecoder()
	for i := range keptDescs + 7 {
		b, err := newEncoder().encode([]aggregator.Metric{{Desc: &aggregator.Desc{Template: fmt.Sprint("name", i)}}})
		require.NoError(t, err)
		_, err = d.decode(b)
		require.NoError(t, err)
	}
	assert.Len(t, d.known, 7)
}

func TestEncodeRefuses(t *testing.T) {
	for want, m := range map[string]aggregator.Metric{
		`metric without a desc, labels ["x"]`:                                                       {Labels: []string{"x"}},
		`metric "partition.{partition}.jobs.{state}": 1 labels ["batch"], want 2`:                   {Desc: jobs, Labels: []string{"batch"}},
		`metric "host.load" []: value NaN is not finite`:                                            {Desc: load, Value: math.NaN()},
		`metric "partition.{partition}.jobs.{state}" ["batch" "running"]: value -Inf is not finite`: {Desc: jobs, Labels: []string{"batch", "running"}, Value: math.Inf(-1)},
	} {
		_, err := newEncoder().encode(append(metrics(0, 3), m))
		assert.EqualError(t, err, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ block, want string }{
		{"", `block: version "": want 1`},
		{"\x02\x00\x00", `block: version "\x02": want 1`},
		{"\x01", "block of 1 bytes: byte 1: strings: want a number"},
		{"\x01\x05\x00", "block of 3 bytes: byte 2: 5 strings in 1 bytes"},
		{"\x01\x01\x09a", "block of 4 bytes: byte 3: string of 9 bytes: only 1 left"},
		{"\x01\x01\x01a\x02\x00\x00\x00\x00\x00\x00", "block of 11 bytes: byte 5: 2 descs in 6 bytes"},
		{"\x01\x01\x01a\x01\x03\x00\x00\x00\x00\x00", "block of 11 bytes: byte 6: string 3 of 1"},
		{"\x01\x01\x01a\x01\x00\x02\x00\x00\x00\x00", `block of 11 bytes: byte 11: kind 2 of "a": want 0 or 1`},
		{"\x01\x01\x01a\x01\x00\x00\x00\x00\x00\x07", `block of 11 bytes: byte 11: 7 labels of "a": want 0`},
		{"\x01\x01\x01a\x00\x00\x00\x02\x00\x00", "block of 10 bytes: byte 8: 2 metrics in 2 bytes"},
		{"\x01\x01\x01a\x00\x00\x00\x01\x03\x00", "block of 10 bytes: byte 9: desc 1 of 0"},
		{"\x01\x01\x01a\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", "block of 16 bytes: byte 15: want a value of 8 bytes"},
	} {
		ms, err := newDecoder().decode([]byte(test.block))
		assert.EqualError(t, err, test.want, "%q", test.block)
		assert.Nil(t, ms)
	}
}

func TestNoAllocations(t *testing.T) {
	ms := metrics(0, 1000)
	e, d := newEncoder(), newDecoder()
	b, err := e.encode(ms)
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(10, func() { _, _ = e.encode(ms) }))
	_, err = d.decode(b)
	require.NoError(t, err)
	assert.LessOrEqual(t, testing.AllocsPerRun(10, func() { _, _ = d.decode(b) }), 2.0, "the text, in one piece")
}

func FuzzDecode(f *testing.F) {
	for _, ms := range [][]aggregator.Metric{nil, metrics(0, 2), metrics(0, 40), metrics(990, 1010)} {
		b, err := newEncoder().encode(ms)
		require.NoError(f, err)
		f.Add(slices.Clone(b))
		f.Add(slices.Clone(b[:len(b)*2/3]))
	}
	d, again := newDecoder(), newDecoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, err := d.decode(b)
		if err != nil {
			require.Nil(t, ms)
			return
		}
		for i := range ms {
			require.NoError(t, check(&ms[i]))
		}
		second, err := newEncoder().encode(ms)
		require.NoError(t, err)
		got, err := again.decode(second)
		require.NoError(t, err)
		assertEqual(t, ms, got)
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("hpc1", "batch", "running", int64(1700000000), 12.5, uint64(3))
	f.Add("", "\xff", "a\x00b", int64(-1), 1e18, uint64(77))
	f.Fuzz(func(t *testing.T, cluster, a, b string, at int64, value float64, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		var ms []aggregator.Metric
		for range random.IntN(20) {
			m := metric(random.IntN(3000))
			if random.IntN(2) == 0 && finite(value) {
				m.Cluster, m.Value, m.Time = cluster, value*float64(random.IntN(3)), at
			}
			if !finite(m.Value) {
				m.Value = 1
			}
			for i := range m.Labels {
				m.Labels[i] = []string{a, b, m.Labels[i]}[random.IntN(3)]
			}
			ms = append(ms, m)
		}
		block, err := newEncoder().encode(ms)
		require.NoError(t, err)
		got, err := newDecoder().decode(block)
		require.NoError(t, err)
		assertEqual(t, ms, got)
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ms, e := metrics(0, n), newEncoder()
			block, err := e.encode(ms)
			require.NoError(b, err)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = e.encode(ms)
			}
			report(b, n, len(block))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			block, err := newEncoder().encode(metrics(0, n))
			require.NoError(b, err)
			d := newDecoder()
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = d.decode(block)
			}
			report(b, n, len(block))
		})
	}
}

func report(b *testing.B, n, bytes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/metric")
	b.ReportMetric(float64(bytes)/float64(n), "B/metric")
}
