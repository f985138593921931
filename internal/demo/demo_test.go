package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/slurmbed"
)

// output is what a program has printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startDemo builds the demo, the agent and the store and starts the demo on a folder of its own for temporary files.
func startDemo(t *testing.T, args ...string) (*exec.Cmd, *output) {
	t.Helper()
	if testing.Short() {
		t.Skip("a real Slurm takes a while")
	}
	bed.NeedRoot(t)
	bed.Need(t, slurmbed.Programs...)
	folder, err := os.MkdirTemp("", "demo-test-") // users of jobs can pass it, as they cannot t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755))
	build := exec.Command("go", "build", "-o", folder+"/", ".", "../../cmd/clusterload", "../../cmd/clusterload-store")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	printed := &output{}
	cmd := exec.Command(filepath.Join(folder, "demo"), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+folder)
	cmd.Stdout, cmd.Stderr = printed, printed
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		require.NoError(t, nothingLeft(folder))
	})
	return cmd, printed
}

// nothingLeft waits until no process has the folder in its command line or environment, and the cluster's folder is gone.
func nothingLeft(folder string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var left []string
	err := bed.WaitFor(ctx, "the end of all", func() (bool, error) {
		left, _ = filepath.Glob(folder + "/slurmbed-*")
		paths, err := filepath.Glob("/proc/[0-9]*")
		for _, p := range paths {
			args, _ := os.ReadFile(p + "/cmdline")
			env, _ := os.ReadFile(p + "/environ")
			if bytes.Contains(args, []byte(folder)) || bytes.Contains(env, []byte(folder)) {
				left = append(left, filepath.Base(p)+" "+string(args))
			}
		}
		return len(left) == 0, err
	})
	if err != nil {
		return fmt.Errorf("%w: %q", err, left)
	}
	return nil
}

var tickLine = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  jobs \d+ running \d+ pending  cpus \d+/232  gpus \d+/10  batch `)

func waitForTicks(t *testing.T, printed *output, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := bed.WaitFor(ctx, "lines of the demo", func() (bool, error) { return len(tickLine.FindAllString(printed.String(), -1)) >= n, nil })
	require.NoError(t, err, printed.String())
}

var dashboardLine = regexp.MustCompile(`(?m)^The dashboard, and the address for Grafana: (http://127\.0\.0\.1:\d+/)$`)

// hasRunningJobs tells whether the embedded Graphite has had a tick with jobs.
func hasRunningJobs(address string) bool {
	response, err := http.Get(address + "render?format=json&from=-2min&target=demo.jobs.running")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	var series []struct{ Datapoints [][2]*float64 }
	if json.NewDecoder(response.Body).Decode(&series) != nil || len(series) != 1 {
		return false
	}
	return slices.ContainsFunc(series[0].Datapoints, func(p [2]*float64) bool { return p[0] != nil && *p[0] > 0 })
}

func TestDemo(t *testing.T) {
	cmd, printed := startDemo(t, "-every", "1s")
	waitForTicks(t, printed, 4)
	pages := dashboardLine.FindStringSubmatch(printed.String())
	require.NotNil(t, pages, printed.String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, bed.WaitFor(ctx, "running jobs at "+pages[1], func() (bool, error) { return hasRunningJobs(pages[1]), nil }))
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait(), "exit code 0 at Ctrl-C: %s", printed)
	assert.True(t, strings.HasSuffix(printed.String(), "The agent and the cluster have ended; nothing is left running.\n"), printed)
	assert.Regexp(t, `jobs [1-9]\d* running`, printed.String())
}

func TestDemoTable(t *testing.T) {
	cmd, printed := startDemo(t, "-every", "1s", "-plain=false", "-ticks", "3")
	require.NoError(t, cmd.Wait(), printed)
	assert.Equal(t, 3, strings.Count(printed.String(), "PARTITION▾"))
	assert.Regexp(t, `(?m)^cluster +\d+ +\d+ .* \d+/232 `, printed.String())
}

func TestDemoIsKilled(t *testing.T) {
	cmd, printed := startDemo(t, "-every", "1s")
	waitForTicks(t, printed, 1)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	assert.Error(t, cmd.Wait()) // what is left is looked for at the end of the test
}

func TestDemoWithoutAgent(t *testing.T) {
	cmd, printed := startDemo(t, "-agent", "/bin/false")
	assert.Error(t, cmd.Wait())
	assert.Contains(t, printed.String(), "demo: the agent has ended: exit code 1")
}
