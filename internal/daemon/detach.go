package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	godaemon "github.com/sevlyar/go-daemon"
	"golang.org/x/sys/unix"
)

// Detached says whether this process was started by Detach. It then has to call Settle before anything else.
func Detached() bool { return godaemon.WasReborn() }

// Settle completes the start of a detached process: its standard input becomes /dev/null.
func Settle() error {
	_, err := new(godaemon.Context).Reborn()
	_ = os.Unsetenv(godaemon.MARK_NAME)
	return err
}

// Detach starts this program anew in the background, with args behind its name, its output appended to the file log,
// and returns its process id once it has notified that it is ready. Where it ends or reports an error before, that is
// the error; after timeout it is ended.
func Detach(args []string, log string, timeout time.Duration) (pid int, err error) {
	l, err := listen()
	if err != nil {
		return 0, fmt.Errorf("start: %w", err)
	}
	defer l.close()
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, notifySocket+"=") })
	c := &godaemon.Context{
		Args:        append([]string{os.Args[0]}, args...),
		Env:         append(env, notifySocket+"="+l.address()),
		LogFileName: log,
		LogFilePerm: 0o640,
		WorkDir:     "/",
		Umask:       0o027,
	}
	child, err := c.Reborn()
	if err != nil && !(child != nil && errors.Is(err, syscall.EPIPE)) { // a quick child has read all that it wants to know
		return 0, fmt.Errorf("start: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		_, _ = child.Wait()
		close(ended)
		time.AfterFunc(100*time.Millisecond, cancel) // its last words may still be in the socket
	}()
	err = l.ready(ctx)
	if err == nil {
		return child.Pid, nil
	}
	select {
	case <-ended:
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("ended before it was ready; its log is %s", log)
		}
	default:
		_ = child.Kill()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("not ready after %s, ended; its log is %s", timeout, log)
		}
	}
	return 0, err
}

// Fail tells the process that started this one why it could not start.
func Fail(err error) {
	_ = Notify("ERROR=" + strings.ReplaceAll(err.Error(), "\n", " "))
}

// Reopen makes standard output and error go to the file at path, which is made where it is not there: after a log
// rotation moved the old one away.
func Reopen(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	defer f.Close()
	for _, fd := range []int{1, 2} {
		if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil {
			return fmt.Errorf("log %s: %w", path, err)
		}
	}
	return nil
}

// Terminate asks the process that holds the pid file to end and waits for it, up to patience; then it is killed.
// It returns the process's id, or 0 where none ran.
func Terminate(path string, patience time.Duration) (pid int, err error) {
	pid, err = Running(path)
	if pid == 0 || err != nil {
		return 0, err
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return pid, fmt.Errorf("stop process %d: %w", pid, err)
	}
	if gone(path, pid, patience) {
		return pid, nil
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return pid, fmt.Errorf("kill process %d: %w", pid, err)
	}
	if !gone(path, pid, 5*time.Second) {
		return pid, fmt.Errorf("process %d does not end", pid)
	}
	return pid, fmt.Errorf("process %d did not end within %s and was killed; its queues are kept", pid, patience)
}

// gone waits until pid holds the pid file no more.
func gone(path string, pid int, patience time.Duration) bool {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if now, err := Running(path); err == nil && now != pid {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}
