package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkIdle counts how often the threads of an agent wake up between two ticks that are far apart, and how much
// memory it holds then. Nothing but its timers should wake it.
func BenchmarkIdle(b *testing.B) {
	folder := b.TempDir()
	file := filepath.Join(folder, "c.toml")
	require.NoError(b, os.WriteFile(file, fmt.Appendf(nil, "cluster = \"hpc1\"\nfrequency = \"24h\"\nfolder = %q\n[aggregator.slurm]\n[database.graphite]\naddress = \"127.0.0.1\"\n", folder), 0o600))
	agent := exec.CommandContext(b.Context(), program(b), "run", "--config", file)
	require.NoError(b, agent.Start())
	defer func() { _ = agent.Process.Kill(); _ = agent.Wait() }()
	time.Sleep(3 * time.Second) // its start
	const watched = 10 * time.Second
	before := switches(b, agent.Process.Pid)
	time.Sleep(watched)
	b.ReportMetric(float64(switches(b, agent.Process.Pid)-before)/watched.Seconds(), "wakeups/s")
	b.ReportMetric(float64(status(b, agent.Process.Pid, "VmRSS"))/1024, "MiB-resident")
	b.ReportMetric(0, "ns/op")
}

// switches sums the voluntary and forced context switches of all threads: a thread that woke up slept again.
func switches(b *testing.B, pid int) (n int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	require.NoError(b, err)
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		require.NoError(b, err)
		n += field(b, text, "voluntary_ctxt_switches") + field(b, text, "nonvoluntary_ctxt_switches")
	}
	return n
}

func status(b *testing.B, pid int, name string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	return field(b, text, name)
}

func field(b *testing.B, text []byte, name string) int {
	m := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+)`).FindSubmatch(text)
	require.NotNil(b, m, "%s in %s", name, text)
	n, err := strconv.Atoi(string(m[1]))
	require.NoError(b, err)
	return n
}
