// Package command runs one program within a deadline and hands out its output line by line while it is written.
// Nothing that the program does, or what it starts does, holds up the caller past the deadline.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A Command is a program that is run again and again. It keeps its buffer from one run to the next.
type Command struct {
	Path string   // of the program, or its name to be found in the agent's PATH
	Args []string // what follows the name
	Env  []string // all of the program's environment: see Environment
	Line int      // the longest line taken, in bytes; 0: MaxLine

	lines lines
	left  chan struct{} // of a run whose process the kernel would not let go: closed once it has ended
	pid   int           // of that process
}

// MaxLine is the longest line taken unless a Command says otherwise.
const MaxLine = 1 << 20

// Result is what one run came to.
type Result struct {
	Duration time.Duration
	Bytes    int64  // of output
	Rows     int64  // lines handed out
	Spoilt   int64  // lines too long to be handed out, and a last one without its newline
	TimedOut bool   // ended by the deadline
	Exit     int    // the exit code; -1 where the program did not start, was killed or still runs
	Stderr   string // its beginning
}

// grace is how long a killed process may take to be gone before it is left to the kernel.
const grace = time.Second

// ErrStillRuns is the error of a run that did not begin because the process of an earlier one, though killed, is still
// there: it waits in the kernel, for a file server that does not answer, say.
var ErrStillRuns = errors.New("killed at its deadline, but the kernel has not let it go")

// Run starts the program, calls line with each line of its output, without the newline and valid until line returns,
// and waits for its end. It returns an error where the program could not be started, did not end within ctx, ended with
// a code other than 0 or by a signal, or wrote of an error to its standard error. Then the lines handed out are half an
// answer at best. When Run returns, the program has ended and all that it left in its process group has been killed.
//
// Run is called from one goroutine at a time.
func (c *Command) Run(ctx context.Context, line func([]byte)) (Result, error) {
	begin := time.Now()
	res := Result{Exit: -1}
	err := c.run(ctx, &res, line)
	res.Duration = time.Since(begin)
	return res, err
}

func (c *Command) run(ctx context.Context, res *Result, line func([]byte)) error {
	if c.left != nil {
		select {
		case <-c.left:
			c.left = nil
		default:
			return fmt.Errorf("%s: pid %d of an earlier call: %w", c.Path, c.pid, ErrStillRuns)
		}
	}
	if err := ctx.Err(); err != nil {
		res.TimedOut = errors.Is(err, context.DeadlineExceeded)
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	p, err := start(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	defer p.close()
	defer p.abort() // where line panics; a process that has ended is beyond it
	stop := context.AfterFunc(ctx, p.abort)
	defer stop()
	go p.readStderr()

	readErr := c.lines.read(p.stdout, c.Line, res, line)
	state, gone := p.wait(ctx)
	if !gone {
		c.left, c.pid = p.gone, p.pid
	}
	res.Stderr = p.stderrText(gone)
	if state != nil {
		res.Exit = state.ExitCode()
	}
	return c.judge(ctx, res, state, readErr)
}

// judge returns why the run failed, or nil.
func (c *Command) judge(ctx context.Context, res *Result, state *os.ProcessState, readErr error) error {
	if err := ctx.Err(); err != nil {
		res.TimedOut = errors.Is(err, context.DeadlineExceeded)
		if res.TimedOut {
			return c.failed(res, "killed at its deadline")
		}
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if state != nil && !state.Success() {
		return c.failed(res, state.String())
	}
	if readErr != nil {
		return fmt.Errorf("%s: output: %w", c.Path, readErr)
	}
	if tellsOfError(res.Stderr) {
		return c.failed(res, "exit status 0")
	}
	return nil
}

func (c *Command) failed(res *Result, how string) error {
	if text := firstLine(res.Stderr); text != "" {
		return fmt.Errorf("%s: %s: %q", c.Path, how, text)
	}
	return fmt.Errorf("%s: %s", c.Path, how)
}

// tellsOfError tells whether a program that returned 0 failed all the same, by what it wrote to its standard error:
// squeue does so where it does not know a field, with "Invalid job format specification".
func tellsOfError(stderr string) bool {
	stderr = strings.ToLower(stderr)
	for _, word := range []string{"error", "fatal", "invalid"} {
		if strings.Contains(stderr, word) {
			return true
		}
	}
	return false
}

// firstLine returns the first line of a text that is not empty, cut to what fits a log line.
func firstLine(text string) string {
	const most = 300
	text = strings.TrimSpace(text)
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	return text[:min(len(text), most)]
}

// lookPath finds the program, in the PATH that it will have itself where that is set.
func (c *Command) lookPath() (string, error) {
	if strings.ContainsRune(c.Path, '/') {
		return c.Path, nil
	}
	for _, v := range c.Env {
		if list, ok := strings.CutPrefix(v, "PATH="); ok {
			return lookIn(list, c.Path)
		}
	}
	return exec.LookPath(c.Path)
}

func lookIn(list, name string) (string, error) {
	for _, folder := range strings.Split(list, ":") {
		if !strings.HasPrefix(folder, "/") {
			continue // the current folder of a daemon holds no programs
		}
		path := folder + "/" + name
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: %s", exec.ErrNotFound, list)
}
