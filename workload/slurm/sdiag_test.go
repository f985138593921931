package slurm

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// sdiagShape is how any version prints what is read, in its order; every number differs.
const sdiagShape = `*******************************************************
sdiag output at Sat Nov 21 00:08:13 2026 (1795219693)
Data since      Sat Nov 21 00:00:00 2026 (1795219200)
*******************************************************
Server thread count:  3
RPC queue enabled:    90
Agent queue size:     4
Agent count:          2
Agent thread count:   91
DBD Agent queue size: 5

Jobs submitted: 1006
Jobs started:   34
Jobs completed: 14
Jobs canceled:  6
Jobs failed:    92

Main schedule statistics (microseconds):
	Last cycle:   197
	Max cycle:    6687
	Total cycles: 20
	Mean cycle:   784
	Mean depth cycle:  10
	Cycles per minute: 7
	Last queue length: 11

Main scheduler exit:
	End of job queue: 93
	Last cycle: 94

Backfilling stats (WARNING: data obtained in the middle of backfilling execution.)
	Total backfilled jobs (since last slurm start): 13
	Total backfilled jobs (since last stats cycle start): 95
	Total backfilled heterogeneous job components: 12
	Total cycles: 17
	Last cycle when: Sat Nov 21 00:08:13 2026 (1795219693)
	Last cycle: 302
	Max cycle:  2085
	Mean cycle: 682
	Last depth cycle: 96
	Depth Mean: 8
	Depth Mean (try depth): 1
	Last queue length: 9
	Queue length mean: 97

Backfill exit
	End of job queue:98
	Mean cycle: 99

Latency for 1000 calls to gettimeofday(): 21 microseconds

Remote Procedure Call statistics by user
	Last cycle      (       0) count:250    ave_time:228    total_time:57103
	Max cycle: 1
`

var sdiagFigures = map[string]float64{
	"ctld.threads": 3, "ctld.agent_queue": 4, "ctld.agent_count": 2, "ctld.dbd_queue": 5,
	"ctld.jobs.submitted": 1006, "ctld.jobs.started": 34, "ctld.jobs.completed": 14, "ctld.jobs.canceled": 6,
	"sched.main.last_seconds": 0.000197, "sched.main.max_seconds": 0.006687, "sched.main.mean_seconds": 0.000784,
	"sched.main.depth_mean": 10, "sched.main.cycles_per_minute": 7, "sched.main.queue_len": 11,
	"sched.backfill.jobs": 13, "sched.backfill.het_components": 12, "sched.backfill.cycles": 17,
	"sched.backfill.last_seconds": 0.000302, "sched.backfill.max_seconds": 0.002085, "sched.backfill.mean_seconds": 0.000682,
	"sched.backfill.depth_mean": 8, "sched.backfill.try_depth_mean": 1, "sched.backfill.queue_len": 9,
}

func textLines(text string) [][]byte { return bytes.Split([]byte(text), []byte("\n")) }

// TestScheduler reads each line in its section, also while backfill is under way.
func TestScheduler(t *testing.T) {
	r := newScheduler(&Config{}, quiet())
	assert.Equal(t, sdiagFigures, feed(t, r, textLines(sdiagShape)))
	for _, d := range r.describe() {
		_, known := sdiagFigures[d.Template]
		assert.True(t, known, d.Template)
		counts := regexp.MustCompile(`^ctld\.jobs\.|^sched\.backfill\.(jobs|het_components|cycles)$`).MatchString(d.Template)
		assert.Equal(t, counts, d.Kind == aggregator.Counter, d.Template)
		assert.Equal(t, strings.HasSuffix(d.Template, "_seconds"), d.Unit == aggregator.Seconds, d.Template)
	}
}

