// Package delivery brings metrics from a durable queue to a database: one worker a database, which sends, retries with
// pauses, and writes down what the database will never take.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/queue"
)

// Options is what a delivery is made of. Zeros mean the defaults.
type Options struct {
	Name        string          // the database's, as the configuration calls it
	Queue       *queue.Queue    // of this delivery alone, which closes it
	Client      database.Client // of this delivery alone, which closes it
	DeadLetters string          // the file for points that the database rejects; "": they are only counted
	DeadBytes   int64           // at which it is renamed to its name + ".1" and begun anew; 10 MiB
	Timeout     time.Duration   // of one Send and of one Confirm; 10 s
	BackoffMin  time.Duration   // the longest first pause after a failure; 0.5 s
	BackoffMax  time.Duration   // the longest of all pauses; 30 s
	Log         *slog.Logger    // nil: silent
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&o.Timeout, 10 * time.Second}, {&o.BackoffMin, 500 * time.Millisecond}, {&o.BackoffMax, 30 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	if o.DeadBytes <= 0 {
		o.DeadBytes = 10 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

const (
	blockPoints = 5000    // points in one block: what one Send gets
	blockBytes  = 4 << 20 // and its bytes, where one point is not larger by itself
)

// A Delivery takes metrics into its queue and brings them to its database.
type Delivery struct {
	o    Options
	log  *slog.Logger
	dead *deadLetters

	putting sync.Mutex
	encoder *encoder

	worker  *worker
	started bool
	done    chan struct{}      // closed when the worker has ended
	stop    context.CancelFunc // no new blocks, no more pauses
	abort   context.CancelFunc // nor the Send in progress

	stopOnce sync.Once
	stopped  error

	mu    sync.Mutex
	stats Stats
}

// New makes a delivery that does not send yet; Put works before Start.
func New(o Options) *Delivery {
	o = o.withDefaults()
	d := &Delivery{o: o, log: o.Log.With("database", o.Name), encoder: newEncoder(), done: make(chan struct{})}
	d.dead = &deadLetters{path: o.DeadLetters, database: o.Name, limit: o.DeadBytes, log: d.log}
	d.worker = newWorker(d)
	return d
}

// Put takes metrics into the queue; once it returns nil they outlive a crash, as far as the queue's promise goes. A
// metric that no database could take (a wrong number of labels, a value that is not finite, larger than the whole queue) goes to the
// dead letters. It may be called from several goroutines at once. The error is queue.ErrClosed.
func (d *Delivery) Put(ms []aggregator.Metric) error {
	d.putting.Lock()
	defer d.putting.Unlock()
	for block := range slices.Chunk(ms, blockPoints) {
		if err := d.put(block); err != nil {
			return fmt.Errorf("database %q: %w", d.o.Name, err)
		}
	}
	return nil
}

// put brings ms to the queue in one block, or in more where it is too large.
func (d *Delivery) put(ms []aggregator.Metric) error {
	b, err := d.encoder.encode(ms)
	if err != nil {
		good, bad := sift(ms)
		d.bury(bad)
		if len(good) == 0 {
			return nil
		}
		return d.put(good)
	}
	if len(b) > blockBytes && len(ms) > 1 {
		return errors.Join(d.put(ms[:len(ms)/2]), d.put(ms[len(ms)/2:]))
	}
	err = d.o.Queue.Put(b, len(ms))
	if !errors.Is(err, queue.ErrTooLarge) {
		return err
	}
	if len(ms) > 1 {
		return errors.Join(d.put(ms[:len(ms)/2]), d.put(ms[len(ms)/2:]))
	}
	d.bury([]letter{{Reason: err.Error(), Points: 1}}) // without the metric: it would fill the file
	return nil
}

// sift parts metrics that can be sent from those that cannot.
func sift(ms []aggregator.Metric) (good []aggregator.Metric, bad []letter) {
	for i := range ms {
		if err := check(&ms[i]); err != nil {
			bad = append(bad, metricLetter(&ms[i], err.Error()))
		} else {
			good = append(good, ms[i])
		}
	}
	return good, bad
}

// bury writes dead letters and counts them.
func (d *Delivery) bury(letters []letter) {
	unwritten := d.dead.write(letters)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range letters {
		d.stats.Rejected += int64(l.Points)
	}
	d.stats.Unwritten += unwritten
}

// Start begins to send.
func (d *Delivery) Start() {
	waiting, stop := context.WithCancel(context.Background())
	sending, abort := context.WithCancel(context.Background())
	d.stop, d.abort, d.started = stop, abort, true
	go func() {
		defer close(d.done)
		d.worker.run(waiting, sending)
	}()
}

// stopGrace is how long a client may take to return once its context is done.
const stopGrace = time.Second

// Stop ends the delivery and closes the client and the queue. A Send in progress may end, and is confirmed, until ctx
// is done; then it is broken off. What was not acknowledged stays in the queue for the next start.
func (d *Delivery) Stop(ctx context.Context) error {
	d.stopOnce.Do(func() { d.stopped = d.end(ctx) })
	return d.stopped
}

func (d *Delivery) end(ctx context.Context) error {
	var failed []error
	if err := d.halt(ctx); err != nil {
		failed = append(failed, err)
	} else if err := d.o.Client.Close(); err != nil {
		failed = append(failed, err)
	}
	if err := d.o.Queue.Close(); err != nil {
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("database %q: stop: %w", d.o.Name, err)
	}
	return nil
}

// halt ends the worker. Its error says that the client keeps it.
func (d *Delivery) halt(ctx context.Context) error {
	if !d.started {
		return nil
	}
	defer d.abort()
	d.stop()
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
	}
	d.abort()
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-d.done:
		return nil
	case <-grace.C:
		return errors.New("the client does not return, and is left behind")
	}
}

// Stats is how a delivery does. Points, not blocks, are counted, since its start.
type Stats struct {
	Sent      int64         // taken by the database
	Rejected  int64         // never to be taken, in the dead letters
	Unwritten int64         // of these, not in the dead letters, because the file could not be written
	LastSend  time.Duration // how long the last Send took, or Confirm
	Err       error         // of the last try; nil while all goes well, and before the first
	Since     time.Time     // when it began to fail
	Queue     queue.Stats   // what waits, and what was dropped
}

// Stats returns the state as of now.
func (d *Delivery) Stats() Stats {
	d.mu.Lock()
	s := d.stats
	d.mu.Unlock()
	s.Queue = d.o.Queue.Stats()
	return s
}
