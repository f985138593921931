package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/delivery"
	"github.com/clusterload/clusterload/queue"
	"github.com/clusterload/clusterload/workload/self"
)

// A destination is a database with its queue and the delivery from one to the other.
type destination struct {
	name        string
	fingerprint string
	delivery    *delivery.Delivery
	log         *slog.Logger
}

const (
	// The longest pause between two tries of a database is two intervals, within these bounds.
	minBackoff = 5 * time.Second
	maxBackoff = 30 * time.Second

	// sendTimeout ends a Send that its client does not end: clients have deadlines of their own, which are shorter.
	sendTimeout = 2 * time.Minute
)

// open opens the queue of a database below the agent's folder.
func (p plannedDatabase) open(c *config.Config, log *slog.Logger) (*destination, error) {
	name := p.table.Name
	log = log.With("database", name)
	q, err := queue.Open(queue.Options{Folder: filepath.Join(c.Folder, "queue", name), MaxBytes: p.table.MaxQueue, Log: log})
	if err != nil {
		return nil, p.table.Errorf("%w", err)
	}
	d := delivery.New(delivery.Options{
		Name: name, Queue: q, Client: p.client, Log: log,
		DeadLetters: filepath.Join(c.Folder, "dead", name+".jsonl"),
		BackoffMax:  min(max(2*c.Frequency, minBackoff), maxBackoff),
		Timeout:     sendTimeout,
	})
	return &destination{name: name, fingerprint: p.fingerprint, delivery: d, log: log}, nil
}

func (d *destination) start() { d.delivery.Start() }

func (d *destination) put(ms []aggregator.Metric) {
	if err := d.delivery.Put(ms); err != nil {
		d.log.Error("points lost: the queue does not take them", "points", len(ms), "error", err)
	}
}

// stats is what the agent says of the database in its own metrics.
func (d *destination) stats() self.Database {
	s := d.delivery.Stats()
	var oldest time.Duration
	if !s.Queue.Oldest.IsZero() {
		oldest = max(0, time.Since(s.Queue.Oldest))
	}
	return self.Database{
		Name: d.name, Bytes: s.Queue.Bytes, Blocks: s.Queue.Blocks, Oldest: oldest,
		Sent: uint64(s.Sent), Rejected: uint64(s.Rejected), Dropped: uint64(s.Queue.Dropped.Points),
		SendSeconds: s.LastSend.Seconds(), OK: s.Err == nil,
	}
}

func (d *destination) stop(ctx context.Context) {
	if err := d.delivery.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("database did not end cleanly; its queue is kept", "error", err)
	}
}

// A folderLock keeps a second agent off the folder.
type folderLock struct{ file *os.File }

var errFolderBusy = errors.New("another agent works in it: stop that one, or set another folder")

func lockFolder(folder string) (*folderLock, error) {
	for _, dir := range []string{folder, filepath.Join(folder, "queue"), filepath.Join(folder, "dead")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("folder: %w", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("folder %s: %w", folder, errFolderBusy)
		}
		return nil, fmt.Errorf("folder %s: lock: %w", folder, err)
	}
	return &folderLock{f}, nil
}

func (l *folderLock) Close() { _ = l.file.Close() }
