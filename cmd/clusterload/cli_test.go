package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A site is what an admin has: the scripts, a configuration, a pid file, and here commands that look like Slurm's.
type site struct {
	t                            *testing.T
	folder, config, pidFile, bin string
}

func newSite(t *testing.T) *site {
	s := &site{t: t, folder: t.TempDir()}
	s.config, s.pidFile, s.bin = filepath.Join(s.folder, "clusterload.toml"), filepath.Join(s.folder, "pid"), filepath.Join(s.folder, "bin")
	require.NoError(t, os.Mkdir(s.bin, 0o700))
	s.command("squeue", "exit 0")
	s.command("scontrol", "echo 'NodeName=n1 CPUAlloc=3 CPUTot=8 CPULoad=1.50 Gres=(null) RealMemory=4000 AllocMem=1000 FreeMem=2000 State=MIXED Partitions=batch '")
	s.command("sinfo", `printf 'batch\037up\n'`)
	s.command("sdiag", `printf 'Server thread count:  3\n\nMain schedule statistics (microseconds):\n\tLast cycle:   197\n'`)
	s.write("")
	t.Cleanup(func() { _, _, _ = s.script("stop.sh") })
	return s
}

// command makes an executable that stands in for one of Slurm's.
func (s *site) command(name, script string) {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}

// write makes the configuration, with more lines at its end.
func (s *site) write(more string) {
	text := fmt.Sprintf("cluster = \"hpc1\"\nfrequency = 1\nfolder = %q\n\n[aggregator.slurm]\ncommands = %q\n\n[database.print]\n%s", filepath.Join(s.folder, "state"), s.bin, more)
	require.NoError(s.t, os.WriteFile(s.config, []byte(text), 0o600))
}

// run runs the program or a script and returns what it printed and its exit code.
func (s *site) run(path string, args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(path, args...) // used in clean-ups too, after the context of the test
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "CLUSTERLOAD="+program(s.t))
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func (s *site) script(name string, args ...string) (stdout, stderr string, code int) {
	return s.run(filepath.Join("..", "..", "bin", name), append(args, "--pid-file", s.pidFile)...)
}

func (s *site) start(args ...string) (pid int) {
	out, errs, code := s.script("start.sh", append([]string{"--config", s.config}, args...)...)
	require.Zero(s.t, code, errs)
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	require.NoError(s.t, err, out)
	return pid
}

func (s *site) log() string {
	text, _ := os.ReadFile(filepath.Join(s.folder, "state", "clusterload.log"))
	return string(text)
}

// logged waits until the log matches.
func (s *site) logged(pattern string) {
	match := regexp.MustCompile(pattern)
	require.Eventually(s.t, func() bool { return match.MatchString(s.log()) }, 30*time.Second, 20*time.Millisecond, "want %s in the log:\n%s", pattern, s.log())
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestStartStopRestart(t *testing.T) {
	s := newSite(t)
	pid := s.start()
	assert.True(t, alive(pid))
	s.logged(`(?m)^hpc1\.nodes\.mixed 1 \d+$`)

	_, errs, code := s.script("start.sh", "--config", s.config)
	assert.Equal(t, 1, code)
	assert.Equal(t, fmt.Sprintf("clusterload: already running: process %d holds %s\n", pid, s.pidFile), errs)

	out, errs, code := s.script("restart.sh")
	require.Zero(t, code, errs)
	second, err := strconv.Atoi(strings.TrimSpace(out))
	require.NoError(t, err)
	assert.NotEqual(t, pid, second)
	assert.False(t, alive(pid))
	assert.True(t, alive(second), "with the arguments of the one before")

	_, errs, code = s.script("stop.sh")
	assert.Zero(t, code, errs)
	assert.False(t, alive(second))
	assert.NoFileExists(t, s.pidFile)
	s.logged("msg=stopped")

	_, errs, code = s.script("stop.sh")
	assert.Zero(t, code)
	assert.Equal(t, "clusterload: not running\n", errs)
}

func TestDebugPushesAsTest(t *testing.T) {
	s := newSite(t)
	pid := s.start("--debug")
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(s.folder, "state", "test", "clusterload.log"))
		return string(text)
	}
	require.Eventually(t, func() bool { return strings.Contains(log(), "\ntest.nodes.mixed 1 ") }, 30*time.Second, 20*time.Millisecond)
	assert.Contains(t, log(), "level=DEBUG")
	assert.NotContains(t, log(), "hpc1.")

	out, errs, code := s.script("restart.sh")
	require.Zero(t, code, errs)
	second, err := strconv.Atoi(strings.TrimSpace(out))
	require.NoError(t, err)
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", second))
	require.NoError(t, err)
	assert.Contains(t, string(args), "--debug")
	assert.False(t, alive(pid))
}

func TestStartSaysWhyNot(t *testing.T) {
	s := newSite(t)
	_, errs, code := s.script("start.sh", "--config", filepath.Join(s.folder, "none.toml"))
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "none.toml: no such file or directory")

	s.write("colour = \"red\"\n")
	_, errs, code = s.script("start.sh", "--config", s.config)
	assert.Equal(t, 2, code)
	assert.Equal(t, "clusterload: "+s.config+":9: database.print.colour: unknown key (known: max_queue, stream, type)\n", errs)

	s.write("[aggregator.slrum]\n")
	_, errs, code = s.script("start.sh", "--config", s.config)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, s.config+`:9: aggregator.slrum: unknown aggregator "slrum" (known: `)

	_, errs, code = s.run(program(t), "start", "--confg", "x")
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "unknown flag: --confg")

	s.write("")
	require.NoError(t, os.WriteFile(filepath.Join(s.folder, "state"), []byte("a file where the folder should be"), 0o600))
	_, errs, code = s.script("start.sh", "--config", s.config)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "not a directory")
	assert.NoFileExists(t, s.pidFile)
}

