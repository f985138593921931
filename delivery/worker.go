package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/queue"
)

// What may be sent before it is confirmed.
const (
	windowBlocks = 64
	windowBytes  = 8 << 20
)

// A worker takes blocks from the queue, oldest first, and brings them to the client. All of it runs in one goroutine.
//
// A block is acknowledged once the database has taken it; for a Confirmer, once that is confirmed. On a failure all
// that is not acknowledged goes back to the queue. Only a block some of whose points were rejected stays, with
// those before it, so that these points are left out of the next try.
type worker struct {
	d         *Delivery
	client    database.Client
	confirmer database.Confirmer // nil: the client's Send is final
	queue     *queue.Queue
	decoder   *decoder

	waiting context.Context // done: take no more
	sending context.Context // done: break off

	held        []*flight // to be sent before what the queue has
	window      []*flight // sent and not confirmed
	windowBytes int
	limit       int // blocks in window before it is confirmed: half with each failure, double with each success
	failures    int // since the last success
	outcome     outcome
	ackFailed   string // the last error of an Ack
}

// A flight is a block on its way.
type flight struct {
	block    *queue.Block
	points   int
	rejected []database.Point // by their index in the block, in order; they go to the dead letters when the rest is delivered
}

func newWorker(d *Delivery) *worker {
	w := &worker{d: d, client: d.o.Client, queue: d.o.Queue, decoder: newDecoder(), limit: windowBlocks}
	w.confirmer, _ = d.o.Client.(database.Confirmer)
	return w
}

func (w *worker) run(waiting, sending context.Context) {
	w.waiting, w.sending = waiting, sending
	for waiting.Err() == nil {
		err := w.step()
		if errors.Is(err, queue.ErrClosed) {
			return
		}
		if err != nil && waiting.Err() == nil {
			w.failed(err)
			w.pause()
		}
	}
	if len(w.window) > 0 && sending.Err() == nil {
		if err := w.confirm(); err != nil {
			w.failed(err)
		}
	}
	for _, f := range slices.Concat(w.window, w.held) {
		f.block.Nack()
	}
}

// step sends one block, or confirms those that were sent, or waits for one.
func (w *worker) step() error {
	f, err := w.next()
	if err != nil {
		return err
	}
	if f == nil {
		if len(w.window) > 0 {
			return w.confirm()
		}
		b, err := w.queue.Next(w.waiting)
		if err != nil {
			return err
		}
		f = &flight{block: b}
	}
	if err := w.send(f); err != nil {
		w.giveBack(f)
		return err
	}
	if len(w.window) >= w.limit || w.windowBytes >= windowBytes {
		return w.confirm()
	}
	return nil
}

// next returns a block that is ready, or nil.
func (w *worker) next() (*flight, error) {
	if len(w.held) > 0 {
		f := w.held[0]
		w.held = w.held[1:]
		return f, nil
	}
	b, err := w.queue.TryNext()
	if b == nil || err != nil {
		return nil, err
	}
	return &flight{block: b}, nil
}

// send brings one block to the client.
func (w *worker) send(f *flight) error {
	ms, err := w.decoder.decode(f.block.Bytes())
	if err != nil {
		w.d.bury([]letter{blockLetter(f.block, err.Error())})
		w.ack(f)
		return nil
	}
	f.points = len(ms)
	ms, places := without(ms, f.rejected)
	if len(ms) > 0 {
		err = w.call(func(ctx context.Context) error { return w.client.Send(ctx, ms) })
		if err = f.reject(err, places); err != nil {
			return err
		}
	}
	if w.confirmer != nil {
		w.window = append(w.window, f)
		w.windowBytes += len(f.block.Bytes())
		return nil
	}
	w.succeeded()
	w.settle(f)
	return nil
}

