package slurm

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/internal/command"
)

// What is said of every call, whatever became of it.
var (
	callSeconds  = &aggregator.Desc{Template: "agent.command.{command}.seconds", Unit: aggregator.Seconds, Help: "Time that the last call of the command took", Source: "the agent"}
	callOK       = &aggregator.Desc{Template: "agent.command.{command}.ok", Unit: aggregator.State, Help: "1 where the last call of the command succeeded; 0 where it failed, and then nothing else of it is said", Source: "the command's exit code and standard error"}
	callTimeouts = &aggregator.Desc{Template: "agent.command.{command}.timeouts", Kind: aggregator.Counter, Unit: aggregator.Count, Help: "Calls of the command that were killed at their deadline", Source: "the agent"}
	callBytes    = &aggregator.Desc{Template: "agent.command.{command}.bytes", Unit: aggregator.Bytes, Help: "Output of the last call of the command", Source: "the agent"}
	callRows     = &aggregator.Desc{Template: "agent.command.{command}.rows", Unit: aggregator.Count, Help: "Lines of the last call of the command", Source: "the agent"}
	callErrors   = &aggregator.Desc{Template: "agent.command.{command}.parse_errors", Kind: aggregator.Counter, Unit: aggregator.Count, Help: "Lines of the command that were too long, cut, or not all of which could be read", Source: "the agent"}

	callDescs = []*aggregator.Desc{callSeconds, callOK, callTimeouts, callBytes, callRows, callErrors}
)

// A caller runs one of the calls, tick after tick.
type caller struct {
	name     string
	cmd      command.Command
	deadline time.Duration // 0: none but the run's
	reader   reader
	log      *slog.Logger

	timeouts, parseErrors uint64
	damaged               bool // the last call had lines that could not be read

	result command.Result // of the last call
	err    error
}

// run runs the command once and lets the reader have its lines. A panic of the reader is an error: it runs beside others.
func (c *caller) run(ctx context.Context, now time.Time) {
	defer func() {
		if p := recover(); p != nil {
			c.err = fmt.Errorf("%s: panic: %v\n%s", c.name, p, debug.Stack())
		}
	}()
	c.result, c.err = command.Result{}, nil
	if c.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.deadline)
		defer cancel()
	}
	var first error
	damaged := uint64(0)
	c.reader.begin(now)
	c.result, c.err = c.cmd.Run(ctx, func(l []byte) {
		if err := c.reader.line(l); err != nil {
			damaged++
			if first == nil {
				first = err
			}
		}
	})
	damaged += uint64(c.result.Spoilt)
	c.parseErrors += damaged
	if c.result.TimedOut {
		c.timeouts++
	}
	if c.err != nil {
		c.err = fmt.Errorf("%s: %w", c.name, c.err)
		return
	}
	c.warn(damaged, first)
}

// warn logs that lines could not be read, where those of the last call could.
func (c *caller) warn(damaged uint64, first error) {
	if damaged > 0 && !c.damaged {
		c.log.Warn("lines of a command could not be read", "command", c.name, "lines", damaged, "first", first)
	}
	c.damaged = damaged > 0
}

// emit adds what is said of the call, and where it succeeded what its lines say.
func (c *caller) emit(b *aggregator.Batch) {
	ok := 0.0
	if c.err == nil {
		ok = 1
		c.reader.end(b)
	}
	b.Add(callSeconds, c.result.Duration.Seconds(), c.name)
	b.Add(callOK, ok, c.name)
	b.Add(callTimeouts, float64(c.timeouts), c.name)
	b.Add(callBytes, float64(c.result.Bytes), c.name)
	b.Add(callRows, float64(c.result.Rows), c.name)
	b.Add(callErrors, float64(c.parseErrors), c.name)
}
