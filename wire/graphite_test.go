package wire

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

var (
	jobs  = &aggregator.Desc{Template: "partition.{partition}.jobs.{state}"}
	total = &aggregator.Desc{Template: "jobs.total"}
	users = &aggregator.Desc{Template: "user.{user}.jobs"}
	rpcs  = &aggregator.Desc{Template: "rpc.user.{user}.count", Kind: aggregator.Counter}
	num   = &aggregator.Desc{Template: "{partition}.jobs_num"}
)

func metric(d *aggregator.Desc, value float64, labels ...string) aggregator.Metric {
	return aggregator.Metric{Desc: d, Cluster: "hpc1", Labels: labels, Time: 1753000000, Value: value, Rate: math.NaN()}
}

// lines spells a batch and returns its lines.
func lines(g *Graphite, ms ...aggregator.Metric) []string {
	g.Begin(ms)
	text := string(g.AppendLines(nil, math.MaxInt))
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// paths spells one metric for each label and returns the paths.
func paths(g *Graphite, d *aggregator.Desc, labels ...string) []string {
	var ms []aggregator.Metric
	for i, l := range labels {
		ms = append(ms, metric(d, float64(i), l))
	}
	got := lines(g, ms...)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " ")
	}
	return got
}

func TestLines(t *testing.T) {
	odd := metric(total, -0.25)
	odd.Time = 17
	dotted := metric(total, 3)
	dotted.Cluster = "site.hpc2"
	got := lines(NewGraphite(GraphiteOptions{}), metric(jobs, 12, "gpu", "running"), odd, dotted, metric(users, 1e300, "ann"))
	assert.Equal(t, []string{
		"hpc1.partition.gpu.jobs.running 12 1753000000",
		"hpc1.jobs.total -0.25 17",
		"site.hpc2.jobs.total 3 1753000000",
		"hpc1.user.ann.jobs 1e+300 1753000000",
	}, got)
}

func TestValues(t *testing.T) {
	tests := []struct {
		value float64
		want  string
	}{
		{0, "0"}, {math.Copysign(0, -1), "0"}, {-7, "-7"}, {1e15, "1000000000000000"}, {1 << 62, "4611686018427387904"},
		{-(1 << 62), "-4611686018427387904"}, {1 << 63, "9223372036854776000"}, {1e19, "10000000000000000000"},
		{1e21, "1e+21"}, {0.1, "0.1"}, {1234567.125, "1234567.125"}, {1e-6, "0.000001"}, {1.5e-7, "1.5e-07"},
		{math.MaxFloat64, "1.7976931348623157e+308"}, {math.SmallestNonzeroFloat64, "5e-324"}, {-2.5e-300, "-2.5e-300"},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, string(appendValue(nil, test.value)))
	}
}

func TestCounters(t *testing.T) {
	known, fresh := metric(rpcs, 900, "ann"), metric(rpcs, 50, "bob")
	known.Rate = 2.5
	tests := []struct {
		options GraphiteOptions
		want    []string
	}{
		{GraphiteOptions{}, []string{"hpc1.rpc.user.ann.count.per_second 2.5 1753000000"}},
		{GraphiteOptions{Counters: Raw}, []string{"hpc1.rpc.user.ann.count 900 1753000000", "hpc1.rpc.user.bob.count 50 1753000000"}},
		{GraphiteOptions{Counters: Both}, []string{"hpc1.rpc.user.ann.count 900 1753000000",
			"hpc1.rpc.user.ann.count.per_second 2.5 1753000000", "hpc1.rpc.user.bob.count 50 1753000000"}},
		{GraphiteOptions{Tagged: true}, []string{"rpc.user.count.per_second;cluster=hpc1;user=ann 2.5 1753000000"}},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.options), func(t *testing.T) {
			gauge := metric(total, 4)
			gauge.Rate = 8 // of a gauge it means nothing
			want := append(test.want, "hpc1.jobs.total 4 1753000000")
			if test.options.Tagged {
				want = append(test.want, "jobs.total;cluster=hpc1 4 1753000000")
			}
			assert.Equal(t, want, lines(NewGraphite(test.options), known, fresh, gauge))
		})
	}
}

