package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The agent tells systemd what systemd.service(5) wants of Type=notify: ready, reloading, stopping, and that it lives.
func TestNotifiesSystemd(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.folder, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer conn.Close()
	agent := exec.CommandContext(t.Context(), program(t), "run", "--config", s.config)
	agent.Env = append(os.Environ(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=1500000")
	require.NoError(t, agent.Start())

	hear := func(want string) {
		t.Helper()
		buf := make([]byte, 1<<10)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		for {
			n, err := conn.Read(buf)
			require.NoError(t, err, "waiting for %s", want)
			if strings.Contains("\n"+string(buf[:n])+"\n", "\n"+want) {
				return
			}
		}
	}
	hear("READY=1\n")
	hear("WATCHDOG=1\n")
	require.NoError(t, agent.Process.Signal(syscall.SIGHUP))
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1\n")
	hear("WATCHDOG=1\n")
	require.NoError(t, agent.Process.Signal(syscall.SIGTERM))
	hear("STOPPING=1\n")
	assert.NoError(t, agent.Wait())
}

// What the unit says of the program is true of it: the command line that it starts, and the folder that systemd makes.
func TestSystemdUnit(t *testing.T) {
	unit, err := os.ReadFile("../../config/clusterload.service")
	require.NoError(t, err)
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/clusterload (.*)$`).FindStringSubmatch(string(unit))
	require.NotNil(t, start)
	assert.Contains(t, string(unit), "\nStateDirectory=clusterload\n")

	s := newSite(t)
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.config, regexp.MustCompile(`(?m)^folder = .*$`).ReplaceAll(text, nil), 0o600))
	state := filepath.Join(s.folder, "systemd-state")
	args := strings.Fields(strings.ReplaceAll(start[1], "/etc/clusterload/clusterload.toml", s.config))
	agent := exec.CommandContext(t.Context(), program(t), args...)
	agent.Env = append(os.Environ(), "STATE_DIRECTORY="+state)
	require.NoError(t, agent.Start())
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(state, "queue", "print", "*"))
		return len(files) > 1
	}, 30*time.Second, 20*time.Millisecond)
	require.NoError(t, agent.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, agent.Wait(), fmt.Sprint(args))
}