// TestSchedulerAbsent adds nothing that was not said, nor what the call before said, whether it worked or not.
func TestSchedulerAbsent(t *testing.T) {
	r := newScheduler(&Config{}, quiet())
	feed(t, r, textLines(sdiagShape))
	half := "Server thread count: 7\nBackfilling stats\n\tTotal cycles: 0\n\tLast cycle: 5\n"
	assert.Equal(t, map[string]float64{"ctld.threads": 7, "sched.backfill.cycles": 0, "sched.backfill.last_seconds": 0.000005}, feed(t, r, textLines(half)))
	r.begin(tickTime)
	require.NoError(t, r.line([]byte("Main schedule statistics (microseconds):"))) // and then it fails
	assert.Empty(t, feed(t, r, textLines("\tLast cycle: 5\n   Server thread count: 8\n")), "indented lines of no section")
	assert.Empty(t, feed(t, r, nil))
}

func TestSchedulerDamaged(t *testing.T) {
	tests := []struct {
		name, text, bad string
		want            map[string]float64
	}{
		{"a word", "Server thread count: many\nAgent count: 2", "Server thread count: many", map[string]float64{"ctld.agent_count": 2}},
		{"nothing", "Jobs started:\nJobs canceled: 6", "Jobs started:", map[string]float64{"ctld.jobs.canceled": 6}},
		{"no colon", "Agent count", "Agent count", map[string]float64{}},
		{"negative", "Agent queue size: -1", "Agent queue size: -1", map[string]float64{}},
		{"a fraction", "Backfilling stats\n\tDepth Mean: 1.5\n\tMean cycle: 7", "\tDepth Mean: 1.5", map[string]float64{"sched.backfill.mean_seconds": 0.000007}},
		{"too large", "Jobs submitted: 18446744073709551616", "Jobs submitted: 18446744073709551616", map[string]float64{}},
		{"two", "Jobs submitted: 1 2", "Jobs submitted: 1 2", map[string]float64{}},
		{"not finite", "Main schedule statistics\n\tMax cycle: inf", "\tMax cycle: inf", map[string]float64{}},
		{"said twice", "DBD Agent queue size: 3\nDBD Agent queue size: x", "DBD Agent queue size: x", map[string]float64{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newScheduler(&Config{}, quiet())
			r.begin(tickTime)
			var bad []string
			for _, l := range textLines(test.text) {
				if err := r.line(l); err != nil {
					bad = append(bad, string(l))
					assert.ErrorIs(t, err, errFigure)
				}
			}
			assert.Equal(t, []string{test.bad}, bad)
			assert.Equal(t, test.want, finish(t, r))
		})
	}
	r := newScheduler(&Config{}, quiet())
	assert.EqualError(t, r.line([]byte("Agent count: x")), `sdiag "Agent count: x": want a whole number`)
}

// sdiagOfCycles are not printed while no cycle has run, the cycles a minute not before a minute has passed.
var sdiagOfCycles = []string{"sched.main.mean_seconds", "sched.main.depth_mean", "sched.main.cycles_per_minute",
	"sched.backfill.mean_seconds", "sched.backfill.depth_mean", "sched.backfill.try_depth_mean"}

// TestSchedulerGolden reads what real ones printed, and finds each number again by another way.
func TestSchedulerGolden(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			text := bytes.Join(capture(t, version, "sdiag.out"), []byte("\n"))
			got := feed(t, newScheduler(&Config{}, quiet()), textLines(string(text)))
			assert.Equal(t, sdiagByPatterns(t, string(text)), got)
			assert.Len(t, got, len(schedulerFigures))
			for _, path := range []string{"ctld.jobs.submitted", "ctld.jobs.started", "sched.main.mean_seconds", "sched.main.cycles_per_minute", "sched.backfill.jobs"} {
				assert.Positive(t, got[path], path)
			}
			assert.Greater(t, got["sched.main.max_seconds"], got["sched.main.mean_seconds"])
			assert.Less(t, got["sched.main.max_seconds"], 1.0, "seconds, not microseconds")

			reset := feed(t, newScheduler(&Config{}, quiet()), capture(t, version, "sdiag_reset.out"))
			for _, path := range sdiagOfCycles {
				assert.NotContains(t, reset, path)
			}
			assert.Len(t, reset, len(schedulerFigures)-len(sdiagOfCycles))
			assert.Contains(t, reset, "ctld.jobs.started")
			assert.Zero(t, reset["ctld.jobs.started"])
		})
	}
}

