package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPathLabels(t *testing.T) {
	b := labels.NewBuilder(labels.EmptyLabels())
	for path, want := range map[string]string{
		"a":             `{__g0__="a", __n__="1"}`,
		"hpc1.jobs.x-y": `{__g0__="hpc1", __g1__="jobs", __g2__="x-y", __n__="3"}`,
		".a..b.":        `{__g0__="a", __g1__="b", __n__="2"}`,
		"m;b=2;a=1":     `{a="1", b="2", name="m"}`,
		"":              "", "..": "", "a b": "", "a\x00": "", "\xff": "", ";a=b": "", "m;a": "", "m;=b": "", "m;a=": "", "m;__g0__=x": "", "m;a=~x": "",
		strings.Repeat("a.", 70): "", strings.Repeat("a", 5000): "",
	} {
		ls, err := pathLabels(b, path)
		if want == "" {
			assert.ErrorIs(t, err, ErrPath, "%.50q", path)
			continue
		}
		require.NoError(t, err, path)
		assert.Equal(t, want, ls.String())
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"a.b.c", ".a..b.", "m;b=2;a=1", "m;a=1;a=2", "x;y", "a\xff", "1.2.3.4.5.6.7.8.9.10.11.12"} {
		f.Add(s)
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	f.Fuzz(func(t *testing.T, path string) {
		ls, err := pathLabels(b, path)
		if err != nil {
			return
		}
		read := string(appendPath(nil, ls))
		again, err := pathLabels(b, read)
		require.NoError(t, err, "%q → %q", path, read)
		assert.Equal(t, ls, again, "%q → %q", path, read)
		if !strings.Contains(path, ";") {
			assert.Equal(t, canonical(path), read)
		}
	})
}

func FuzzPatterns(f *testing.F) {
	for _, s := range []string{"a.*", "{a.b,c}.d", "[a-z]", "[!a].{b,c*}", "{{a,b},c}", "[", "{", "a.{b.{c,d.e},f}", "[]a]", "[z-a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		ps, err := patterns(query)
		if err != nil {
			return
		}
		for _, p := range ps {
			if len(p) > 0 {
				_, err := p.leafMatchers()
				require.NoError(t, err, "%q", query)
			}
		}
	})
}

func TestGlobs(t *testing.T) {
	tests := []struct{ glob, yes, no string }{
		{"a*", "a ab abc", "b ba"}, {"a?c", "abc a.c", "ac abbc"}, {"[ab]c", "ac bc", "cc"}, {"[!ab]c", "cc dc", "ac bc"},
		{"[a-c]", "a b c", "d -"}, {"{a,b*}", "a b bc", "ac {a"}, {"a.b", "a.b", "axb"}, {"a+(b)", "a+(b)", "aab"}, {"[x", "[x", "x"},
		{"{a,{b,c}d}", "a bd cd", "b d"}, {"a{,b}", "a ab", "b"}, {"n[0-9][0-9]*", "n01 n123", "n1 nx1"},
	}
	for _, test := range tests {
		m, err := matcher("x", test.glob)
		require.NoError(t, err)
		for s := range strings.FieldsSeq(test.yes) {
			assert.True(t, m.Matches(s), "%s %s", test.glob, s)
		}
		for s := range strings.FieldsSeq(test.no) {
			assert.False(t, m.Matches(s), "%s %s", test.glob, s)
		}
	}
}

func TestStepOf(t *testing.T) {
	tests := []struct {
		seconds []int64
		want    int64
	}{
		{nil, 0}, {[]int64{5}, 0}, {[]int64{10, 20, 30}, 10}, {[]int64{10, 20, 30, 60, 70, 190}, 10}, {[]int64{0, 60, 120, 125}, 60},
		{[]int64{0, 7, 20, 51}, 7}, {[]int64{5, 5, 5}, 0},
	}
	for _, test := range tests {
		var times []int64
		for _, s := range test.seconds {
			times = append(times, s*1000)
		}
		assert.Equal(t, test.want, stepOf(times), "%v", test.seconds)
	}
	assert.Equal(t, int64(10), coarser(10, 999_990, 100_000))
	assert.Equal(t, int64(60), coarser(10, 1_000_010, 100_000))
	assert.Equal(t, int64(3600), coarser(10, 1_000_000, 500))
	assert.Equal(t, int64(7), coarser(7, 70, 10))
	assert.Equal(t, int64(14), coarser(7, 100, 10))
}