func TestElements(t *testing.T) {
	long := strings.Repeat("x", 199)
	tests := []struct{ label, want string }{
		{"ann", "ann"}, {"a_-9", "a_-9"}, {"a__b", "a__b"}, {"Ann", "ann"}, {"", "_none"}, {"a.b", "a_b"},
		{"../../etc", "_etc"}, {"a b\t\nc", "a_b_c"}, {"müller", "m_ller"}, {"\xff\xfe", "_"}, {"DOMAIN\\eve", "domain_eve"},
		{"日本", "_"}, {long + "yz", long + "y"}, {long + "é", long + "_"}, {"a|b;c=d", "a_b_c_d"}, {"A.B C", "a_b_c"},
	}
	for _, test := range tests {
		assert.Equal(t, []string{"hpc1.user." + test.want + ".jobs"}, paths(NewGraphite(GraphiteOptions{}), users, test.label), "%q", test.label)
	}
}

// The original's one metric keeps the partition's name as its dashboards ask for it.
func TestOriginalTemplate(t *testing.T) {
	tests := []struct{ label, want string }{
		{"GPU", "GPU"}, {"Big__Mem", "Big__Mem"}, {"a+b@c", "a+b@c"}, {"a.b", "a_b"}, {"a b", "a_b"}, {"a*", "a_"}, {"ü", "_"},
		{"", "_none"}, {"x\n\ny", "x__y"},
	}
	for _, test := range tests {
		assert.Equal(t, []string{"hpc1." + test.want + ".jobs_num"}, paths(NewGraphite(GraphiteOptions{}), num, test.label), "%q", test.label)
	}
	g := NewGraphite(GraphiteOptions{})
	assert.Equal(t, []string{"hpc1.partition.gpu.jobs.running 1 1753000000", "hpc1.GPU.jobs_num 2 1753000000"},
		lines(g, metric(jobs, 1, "GPU", "running"), metric(num, 2, "GPU")))
}

func TestTagged(t *testing.T) {
	process := &aggregator.Desc{Template: "process.{name}.cpu{index}.{cluster}"}
	tests := []struct {
		metric aggregator.Metric
		want   string
	}{
		{metric(jobs, 1, "GPU.a", "running"), "partition.jobs;cluster=hpc1;partition=GPU.a;state=running"},
		{metric(num, 2, "debug"), "jobs_num;cluster=hpc1;partition=debug"},
		{metric(total, 3), "jobs.total;cluster=hpc1"},
		{metric(users, 4, "~a;b c"), "user.jobs;cluster=hpc1;user=_a_b_c"},
		{metric(users, 5, ""), "user.jobs;cluster=hpc1;user=_none"},
		{metric(users, 6, "é~\xff\u2003\u0085="), "user.jobs;cluster=hpc1;user=é~___="},
		{metric(process, 7, "sshd", "0", "x"), "process.cpu;cluster=hpc1;cluster_=x;index=0;name_=sshd"},
	}
	for _, test := range tests {
		got := lines(NewGraphite(GraphiteOptions{Tagged: true}), test.metric)
		require.Len(t, got, 1)
		path, _, _ := strings.Cut(got[0], " ")
		assert.Equal(t, test.want, path)
		_, _, err := ParseTags(path)
		assert.NoError(t, err)
	}
}