// Two agents in one folder would send each other's points.
func TestFolderIsLocked(t *testing.T) {
	s := newSite(t)
	s.start()
	_, errs, code := s.run(filepath.Join("..", "..", "bin", "start.sh"), "--config", s.config, "--pid-file", s.pidFile+"2")
	assert.Equal(t, 1, code)
	assert.Equal(t, "clusterload: folder "+filepath.Join(s.folder, "state")+": another agent works in it: stop that one, or set another folder\n", errs)
}

func TestReload(t *testing.T) {
	s := newSite(t)
	pid := s.start()
	s.logged(`hpc1\.nodes\.mixed 1 `)

	s.write("colour = \"red\"\n")
	require.NoError(t, syscall.Kill(pid, syscall.SIGHUP))
	s.logged(`not reloaded.*clusterload\.toml:9: database\.print\.colour: unknown key`)
	assert.True(t, alive(pid))

	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	good := strings.Replace(strings.Replace(string(text), "colour = \"red\"\n", "", 1), `"hpc1"`, `"hpc2"`, 1)
	require.NoError(t, os.WriteFile(s.config, []byte(good), 0o600))
	require.NoError(t, syscall.Kill(pid, syscall.SIGHUP))
	s.logged(`hpc2\.nodes\.mixed 1 `)

	// a restart with a broken file stops nothing
	s.write("colour = \"red\"\n")
	_, errs, code := s.script("restart.sh")
	assert.Equal(t, 2, code, errs)
	assert.True(t, alive(pid))
}

func TestLogIsReopened(t *testing.T) {
	s := newSite(t)
	pid := s.start()
	s.logged(`hpc1\.nodes\.mixed 1 `)
	log := filepath.Join(s.folder, "state", "clusterload.log")
	require.NoError(t, os.Rename(log, log+".1"))
	require.NoError(t, syscall.Kill(pid, syscall.SIGUSR1))
	s.logged(`log reopened`)
	s.logged(`hpc1\.nodes\.mixed 1 `)
}

func TestCheck(t *testing.T) {
	s := newSite(t)
	out, errs, code := s.run(program(t), "check", "--config", s.config)
	assert.Zero(t, code, errs)
	assert.Regexp(t, `(?m)^aggregator +slurm +ok +[0-9.]+s +\d+ *$`, out)
	assert.Regexp(t, `(?m)^database +print +ok `, out)
	assert.NoDirExists(t, filepath.Join(s.folder, "state"), "check leaves nothing behind")

	s.command("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1")
	s.write("[database.graphite]\naddress = \"127.0.0.1\"\nport = 1\n")
	out, errs, code = s.run(program(t), "check", "--config", s.config)
	assert.Equal(t, 1, code)
	assert.Equal(t, "clusterload: 2 parts failed\n", errs)
	assert.Regexp(t, `(?m)^aggregator +slurm +FAILED .*Unable to contact slurm controller`, out)
	assert.Regexp(t, `(?m)^database +graphite +FAILED .*connection refused`, out)
}

func TestOnce(t *testing.T) {
	s := newSite(t)
	out, errs, code := s.run(program(t), "once", "--config", s.config, "--debug")
	assert.Zero(t, code, errs)
	assert.Regexp(t, `(?m)^test\.cpus\.alloc 3 \d+$`, out)
	assert.Regexp(t, `(?m)^test\.agent\.command\.queue\.ok 1 \d+$`, out)

	s.command("scontrol", "exit 1")
	out, _, code = s.run(program(t), "once", "--config", s.config)
	assert.Equal(t, 1, code)
	assert.NotContains(t, out, "hpc1.cpus.")
	assert.Contains(t, out, "hpc1.agent.command.nodes.ok 0 ")
	assert.Contains(t, out, "hpc1.agent.command.queue.ok 1 ")
}

// Without a command the program runs in the foreground, as the Python agent did, with that one's file.
func TestPlainRunWithOriginalFile(t *testing.T) {
	s := newSite(t)
	file := filepath.Join(s.folder, "config.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"cluster": "hpc1", "frequency": 1, "database": {"type": "graphite", "address": "127.0.0.1", "port": 1}, "workload_manager": {"type": "slurm"}}`), 0o600))
	cmd := exec.CommandContext(t.Context(), program(t), "--config", file, "--debug")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+filepath.Join(s.folder, "state"), "PATH="+s.bin+":"+os.Getenv("PATH"))
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { // the queue takes what the closed port does not
		files, _ := filepath.Glob(filepath.Join(s.folder, "state", "test", "queue", "graphite", "*"))
		return len(files) > 1
	}, 30*time.Second, 20*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	assert.NoError(t, cmd.Wait())
	assert.Contains(t, errs.String(), "this JSON file asks for one metric")
}

func TestVersionAndHelp(t *testing.T) {
	s := newSite(t)
	out, _, code := s.run(program(t), "version")
	assert.Zero(t, code)
	assert.Regexp(t, `^clusterload \S+\n$`, out)
	for _, command := range []string{"run", "start", "stop", "restart", "check", "once", "metrics"} {
		out, _, code = s.run(program(t), command, "--help")
		assert.Zero(t, code)
		assert.Contains(t, out, "Examples:", command)
	}
}
