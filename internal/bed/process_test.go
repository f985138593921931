package bed_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

// shell starts a script and returns the process and a way to wait for a line of its output.
func shell(t *testing.T, script string) (*bed.Process, func(line string)) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := bed.Start(bed.Options{Name: "script", Path: "sh", Args: []string{"-c", script}, Log: log})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	return p, func(line string) {
		t.Helper()
		require.NoError(t, bed.WaitFor(t.Context(), line, func() (bool, error) {
			b, err := os.ReadFile(log)
			return strings.Contains("\n"+string(b), "\n"+line+"\n"), err
		}))
	}
}

// alive tells whether a process exists and is no zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b[strings.LastIndexByte(string(b), ')'):]), " Z ")
}

func number(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return n
}

func TestExit(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         error
	}{
		{"success", "exit 0", nil},
		{"code", "exit 7", &bed.ExitError{Code: 7}},
		{"signal", "kill -USR1 $$", &bed.ExitError{Signal: syscall.SIGUSR1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := bed.Start(bed.Options{Path: "sh", Args: []string{"-c", c.script}})
			require.NoError(t, err)
			<-p.Exited()
			assert.Equal(t, c.want, p.Err())
			assert.False(t, p.Running())
			assert.NoError(t, p.Stop(time.Minute), "stopping what has ended")
			assert.NoError(t, p.Kill(), "killing what has ended")
			assert.Error(t, p.Signal(syscall.SIGHUP))
		})
	}
}

func TestStartRefused(t *testing.T) {
	_, err := bed.Start(bed.Options{Path: "slurmctld-of-nowhere"})
	assert.EqualError(t, err, `start: program "slurmctld-of-nowhere": not found`)

	_, err = bed.Start(bed.Options{Name: "script", Path: "sh", Dir: "/no/such/folder"})
	assert.ErrorContains(t, err, "start script: start /")
	assert.ErrorContains(t, err, "no such file")
}

func TestOptionsReachTheProcess(t *testing.T) {
	folder := t.TempDir()
	log := filepath.Join(folder, "log")
	require.NoError(t, os.WriteFile(log, []byte("before\n"), 0o600))
	p, err := bed.Start(bed.Options{Path: "sh", Args: []string{"-c", `pwd; echo "$BED_TEST-$HOME"; echo oops >&2; cat`},
		Env: []string{"BED_TEST=yes", "PATH=" + os.Getenv("PATH")}, Dir: folder, Log: log})
	require.NoError(t, err)
	<-p.Exited() // cat ends at once: standard input is empty
	require.NoError(t, p.Err())
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "before\n"+folder+"\nyes-\noops\n", string(b))
	assert.Equal(t, "oops", p.Tail(8), "only whole lines")
	assert.NoError(t, p.Kill())
}

func TestStop(t *testing.T) {
	p, wait := shell(t, `trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done`)
	wait("ready")
	assert.True(t, p.Running())
	assert.NoError(t, p.Err())
	require.NoError(t, p.Stop(time.Minute))
	wait("bye")
	assert.Equal(t, &bed.ExitError{Code: 3}, p.Err())
}

func TestStopKillsTheDeaf(t *testing.T) {
	folder := t.TempDir()
	p, wait := shell(t, `trap '' TERM; sleep 1000 & echo $! >`+folder+`/child; echo ready; wait`)
	wait("ready")
	child := number(t, folder+"/child")
	require.True(t, alive(child))
	assert.EqualError(t, p.Stop(time.Millisecond), "script: still running 1ms after SIGTERM, killed")
	assert.Equal(t, &bed.ExitError{Signal: syscall.SIGKILL}, p.Err())
	assert.False(t, alive(child), "the session's child")
}

func TestStopOfPaused(t *testing.T) {
	p, wait := shell(t, `trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`)
	wait("ready")
	require.NoError(t, p.Pause())
	require.NoError(t, bed.WaitFor(t.Context(), "a stopped process", func() (bool, error) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
		return strings.Contains(string(b), ") T "), err
	}))
	assert.NoError(t, p.Stop(time.Minute))
	assert.NoError(t, p.Err())
}