func TestRefused(t *testing.T) {
	desc := func(template string) *aggregator.Desc { return &aggregator.Desc{Template: template} }
	with := func(change func(m *aggregator.Metric)) aggregator.Metric {
		m := metric(total, 5)
		change(&m)
		return m
	}
	long := strings.Repeat("y", 200)
	many := desc("{a}.{b}.{c}.{d}.{e}." + long)
	tests := []struct {
		metric aggregator.Metric
		want   string
	}{
		{metric(desc("a..b"), 1), `template "a..b": has an empty path element`},
		{metric(desc("a b"), 1), `template "a b": holds ' ', which cannot stand in a path`},
		{metric(desc("a\u2003b"), 1), `template "a\u2003b": holds '\u2003', which cannot stand in a path`},
		{metric(desc("a\xffb"), 1), `template "a\xffb": is not UTF-8`},
		{metric(desc("a;b"), 1), `template "a;b": holds ';', which cannot stand in a path`},
		{metric(desc(""), 1), `template "": is empty`},
		{metric(users, 1), `template "user.{user}.jobs": 0 labels [], want 1`},
		{with(func(m *aggregator.Metric) { m.Time = -1 }), `template "jobs.total": time -1: want seconds since 1970`},
		{with(func(m *aggregator.Metric) { m.Value = math.NaN() }), `template "jobs.total": value NaN is not finite`},
		{with(func(m *aggregator.Metric) { m.Value = math.Inf(-1) }), `template "jobs.total": value -Inf is not finite`},
		{with(func(m *aggregator.Metric) { m.Cluster = "" }), `cluster is empty`},
		{with(func(m *aggregator.Metric) { m.Cluster = "a b" }), `cluster "a b": holds ' ', which cannot stand in a path`},
		{metric(many, 1, long, long, long, long, long), `path "hpc1.` + strings.Repeat("y", 95) + `"… has 1210 bytes: want at most 1024`},
		{metric(desc(strings.Repeat("w", 251)), 1), `path "hpc1.` + strings.Repeat("w", 95) + `"… has an element of 251 bytes: want at most 250`},
	}
	for _, test := range tests {
		g := NewGraphite(GraphiteOptions{})
		got := lines(g, metric(total, 41), test.metric, metric(users, 42, "ann"))
		assert.Equal(t, []string{"hpc1.jobs.total 41 1753000000", "hpc1.user.ann.jobs 42 1753000000"}, got)
		assert.Equal(t, []Refusal{{1, test.want}}, g.Refused())
	}
}

// At the limit to the byte, with the ".per_second" of the counter counted.
func TestLongestPath(t *testing.T) {
	for _, counters := range []Counters{Rate, Raw, Both} {
		for _, over := range []int{0, 1} {
			d := &aggregator.Desc{Template: "a.{b}.{c}.{d}.{e}.{f}", Kind: aggregator.Counter}
			x := strings.Repeat("x", 200)
			m := metric(d, 1, x, x, x, x, "")
			m.Rate = 2
			fixed := len("hpc1.a.....") + 4*200
			if counters != Raw {
				fixed += len(PerSecond)
			}
			m.Labels[4] = strings.Repeat("y", 200)
			m.Cluster += "." + strings.Repeat("z", MaxPath-fixed-200-1+over)
			g := NewGraphite(GraphiteOptions{Counters: counters})
			got := lines(g, m)
			if over == 1 {
				assert.Empty(t, got)
				require.Len(t, g.Refused(), 1)
				assert.Contains(t, g.Refused()[0].Reason, "want at most 10")
				continue
			}
			assert.Empty(t, g.Refused())
			require.NotEmpty(t, got)
			path, _, _ := strings.Cut(got[len(got)-1], " ")
			assert.Len(t, path, MaxPath)
		}
	}
}

// Chunks hold whole lines, stay within their limit, and together are the batch.
func TestChunks(t *testing.T) {
	var ms []aggregator.Metric
	for i := range 500 {
		m := metric(rpcs, float64(i), fmt.Sprint("user", i))
		m.Rate = float64(i) / 4
		ms = append(ms, m)
	}
	whole := strings.Join(lines(NewGraphite(GraphiteOptions{Counters: Both}), ms...), "\n") + "\n"
	for _, limit := range []int{1, 60, 1432, 4096} {
		g := NewGraphite(GraphiteOptions{Counters: Both})
		var got strings.Builder
		for g.Begin(ms); g.More(); {
			chunk := g.AppendLines(nil, limit)
			assert.True(t, len(chunk) <= limit || strings.Count(string(chunk), "\n") == 1, "limit %d: %q", limit, chunk)
			require.True(t, strings.HasSuffix(string(chunk), "\n"))
			got.Write(chunk)
		}
		assert.Equal(t, whole, got.String(), "limit %d", limit)
	}
}