// sdiagByPatterns reads sdiag's whole text with one expression for each metric.
func sdiagByPatterns(t *testing.T, text string) map[string]float64 {
	t.Helper()
	top, rest, found := strings.Cut(text, "\nMain schedule")
	require.True(t, found)
	main, rest, found := strings.Cut(rest, "\nBackfilling")
	require.True(t, found)
	backfill, _, found := strings.Cut(rest, "\nLatency")
	require.True(t, found)
	main, _, _ = strings.Cut(main, "\nMain scheduler exit")
	backfill, _, _ = strings.Cut(backfill, "\nBackfill exit")
	got := map[string]float64{}
	add := func(text, prefix string, patterns map[string]string) {
		for name, pattern := range patterns {
			if m := regexp.MustCompile(`(?m)^\s*` + pattern + `: *(\d+)$`).FindStringSubmatch(text); m != nil {
				got[prefix+name] = number(t, m[1])
				if strings.HasSuffix(name, "_seconds") {
					got[prefix+name] /= 1_000_000
				}
			}
		}
	}
	add(top, "ctld.", map[string]string{"threads": "Server thread count", "agent_queue": "Agent queue size", "agent_count": "Agent count",
		"dbd_queue": "DBD Agent queue size", "jobs.submitted": "Jobs submitted", "jobs.started": "Jobs started", "jobs.completed": "Jobs completed",
		"jobs.canceled": "Jobs canceled"})
	cycles := map[string]string{"last_seconds": "Last cycle", "mean_seconds": "Mean cycle", "max_seconds": "Max cycle", "queue_len": "Last queue length"}
	add(main, "sched.main.", cycles)
	add(backfill, "sched.backfill.", cycles)
	add(main, "sched.main.", map[string]string{"cycles_per_minute": "Cycles per minute", "depth_mean": "Mean depth cycle"})
	add(backfill, "sched.backfill.", map[string]string{"depth_mean": "Depth Mean", "try_depth_mean": `Depth Mean \(try depth\)`, "cycles": "Total cycles",
		"jobs": `Total backfilled jobs \(since last slurm start\)`, "het_components": "Total backfilled heterogeneous job components"})
	return got
}

func FuzzScheduler(f *testing.F) {
	for _, version := range versions {
		f.Add(bytes.Join(capture(f, version, "sdiag.out"), []byte("\n")))
	}
	f.Add([]byte(sdiagShape))
	f.Add([]byte("Agent count: \nMain schedule statistics\n\tLast cycle:1\n : \n:\n\t"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newScheduler(&Config{}, quiet())
		var first map[string]float64
		for range 2 {
			r.begin(tickTime)
			for l := range bytes.SplitSeq(text, []byte("\n")) {
				_ = r.line(l)
			}
			got := finish(t, r)
			for path, v := range got {
				require.GreaterOrEqual(t, v, 0.0, path)
			}
			if first == nil {
				first = got
			}
			require.Equal(t, first, got)
		}
		for path := range first { // no number out of nothing
			require.True(t, bytes.ContainsAny(text, "0123456789"), path)
		}
	})
}

func BenchmarkScheduler(b *testing.B) {
	lines := capture(b, "26.05", "sdiag.out")
	size := len(bytes.Join(lines, []byte("\n"))) + 1
	r := newScheduler(&Config{}, quiet())
	var batch aggregator.Batch
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		r.begin(tickTime)
		for _, l := range lines {
			if err := r.line(l); err != nil {
				b.Fatal(err)
			}
		}
		batch.Reset(tickTime)
		r.end(&batch)
	}
	if n := len(batch.Metrics()); n != len(schedulerFigures) {
		b.Fatal(n, "metrics")
	}
}
