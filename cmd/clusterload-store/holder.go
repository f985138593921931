package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/clusterload/clusterload/store"
	"github.com/clusterload/clusterload/store/api"
	"github.com/clusterload/clusterload/store/receiver"
)

// A holder holds the store and what writes to it and reads from it. A store that was opened on a full disk is opened anew
// once there is room.
type holder struct {
	config    store.Config
	log       *slog.Logger
	events    *api.Events
	receivers []*receiver.Receiver

	mu    sync.RWMutex // held for reading by whoever uses the store
	store *store.Store // nil: it cannot be opened now
	fault error        // why
}

// reopenEvery is how often a store that takes nothing is looked at.
const reopenEvery = 5 * time.Second

func openHolder(o *options, log *slog.Logger) (*holder, error) {
	h := &holder{log: log, config: store.Config{Path: o.path, Retention: time.Duration(o.retention), MaxSize: int64(o.maxSize),
		Floor: int64(o.floor), Step: time.Duration(o.step), MaxPoints: o.maxPoints, Logger: log}}
	var err error
	if h.store, err = store.Open(h.config); err != nil {
		return nil, err
	}
	if h.events, err = api.OpenEvents(filepath.Join(o.path, "events.jsonl"), log); err != nil {
		_ = h.store.Close()
		return nil, err
	}
	return h, nil
}

// receive opens the receivers that are asked for.
func (h *holder) receive(o *options) (line, pickle net.Addr, err error) {
	c := receiver.Config{NewBatch: h.newBatch, Sync: h.sync, Logger: h.log}
	for _, r := range []struct {
		flag, address string
		protocol      receiver.Protocol
		at            *net.Addr
	}{{"--line", o.line, receiver.Line, &line}, {"--pickle", o.pickle, receiver.Pickle, &pickle}} {
		if r.address == "" {
			continue
		}
		l, err := receiver.Listen(r.address, r.protocol, c)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.flag, err)
		}
		*r.at = l.Addr()
		h.receivers = append(h.receivers, l)
	}
	return line, pickle, nil
}

func (h *holder) close() {
	for _, r := range h.receivers {
		_ = r.Close()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		if err := h.store.Close(); err != nil {
			h.log.Error("the store did not close well", "error", err)
		}
		h.store = nil
	}
}

// handler serves Graphite's addresses, and the pages at the others.
func (h *holder) handler(pages http.Handler) http.Handler {
	a := api.New(api.Config{Storage: h.storage, Events: h.events, Health: h.health, Quota: h.quota, Logger: h.log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.Known(r) {
			pages.ServeHTTP(w, r)
			return
		}
		h.mu.RLock() // the store is not changed under a request
		defer h.mu.RUnlock()
		a.ServeHTTP(w, r)
	})
}

// storage is called by requests, which hold the lock.
func (h *holder) storage() api.Storage {
	if h.store == nil {
		return nil
	}
	return h.store
}

func (h *holder) quota(ctx context.Context) (context.Context, func()) {
	if h.store == nil {
		return ctx, func() {}
	}
	return h.store.WithQuota(ctx)
}

// health answers /_health: 200 while points are taken and served.
func (h *holder) health() (int, any) {
	if h.store == nil {
		return http.StatusServiceUnavailable, map[string]any{"status": "closed", "reason": h.fault.Error()}
	}
	st := h.store.Stats()
	body := map[string]any{"status": "ok", "series": st.Series, "blocks": st.Blocks, "bytes": st.Bytes, "samples_in_blocks": st.Samples,
		"taken": st.Taken, "refused": st.Refused, "damaged_blocks": st.Damaged, "free_disk_bytes": st.FreeDisk}
	if !st.Oldest.IsZero() {
		body["oldest"], body["newest"] = st.Oldest.Unix(), st.Newest.Unix()
	}
	if st.Accepts {
		return http.StatusOK, body
	}
	body["status"], body["reason"] = "full", st.Reason
	return http.StatusInsufficientStorage, body
}

// watch opens the store anew when it could only be read and there is room again.
func (h *holder) watch(ctx context.Context) {
	ticker := time.NewTicker(reopenEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		h.mu.RLock()
		wait := h.store != nil && (!h.store.ReadOnly() || !h.store.Room())
		h.mu.RUnlock()
		if !wait {
			h.reopen()
		}
	}
}

func (h *holder) reopen() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		_ = h.store.Close()
	}
	s, err := store.Open(h.config)
	if err != nil && (h.fault == nil || h.fault.Error() != err.Error()) {
		h.log.Error("the store cannot be opened", "error", err)
	}
	h.store, h.fault = s, err
	if err == nil {
		h.log.Info("the store is open again")
	}
}

// A batch adds to whichever store is open. It holds the lock while it has points.
type batch struct {
	h    *holder
	b    *store.Batch
	held bool
}

func (h *holder) newBatch() receiver.Batch { return &batch{h: h} }

// closedError says that there is no store now.
type closedError struct{ cause error }

func (e *closedError) Error() string { return fmt.Sprintf("the store is not open: %v", e.cause) }
func (e *closedError) Retry() bool   { return true }

func (b *batch) Add(path string, at int64, value float64) error {
	if !b.held {
		b.h.mu.RLock()
		if b.h.store == nil {
			defer b.h.mu.RUnlock()
			return &closedError{b.h.fault}
		}
		b.held, b.b = true, b.h.store.NewBatch()
	}
	err := b.b.Add(path, at, value)
	if b.b.Len() == 0 {
		b.release()
	}
	return err
}

func (b *batch) Len() int {
	if b.b == nil {
		return 0
	}
	return b.b.Len()
}

func (b *batch) Commit() error {
	if b.b == nil {
		return nil
	}
	defer b.release()
	return b.b.Commit()
}

func (b *batch) Rollback() {
	if b.b != nil {
		b.b.Rollback()
		b.release()
	}
}

func (b *batch) release() {
	if b.held {
		b.b.Rollback() // of nothing, or of what was refused
		b.held, b.b = false, nil
		b.h.mu.RUnlock()
	}
}

func (h *holder) sync() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.store == nil {
		return &closedError{h.fault}
	}
	return h.store.Sync()
}
