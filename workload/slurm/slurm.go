// Package slurm measures the load of a cluster that Slurm manages, through Slurm's own commands: the queue, the nodes,
// the partitions and the scheduler.
package slurm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

var unknownTokens = &aggregator.Desc{Template: "agent.unknown_tokens", Kind: aggregator.Counter, Unit: aggregator.Count,
	Help: "Words of Slurm that this version of the agent does not know, each time that one was read: states, flags, reasons", Source: "the Slurm commands"}

// Slurm is the aggregator.
type Slurm struct {
	callers []*caller
	tok     *tokens
}

var _ aggregator.Factory = New

// New makes the aggregator. It runs no command: Slurm need not be there.
func New(o aggregator.Options) (aggregator.Aggregator, error) {
	c := defaults()
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Slurm{tok: newTokens(o.Log)}
	for _, k := range c.wanted() {
		s.callers = append(s.callers, &caller{name: k.name, cmd: c.command(k), deadline: time.Duration(c.CommandDeadline),
			reader: k.reader(&c, s.tok), log: o.Log})
	}
	return s, nil
}

// Describe implements aggregator.Aggregator.
func (s *Slurm) Describe() []*aggregator.Desc {
	var descs []*aggregator.Desc
	for _, c := range s.callers {
		descs = append(descs, c.reader.describe()...)
	}
	return append(append(descs, callDescs...), unknownTokens)
}

// Aggregate implements aggregator.Aggregator. The commands run side by side, so that one that hangs takes no time from
// the others.
func (s *Slurm) Aggregate(ctx context.Context, b *aggregator.Batch) error {
	var running sync.WaitGroup
	for _, c := range s.callers {
		running.Go(func() { c.run(ctx, b.Time) })
	}
	running.Wait()
	var failed error
	for _, c := range s.callers {
		c.emit(b)
		failed = errors.Join(failed, c.err)
	}
	b.Add(unknownTokens, float64(s.tok.count()))
	return failed
}
