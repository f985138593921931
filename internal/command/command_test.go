package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// shell is a command that runs a script.
func shell(script string) *Command {
	return &Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: Environment()}
}

// collect runs c and returns its lines.
func collect(ctx context.Context, c *Command) ([]string, Result, error) {
	var got []string
	res, err := c.Run(ctx, func(l []byte) { got = append(got, string(l)) })
	return got, res, err
}

func TestRun(t *testing.T) {
	tests := []struct {
		name, script string
		want         []string
		spoilt       int64
	}{
		{"lines", `printf 'one\ntwo words\n\nthree\n'`, []string{"one", "two words", "", "three"}, 0},
		{"empty", ``, nil, 0},
		{"carriage returns stay", `printf 'a\r\nb\r\n'`, []string{"a\r", "b\r"}, 0},
		{"any bytes", `printf 'a\000\377b\n\037c\n'`, []string{"a\x00\xffb", "\x1fc"}, 0},
		{"the last line is cut", `printf 'whole\nhalf'`, []string{"whole"}, 1},
		{"a remark is no error", `echo 'slow today' >&2; echo x`, []string{"x"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, res, err := collect(t.Context(), shell(test.script))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, int64(len(test.want)), res.Rows)
			assert.Equal(t, test.spoilt, res.Spoilt)
			assert.Equal(t, 0, res.Exit)
			assert.False(t, res.TimedOut)
			assert.Positive(t, res.Duration)
		})
	}
}

func TestRunFails(t *testing.T) {
	tests := []struct {
		name, script, want string
		exit               int
	}{
		{"code", `echo half; echo 'squeue: cannot: 7' >&2; exit 3`, `/bin/sh: exit status 3: "squeue: cannot: 7"`, 3},
		{"code without a word", `exit 4`, `/bin/sh: exit status 4`, 4},
		{"signal", `kill -TERM $$`, `/bin/sh: signal: terminated`, -1},
		{"error and code 0", `echo x; echo 'Invalid job format specification: Foo' >&2`, `/bin/sh: exit status 0: "Invalid job format specification: Foo"`, 0},
		{"the first line that is not empty", `printf '\n\n  slurm_load_jobs error: no\nmore\n' >&2; exit 1`, `/bin/sh: exit status 1: "slurm_load_jobs error: no"`, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, res, err := collect(t.Context(), shell(test.script))
			assert.EqualError(t, err, test.want)
			assert.Equal(t, test.exit, res.Exit)
			assert.False(t, res.TimedOut)
		})
	}

	_, _, err := collect(t.Context(), &Command{Path: "/nonexistent/squeue"})
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = collect(t.Context(), &Command{Path: "no-such-program", Env: []string{"PATH=/nonexistent"}})
	assert.EqualError(t, err, "no-such-program: executable file not found in $PATH: /nonexistent")
}

func TestRunWithoutTime(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, res, err := collect(ctx, shell(`echo x`))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, res.TimedOut)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, res, err = collect(canceled, shell(`echo x`))
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, res.TimedOut)
}

// TestHungTree ends a program that hangs with children, one of them in another process group, all holding the pipes.
func TestHungTree(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	script := `echo $$ > ` + pids + `; sleep 1000 & echo $! >> ` + pids + `
		sh -c 'sleep 2000 & echo $! >> ` + pids + `; wait' & echo first; wait; wait`
	var res Result
	var got []string
	err := runUntil(t, shell(script), func() bool { return len(readPids(t, pids)) == 3 }, &got, &res)
	require.ErrorContains(t, err, "context canceled")
	assert.Equal(t, []string{"first"}, got)
	assert.Equal(t, -1, res.Exit)
	for _, pid := range readPids(t, pids) {
		until(t, func() bool { return dead(pid) }, "process %d is dead", pid)
	}
	assert.ErrorIs(t, unix.Kill(readPids(t, pids)[0], 0), unix.ESRCH, "the program itself is reaped")
}

// TestEscapedChild returns although a child that left the process group holds both pipes. The child is not ours to end.
func TestEscapedChild(t *testing.T) {
	if _, err := os.Stat("/usr/bin/setsid"); err != nil {
		t.Skip("setsid is not here")
	}
	pids := filepath.Join(t.TempDir(), "pids")
	script := `setsid sh -c 'echo $$ > ` + pids + `; exec sleep 3000' & echo before; wait`
	err := runUntil(t, shell(script), func() bool { return len(readPids(t, pids)) == 1 }, new([]string), new(Result))
	assert.ErrorContains(t, err, "context canceled")
	escaped := readPids(t, pids)[0]
	assert.False(t, dead(escaped))
	require.NoError(t, unix.Kill(escaped, unix.SIGKILL))
}

// runUntil runs c and ends it once ready tells so.
func runUntil(t *testing.T, c *Command, ready func() bool, got *[]string, res *Result) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error
		*got, *res, err = collect(ctx, c)
		done <- err
	}()
	until(t, ready, "the program is ready")
	cancel()
	return <-done
}

func TestDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, res, err := collect(ctx, shell(`echo 'still here' >&2; while :; do sleep 100; done`))
	assert.ErrorContains(t, err, `/bin/sh: killed at its deadline`)
	assert.True(t, res.TimedOut)
}

