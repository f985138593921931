package daemon_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/daemon"
)

// TestMain is also the program that the tests run in the background: `daemon.test child BEHAVIOUR PIDFILE`.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "child" {
		os.Exit(child(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

func child(behaviour, pidFile string) int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	if err := daemon.Settle(); err != nil {
		fmt.Fprintln(os.Stderr, "settle:", err)
		return 3
	}
	fmt.Println("child says", behaviour)
	switch behaviour {
	case "refuses":
		daemon.Fail(errors.New("queue: folder is\nread-only"))
		return 1
	case "dies":
		return 1
	case "hangs":
		time.Sleep(time.Hour)
	}
	pid, err := daemon.Lock(pidFile)
	if err != nil {
		daemon.Fail(err)
		return 1
	}
	defer pid.Close()
	_ = daemon.Notify("STATUS=up", "READY=1")
	if behaviour == "deaf" {
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	}
	<-terminated
	return 0
}

func detach(t *testing.T, behaviour string, timeout time.Duration) (pid int, pidFile, log string, err error) {
	folder := t.TempDir()
	pidFile, log = filepath.Join(folder, "pid"), filepath.Join(folder, "log")
	pid, err = daemon.Detach([]string{"child", behaviour, pidFile}, log, timeout)
	t.Cleanup(func() {
		if pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return pid, pidFile, log, err
}

func TestDetachAndTerminate(t *testing.T) {
	pid, pidFile, log, err := detach(t, "serves", time.Minute)
	require.NoError(t, err)
	running, err := daemon.Running(pidFile)
	require.NoError(t, err)
	assert.Equal(t, pid, running)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "child says serves\n", string(text))
	args, err := daemon.Arguments(pid)
	require.NoError(t, err)
	assert.Equal(t, []string{"child", "serves", pidFile}, args)
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	require.NoError(t, err)
	assert.Equal(t, "/", cwd)

	_, err = daemon.Lock(pidFile)
	var held *daemon.RunningError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, pid, held.Pid)

	ended, err := daemon.Terminate(pidFile, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, pid, ended)
	assert.NoFileExists(t, pidFile)
	ended, err = daemon.Terminate(pidFile, time.Minute)
	require.NoError(t, err)
	assert.Zero(t, ended, "nothing ran")
}

func TestDetachSaysWhyNot(t *testing.T) {
	_, _, _, err := detach(t, "refuses", time.Minute)
	assert.EqualError(t, err, "queue: folder is read-only")
	_, _, log, err := detach(t, "dies", time.Minute)
	assert.EqualError(t, err, "ended before it was ready; its log is "+log)
	_, _, log, err = detach(t, "hangs", 300*time.Millisecond)
	assert.EqualError(t, err, "not ready after 300ms, ended; its log is "+log)
}

func TestTerminateKillsTheDeaf(t *testing.T) {
	pid, pidFile, _, err := detach(t, "deaf", time.Minute)
	require.NoError(t, err)
	ended, err := daemon.Terminate(pidFile, 200*time.Millisecond)
	assert.Equal(t, pid, ended)
	assert.ErrorContains(t, err, "was killed; its queues are kept")
	running, err := daemon.Running(pidFile)
	require.NoError(t, err)
	assert.Zero(t, running, "the file is there still, its lock is not")
	again, err := daemon.Lock(pidFile)
	require.NoError(t, err)
	assert.NoError(t, again.Close())
}

// A file that holds an id, but no lock, is of a process that is gone: the id may be another's by now.
func TestStalePidFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	require.NoError(t, os.WriteFile(path, []byte("1\n"), 0o644))
	pid, err := daemon.Running(path)
	require.NoError(t, err)
	assert.Zero(t, pid)
	lock, err := daemon.Lock(path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(os.Getpid())+"\n", string(text))
	require.NoError(t, lock.Close())
}

func TestNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	assert.NoError(t, daemon.Notify("READY=1"), "nobody listens")
	path := filepath.Join(t.TempDir(), "s")
	for _, address := range []string{path, "@clusterload-test-" + strconv.Itoa(os.Getpid())} {
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: strings.Replace(address, "@", "\x00", 1), Net: "unixgram"})
		require.NoError(t, err)
		t.Setenv("NOTIFY_SOCKET", address)
		require.NoError(t, daemon.Notify("READY=1", "STATUS=up"))
		buf := make([]byte, 100)
		n, err := conn.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, "READY=1\nSTATUS=up", string(buf[:n]))
		require.NoError(t, conn.Close())
	}
}

func TestWatchdogInterval(t *testing.T) {
	for _, test := range []struct {
		usec, pid string
		want      time.Duration
	}{{"", "", 0}, {"30000000", "", 30 * time.Second}, {"2500000", strconv.Itoa(os.Getpid()), 2500 * time.Millisecond}, {"30000000", "1", 0}, {"x", "", 0}} {
		t.Setenv("WATCHDOG_USEC", test.usec)
		t.Setenv("WATCHDOG_PID", test.pid)
		assert.Equal(t, test.want, daemon.WatchdogInterval(), "%+v", test)
	}
}
