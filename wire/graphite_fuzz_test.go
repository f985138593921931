package wire

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

func fuzzSeeds(f *testing.F) {
	f.Add("hpc1", "partition.{partition}.jobs.{state}", "gpu", "running", int64(1753000000), 17.0, 0.5)
	f.Add("site.hpc1", "{partition}.jobs_num", "GPU|A", "", int64(1), 1e300, math.NaN())
	f.Add("a b", "a..b{x}", "\xff\n", " ", int64(-1), math.Inf(1), 2.0)
	f.Add("h", "x{name}y.{cluster}.{name}", "~;=", "é ", int64(math.MaxInt64), 5e-324, -1.0)
	f.Add("hpc1", "a.{b}.c{", "a.b", "a_b", int64(1<<31), -0.1, 1e21)
}

// Whatever comes in: whole lines of three fields come out that carbon takes, or a refusal, and what is read back is spelled
// the same again.
func FuzzGraphite(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(t *testing.T, cluster, template, one, two string, at int64, value, rate float64) {
		labels := []string{one, two, one + two, two + one}
		for _, options := range []GraphiteOptions{{}, {Counters: Raw}, {Counters: Both}, {Tagged: true, Counters: Both}} {
			var ms []aggregator.Metric
			for _, kind := range []aggregator.Kind{aggregator.Gauge, aggregator.Counter} {
				d := &aggregator.Desc{Template: template, Kind: kind}
				n := len(d.Placeholders())
				if n > 3 {
					return
				}
				for first := range 2 {
					ms = append(ms, aggregator.Metric{Desc: d, Cluster: cluster, Labels: labels[first : first+n],
						Time: at, Value: value, Rate: rate})
				}
			}
			points := checkLines(t, options, ms)
			checkPickle(t, options, ms, points)
			if !options.Tagged {
				checkAgain(t, points)
			}
		}
	})
}

// checkLines spells a batch as lines, in two sizes of chunks, and returns what they say.
func checkLines(t *testing.T, options GraphiteOptions, ms []aggregator.Metric) []Point {
	g, small := NewGraphite(options), NewGraphite(options)
	var text, chunks []byte
	for g.Begin(ms); g.More(); {
		text = g.AppendLines(text, math.MaxInt)
	}
	for small.Begin(ms); small.More(); {
		chunks = small.AppendLines(chunks, len(chunks)+1)
	}
	require.Equal(t, string(text), string(chunks))
	require.Equal(t, g.Refused(), small.Refused())
	require.True(t, utf8.Valid(text), "%q", text)
	var points []Point
	for line := range bytes.Lines(text) {
		require.LessOrEqual(t, len(line), MaxLine)
		require.True(t, bytes.HasSuffix(line, []byte("\n")))
		require.Len(t, bytes.Split(line, []byte(" ")), 3, "%q", line)
		p, err := ParseLine(line)
		require.NoError(t, err)
		if options.Tagged {
			_, _, err = ParseTags(p.Path)
			require.NoError(t, err)
		} else {
			require.NotContains(t, p.Path, ";")
			require.NotContains(t, "."+p.Path+".", "..")
		}
		require.LessOrEqual(t, len(p.Path), MaxPath)
		points = append(points, p)
	}
	if len(g.Refused()) == 0 && options.Counters == Raw {
		require.Len(t, points, len(ms))
		for i, m := range ms {
			require.Equal(t, m.Value, points[i].Value)
			require.Equal(t, m.Time, points[i].Time)
		}
	}
	return points
}

func checkPickle(t *testing.T, options GraphiteOptions, ms []aggregator.Metric, want []Point) {
	g := NewGraphite(options)
	var got []Point
	for g.Begin(ms); g.More(); {
		for _, frame := range frames(t, g.AppendPickle(nil, MaxPickled+FrameOverhead)) {
			points, err := ParsePickle(frame)
			require.NoError(t, err)
			got = append(got, points...)
		}
	}
	require.Equal(t, want, got)
}

// checkAgain spells what was read once more.
func checkAgain(t *testing.T, points []Point) {
	for _, p := range points {
		cluster, template, _ := strings.Cut(p.Path, ".")
		if strings.Contains(template, "{") {
			continue // in fixed text it would begin a placeholder
		}
		g := NewGraphite(GraphiteOptions{})
		g.Begin([]aggregator.Metric{{Desc: &aggregator.Desc{Template: template}, Cluster: cluster, Time: p.Time, Value: p.Value}})
		again, err := ParseLine(g.AppendLines(nil, MaxLine))
		require.NoError(t, err, "%q refused: %v", p.Path, g.Refused())
		require.Equal(t, p, again)
	}
}

// Two different labels never share a path.
func FuzzNames(f *testing.F) {
	f.Add("a.b", "a_b", "A_B")
	f.Add("", "_none", " ")
	f.Add(strings.Repeat("x", 201), strings.Repeat("x", 202), strings.Repeat("x", 200))
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, options := range []GraphiteOptions{{}, {Tagged: true}} {
			for _, d := range []*aggregator.Desc{users, num} {
				g := NewGraphite(options)
				first := paths(g, d, a, b, c)
				require.Len(t, first, 3)
				labels := []string{a, b, c}
				for i := range 3 {
					for j := range i {
						require.Equal(t, labels[i] == labels[j], first[i] == first[j], "%q and %q: %q", labels[i], labels[j], first)
					}
				}
				assert.Equal(t, []string{first[2], first[0], first[1]}, paths(g, d, c, a, b), "they keep it")
			}
		}
	})
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte("hpc1.partition.gpu.jobs.running 17 1753000000"))
	f.Add([]byte("a;b=c;d=e 1e3 1.5\r\n"))
	f.Add([]byte("a -0x1p3 NaN"))
	f.Fuzz(func(t *testing.T, line []byte) {
		p, err := ParseLine(line)
		if err != nil {
			return
		}
		require.NotEmpty(t, p.Path)
		require.False(t, math.IsNaN(p.Value) || math.IsInf(p.Value, 0))
		again := append([]byte(p.Path), ' ')
		again = append(appendValue(again, p.Value), ' ')
		q, err := ParseLine((&Graphite{time: -1}).appendTime(again[:len(again)-1], p.Time))
		require.NoError(t, err)
		require.Equal(t, p, q)
		_, _, _ = ParseTags(p.Path)
	})
}

func FuzzParsePickle(f *testing.F) {
	g := NewGraphite(GraphiteOptions{})
	g.Begin(pickleBatch(5))
	f.Add(g.AppendPickle(nil, MaxFrame)[4:])
	f.Add([]byte("(lp0\n(Va\np1\n(I1\nF2.5\ntp2\ntp3\na."))
	f.Add([]byte("]q\x00h\x00a."))
	f.Fuzz(func(t *testing.T, b []byte) {
		points, err := ParsePickle(b)
		if err != nil {
			require.Empty(t, points)
		}
	})
}
