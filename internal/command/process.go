package command

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxStderr is how much of a program's standard error is kept; the rest is read and thrown away.
const maxStderr = 64 << 10

// A process is one run of a program in a process group of its own.
type process struct {
	cmd            *exec.Cmd
	pid            int
	stdout, stderr *os.File

	gone chan struct{} // closed when the process has ended and is reaped

	mu     sync.Mutex
	reaped bool // its pid is no longer ours to signal

	text     []byte        // the standard error; belongs to readStderr until textDone is closed
	textDone chan struct{} // closed when readStderr has returned
}

func start(c *Command) (*process, error) {
	path, err := c.lookPath()
	if err != nil {
		return nil, err
	}
	p := &process{gone: make(chan struct{}), textDone: make(chan struct{})}
	stdout, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stderr, errs, err := os.Pipe()
	if err != nil {
		_ = stdout.Close()
		_ = out.Close()
		return nil, err
	}
	p.stdout, p.stderr = stdout, stderr
	p.cmd = &exec.Cmd{Path: path, Args: append([]string{c.Path}, c.Args...), Env: c.Env, Stdout: out, Stderr: errs,
		Dir: "/", SysProcAttr: &syscall.SysProcAttr{Setpgid: true}}
	err = p.cmd.Start()
	_ = out.Close()
	_ = errs.Close()
	if err != nil {
		p.close()
		return nil, err
	}
	p.pid = p.cmd.Process.Pid
	go p.reap()
	return p, nil
}

func (p *process) close() {
	_ = p.stdout.Close()
	_ = p.stderr.Close()
}

// reap waits for the process to end and, before its pid is free for others, ends what it left in its group.
func (p *process) reap() {
	defer close(p.gone)
	for unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.pid, unix.SIGKILL)
	_ = p.cmd.Wait()
	p.reaped = true
}

// abort kills the process group and ends the reading: who else holds the pipes' other ends does not matter.
func (p *process) abort() {
	p.mu.Lock()
	if !p.reaped {
		_ = unix.Kill(-p.pid, unix.SIGKILL)
	}
	p.mu.Unlock()
	_ = p.stdout.SetReadDeadline(time.Unix(1, 0))
	_ = p.stderr.SetReadDeadline(time.Unix(1, 0))
}

// wait returns when the process has ended. After the end of ctx it gives it a little time, then leaves it: not gone.
func (p *process) wait(ctx context.Context) (state *os.ProcessState, gone bool) {
	select {
	case <-p.gone:
		return p.cmd.ProcessState, true
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.gone:
		return p.cmd.ProcessState, true
	case <-timer.C:
		return nil, false
	}
}

func (p *process) readStderr() {
	defer close(p.textDone)
	var buf [4096]byte
	for {
		n, err := p.stderr.Read(buf[:])
		p.text = append(p.text, buf[:min(n, maxStderr-len(p.text))]...)
		if err != nil {
			return
		}
	}
}

// stderrText returns what was read of the standard error of a process that has ended or is left. Whoever it started in
// another process group may still hold the other end: that is not waited for.
func (p *process) stderrText(gone bool) string {
	if gone {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.textDone:
		case <-timer.C:
		}
	}
	_ = p.stderr.SetReadDeadline(time.Unix(1, 0))
	<-p.textDone
	return string(p.text)
}
