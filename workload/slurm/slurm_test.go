package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// A fakeSlurm is a folder with commands that are scripts.
type fakeSlurm struct{ folder string }

// newFakeSlurm makes commands that print what a real cluster's printed.
func newFakeSlurm(t *testing.T) fakeSlurm {
	f := fakeSlurm{t.TempDir()}
	for program, file := range map[string]string{"squeue": "squeue.out", "scontrol": "scontrol_nodes.out", "sinfo": "sinfo_up.out", "sdiag": "sdiag.out"} {
		f.script(t, program, "exec cat "+capturePath(t, file))
	}
	return f
}

func capturePath(t *testing.T, file string) string {
	path, err := filepath.Abs(filepath.Join("testdata", "26.05", file))
	require.NoError(t, err)
	return path
}

func (f fakeSlurm) script(t *testing.T, program, text string) {
	t.Helper()
	path := filepath.Join(f.folder, program)
	require.NoError(t, os.WriteFile(path+".new", []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	require.NoError(t, os.Rename(path+".new", path))
}

// aggregatorOf makes the aggregator as the agent does.
func (f fakeSlurm) aggregator(t *testing.T, log *bytes.Buffer, set func(*Config)) *Slurm {
	t.Helper()
	handler := slog.Handler(slog.DiscardHandler)
	if log != nil {
		handler = slog.NewTextHandler(log, nil)
	}
	a, err := New(aggregator.Options{Name: "slurm", Log: slog.New(handler), Decode: func(v any) error {
		c := v.(*Config)
		c.Commands = f.folder
		if set != nil {
			set(c)
		}
		return nil
	}})
	require.NoError(t, err)
	return a.(*Slurm)
}

// tick runs the aggregator once, and returns its metrics by their filled templates.
func tick(t *testing.T, ctx context.Context, a *Slurm) (map[string]float64, error) {
	t.Helper()
	described := map[*aggregator.Desc]bool{}
	for _, d := range a.Describe() {
		described[d] = true
	}
	var b aggregator.Batch
	b.Reset(tickTime)
	err := a.Aggregate(ctx, &b)
	require.NoError(t, b.Err())
	got := map[string]float64{}
	for _, m := range b.Metrics() {
		assert.True(t, described[m.Desc], m.Desc.Template)
		got[path(m)] = m.Value
	}
	return got, err
}

func TestAggregate(t *testing.T) {
	a := newFakeSlurm(t).aggregator(t, nil, nil)
	got, err := tick(t, t.Context(), a)
	require.NoError(t, err)
	for _, name := range []string{"queue", "nodes", "partitions", "scheduler"} {
		said := func(what string) float64 { return got["agent.command."+name+"."+what] }
		assert.Equal(t, 1.0, said("ok"), name)
		assert.Equal(t, 0.0, said("timeouts"))
		assert.Equal(t, 0.0, said("parse_errors"))
		assert.Positive(t, said("seconds"))
	}
	for name, file := range map[string]string{"queue": "squeue.out", "nodes": "scontrol_nodes.out", "partitions": "sinfo_up.out", "scheduler": "sdiag.out"} {
		text, err := os.ReadFile(capturePath(t, file))
		require.NoError(t, err)
		assert.Equal(t, float64(len(text)), got["agent.command."+name+".bytes"], name)
		assert.Equal(t, float64(bytes.Count(text, []byte("\n"))), got["agent.command."+name+".rows"], name)
	}
	assert.Equal(t, 0.0, got["agent.unknown_tokens"])
	assert.Positive(t, got["jobs.running"])
	assert.Positive(t, got["nodes.total"])
	assert.Equal(t, 1.0, got["partition.batch.up"])
	assert.Positive(t, got["sched.main.mean_seconds"])
	assert.Positive(t, got["partition.batch.jobs.pending"])
	assert.NotContains(t, got, "batch.jobs_num")
}

// TestAggregateOneFails says of a failed call that it failed and nothing else; the others go on.
func TestAggregateOneFails(t *testing.T) {
	squeue := "cat " + capturePath(t, "squeue.out")
	tests := []struct{ name, script, err string }{
		{"slurmctld is down", `echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1`,
			`queue: FOLDER/squeue: exit status 1: "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"`},
		{"half an answer", `head -c 3000 ` + capturePath(t, "squeue.out") + `; echo 'squeue: error: slurm_receive_msg: Zero Bytes' >&2; exit 1`,
			`queue: FOLDER/squeue: exit status 1: "squeue: error: slurm_receive_msg: Zero Bytes"`},
		{"an unknown field", squeue + `; echo 'Invalid job format specification: Foo' >&2`,
			`queue: FOLDER/squeue: exit status 0: "Invalid job format specification: Foo"`},
		{"all but the end", squeue + `; exit 7`, `queue: FOLDER/squeue: exit status 7`},
		{"killed", squeue + `; kill -KILL $$`, `queue: FOLDER/squeue: signal: killed`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeSlurm(t)
			a := f.aggregator(t, nil, func(c *Config) { c.JobsNum = true })
			before, err := tick(t, t.Context(), a)
			require.NoError(t, err)
			f.script(t, "squeue", test.script)
			for range 2 {
				got, err := tick(t, t.Context(), a)
				assert.EqualError(t, err, strings.ReplaceAll(test.err, "FOLDER", f.folder))
				for path := range got {
					if !strings.HasPrefix(path, "ctld.") && !strings.HasPrefix(path, "sched.") {
						assert.NotContains(t, path, "jobs", "neither 0 nor an old value")
					}
				}
				assert.Equal(t, 0.0, got["agent.command.queue.ok"])
				assert.Contains(t, got, "agent.command.queue.seconds")
				assert.Equal(t, before["nodes.total"], got["nodes.total"])
				assert.Equal(t, 1.0, got["agent.command.nodes.ok"])
			}
			f.script(t, "squeue", "exec cat "+capturePath(t, "squeue.out"))
			after, err := tick(t, t.Context(), a)
			require.NoError(t, err)
			for path, v := range before {
				if !strings.HasPrefix(path, "agent.") {
					assert.Equal(t, v, after[path], path)
				}
			}
		})
	}
}

// TestAggregateNoSlurm joins the errors of all.
func TestAggregateNoSlurm(t *testing.T) {
	a := fakeSlurm{"/nonexistent"}.aggregator(t, nil, nil)
	got, err := tick(t, t.Context(), a)
	assert.ErrorIs(t, err, os.ErrNotExist)
	for _, name := range []string{"queue: /nonexistent/squeue", "nodes: /nonexistent/scontrol", "partitions: /nonexistent/sinfo", "scheduler: /nonexistent/sdiag"} {
		assert.ErrorContains(t, err, name)
	}
	assert.Len(t, got, 4*len(callDescs)+1)
}

// TestAggregateHangs ends a command that hangs with a child, while the others have long answered.
func TestAggregateHangs(t *testing.T) {
	f := newFakeSlurm(t)
	pids := filepath.Join(t.TempDir(), "pids")
	f.script(t, "squeue", "head -c 3000 "+capturePath(t, "squeue.out")+"\nsleep 1000 & echo $$ $! > "+pids+".new; mv "+pids+".new "+pids+"; wait")
	a := f.aggregator(t, nil, nil)
	for n := range 2 {
		ctx := &deadline{Context: t.Context(), past: make(chan struct{})}
		var text []byte
		go func() {
			for text == nil {
				time.Sleep(time.Millisecond)
				text, _ = os.ReadFile(pids)
			}
			close(ctx.past)
		}()
		got, err := tick(t, ctx, a)
		assert.ErrorContains(t, err, "queue: "+f.folder+"/squeue: killed at its deadline")
		assert.Equal(t, float64(n+1), got["agent.command.queue.timeouts"])
		assert.Equal(t, 0.0, got["agent.command.queue.ok"])
		assert.NotContains(t, got, "jobs.total")
		require.Len(t, strings.Fields(string(text)), 2)
		for _, pid := range strings.Fields(string(text)) {
			gone(t, pid)
		}
		require.NoError(t, os.Remove(pids))
	}

	slow := f.aggregator(t, nil, func(c *Config) { _ = c.CommandDeadline.UnmarshalTOML("100ms") })
	got, err := tick(t, t.Context(), slow)
	assert.ErrorContains(t, err, "queue: "+f.folder+"/squeue: killed at its deadline", "of its own, within the run's")
	assert.Equal(t, 1.0, got["agent.command.queue.timeouts"])
}

// A deadline is a context whose deadline passes when it is told to.
type deadline struct {
	context.Context
	past chan struct{}
}

func (d *deadline) Done() <-chan struct{} { return d.past }

func (d *deadline) Err() error {
	select {
	case <-d.past:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// gone waits for a killed process to be gone.
func gone(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			return
		}
		require.True(t, time.Now().Before(end), "process %s is alive", pid)
	}
}

func TestAggregateStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tick(t, ctx, newFakeSlurm(t).aggregator(t, nil, nil))
	assert.ErrorIs(t, err, context.Canceled)
}

