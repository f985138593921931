package web

import (
	"context"
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
	"github.com/clusterload/clusterload/internal/slurmbed"
)

// A whole is everything at once: Slurm with a mix of jobs, the agent, its embedded store, and the pages in a browser.
type whole struct {
	t       *testing.T
	cluster *slurmbed.Cluster
	agent   *bed.Process
	url     string
	page    *tab
}

func newWhole(t *testing.T) *whole {
	if testing.Short() {
		t.Skip("a whole Slurm takes a while")
	}
	bed.NeedRoot(t)
	bed.Need(t, append(slurmbed.Programs, "chromium")...)
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder+"/", "../cmd/clusterload", "../cmd/clusterload-store")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	w := &whole{t: t}
	w.cluster, err = slurmbed.Start(t.Context(), slurmbed.Options{MessageTimeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.cluster.Stop()) })
	_, err = w.cluster.Mix(t.Context())
	require.NoError(t, err)

	ports, err := bed.Ports(2)
	require.NoError(t, err)
	w.url = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	config := filepath.Join(folder, "clusterload.toml")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf("cluster = \"hpc1\"\nfrequency = 2\nfolder = %q\n\n[aggregator.slurm]\nnodes = true\n\n"+
		"[database.embedded]\nlisten = \"127.0.0.1:%d\"\nline = \"127.0.0.1:%d\"\n", filepath.Join(folder, "state"), ports[0], ports[1])), 0o600))
	w.agent = bed.StartTest(t, bed.Options{Name: "clusterload", Path: filepath.Join(folder, "clusterload"), Args: []string{"run", "--config", config},
		Env: w.cluster.Env(), Dir: folder, Log: filepath.Join(folder, "agent.log")})
	w.page = newBrowser(t).tab(t, desk)
	return w
}

// says runs one of Slurm's commands and returns the lines that it prints.
func (w *whole) says(name string, args ...string) []string {
	w.t.Helper()
	out, err := w.cluster.Run(w.t.Context(), name, args...)
	require.NoError(w.t, err)
	return strings.Split(strings.TrimSpace(out), "\n")
}

// until asks the page to read again and again until an expression is true.
func (w *whole) until(expression string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	err := bed.WaitFor(ctx, expression, func() (bool, error) {
		var is bool
		err := w.page.try(`(document.body.classList.contains('reading') || document.dispatchEvent(new Event('visibilitychange')), Boolean(`+expression+`))`, &is)
		time.Sleep(200 * time.Millisecond) // a page that is asked to read all the time never gets to
		return err == nil && is, nil
	})
	require.NoError(w.t, err, "%s\n%s", w.page.words(), w.agent.Tail(3000))
}

// number is what a cell of the page says.
func (w *whole) number(selector string) float64 {
	w.t.Helper()
	text := w.page.text(selector)
	n, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	require.NoError(w.t, err, "%s says %q", selector, text)
	return n
}

