package bed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// A Group holds processes that end together: all of them, and whatever they started, are gone when Close returns, and
// within moments of the program's own end, whichever way that came. It is safe for concurrent use.
type Group struct {
	keeper   *exec.Cmd
	requests *os.File
	gone     chan struct{} // closed once the keeper, and so everything, has ended

	mu      sync.Mutex // guards what follows and the writing of requests
	encoder *json.Encoder
	last    int
	answers map[int]chan answer
	procs   map[int]*Process
	closed  bool
}

// errClosed is the error of everything that is asked of a group that has ended.
var errClosed = errors.New("the group of processes has ended")

// NewGroup starts the keeper of an empty group.
func NewGroup() (*Group, error) {
	theirRequests, requests, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	answers, theirAnswers, err := os.Pipe()
	if err != nil {
		theirRequests.Close()
		requests.Close()
		return nil, fmt.Errorf("keeper: %w", err)
	}
	g := &Group{requests: requests, gone: make(chan struct{}), encoder: json.NewEncoder(requests),
		answers: map[int]chan answer{}, procs: map[int]*Process{}}
	g.keeper = &exec.Cmd{Path: "/proc/self/exe", Args: []string{keeperName}, Dir: "/",
		Env:         append(os.Environ(), "GORACE=atexit_sleep_ms=0"), // a race-tested program sleeps a second at its end
		ExtraFiles:  []*os.File{theirRequests, theirAnswers},          // files 3 and 4 there
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	err = g.keeper.Start()
	theirRequests.Close()
	theirAnswers.Close()
	if err != nil {
		requests.Close()
		answers.Close()
		return nil, fmt.Errorf("keeper: %w", err)
	}
	go g.listen(answers)
	return g, nil
}

// listen hands out the keeper's answers until it ends.
func (g *Group) listen(answers *os.File) {
	defer answers.Close()
	for decoder := json.NewDecoder(answers); ; {
		var a answer
		if decoder.Decode(&a) != nil {
			break
		}
		g.mu.Lock()
		if a.Exited {
			if p := g.procs[a.ID]; p != nil {
				p.exit(exitError(a))
				delete(g.procs, a.ID)
			}
		} else if c := g.answers[a.ID]; c != nil {
			c <- a // has room for the one answer
			delete(g.answers, a.ID)
		}
		g.mu.Unlock()
	}
	_ = g.keeper.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, c := range g.answers {
		close(c)
	}
	for _, p := range g.procs {
		p.exit(errClosed)
	}
	g.answers, g.procs = nil, nil
	close(g.gone)
}

// An ExitError says how a process ended: by itself with a code, or by a signal.
type ExitError struct {
	Code   int
	Signal syscall.Signal // 0: by itself
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "ended by signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

func exitError(a answer) error {
	if a.Code == 0 && a.Signal == 0 {
		return nil
	}
	return &ExitError{Code: a.Code, Signal: syscall.Signal(a.Signal)}
}

// ask sends a request and waits for its answer. A process that the request starts is known before its end can be told.
func (g *Group) ask(r request, p *Process) (answer, error) {
	c := make(chan answer, 1)
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return answer{}, errClosed
	}
	g.last++
	r.ID = g.last
	g.answers[r.ID] = c
	if p != nil {
		p.id = r.ID
		g.procs[r.ID] = p
	}
	err := g.encoder.Encode(r)
	g.mu.Unlock()
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errClosed, err)
	}
	a, ok := <-c
	switch {
	case !ok:
		return answer{}, errClosed
	case a.Error == os.ErrProcessDone.Error():
		return a, os.ErrProcessDone
	case a.Error != "":
		if p != nil {
			g.mu.Lock()
			delete(g.procs, r.ID)
			g.mu.Unlock()
		}
		return a, errors.New(a.Error)
	}
	return a, nil
}

// RemoveAtEnd has the keeper remove a folder, with all in it, once every process has ended: also where the program is
// killed and nothing else could.
func (g *Group) RemoveAtEnd(folder string) error {
	_, err := g.ask(request{Remove: folder}, nil)
	return err
}

// Close kills every process of the group and every one that these left behind, and returns once they are gone. Servers
// that are to end cleanly are stopped before.
func (g *Group) Close() error {
	g.mu.Lock()
	already := g.closed
	g.closed = true
	g.mu.Unlock()
	var err error
	if !already {
		err = g.requests.Close()
	}
	<-g.gone
	return err
}

var _ io.Closer = (*Group)(nil)
