package loadview

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/terminal"
)

// sample is the load of a small cluster.
func sample() *Load {
	l := New(time.Date(2026, 11, 20, 21, 7, 3, 0, time.UTC))
	for path, v := range map[string]float64{
		"jobs.running": 34, "jobs.pending": 21, "cpus.alloc": 71, "cpus.idle": 150, "cpus.other": 11, "cpus.total": 232,
		"gpus.alloc": 6, "gpus.idle": 3, "gpus.unavail": 1, "gpus.total": 10,
		"partition.batch.jobs.running": 23, "partition.batch.jobs.pending": 11, "partition.batch.cpus.alloc": 48,
		"partition.batch.cpus.idle": 37, "partition.batch.cpus.other": 11, "partition.batch.cpus.total": 96, "partition.batch.gpus.total": 0, "partition.batch.gpus.alloc": 0,
		"partition.gpu.jobs.running": 9, "partition.gpu.jobs.pending": 10, "partition.gpu.cpus.alloc": 22, "partition.gpu.cpus.idle": 50,
		"partition.gpu.cpus.total": 72, "partition.gpu.gpus.alloc": 6, "partition.gpu.gpus.idle": 3, "partition.gpu.gpus.unavail": 1, "partition.gpu.gpus.total": 10,
		"partition.gpu.up": 1, "partition.gpu.nodes.available": 4, "partition.gpu.nodes.total": 5,
		"partition.with_a_long_name.jobs.pending": 1, "partition.with_a_long_name.up": 0,
		"jobs.pending.reason.resources.jobs":            13,
		"jobs.pending.reason.priority.jobs":             7,
		"jobs.pending.reason.assoc_max_jobs_limit.jobs": 1,
		"jobs.pending.reason.dependency.jobs":           0,
		"jobs.pending.reason.resources.cpus":            99,
		"nodes.idle":                                    3, "nodes.mixed": 5, "nodes.down": 2, "nodes.total": 10, "nodes.available": 8,
		"nodes.flag.drain": 1, "nodes.flag.reserved": 4,
		"jobs.recent.completed": 123, "jobs.recent.failed": 15, "jobs.recent.cancelled": 14,
		"user.alice.jobs.cpus.running": 48, "user.alice.jobs.pending": 16, "user._other.jobs.cpus.running": 51, "user._other.jobs.pending": 2,
		"user.bob.jobs.cpus.running": 0, "user.bob.jobs.pending": 17, "user.idle.jobs.cpus.running": 0, "user.idle.jobs.pending": 0,
		"account.physics.jobs.cpus.running":       70,
		"agent.command.queue.ok":                  1,
		"agent.command.queue.seconds":             0.0134,
		"agent.command.nodes.ok":                  0,
		"agent.command.nodes.seconds":             5,
		"agent.rss_bytes":                         14.4e6,
		"agent.cpu_seconds.per_second":            0.0042,
		"agent.series":                            412,
		"agent.database.graphite.ok":              0,
		"agent.database.graphite.sent.per_second": 206,
		"agent.queue.graphite.blocks":             18, "agent.queue.graphite.bytes": 19_000,
	} {
		l.Set(path, v)
	}
	return l
}

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

func TestLines(t *testing.T) {
	for _, columns := range []int{80, 132} {
		v := View{Columns: columns, Head: "clusterload  hpc1  every 10s", Foot: "q quit"}
		lines := v.Lines(sample())
		for _, line := range lines {
			if !strings.HasPrefix(line, "AGENT") { // it is as long as it is: what is cut off at its end matters least
				assert.LessOrEqual(t, terminal.Width(line), columns, line)
			}
		}
		golden(t, fmt.Sprintf("view%d.txt", columns), strings.Join(lines, "\n")+"\n")
	}
}

// Without GPUs the CPUs have their room.
func TestLinesWithoutGPUs(t *testing.T) {
	l := New(time.Time{})
	l.Set("partition.batch.cpus.alloc", 3)
	l.Set("partition.batch.cpus.idle", 5)
	l.Set("partition.batch.cpus.total", 8)
	l.Set("gpus.total", 0)
	v := View{Columns: 60, Note: "No answer since 12:03:04"}
	text := strings.Join(v.Lines(l), "\n")
	assert.NotContains(t, text, "GPU")
	assert.Contains(t, text, "\nNo answer since 12:03:04\n")
	assert.Contains(t, text, "\nbatch            -       -  ██████░░░░░░░░░░░    3/8       5\n")
	assert.Contains(t, strings.Join((&View{Columns: 60}).Lines(New(time.Time{})), "\n"), "cluster          -       -", "nothing is known: dashes, no zeros")
}

