package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// watches remembers how the last run of each aggregator ended. What the loop says of a run in metrics has no texts.
type watches struct {
	mu     sync.Mutex
	byName map[string]*watched
}

// watch returns the task with its aggregator watched.
func (w *watches) watch(t aggregator.Task) aggregator.Task {
	seen := &watched{Aggregator: t.Aggregator, frequency: t.Frequency, deadline: t.Deadline}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byName == nil {
		w.byName = map[string]*watched{}
	}
	w.byName[t.Name] = seen
	t.Aggregator = seen
	return t
}

// of returns the aggregator that was watched last under the name, or nil.
func (w *watches) of(name string) *watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byName[name]
}

// watched is an aggregator whose runs are watched.
type watched struct {
	aggregator.Aggregator
	frequency, deadline time.Duration

	mu    sync.Mutex
	began time.Time // of the run in progress; zero where there is none
	err   error     // of the last run
}

// errPanicked is the error of a run that did not return: the log has its stack.
var errPanicked = errors.New("panic: the log says more")

// Aggregate implements aggregator.Aggregator.
func (w *watched) Aggregate(ctx context.Context, b *aggregator.Batch) error {
	w.mu.Lock()
	w.began = time.Now()
	w.mu.Unlock()
	err := errPanicked
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if ctx.Err() == nil || !errors.Is(err, context.Canceled) { // one that was told to end says nothing
			w.err = err
		}
		w.began = time.Time{}
	}()
	ended := w.Aggregator.Aggregate(ctx, b)
	err = errors.Join(ended, b.Err())
	return ended
}

// last returns for how long the run in progress has run, or 0, and the error of the last one.
func (w *watched) last(now time.Time) (running time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.began.IsZero() {
		running = now.Sub(w.began)
	}
	return running, w.err
}
