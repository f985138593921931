package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A Child is a server that this process started for itself. It ends with it: its standard input is a pipe that ends
// however this process ends.
type Child struct {
	cmd   *exec.Cmd
	input io.Closer
	ended chan struct{}
	err   atomic.Pointer[error]
}

// Launch starts cmd and returns once it has notified that it is ready. The program has to end when its standard input
// does. Where ctx is done first, it is killed.
func Launch(ctx context.Context, cmd *exec.Cmd) (*Child, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	defer l.close()
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	environment := slices.DeleteFunc(cmd.Environ(), func(s string) bool {
		return strings.HasPrefix(s, notifySocket+"=") || strings.HasPrefix(s, "WATCHDOG_")
	})
	cmd.Env = append(environment, notifySocket+"="+l.address())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C in the terminal is for this process
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Child{cmd: cmd, input: input, ended: make(chan struct{})}
	waiting, ready := context.WithCancel(ctx)
	defer ready()
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errors.New("ended by itself")
		}
		c.err.Store(&err)
		close(c.ended)
		ready()
	}()
	if err := l.ready(waiting); err != nil {
		_ = cmd.Process.Kill()
		<-c.ended
		if ctx.Err() != nil {
			return nil, fmt.Errorf("not ready: %w", ctx.Err())
		}
		return nil, fmt.Errorf("not ready: %w", *c.err.Load())
	}
	return c, nil
}

// Err returns how the child ended, or nil while it runs.
func (c *Child) Err() error {
	if err := c.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Stop ends the child's input, and the child by force where it has not ended after patience.
func (c *Child) Stop(patience time.Duration) {
	_ = c.input.Close()
	select {
	case <-c.ended:
	case <-time.After(patience):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}