// TestOverSlurm compares the pages with what squeue and sinfo say of a real cluster, and takes away what stands behind them.
func TestOverSlurm(t *testing.T) {
	w := newWhole(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, w.agent.WaitFor(ctx, "the store to listen", bed.Dials("tcp", strings.TrimPrefix(w.url, "http://"))))
	p := w.page
	p.open(w.url + "/?from=-30min")
	w.until(`document.querySelector('[data-tile=running-jobs] .big')?.textContent > '0' && document.querySelector('tr[data-name=batch]')`)

	lines := func(state string) []string { return w.says("squeue", "-a", "-h", "-r", "-t", state, "-o", "%P") }
	in := func(lines []string, partition string) (n float64) {
		for _, line := range lines {
			for one := range strings.SplitSeq(line, ",") {
				if one == partition {
					n++
				}
			}
		}
		return n
	}
	running, pending := lines("RUNNING"), lines("PENDING")
	require.Greater(t, len(running), 5)
	require.Greater(t, len(pending), 5)
	assert.Equal(t, float64(len(running)), w.number("[data-tile=running-jobs] .big"))
	assert.Equal(t, float64(len(pending)), w.number("[data-tile=pending-jobs] .big"))
	for _, line := range w.says("sinfo", "-a", "-h", "-o", "%R|%D|%C") {
		f := strings.Split(line, "|")
		row := fmt.Sprintf("[data-panel=partitions] tr[data-name=%s] ", f[0])
		if f[1] == "0" {
			continue // without nodes
		}
		assert.Equal(t, f[1], p.text(row+"td:nth-child(3)"), line)
		assert.Equal(t, in(running, f[0]), w.number(row+"td:nth-child(6)"), line)
		assert.Equal(t, in(pending, f[0]), w.number(row+"td:nth-child(7)"), line)
	}
	cpus := strings.Split(w.says("sinfo", "-a", "-h", "-o", "%C")[0], "/") // allocated, idle, other, all
	assert.Equal(t, cpus[0], p.text("[data-tile=cpus] .big"))
	assert.Contains(t, p.text("[data-tile=cpus] .sub"), "of "+cpus[3]+" ")

	facts := p.text("[data-panel=slurmctld] .facts-list")
	for _, title := range []string{"Server threads", "Agent queue", "Queue to slurmdbd"} {
		assert.Contains(t, facts, title)
	}
	assert.Empty(t, p.text("[data-panel=slurmctld] .note"))

	states := map[string]string{} // of each node
	for _, line := range w.says("sinfo", "-a", "-h", "-N", "-o", "%N|%T") {
		name, state, _ := strings.Cut(line, "|")
		states[name] = strings.TrimRight(state, "*~#%$@^!-+")
	}
	count := map[string]float64{}
	for _, s := range states {
		count[s]++
	}
	t.Logf("nodes: %v", count)
	p.open(w.url + "/nodes?from=-30min")
	assert.Equal(t, count["down"], w.number("[data-panel=history] [data-state=down]"))
	assert.Equal(t, fmt.Sprintf("%d of %d nodes", len(states), len(states)), p.text("[data-panel=grid] .note"))
	for _, state := range []string{"drained", "draining", "down"} {
		p.eval(fmt.Sprintf(`(() => { const q = document.querySelector('input[name=q]'); q.value = %q; q.dispatchEvent(new Event('input')); })()`, state), nil)
		assert.Equal(t, fmt.Sprintf("%.0f of %d nodes", count[state], len(states)), p.text("[data-panel=grid] .note"), state)
	}

	for _, path := range []string{"/partition?partition=gpu", "/hosts", "/explore?target=hpc1.jobs.*", "/agent"} {
		p.open(w.url + path)
		assert.Empty(t, p.complained(), path)
	}
	for _, command := range []string{"queue", "scheduler"} {
		w.until(fmt.Sprintf(`document.querySelector('[data-panel=commands] tr[data-name=%s] .state')?.textContent === 'ok'`, command))
	}

	// slurmctld hangs, and goes on.
	p.open(w.url + "/?from=-30min")
	require.NoError(t, w.cluster.Pause("slurmctld"))
	w.until(`/slurmctld has not answered since \d\d:\d\d \(/.test(document.getElementById('status').textContent)`)
	assert.Equal(t, float64(len(running)), w.number("[data-tile=running-jobs] .big"), "the last that was known")
	require.NoError(t, w.cluster.Resume("slurmctld"))
	w.until(`document.getElementById('status').textContent === ''`)

	// The store is killed, and started again by the agent: the page says so meanwhile, or never notices.
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", w.agent.Pid()))
	require.NoError(t, err)
	killed := 0
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		require.NoError(t, err)
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.HasPrefix(string(name), "clusterload-sto") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			killed++
		}
	}
	require.LessOrEqual(t, killed, 1)
	w.until(`document.body.dataset.state === 'read' && !document.body.classList.contains('lost') && document.getElementById('status').textContent === ''`)
	assert.Equal(t, float64(len(running)), w.number("[data-tile=running-jobs] .big"))
}