// without leaves the rejected points out of ms, and returns where the others stood; nil means that all stay in place.
func without(ms []aggregator.Metric, rejected []database.Point) (rest []aggregator.Metric, places []int) {
	if len(rejected) == 0 {
		return ms, nil
	}
	for i := range ms {
		if len(rejected) > 0 && rejected[0].Index == i {
			rejected = rejected[1:]
			continue
		}
		rest, places = append(rest, ms[i]), append(places, i)
	}
	return rest, places
}

// reject notes the points that a Send's error rejects, and returns why the others were not taken, or nil. Places says
// where the points of the Send stand in the block.
func (f *flight) reject(err error, places []int) error {
	var r *database.Rejected
	if !errors.As(err, &r) {
		return err
	}
	sent := f.points
	if places != nil {
		sent = len(places)
	}
	for _, p := range r.Points {
		if p.Index < 0 || p.Index >= sent { // the client miscounts; what it meant nobody knows
			continue
		}
		if places != nil {
			p.Index = places[p.Index]
		}
		at, known := slices.BinarySearchFunc(f.rejected, p.Index, func(q database.Point, i int) int { return q.Index - i })
		if !known {
			f.rejected = slices.Insert(f.rejected, at, p)
		}
	}
	if direct, ok := err.(*database.Rejected); ok {
		return direct.Rest
	}
	return err // it says more than the rejection: the others are sent again, to be sure
}

// confirm waits until the database has taken all that was sent.
func (w *worker) confirm() error {
	if err := w.call(w.confirmer.Confirm); err != nil {
		w.giveBack(nil)
		return err
	}
	w.succeeded()
	w.limit = min(2*w.limit, windowBlocks)
	for _, f := range w.window {
		w.settle(f)
	}
	w.window, w.windowBytes = nil, 0
	return nil
}

// settle ends a block that is delivered: its rejected points go to the dead letters, then it leaves the queue.
func (w *worker) settle(f *flight) {
	if len(f.rejected) > 0 {
		ms, err := w.decoder.decode(f.block.Bytes())
		if err == nil { // it was decoded before
			letters := make([]letter, 0, len(f.rejected))
			for _, p := range f.rejected {
				letters = append(letters, metricLetter(&ms[p.Index], p.Reason))
			}
			w.d.bury(letters)
		}
	}
	w.d.mu.Lock()
	w.d.stats.Sent += int64(f.points - len(f.rejected))
	w.d.mu.Unlock()
	w.ack(f)
}

func (w *worker) ack(f *flight) {
	text := ""
	if err := f.block.Ack(); err != nil {
		text = err.Error()
		if w.ackFailed == "" {
			w.d.log.Warn("delivered block cannot be marked; it is sent again after a restart", "error", err)
		}
	}
	w.ackFailed = text
}

// giveBack returns what is not acknowledged to the queue, f last. From the first block to the last that has rejected
// points they stay here.
func (w *worker) giveBack(f *flight) {
	all := w.window
	if f != nil {
		all = append(all, f)
	}
	all = append(all, w.held...)
	w.limit = max(1, w.limit/2) // on a line that breaks again and again, small steps get through
	w.window, w.windowBytes = nil, 0
	keep := len(all)
	for keep > 0 && len(all[keep-1].rejected) == 0 {
		keep--
	}
	for _, f := range all[keep:] {
		f.block.Nack()
	}
	w.held = all[:keep]
}

// call calls the client within the timeout, and takes the time. A panic is an error.
func (w *worker) call(do func(ctx context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(w.sending, w.d.o.Timeout)
	defer cancel()
	begin := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
		took := time.Since(begin)
		w.d.mu.Lock()
		w.d.stats.LastSend = took
		w.d.mu.Unlock()
	}()
	return do(ctx)
}

// panicked is the error of a client that panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// pause waits before the next try: at random up to a limit that doubles with each failure, so that many agents do not
// come back to a database in step.
func (w *worker) pause() {
	limit := w.d.o.BackoffMin
	for i := 1; i < w.failures && limit < w.d.o.BackoffMax; i++ {
		limit *= 2
	}
	timer := time.NewTimer(1 + rand.N(min(limit, w.d.o.BackoffMax)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.waiting.Done():
	}
}
