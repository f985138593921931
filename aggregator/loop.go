package aggregator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Task is an aggregator with its schedule.
type Task struct {
	Name       string
	Aggregator Aggregator
	Frequency  time.Duration // from one tick to the next; at least a second
	Deadline   time.Duration // how long one run may take
}

// A Sink takes what one run produced, stamped with the cluster and the time. The loop calls it from several goroutines,
// and the metrics are valid only until it returns: once it did, the run counts as taken.
type Sink func([]Metric)

// A Loop runs tasks side by side, each on its own aligned ticks: at a frequency of 10 s, on the seconds that ten
// divides. It sleeps on the monotonic clock and stamps with the wall clock, so that a step of the wall clock gives
// neither a burst nor a silence.
type Loop struct {
	sink Sink
	log  *slog.Logger
	now  func() time.Time // the wall clock; tests step it

	mu      sync.Mutex
	cluster string
	tasks   map[string]*runner
}

// NewLoop makes a loop with no tasks yet. Cluster is the prefix of every metric.
func NewLoop(cluster string, sink Sink, log *slog.Logger) *Loop {
	return &Loop{sink: sink, log: log, now: time.Now, cluster: cluster, tasks: map[string]*runner{}}
}

// SetCluster changes the prefix of what later runs produce.
func (l *Loop) SetCluster(cluster string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cluster = cluster
}

// Cluster returns the prefix.
func (l *Loop) Cluster() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cluster
}

// Start adds a task. Its first run is on the next aligned tick. A task of the same name must have been stopped before.
func (l *Loop) Start(t Task) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &runner{task: t, loop: l, log: l.log.With("aggregator", t.Name), cancel: cancel, done: make(chan struct{})}
	l.mu.Lock()
	l.tasks[t.Name] = r
	l.mu.Unlock()
	go r.schedule(ctx)
}

// stopGrace is how long a run that was told to end may take before it is left behind.
const stopGrace = 3 * time.Second

// Stop ends the named tasks and waits for their runs, a moment at most: one that ignores its context is left behind,
// and what it produces is thrown away.
func (l *Loop) Stop(names ...string) {
	var ended []*runner
	l.mu.Lock()
	for _, name := range names {
		if r, ok := l.tasks[name]; ok {
			r.cancel()
			ended = append(ended, r)
			delete(l.tasks, name)
		}
	}
	l.mu.Unlock()
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	for _, r := range ended {
		r.wait(grace)
	}
}

// Close stops every task.
func (l *Loop) Close() { l.Stop(l.Names()...) }

// Names lists the running tasks in alphabetical order.
func (l *Loop) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.tasks))
}

// Stats is what the loop knows of itself.
type Stats struct {
	Series   int           // metrics that the last run of each task produced, in all
	Lag      time.Duration // the latest that a tick has begun after its time, of each task's last tick
	LastTick time.Time     // when a tick last began, of any task; zero before the first
}

// Stats returns the figures of the last run of each task.
func (l *Loop) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s Stats
	for _, r := range l.tasks {
		s.Series += int(r.series.Load())
		s.Lag = max(s.Lag, time.Duration(r.lag.Load()))
		if at := r.began.Load(); at != nil && at.After(s.LastTick) {
			s.LastTick = *at
		}
	}
	return s
}

// A Run is what the loop knows of one task.
type Run struct {
	Frequency time.Duration
	Running   time.Duration // how long the run in progress has run, 0 where there is none
	Error     string        // how the last run failed, "" where it did not; or that the one in progress is late
}

// Run returns what the loop knows of the named task; false where it runs none of that name.
func (l *Loop) Run(name string) (Run, bool) {
	l.mu.Lock()
	r, ok := l.tasks[name]
	l.mu.Unlock()
	if !ok {
		return Run{}, false
	}
	run := Run{Frequency: r.task.Frequency, Error: r.outcome.last()}
	if begun := r.running.Load(); begun != nil {
		run.Running = time.Since(*begun)
	}
	return run, true
}