// TestAggregateDamaged counts damaged lines and unknown words, warns of them once, and goes on with the rest.
func TestAggregateDamaged(t *testing.T) {
	f := newFakeSlurm(t)
	row := string(queue("N/A|p|HIBERNATING|u|a|q|1|2|N/A|None")[0])
	f.script(t, "squeue", `printf '%s\n' 'no job' '`+row+`' 'nor this' ''; head -c 2000000 /dev/zero | tr '\0' x; printf '\n%s\ncut' '`+row+`'`)
	var log bytes.Buffer
	a := f.aggregator(t, &log, nil)
	for n := range 3 {
		got, err := tick(t, t.Context(), a)
		require.NoError(t, err)
		assert.Equal(t, float64(4*(n+1)), got["agent.command.queue.parse_errors"])
		assert.Equal(t, float64(2*(n+1)), got["agent.unknown_tokens"])
		assert.Equal(t, 5.0, got["agent.command.queue.rows"])
		assert.Equal(t, 2.0, got["jobs.other"])
	}
	assert.Equal(t, 1, strings.Count(log.String(), `msg="lines of a command could not be read" command=queue lines=4`), log.String())
	assert.Equal(t, 1, strings.Count(log.String(), "HIBERNATING"), log.String())

	f.script(t, "squeue", "exit 0")
	_, err := tick(t, t.Context(), a)
	require.NoError(t, err)
	f.script(t, "squeue", "echo again")
	_, err = tick(t, t.Context(), a)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(log.String(), "could not be read"), "warned of anew after a good call")
}

