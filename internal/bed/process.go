package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Options says what to start.
type Options struct {
	Name string   // for messages; empty: the program's file name
	Path string   // the program, looked up as Look does
	Args []string // without the program itself
	Env  []string // the whole environment, "KEY=value"; nil: this program's own
	Dir  string   // working directory; empty: the root, so that a daemon holds no folder
	Log  string   // file that standard output and error are appended to; empty: thrown away
}

// A Process is a started program, in a session of its own. It is safe for concurrent use.
type Process struct {
	options Options
	group   *Group
	own     bool // the group is this process's alone
	id      int
	pid     int
	begun   uint64

	exited chan struct{}
	once   sync.Once
	err    error // valid once exited is closed
}

// Start starts a program in a group of its own: what Stop and Kill leave is nothing.
func Start(o Options) (*Process, error) {
	g, err := NewGroup()
	if err != nil {
		return nil, err
	}
	p, err := g.Start(o)
	if err != nil {
		_ = g.Close()
		return nil, err
	}
	p.own = true
	return p, nil
}

// Start starts a program as part of the group.
func (g *Group) Start(o Options) (*Process, error) {
	path, err := Look(o.Path)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	o.Path = path
	if o.Name == "" {
		o.Name = filepath.Base(path)
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.Dir == "" {
		o.Dir = "/"
	}
	p := &Process{options: o, group: g, exited: make(chan struct{})}
	a, err := g.ask(request{Start: &o}, p)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	p.pid = a.Pid
	p.begun, _ = started(p.pid)
	return p, nil
}

// exit is called once, when the process has ended.
func (p *Process) exit(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.exited)
	})
}

// Name is what messages call the process.
func (p *Process) Name() string { return p.options.Name }

// Pid is the process's id, and that of its session. It may be someone else's once Exited is closed.
func (p *Process) Pid() int { return p.pid }

// Started is when the process began, in clock ticks since boot: with the pid it names the process for ever.
func (p *Process) Started() uint64 { return p.begun }

// Exited is closed once the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err returns how the process ended: nil for exit code 0 and while it runs, otherwise an *ExitError.
func (p *Process) Err() error {
	select {
	case <-p.exited:
		return p.err
	default:
		return nil
	}
}

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone; os.ErrProcessDone says that it has ended.
func (p *Process) Signal(s syscall.Signal) error { return p.signal(s, false) }

func (p *Process) signal(s syscall.Signal, whole bool) error {
	if _, err := p.group.ask(request{Signal: int(s), Whole: whole, Of: p.id}, nil); err != nil {
		return fmt.Errorf("%s: signal %q: %w", p.options.Name, s, err)
	}
	return nil
}

// Pause stops every process of the session where it stands, as a hung server is.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP, true) }

// Resume lets them go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT, true) }

// Kill ends the process and its whole session at once and waits until it has ended. Ended already: nil.
func (p *Process) Kill() error {
	err := p.signal(syscall.SIGKILL, true)
	if err == nil {
		<-p.exited
	}
	return p.done(err)
}

// Stop asks the process to end (SIGTERM) and waits, kills its session after the grace or once it has ended, and returns
// nil when it ended by itself in time. Ended already: nil.
func (p *Process) Stop(grace time.Duration) error {
	err := p.Signal(syscall.SIGTERM)
	if err == nil {
		_ = p.Signal(syscall.SIGCONT) // a paused one takes no TERM
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.exited:
		case <-timer.C:
			err = fmt.Errorf("%s: still running %s after SIGTERM, killed", p.options.Name, grace)
		}
	}
	if kill := p.signal(syscall.SIGKILL, true); kill == nil {
		<-p.exited
	}
	return p.done(err)
}

// done ends the process's own group and leaves out of err that there was nothing left to signal.
func (p *Process) done(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, errClosed) {
		err = nil
	}
	if p.own {
		return errors.Join(err, p.group.Close())
	}
	return err
}

// WaitFor is the package's WaitFor, ended too, with the tail of the log in the error, when the process has ended.
func (p *Process) WaitFor(ctx context.Context, what string, done func() (bool, error)) error {
	err := WaitFor(ctx, what, func() (bool, error) {
		if p.Running() {
			return done()
		}
		if err := p.Err(); err != nil {
			return false, fmt.Errorf("%s has ended: %w", p.options.Name, err)
		}
		return false, fmt.Errorf("%s has ended with exit code 0", p.options.Name)
	})
	if err == nil {
		return nil
	}
	if tail := p.Tail(2000); tail != "" {
		return fmt.Errorf("%w; its output ends:\n%s", err, tail)
	}
	return err
}

// Tail returns the last whole lines of the log, at most n bytes.
func (p *Process) Tail(n int64) string {
	if p.options.Log == "" {
		return ""
	}
	f, err := os.Open(p.options.Log)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	b := make([]byte, min(n, info.Size()))
	k, _ := f.ReadAt(b, info.Size()-int64(len(b)))
	b = b[:k]
	if int64(len(b)) < info.Size() {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	return string(bytes.TrimSpace(b))
}
