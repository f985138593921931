package aggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// What the loop says of each aggregator's runs, whatever became of them.
var (
	runSeconds = &Desc{Template: "agent.aggregator.{aggregator}.seconds", Unit: Seconds, Help: "Time that the last run of the aggregator took", Source: "the agent's loop"}
	runOK      = &Desc{Template: "agent.aggregator.{aggregator}.ok", Unit: State, Help: "1 where the last run of the aggregator ended without an error, else 0", Source: "the agent's loop"}
	runSeries  = &Desc{Template: "agent.aggregator.{aggregator}.series", Unit: Count, Help: "Series that the last run of the aggregator produced", Source: "the agent's loop"}
	runSkipped = &Desc{Template: "agent.aggregator.{aggregator}.skipped", Kind: Counter, Unit: Count, Help: "Ticks left out because the run before had not ended", Source: "the agent's loop"}
)

// LoopDescs returns the metrics that the loop adds to every run.
func LoopDescs() []*Desc { return []*Desc{runSeconds, runOK, runSeries, runSkipped} }

// lateGrace is how long after its deadline a run may return and still be believed.
const lateGrace = 2 * time.Second

// A runner runs one task on its ticks.
type runner struct {
	task   Task
	loop   *Loop
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{} // closed when schedule has returned

	running atomic.Pointer[time.Time] // when the run in progress began, or nil
	ended   chan struct{}             // closed when the run in progress has ended
	batch   Batch                     // the run's own; nothing else touches it
	rates   rates
	outcome outcome

	skipped atomic.Int64
	series  atomic.Int64
	lag     atomic.Int64
	began   atomic.Pointer[time.Time]
}

// align returns the multiple of every, counted from the Unix epoch, that is nearest to t.
func align(t time.Time, every time.Duration) time.Time {
	ns, step := t.UnixNano(), int64(every)
	return time.Unix(0, (ns+step/2)/step*step)
}

// schedule begins a run on every tick until ctx is done. Each sleep is one interval, less or more the distance to the
// nearest aligned second: a wall clock that drifts or steps moves the next tick by half an interval at most.
func (r *runner) schedule(ctx context.Context) {
	defer close(r.done)
	every := r.task.Frequency
	now := r.loop.now()
	first := align(now.Add(every/2), every)
	if !first.After(now) {
		first = first.Add(every)
	}
	timer := time.NewTimer(first.Sub(now))
	defer timer.Stop()
	due := time.Now().Add(first.Sub(now))
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		begin := time.Now()
		r.lag.Store(int64(begin.Sub(due)))
		r.began.Store(&begin)
		now := r.loop.now()
		stamp := align(now, every)
		sleep := every - now.Sub(stamp)
		due = begin.Add(sleep)
		timer.Reset(sleep)
		r.tick(ctx, stamp, begin)
	}
}

// tick begins a run, unless the one before still runs: then the tick is left out, and once that run is past its
// deadline the tick says so.
func (r *runner) tick(ctx context.Context, stamp, begin time.Time) {
	if since := r.running.Load(); since != nil {
		r.skipped.Add(1)
		if begin.Sub(*since) > r.task.Deadline+lateGrace {
			r.outcome.log(r.log, fmt.Errorf("still runs after its deadline of %s", r.task.Deadline))
			var b Batch
			b.Reset(stamp)
			r.describe(&b, begin.Sub(*since), false)
			r.emit(&b)
		}
		return
	}
	r.running.Store(&begin)
	r.ended = make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		defer r.running.Store(nil)
		r.run(ctx, stamp, begin)
	}(r.ended)
}

func (r *runner) run(ctx context.Context, stamp, begin time.Time) {
	r.batch.Reset(stamp)
	err := aggregate(ctx, r.task, &r.batch)
	took := time.Since(begin)
	if ctx.Err() != nil {
		return // stopped: half a run says nothing
	}
	if took > r.task.Deadline+lateGrace {
		r.batch.Reset(stamp) // what it read is of another time
		err = fmt.Errorf("returned long after its deadline of %s: thrown away", r.task.Deadline)
	}
	r.outcome.log(r.log, err)
	r.describe(&r.batch, took, err == nil)
	r.rates.apply(r.batch.Metrics(), begin)
	r.emit(&r.batch)
}

// aggregate runs the task's aggregator once within its deadline. A panic and a misuse of the batch are errors.
func aggregate(ctx context.Context, t Task, b *Batch) (err error) {
	ctx, cancel := context.WithTimeout(ctx, t.Deadline)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	err = t.Aggregator.Aggregate(ctx, b)
	return errors.Join(err, b.Err())
}

// describe adds what the loop knows of the run.
func (r *runner) describe(b *Batch, took time.Duration, ok bool) {
	n := len(b.Metrics())
	r.series.Store(int64(n))
	r.log.Debug("aggregator ran", "tick", b.Time.Unix(), "seconds", took.Seconds(), "series", n, "ok", ok)
	addRun(b, r.task.Name, took, ok)
	b.Add(runSkipped, float64(r.skipped.Load()), r.task.Name)
}

// emit stamps everything and hands it to the sink.
func (r *runner) emit(b *Batch) {
	stamp(b, r.loop.Cluster())
	r.loop.sink(b.Metrics())
}

func addRun(b *Batch, name string, took time.Duration, ok bool) {
	n := len(b.Metrics())
	b.Add(runSeconds, took.Seconds(), name)
	b.Add(runOK, map[bool]float64{true: 1}[ok], name)
	b.Add(runSeries, float64(n), name)
}

func stamp(b *Batch, cluster string) {
	ms, at := b.Metrics(), b.Time.Unix()
	for i := range ms {
		ms[i].Cluster, ms[i].Time = cluster, at
	}
}

// An outcome is how the last run of a task ended.
type outcome struct {
	mu    sync.Mutex
	text  string // the error's, "" for none
	since time.Time
}

// log writes to the log where err differs from the last outcome: the first failure, another failure, the recovery.
func (o *outcome) log(log *slog.Logger, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.text
	o.text = ""
	if err != nil {
		o.text = err.Error()
	}
	if o.text == last {
		return
	}
	if err == nil {
		log.Info("aggregator works again", "failed_for", time.Since(o.since).Round(time.Second))
		return
	}
	if last == "" {
		o.since = time.Now()
	}
	if p := (*panicked)(nil); errors.As(err, &p) {
		log = log.With("stack", string(p.stack))
	}
	log.Warn("aggregator failed", "error", o.text)
}

// last returns the text of the last error, "" for none.
func (o *outcome) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text
}

// panicked is the error of an aggregator that panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// wait returns when the schedule and the run in progress have ended, or ctx is done.
func (r *runner) wait(ctx context.Context) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return
	}
	if r.ended == nil {
		return
	}
	select {
	case <-r.ended:
	case <-ctx.Done():
	}
}

// Once runs a task a single time, now, and returns what it added, stamped, with how long it took. The error is what
// the aggregator returned; what it added before is there all the same. Counters have no rate.
func Once(ctx context.Context, cluster string, t Task) (ms []Metric, took time.Duration, err error) {
	begin := time.Now()
	var b Batch
	b.Reset(align(begin, t.Frequency))
	err = aggregate(ctx, t, &b)
	took = time.Since(begin)
	addRun(&b, t.Name, took, err == nil)
	stamp(&b, cluster)
	return b.Metrics(), took, err
}