// TestCalls compares what is run with the table of calls.
func TestCalls(t *testing.T) {
	for _, metrics := range []string{metricsAll, metricsJobsNum} {
		f := newFakeSlurm(t)
		ran := filepath.Join(t.TempDir(), "ran")
		require.NoError(t, os.Mkdir(ran, 0o755))
		for _, program := range []string{"squeue", "sinfo", "scontrol", "sdiag", "sacct"} {
			f.script(t, program, `printf '%s\0' "$@" > `+ran+`/`+program+`; env > `+ran+`/`+program+`.env`)
		}
		t.Setenv("SQUEUE_FORMAT", "%i")
		t.Setenv("SLURM_CONF", "/etc/other.conf")
		a := f.aggregator(t, nil, func(c *Config) { c.Metrics, c.SlurmConf = metrics, "/etc/slurm/mine.conf" })
		_, err := tick(t, t.Context(), a)
		require.NoError(t, err)

		want := map[string][]string{"squeue": queueArgs}
		if metrics == metricsAll {
			want["scontrol"], want["sinfo"], want["sdiag"] = nodesArgs, partitionsArgs, nil
		}
		files, err := filepath.Glob(ran + "/*")
		require.NoError(t, err)
		assert.Len(t, files, 2*len(want))
		for program, args := range want {
			text, err := os.ReadFile(filepath.Join(ran, program))
			require.NoError(t, err)
			if len(args) == 0 {
				args = []string{""} // printf repeats its format once for no argument
			}
			assert.Equal(t, args, strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), program)
			env, err := os.ReadFile(filepath.Join(ran, program+".env"))
			require.NoError(t, err)
			for _, v := range []string{"LC_ALL=C", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", "SLURM_CONF=/etc/slurm/mine.conf"} {
				assert.Contains(t, "\n"+string(env), "\n"+v+"\n", program)
			}
			assert.NotContains(t, string(env), "SQUEUE_")
		}
	}
	assert.Equal(t, "JobID:\x1f,ArrayTaskID:\x1f,HetJobID:\x1f,Partition:\x1f,State:\x1f,UserName:\x1f,Account:\x1f,QOS:\x1f,NumNodes:\x1f,NumCPUs:\x1f,"+
		"tres-alloc:\x1f,SubmitTime:\x1f,EligibleTime:\x1f,StartTime:\x1f,TimeLimit:\x1f,exit_code:\x1f,Reason:\x1f", queueArgs[5])
}