func TestRefused(t *testing.T) {
	c := testConfig(t)
	c.MaxSeries = 2
	s := open(t, c)
	b := s.NewBatch()
	for _, bad := range []struct {
		path  string
		at    int64
		value float64
	}{{"a", noon, math.NaN()}, {"a", noon, math.Inf(1)}, {"a", noon + 3600, 1}, {"a", noon - 500*86400, 1}, {"a b", noon, 1}, {"", noon, 1}} {
		assert.Error(t, b.Add(bad.path, bad.at, bad.value), "%v", bad)
	}
	require.NoError(t, b.Add("a", 0, 1.5))
	require.NoError(t, b.Add("b", noon, 2.5))
	assert.ErrorContains(t, b.Add("c", noon, 3.5), "2 series")
	require.NoError(t, b.Commit())
	assert.Equal(t, []string{"a 0 10 [1.5]"}, fetch(t, s, "a", noon-5, noon))
	st := s.Stats()
	assert.Equal(t, uint64(7), st.Refused)
	assert.Equal(t, uint64(2), st.Taken)
}

// TestLate takes an outage's backlog after points of now, twice, as an agent that was not acknowledged sends it.
func TestLate(t *testing.T) {
	s := open(t, testConfig(t))
	put(t, s, "a", noon, 100.5)
	for range 2 {
		for i := range 6 {
			put(t, s, "a", noon-7*3600+10*i, float64(i)+0.25)
		}
	}
	assert.Equal(t, []string{"a -25190 10 [1.25 2.25 3.25 4.25 5.25 NaN]"}, fetch(t, s, "a", noon-7*3600, noon-7*3600+60))
	require.NoError(t, s.Compact(context.Background()))
	assert.Equal(t, []string{"a -25190 10 [1.25 2.25 3.25 4.25 5.25 NaN]"}, fetch(t, s, "a", noon-7*3600, noon-7*3600+60))
}

func TestReopen(t *testing.T) {
	c := testConfig(t)
	s := open(t, c)
	put(t, s, "a.b", noon-10, 1.5, "a.b", noon, 2.5, "m;t=v", noon, 3.5)
	require.NoError(t, s.Sync())
	_, err := Open(c)
	assert.ErrorContains(t, err, "in use")
	require.NoError(t, s.Close())
	s = open(t, c)
	assert.Equal(t, []string{"a.b -10 10 [1.5 2.5]"}, fetch(t, s, "a.b", noon-20, noon))
	put(t, s, "a.b", noon, 9.5) // in place of what was there before the restart
	assert.Equal(t, []string{"a.b -10 10 [1.5 9.5]"}, fetch(t, s, "a.b", noon-20, noon))
}

func TestTags(t *testing.T) {
	s := open(t, testConfig(t))
	put(t, s, "disk.used;host=n1;fs=root", noon, 1.5, "disk.used;fs=home;host=n2", noon, 2.5, "load;host=n1", noon, 3.5, "a.b.c", noon, 4.5)
	find := func(expressions ...string) (list []string) {
		require.NoError(t, s.FindTagged(t.Context(), expressions, func(path string) bool { list = append(list, path); return true }))
		return list
	}
	assert.Equal(t, []string{"disk.used;fs=home;host=n2", "disk.used;fs=root;host=n1"}, find("name=disk.used"))
	assert.Equal(t, []string{"disk.used;fs=root;host=n1", "load;host=n1"}, find("host=n1"))
	assert.Equal(t, []string{"load;host=n1"}, find("host=n1", "fs="))
	assert.Equal(t, []string{"disk.used;fs=home;host=n2"}, find("host=~n", "fs!=~ro", "name!=load"))
	var bad *QueryError
	for _, e := range []string{"host!=n1", "=x", "host", "__n__=3", "host=~("} {
		assert.ErrorAs(t, s.FindTagged(t.Context(), []string{e}, nil), &bad, e)
	}
	names, err := s.TagNames(t.Context(), nil, "", 0)
	require.NoError(t, err)
	assert.Equal(t, []string{"fs", "host", "name"}, names)
	values, err := s.TagValues(t.Context(), "host", []string{"name=disk.used"}, "n", 1)
	require.NoError(t, err)
	assert.Equal(t, []string{"n1"}, values)
	got := ""
	require.NoError(t, s.FetchTagged(t.Context(), []string{"name=load"}, noon-10, noon, "", func(path string, _, _ int64, v []float64) bool {
		got = fmt.Sprint(path, v)
		return true
	}))
	assert.Equal(t, "load;host=n1[3.5]", got)
}

