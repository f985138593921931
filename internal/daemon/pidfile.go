// Package daemon is what a process needs to run in the background: a locked pid file, detaching, telling its parent or
// systemd that it is ready, a log file that can be reopened.
package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A PidFile is a locked file that holds this process's id. The lock, not the file, says that the process runs: it goes
// with the process, however that ends.
type PidFile struct{ file *os.File }

// A RunningError says that another process holds the pid file.
type RunningError struct {
	Path string
	Pid  int // 0 where the file does not say
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("already running: process %d holds %s", e.Pid, e.Path)
}

// DefaultPidFile is where the agent's pid file is: in /run for root, else in the user's runtime folder.
func DefaultPidFile() string {
	if os.Geteuid() == 0 {
		return "/run/clusterload.pid"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "clusterload.pid")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("clusterload-%d.pid", os.Geteuid()))
}

// Lock makes and locks the pid file, or fails with a *RunningError.
func Lock(path string) (*PidFile, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, fmt.Errorf("pid file: %w", err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			pid := readPid(f)
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, &RunningError{path, pid}
			}
			return nil, fmt.Errorf("pid file %s: lock: %w", path, err)
		}
		if !sameFile(f, path) { // the last holder removed it between our open and our lock
			_ = f.Close()
			continue
		}
		if err := writePid(f); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("pid file %s: %w", path, err)
		}
		return &PidFile{f}, nil
	}
}

func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func sameFile(f *os.File, path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	here, err := f.Stat()
	return err == nil && os.SameFile(there, here)
}

// Close removes the file and lets go of the lock.
func (p *PidFile) Close() error {
	return errors.Join(os.Remove(p.file.Name()), p.file.Close())
}

// Running returns the id of the process that holds the pid file, or 0 where none does.
func Running(path string) (pid int, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("pid file: %w", err)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return 0, fmt.Errorf("pid file %s: lock: %w", path, err)
	}
	if pid = readPid(f); pid <= 1 {
		return 0, fmt.Errorf("pid file %s is locked, but holds no process id", path)
	}
	return pid, nil
}

func readPid(f *os.File) int {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// Arguments returns the command line of a process, without the program's name.
func Arguments(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, err
	}
	args := strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
	return args[1:], nil
}
