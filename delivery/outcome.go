package delivery

import (
	"errors"
	"net"
	"strings"
	"time"
)

// An outcome is how the last try ended, for the log: it says the first failure, another failure, and the recovery.
type outcome struct {
	text  string // "" for a success
	since time.Time
}

// failed notes a failure.
func (w *worker) failed(err error) {
	w.failures++
	now := time.Now()
	last := w.outcome.text
	if last == "" {
		w.outcome.since = now
	}
	w.outcome.text = gist(err)
	w.d.mu.Lock()
	w.d.stats.Err, w.d.stats.Since = err, w.outcome.since
	w.d.mu.Unlock()
	if w.outcome.text == last {
		return
	}
	log := w.d.log
	if p := (*panicked)(nil); errors.As(err, &p) {
		log = log.With("stack", string(p.stack))
	}
	log.Warn("database takes nothing; it is tried again", "error", err, "waiting_blocks", w.queue.Stats().Blocks)
}

// succeeded notes a success.
func (w *worker) succeeded() {
	if w.failures == 0 {
		return
	}
	w.failures, w.outcome.text = 0, ""
	w.d.mu.Lock()
	w.d.stats.Err, w.d.stats.Since = nil, time.Time{}
	w.d.mu.Unlock()
	waiting := w.queue.Stats()
	w.d.log.Info("database takes points again", "failed_for", time.Since(w.outcome.since).Round(time.Second),
		"waiting_blocks", waiting.Blocks, "waiting_points", waiting.Points)
}

// gist is an error's text without the port on this side of a connection, which is another in each try.
func gist(err error) string {
	text := err.Error()
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Source != nil {
		text = strings.ReplaceAll(text, op.Source.String(), "")
	}
	return text
}