// A daemon's child that made a session of its own and outlives its parent is what job steps are: only the end of the group
// reaches it.
func TestCloseEndsWhatEscaped(t *testing.T) {
	folder := t.TempDir()
	g, err := bed.NewGroup()
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.Close() })
	p, err := g.Start(bed.Options{Path: "sh", Args: []string{"-c",
		`setsid sh -c 'echo $$ >` + folder + `/tmp; mv ` + folder + `/tmp ` + folder + `/child; exec sleep 1000' & exit 0`}})
	require.NoError(t, err)
	<-p.Exited()
	require.NoError(t, bed.WaitFor(t.Context(), "the child", bed.Exists(folder+"/child")))
	child := number(t, folder+"/child")
	require.NoError(t, p.Kill())
	require.True(t, alive(child), "of another session")
	require.NoError(t, g.Close())
	assert.False(t, alive(child))
	_, err = g.Start(bed.Options{Path: "sh"})
	assert.ErrorContains(t, err, "the group of processes has ended")
	assert.NoError(t, g.Close(), "a second time")
}

// The test runs itself as the program that is killed.
func TestNothingOutlivesAKilledProgram(t *testing.T) {
	if folder := os.Getenv("BED_TEST_VICTIM"); folder != "" {
		g, err := bed.NewGroup()
		require.NoError(t, err)
		require.NoError(t, g.RemoveAtEnd(folder+"/state"))
		p, err := g.Start(bed.Options{Path: "sh", Args: []string{"-c", `trap '' TERM HUP INT; setsid sleep 1000 & echo $! >` + folder + `/child; wait`}})
		require.NoError(t, err)
		require.NoError(t, bed.WaitFor(t.Context(), "the child", bed.Exists(folder+"/child")))
		fmt.Printf("\nvictim %d\n", p.Pid())
		<-p.Exited()
		return
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			folder := t.TempDir()
			require.NoError(t, os.Mkdir(folder+"/state", 0o700))
			victim := exec.Command("/proc/self/exe", "-test.run=^TestNothingOutlivesAKilledProgram$", "-test.v")
			victim.Env = append(os.Environ(), "BED_TEST_VICTIM="+folder)
			out, err := victim.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, victim.Start())
			var server int
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if n, err := fmt.Sscanf(lines.Text(), "victim %d", &server); n == 1 && err == nil {
					break
				}
			}
			require.NotZero(t, server)
			child := number(t, folder+"/child")
			require.True(t, alive(server))
			require.True(t, alive(child))
			require.NoError(t, victim.Process.Signal(s))
			_ = victim.Wait()
			require.NoError(t, bed.WaitFor(t.Context(), "the end of all", func() (bool, error) {
				_, err := os.Stat(folder + "/state")
				return !alive(server) && !alive(child) && os.IsNotExist(err), nil
			}))
		})
	}
}

func TestWaitFor(t *testing.T) {
	n := 0
	assert.NoError(t, bed.WaitFor(t.Context(), "three", func() (bool, error) { n++; return n == 3, nil }))
	assert.Equal(t, 3, n)

	broken := errors.New("disk gone")
	err := bed.WaitFor(t.Context(), "a disk", func() (bool, error) { return false, broken })
	assert.ErrorIs(t, err, broken)
	assert.EqualError(t, err, "wait for a disk: disk gone")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = bed.WaitFor(ctx, "godot", func() (bool, error) { return false, nil })
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "wait for godot: not so after ")
}

func TestProcessWaitFor(t *testing.T) {
	p, _ := shell(t, `echo "bind: address in use"; exit 98`)
	err := p.WaitFor(t.Context(), "a port", func() (bool, error) { return false, nil })
	assert.EqualError(t, err, "wait for a port: script has ended: exit code 98; its output ends:\nbind: address in use")
}

func TestStartTimeNamesTheProcess(t *testing.T) {
	p, wait := shell(t, `cut -d' ' -f22 /proc/$$/stat; echo ready; sleep 1000`)
	wait("ready")
	assert.Contains(t, p.Tail(100), strconv.FormatUint(p.Started(), 10))
	assert.Contains(t, p.Tail(100), "\n")
}
