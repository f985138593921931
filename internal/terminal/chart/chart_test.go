package chart

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/terminal"
)

// golden compares text to a file of testdata, which UPDATE_GOLDEN=1 writes.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), text)
}

const begin = 1763650000 // 2025-11-20 14:46:40 UTC

// series makes a series of n points, ten seconds apart.
func series(name string, n int, value func(i int) float64) Series {
	s := Series{Name: name}
	for i := range n {
		s.Points = append(s.Points, Point{begin + int64(i)*10, value(i)})
	}
	return s
}

func wave(i int) float64 {
	if i > 900 && i < 1000 {
		return math.NaN() // an outage
	}
	return 500 + 400*math.Sin(float64(i)/200)
}

func saw(i int) float64 { return 1200 * float64(i%700) / 700 }

func TestDraw(t *testing.T) {
	o := Options{Columns: 80, Rows: 16, Zone: time.UTC}
	one := []Series{series("hpc1.jobs.running", 2160, wave)}
	two := append(one, series("hpc1.jobs.pending", 2160, saw))
	painted := o
	painted.Paint = true
	small := o
	small.Columns, small.Rows = 30, 6
	week := o
	week.From, week.Until = begin, begin+8*86400
	for name, text := range map[string]string{
		"one.txt":     Draw(one, o),
		"letters.txt": Draw(two, o),
		"colours.txt": Draw(two, painted),
		"small.txt":   Draw(one, small),
		"week.txt":    Draw(one, week),
		"empty.txt":   Draw([]Series{{Name: "hpc1.jobs.none"}}, o),
		"point.txt":   Draw([]Series{{Name: "hpc1.jobs.once", Points: []Point{{begin, -17.5}}}}, o),
		"flat.txt":    Draw([]Series{series("hpc1.nodes.total", 100, func(int) float64 { return 5000 })}, o),
		"tight.txt":   Draw([]Series{series("hpc1.load", 100, func(i int) float64 { return 20_000 + float64(i)/7 })}, o),
		"tiny.txt":    Draw([]Series{series("hpc1.ratio", 100, func(i int) float64 { return -float64(i) * 3e-8 })}, o),
	} {
		golden(t, name, text)
	}
}

// Whatever is drawn stays within its columns and rows, and what is highest stands highest.
func TestDrawFits(t *testing.T) {
	for _, high := range []float64{1e-300, 0.017, 1, 99, 1e6, 3.7e18, 1e300, math.MaxFloat64} {
		for _, low := range []float64{-high, 0, high / 2, high} {
			for _, columns := range []int{24, 61, 200} {
				s := series("s", 50, func(i int) float64 { return low + (high-low)/49*float64(i) })
				text := Draw([]Series{s}, Options{Columns: columns, Rows: 12, Zone: time.UTC})
				lines := strings.Split(text, "\n")
				require.Len(t, lines, 14, text)
				for _, line := range lines[:12] {
					assert.LessOrEqual(t, terminal.Width(line), columns, text)
				}
			}
		}
	}
}

func FuzzDraw(f *testing.F) {
	f.Add(1.0, -2.5, math.Inf(1), int64(begin), int64(60), 80, 20, true)
	f.Add(math.MaxFloat64, -math.MaxFloat64, math.NaN(), int64(0), int64(math.MaxInt64/2), 1, 1, false)
	f.Add(5e-324, 0.0, 1e308, int64(-5), int64(1), 300, 5, false)
	f.Fuzz(func(t *testing.T, a, b, c float64, at, step int64, columns, rows int, paint bool) {
		columns, rows = max(0, columns%400), max(0, rows%100)
		at, step = at%(1<<50), max(0, step%(1<<50))
		s := []Series{{Name: "a\x1b", Points: []Point{{at, a}, {at + step, b}, {at + 2*step, c}}}, {Name: "b", Points: []Point{{at + step, c}}}}
		text := Draw(s, Options{Columns: columns, Rows: rows, Paint: terminal.Painter(paint), Zone: time.UTC})
		assert.Len(t, strings.Split(text, "\n"), max(rows, minRows)+3)
	})
}