// TestEndlessOutput is ended although there is always something to read.
func TestEndlessOutput(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	res, err := shell(`yes`).Run(ctx, func([]byte) {
		if n++; n == 1000 {
			cancel()
		}
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.GreaterOrEqual(t, res.Rows, int64(1000))
}

// TestLeftInGroup ends what a program leaves behind in its group when it ends by itself.
func TestLeftInGroup(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	got, _, err := collect(t.Context(), shell(`sleep 4000 >/dev/null 2>&1 & echo $! > `+pids+`; echo done`))
	require.NoError(t, err)
	assert.Equal(t, []string{"done"}, got)
	left := readPids(t, pids)[0]
	until(t, func() bool { return dead(left) }, "process %d is dead", left)
}

func TestStderrIsBounded(t *testing.T) {
	_, res, err := collect(t.Context(), shell(`yes 'error: 17' | head -c 1000000 >&2; exit 9`))
	assert.EqualError(t, err, `/bin/sh: exit status 9: "error: 17"`)
	assert.Len(t, res.Stderr, maxStderr)
}

// TestPanic ends a program whose lines the caller panics over.
func TestPanic(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	assert.PanicsWithValue(t, "over x", func() {
		_, _ = shell(`echo $$ > `+pids+`; echo x; exec sleep 6000`).Run(t.Context(), func(l []byte) { panic("over " + string(l)) })
	})
	until(t, func() bool { return dead(readPids(t, pids)[0]) }, "the program is dead")
}

// TestStillRuns refuses a second copy while the kernel holds the first.
func TestStillRuns(t *testing.T) {
	c := shell(`echo x`)
	c.left, c.pid = make(chan struct{}), 4711
	_, _, err := collect(t.Context(), c)
	require.ErrorIs(t, err, ErrStillRuns)
	assert.ErrorContains(t, err, "pid 4711")
	close(c.left)
	got, _, err := collect(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, []string{"x"}, got)
}

// TestNothingLeaks runs often, in every way, and counts file descriptors, goroutines and children.
func TestNothingLeaks(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	ok, bad, none := shell(`echo x`), shell(`echo y; exit 1`), &Command{Path: "/nonexistent/x"}
	run := func(n int) {
		for range n {
			_, _, err := collect(t.Context(), ok)
			require.NoError(t, err)
			_, _, err = collect(t.Context(), bad)
			require.Error(t, err)
			_, _, err = collect(t.Context(), none)
			require.Error(t, err)
			_, _, err = collect(canceled, ok)
			require.Error(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			_, err = shell(`echo z; exec sleep 5000`).Run(ctx, func([]byte) { cancel() })
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	run(3)
	fds, routines := openFiles(t), runtime.NumGoroutine()
	run(40)
	until(t, func() bool { return openFiles(t) <= fds && runtime.NumGoroutine() <= routines }, "no more than %d files and %d goroutines", fds, routines)
	var status unix.WaitStatus
	_, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
	assert.ErrorIs(t, err, unix.ECHILD, "no zombie is left")
}

func TestBufferIsKept(t *testing.T) {
	c := shell(`seq 1 1000`)
	_, _, err := collect(t.Context(), c)
	require.NoError(t, err)
	first := &c.lines.buf[0]
	_, _, err = collect(t.Context(), c)
	require.NoError(t, err)
	assert.Same(t, first, &c.lines.buf[0])
}

func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{"SQUEUE_FORMAT": "%i", "SQUEUE_STATES": "R", "SINFO_ALL": "1", "SACCT_FORMAT": "x",
		"SLURM_TIME_FORMAT": "relative", "SLURM_CLUSTERS": "other", "SLURM_BITSTR_LEN": "64", "LC_ALL": "de_DE", "LANG": "de_DE",
		"SLURM_CONF": "/etc/one.conf", "HOME": "/home/x", "PATH": "/opt/slurm/bin:/bin"} {
		t.Setenv(name, value)
	}
	for _, name := range []string{"USER", "LOGNAME", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_SACK_SOCKET"} {
		t.Setenv(name, "")
	}
	assert.Equal(t, []string{"PATH=/opt/slurm/bin:/bin", "HOME=/home/x", "SLURM_CONF=/etc/two.conf", "LC_ALL=C", "SLURM_TIME_FORMAT=%s"},
		Environment("SLURM_TIME_FORMAT=%s", "SLURM_CONF=/etc/two.conf"))

	got, _, err := collect(t.Context(), &Command{Path: "/usr/bin/env", Env: Environment("X=a=b")})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"PATH=/opt/slurm/bin:/bin", "HOME=/home/x", "SLURM_CONF=/etc/one.conf", "LC_ALL=C", "X=a=b"}, got)

	t.Setenv("PATH", "")
	assert.Contains(t, Environment(), "PATH="+defaultPath)
}

func TestLookPath(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(one, "tool"), []byte("no program"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(two, "tool"), []byte("#!/bin/sh\necho two $1"), 0o755))
	got, _, err := collect(t.Context(), &Command{Path: "tool", Args: []string{"b c"}, Env: []string{"PATH=.::" + one + ":" + two}})
	require.NoError(t, err)
	assert.Equal(t, []string{"two b c"}, got)
}

// until waits for what comes about soon: the kernel takes its time to end a killed process.
func until(t *testing.T, ready func() bool, format string, args ...any) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			require.FailNow(t, "never came about", append([]any{format}, args...)...)
		}
	}
}

func readPids(t *testing.T, path string) []int {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	var pids []int
	for _, field := range strings.Fields(string(whole)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

// dead tells whether a process is gone, or ended and waits only to be reaped by whoever adopted it.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return len(after) > 0 && (after[0] == 'Z' || after[0] == 'X')
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}
