package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// status waits until the status of the site's agent has the exit code and matches.
func (s *site) status(code int, pattern string, args ...string) string {
	s.t.Helper()
	match := regexp.MustCompile(pattern)
	var out, errs string
	var got int
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		out, errs, got = s.run(program(s.t), append([]string{"status", "--config", s.config}, args...)...)
		if got == code && match.MatchString(out) {
			return out
		}
	}
	s.t.Fatalf("status: code %d, %s%s: want %d and %s", got, out, errs, code, pattern)
	return ""
}

func TestStatus(t *testing.T) {
	s := newSite(t)
	out := s.status(2, "^clusterload CRITICAL - no agent runs: nobody answers at "+regexp.QuoteMeta(filepath.Join(s.folder, "state", "agent.sock"))+"\n$")
	assert.NotContains(t, out, "\x1b")

	pid := s.start()
	out = s.status(0, `^clusterload OK - hpc1: 1 aggregator, 1 database, \d+ series every 1s \| series=\d+ rss=\d+B queue_blocks=\d+ queue_bytes=\d+B dropped=0c problems=0\n`)
	assert.Contains(t, out, fmt.Sprintf("process %d, up ", pid))
	s.status(0, `(?m)^slurm +ok +\d\d:\d\d:\d\d +\d+ ms +\d\d+ +0 +\d\d:\d\d:\d\d$`)
	s.status(0, `(?m)^partitions +ok +slurm +\d+ ms +1 +9 B +0 +0$`)
	s.status(0, `(?m)^scheduler +ok +slurm +\d+ ms +4 +\d+ B +0 +0$`)
	s.status(0, `(?m)^print +ok +[1-9]\d* +0 +\d+ +[0-9.]+ k?B +1.1 GB`)

	// a command that fails is a warning with its words, until it works again
	s.command("squeue", "echo 'slurm_load_jobs error: Unable to contact | slurm controller' >&2; exit 1")
	out = s.status(1, `^clusterload WARNING - hpc1: aggregator slurm: queue: .*Unable to contact / slurm controller.* \| series=`)
	assert.Regexp(t, `(?m)^slurm +FAILS .*Unable to contact`, out)
	assert.Regexp(t, `(?m)^queue +FAILS +slurm `, out)
	assert.Regexp(t, `(?m)^nodes +ok +slurm `, out)
	s.command("squeue", "exit 0")
	s.status(0, `^clusterload OK`)

	text := s.status(0, `"problems": \[\]`, "--json")
	var r struct {
		Pid       int
		Cluster   string
		Config    string
		Folder    string
		Uptime    float64                       `json:"uptime_seconds"`
		Databases []struct{ Name, Type string } `json:"databases"`
		Commands  []struct {
			Name, Aggregator string
			OK               bool
		} `json:"commands"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	assert.Equal(t, []any{pid, "hpc1", s.config, filepath.Join(s.folder, "state")}, []any{r.Pid, r.Cluster, r.Config, r.Folder})
	assert.Positive(t, r.Uptime)
	assert.Len(t, r.Databases, 1)
	require.Len(t, r.Commands, 4)
	assert.Equal(t, "slurm", r.Commands[0].Aggregator)

	_, errs, code := s.script("stop.sh")
	require.Zero(t, code, errs)
	s.status(2, `^clusterload CRITICAL`)
	out = s.status(2, `"no agent runs: nobody answers at `, "--json")
	assert.True(t, json.Valid([]byte(out)), out)
}

// Monitoring must never take a mistake of its own for an agent that is down.
func TestStatusUnknown(t *testing.T) {
	s := newSite(t)
	for want, args := range map[string][]string{
		"unknown flag: --colour":  {"--colour"},
		`unknown command "now"`:   {"now"},
		"none.toml: no such file": {"--config", filepath.Join(s.folder, "none.toml")},
	} {
		out, errs, code := s.run(program(t), append([]string{"status"}, args...)...)
		assert.Equal(t, 3, code, errs)
		assert.True(t, strings.HasPrefix(out, "clusterload UNKNOWN - "), out)
		assert.Contains(t, out, want)
		assert.Empty(t, errs)
	}
}

// The agent that was killed leaves its socket; the next takes its place.
func TestStatusAfterKill(t *testing.T) {
	s := newSite(t)
	pid := s.start()
	s.status(0, "^clusterload OK")
	kill, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, kill.Kill())
	require.Eventually(t, func() bool { return !alive(pid) }, 30*time.Second, 10*time.Millisecond)
	require.FileExists(t, filepath.Join(s.folder, "state", "agent.sock"))
	s.status(2, `^clusterload CRITICAL - no agent runs`)
	second := s.start()
	assert.Contains(t, s.status(0, "^clusterload OK"), fmt.Sprintf("process %d", second))
}

// Status finds the agent that --debug set apart.
func TestStatusOfDebug(t *testing.T) {
	s := newSite(t)
	s.start("--debug")
	s.status(0, `^clusterload OK - test: `, "--debug")
	s.status(2, `^clusterload CRITICAL`)
	socket := filepath.Join(s.folder, "state", "test", "agent.sock")
	out, _, code := s.run(program(t), "status", "--socket", socket)
	assert.Zero(t, code, out)
	info, err := os.Stat(socket)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o660), info.Mode().Perm())
}