func TestAxis(t *testing.T) {
	tests := []struct {
		low, high         float64
		wantLow, wantHigh float64
		labels            string
	}{
		{0, 97, 0, 100, "0 25 50 75 100"},
		{80, 97, 80, 100, "80 85 90 95 100"},
		{31, 97, 0, 100, "0 25 50 75 100"}, // zero is near
		{-97, -31, -100, 0, "-100 -75 -50 -25 0"},
		{-3, 5, -4, 6, "-4 -2 0 2 4 6"},
		{5, 5, 0, 6, "0 2 4 6"},
		{0, 0, 0, 1, "0 0.25 0.50 0.75 1.00"},
		{0, 43_210, 0, 60_000, "0 20k 40k 60k"},
		{9_000_000, 9_000_003, 9_000_000, 9_000_003, "9000.000k 9000.001k 9000.002k 9000.003k"},
	}
	for _, test := range tests {
		a := newAxis(test.low, test.high, 14)
		assert.InDelta(t, test.wantLow, a.low, 1e-9, test.labels)
		assert.InDelta(t, test.wantHigh, a.high, 1e-9, test.labels)
		var labels []string
		for i := range a.labels {
			if l := a.labels[len(a.labels)-1-i]; l != "" {
				labels = append(labels, l)
			}
		}
		assert.Equal(t, test.labels, strings.Join(labels, " "), "%v to %v", test.low, test.high)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 17: "17", -3.25: "-3.25", 0.00421: "0.00421", 123.456: "123.5", 5000: "5000",
		43_210: "43.21k", 9_950_000: "9.95M", 999_996: "1000k", 12_000_000: "12M", 1.5e20: "1.5e+20", math.Inf(1): "-", 1e-9: "1e-09"} {
		assert.Equal(t, want, Number(v), "%v", v)
	}
	assert.Equal(t, "-", Number(math.NaN()))
}

func TestTimes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		berlin = time.FixedZone("CET", 3600)
	}
	tests := []struct {
		length int64
		zone   *time.Location
		want   string
	}{
		{30, time.UTC, "14:46:40 14:46:45 14:46:50 14:46:55 14:47:00 14:47:05 14:47:10"},
		{3600, time.UTC, "14:50 15:00 15:10 15:20 15:30 15:40"},
		{6 * 3600, time.UTC, "15:00 16:00 17:00 18:00 19:00 20:00"},
		{6 * 3600, berlin, "16:00 17:00 18:00 19:00 20:00 21:00"},
		{86400, time.UTC, "18:00 Nov 21 06:00 12:00"},
		{14 * 86400, time.UTC, "Nov 22 Nov 24 Nov 26 Nov 28 Nov 30 Dec 2 Dec 4"},
		{400 * 86400, time.UTC, "Jan 22 Apr 23 Jul 23 Oct 22"},
	}
	for _, test := range tests {
		o := Options{From: begin, Until: begin + test.length, Zone: test.zone}
		line, labels := times(o, 90)
		assert.Len(t, []rune(line), 90)
		assert.Len(t, []rune(labels), 90)
		assert.Equal(t, test.want, strings.Join(strings.Fields(labels), " "), "%d s", test.length)
	}
}

func TestSum(t *testing.T) {
	nan := math.NaN()
	s := series("s", 7, func(i int) float64 { return []float64{nan, 3, -5, nan, 13, math.Inf(1), nan}[i] })
	got := Sum(s.Points)
	assert.InDelta(t, 11.0/3, got.Mean, 1e-12)
	got.Mean = 0
	assert.Equal(t, Figures{Values: 3, Last: 13, Min: -5, Max: 13}, got)
	assert.Zero(t, Sum(nil).Values)
	assert.True(t, math.IsNaN(Sum(nil).Mean))
}

func TestSpark(t *testing.T) {
	up := series("s", 8, func(i int) float64 { return float64(i) })
	assert.Equal(t, "▁▂▃▄▅▆▇█", Spark(up.Points, 30))
	assert.Equal(t, "▁▃▆█", Spark(up.Points, 4))
	assert.Equal(t, "▁ █", Spark([]Point{{1, 2}, {2, math.NaN()}, {3, 5}}, 9))
	assert.Equal(t, "▁▁", Spark([]Point{{1, 7}, {2, 7}}, 9))
	assert.Equal(t, " ", Spark([]Point{{1, math.NaN()}}, 9))
	assert.Empty(t, Spark(nil, 9))
}

func BenchmarkDraw(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		all := []Series{series("a", n, wave), series("b", n, saw)}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Draw(all, Options{Columns: 120, Rows: 24, Paint: true, Zone: time.UTC})
			}
		})
	}
}