// TestJobsNumOnly is what the file of the Python agent asks for.
func TestJobsNumOnly(t *testing.T) {
	a := newFakeSlurm(t).aggregator(t, nil, func(c *Config) { c.Metrics = metricsJobsNum })
	got, err := tick(t, t.Context(), a)
	require.NoError(t, err)
	lines := map[string]int{}
	for _, l := range capture(t, "26.05", "squeue_partitions.out") {
		for _, p := range strings.Split(string(l), ",") {
			lines[p]++
		}
	}
	for p, n := range lines {
		assert.Equal(t, float64(n), got[p+".jobs_num"], p)
	}
	assert.Len(t, got, len(lines)+len(callDescs)+1)
}

func TestNew(t *testing.T) {
	tests := []struct {
		name string
		set  func(*Config)
		err  string
	}{
		{"metrics", func(c *Config) { c.Metrics = "some" }, `metrics = "some": want "all" or "jobs_num"`},
		{"top", func(c *Config) { c.Top = -1 }, `top = -1: want 0 to 10000`},
		{"much", func(c *Config) { c.Top = 10_001 }, `top = 10001: want 0 to 10000`},
		{"deadline", func(c *Config) { _ = c.CommandDeadline.UnmarshalTOML("99ms") }, `command_deadline = "99ms": want at least 100ms`},
		{"slurm.conf", func(c *Config) { c.SlurmConf = "slurm.conf" }, `slurm_conf = "slurm.conf": want an absolute path`},
		{"commands", func(c *Config) { c.Commands = "bin" }, `commands = "bin": want the absolute path of a folder`},
	}
	for _, test := range tests {
		_, err := New(aggregator.Options{Log: slog.New(slog.DiscardHandler), Decode: func(v any) error {
			test.set(v.(*Config))
			return nil
		}})
		assert.EqualError(t, err, test.err, test.name)
	}
	broken := errors.New("line 7: unknown key")
	_, err := New(aggregator.Options{Log: slog.New(slog.DiscardHandler), Decode: func(any) error { return broken }})
	assert.ErrorIs(t, err, broken)
}

func TestDescribe(t *testing.T) {
	a := fakeSlurm{"/nonexistent"}.aggregator(t, nil, func(c *Config) { c.Nodes, c.JobsNum = true, true })
	seen := map[string]bool{}
	for _, d := range a.Describe() {
		assert.False(t, seen[d.Template], "%s twice", d.Template)
		seen[d.Template] = true
		assert.NotEmpty(t, d.Help, d.Template)
		assert.NotEmpty(t, d.Unit, d.Template)
		assert.False(t, strings.HasSuffix(d.Help, "."), d.Template)
	}
	for _, template := range []string{"jobs.total", "nodes.total", "partition.{partition}.up", "agent.command.{command}.ok", "agent.unknown_tokens",
		"ctld.threads", "ctld.jobs.started", "sched.main.mean_seconds", "sched.backfill.mean_seconds",
		"node.{node}.load", "{partition}.jobs_num"} {
		assert.True(t, seen[template], template)
	}
}

// TestReaderPanics is an error of that command only.
func TestReaderPanics(t *testing.T) {
	a := newFakeSlurm(t).aggregator(t, nil, nil)
	a.callers[0].reader = panicking{}
	got, err := tick(t, t.Context(), a)
	assert.ErrorContains(t, err, "queue: panic: line 1")
	assert.Equal(t, 0.0, got["agent.command.queue.ok"])
	assert.Contains(t, got, "nodes.total")
}

type panicking struct{ reader }

func (panicking) describe() []*aggregator.Desc { return nil }
func (panicking) begin(time.Time)              {}
func (panicking) line([]byte) error            { panic("line " + strconv.Itoa(1)) }

func TestTokens(t *testing.T) {
	var log bytes.Buffer
	tok := newTokens(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		tok.unknown("job state", []byte("ODD"))
		tok.unknown("node state", []byte("ODD"))
	}
	for i := range 2 * maxWarned {
		tok.unknown("job state", fmt.Append(nil, strings.Repeat("x", 200), i))
		tok.unknown("job state", fmt.Append(nil, i))
	}
	assert.Equal(t, uint64(6+4*maxWarned), tok.count())
	assert.Len(t, tok.warned, maxWarned)
	assert.Equal(t, maxWarned, strings.Count(log.String(), "\n"))
	assert.Equal(t, 2, strings.Count(log.String(), "word=ODD"))
	assert.Zero(t, testing.AllocsPerRun(10, func() { tok.unknown("job state", []byte("ODD")) }))
}