// TestBudget refuses what one query may not read, and lets the next one go on.
func TestBudget(t *testing.T) {
	c := testConfig(t)
	c.MaxPoints = 100
	s := open(t, c)
	for i := range 60 {
		put(t, s, "a", noon-600+10*i, float64(i), "b", noon-600+10*i, float64(i)+0.5)
	}
	assert.Len(t, fetch(t, s, "a", noon-600, noon), 1)
	ctx, done := s.WithQuota(t.Context())
	var many *TooManyError
	read := func(query string) error {
		return s.Fetch(ctx, query, noon-600, noon, "", func(string, int64, int64, []float64) bool { return true })
	}
	require.NoError(t, read("a"))
	require.ErrorAs(t, read("b"), &many)
	assert.Equal(t, 422, many.HTTPStatus())
	done()
	assert.Len(t, fetch(t, s, "b", noon-600, noon), 1)
}

// TestCoarse reads a range of more slots than are given out with a longer step.
func TestCoarse(t *testing.T) {
	c := testConfig(t)
	c.MaxSlots = 50
	s := open(t, c)
	for i := range 100 {
		put(t, s, "a", noon-1200+10*i, float64(i))
	}
	for consolidate, want := range map[string]float64{"": 8.5, "sum": 51, "min": 6, "max": 11, "first": 6, "last": 11} {
		require.NoError(t, s.Fetch(t.Context(), "a", noon-1200, noon, consolidate, func(_ string, start, step int64, values []float64) bool {
			assert.Equal(t, []int64{noon - 1140, 60}, []int64{start, step})
			assert.Equal(t, want, values[0], consolidate)
			return true
		}))
	}
}

// TestGuard takes nothing while the disk is full and goes on afterwards.
func TestGuard(t *testing.T) {
	c := testConfig(t)
	free, now := int64(1<<40), time.Unix(noon, 0)
	c.free = func(string) (int64, error) { return free, nil }
	c.now = func() time.Time { return now }
	s := open(t, c)
	put(t, s, "a", noon, 1.5)
	free, now = 200<<20, now.Add(2*time.Second)
	b := s.NewBatch()
	var full *FullError
	require.ErrorAs(t, b.Add("a", noon+2, 2.5), &full)
	assert.True(t, full.Retry())
	assert.Equal(t, 507, full.HTTPStatus())
	assert.False(t, s.Stats().Accepts)
	free, now = 1<<40, now.Add(2*time.Second)
	require.NoError(t, b.Add("a", noon+2, 2.5))
	free, now = 0, now.Add(2*time.Second)
	require.ErrorAs(t, b.Commit(), &full)
	free, now = 1<<40, now.Add(2*time.Second)
	require.NoError(t, b.Add("a", noon+2, 2.5))
	require.NoError(t, b.Commit())
	assert.True(t, s.Stats().Accepts)
	require.NoError(t, s.Close())

	free = 0
	s = open(t, c)
	assert.True(t, s.ReadOnly())
	assert.ErrorAs(t, s.NewBatch().Add("a", noon, 1), &full)
	assert.False(t, s.Room())
	free = 1 << 40
	assert.True(t, s.Room())
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Path: "x", Retention: time.Minute}, {Path: "x", Step: 1500 * time.Millisecond}, {Path: "x", MaxSize: -1}} {
		_, err := Open(c)
		assert.ErrorContains(t, err, "store: ")
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(Config{Path: file})
	assert.Error(t, err)
	assert.False(t, errors.Is(err, ErrPath))
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, testConfig(b))
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprintf("hpc1.partition.p%d.jobs.s%d", i/10, i%10)
	}
	at := int64(noon - 200*86400)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch := s.NewBatch()
		for j, p := range paths {
			if err := batch.Add(p, at, float64(i%100+j)); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		at += 10
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/point")
}

func BenchmarkFetch(b *testing.B) {
	s := open(b, testConfig(b))
	for i := range 8640 {
		batch := s.NewBatch()
		for j := range 100 {
			if err := batch.Add(fmt.Sprintf("a.s%d", j), int64(noon-86400+10*i), float64(i%50+j)); err != nil {
				b.Fatal(err)
			}
		}
		require.NoError(b, batch.Commit())
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := s.Fetch(b.Context(), "a.*", noon-86400, noon, "", func(string, int64, int64, []float64) bool { n++; return true }); err != nil || n != 100 {
			b.Fatal(n, err)
		}
	}
}
