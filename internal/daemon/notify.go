package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const notifySocket = "NOTIFY_SOCKET"

// Notify tells whoever started this process its state, as systemd's sd_notify does: "READY=1", "STOPPING=1",
// "WATCHDOG=1", "STATUS=text". Without a listener it does nothing.
func Notify(state ...string) error {
	path := os.Getenv(notifySocket)
	if path == "" {
		return nil
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(strings.Join(state, "\n")))
	return err
}

// WatchdogInterval returns how often systemd wants to hear "WATCHDOG=1" at least, or 0 for never.
func WatchdogInterval() time.Duration {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// A listener hears what a started process notifies.
type listener struct {
	conn   *net.UnixConn
	folder string
}

func listen() (*listener, error) {
	folder, err := os.MkdirTemp("", "clusterload-start-")
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return &listener{conn, folder}, nil
}

func (l *listener) address() string { return filepath.Join(l.folder, "notify") }

func (l *listener) close() {
	_ = l.conn.Close()
	_ = os.RemoveAll(l.folder)
}

// ready waits for READY=1. An ERROR=text before it, which is this package's own, is returned as the error.
func (l *listener) ready(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now()) })
	defer stop()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			if line == "READY=1" {
				return nil
			}
			if text, ok := strings.CutPrefix(line, "ERROR="); ok {
				return errors.New(text)
			}
		}
	}
}