func TestColours(t *testing.T) {
	v := View{Columns: 80, Paint: true}
	painted := v.Lines(sample())
	plain := (&View{Columns: 80}).Lines(sample())
	require.Len(t, painted, len(plain))
	strip := func(s string) string {
		for s != "" {
			begin := strings.Index(s, "\x1b[")
			if begin < 0 {
				break
			}
			s = s[:begin] + s[begin+strings.IndexByte(s[begin:], 'm')+1:]
		}
		return strings.TrimRight(s, " ")
	}
	for i := range plain {
		assert.Equal(t, strings.TrimRight(plain[i], " "), strip(painted[i]), "colours take no room")
	}
	all := strings.Join(painted, "\n")
	for _, want := range []string{"\x1b[31mwith_a_long_~", "\x1b[33m     11", "\x1b[31mdown ", "\x1b[31mnodes FAILS", "\x1b[31m FAILS"} {
		assert.Contains(t, all, want)
	}
}

func TestSort(t *testing.T) {
	for _, test := range []struct {
		by        Column
		backwards bool
		want      string
	}{
		{ByName, false, "batch gpu with_a_long_~"},
		{ByName, true, "with_a_long_~ gpu batch"},
		{ByRunning, false, "batch gpu with_a_long_~"},
		{ByPending, true, "with_a_long_~ gpu batch"},
		{ByCPUs, false, "batch gpu with_a_long_~"},
		{ByGPUs, false, "gpu batch with_a_long_~"},
	} {
		v := View{Columns: 80, Sort: test.by, Backwards: test.backwards}
		var names []string
		for _, line := range v.Lines(sample())[3:6] {
			names = append(names, strings.Fields(line)[0])
		}
		assert.Equal(t, test.want, strings.Join(names, " "), "%v %v", test.by, test.backwards)
	}
}

// Many partitions scroll; what is above and below stays, on every size of terminal.
func TestScroll(t *testing.T) {
	l := sample()
	for i := range 100 {
		l.Set(fmt.Sprintf("partition.p%02d.jobs.running", i), float64(i))
	}
	for rows := 9; rows < 80; rows += 5 {
		for columns := 52; columns < 200; columns += 7 {
			v := View{Columns: columns, Rows: rows, Foot: "keys"}
			lines := v.Lines(l)
			assert.LessOrEqual(t, len(lines), rows, "%d by %d", columns, rows)
			assert.Equal(t, "keys", lines[len(lines)-1])
			for _, line := range lines {
				if !strings.HasPrefix(line, "AGENT") && !strings.HasPrefix(line, "      graphite") {
					assert.LessOrEqual(t, terminal.Width(line), columns, line)
				}
			}
			v.Scroll = 1 << 20
			text := strings.Join(v.Lines(l), "\n")
			assert.Contains(t, text, "with_a_long", "the end")
			assert.NotContains(t, text, "\nbatch ")
			assert.Less(t, v.Scroll, 103, "no further than the end")
			v.Scroll = -5
			assert.Contains(t, strings.Join(v.Lines(l), "\n"), "\nbatch ")
			assert.Zero(t, v.Scroll)
		}
	}
}

func TestSetLabels(t *testing.T) {
	l := New(time.Time{})
	l.SetLabels("partition.{partition}.jobs.{state}", []string{"old.gpu", "running"}, 3)
	l.SetLabels("jobs.total", nil, 5)
	l.SetLabels("user.{user}.jobs.cpus.{state}", []string{"j.doe\x1b[2J", "running"}, 7)
	l.SetLabels("user.{user}.jobs.{state}", []string{"j.doe\x1b[2J", "pending"}, 11)
	assert.Equal(t, 4, l.Series())
	assert.Equal(t, map[string]float64{"total": 5}, l.below("jobs", ""))
	text := strings.Join((&View{Columns: 80}).Lines(l), "\n")
	assert.Contains(t, text, "\nold.gpu ", "a name with a dot is one name")
	assert.Contains(t, text, "j.doe?[2J", "and foreign codes do not reach the terminal")
	assert.NotContains(t, text, "\x1b")
}

func TestLine(t *testing.T) {
	assert.Equal(t, "21:07:03  jobs 34 running 21 pending  cpus 71/232  gpus 6/10  batch 23+11  gpu 9+10  with_a_long_name -+1"+
		"  resources=13  priority=7  assoc_max_jobs_limit=1  nodes FAILS", sample().Line())
	assert.Contains(t, New(time.Time{}).Line(), "jobs - running - pending  cpus -/-  gpus -/-")
}

func BenchmarkLines(b *testing.B) {
	l := sample()
	for i := range 500 {
		for _, what := range []string{"jobs.running", "jobs.pending", "cpus.alloc", "cpus.idle", "cpus.total"} {
			l.Set(fmt.Sprintf("partition.p%d.%s", i, what), float64(i))
			l.Set(fmt.Sprintf("user.u%d.%s", i, what), float64(i))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		(&View{Columns: 132, Rows: 50}).Lines(l)
	}
}
