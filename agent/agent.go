// Package agent puts the parts together: from a configuration it makes aggregators, the loop, and for each database a
// queue, a client and a delivery; it starts, reloads and stops them. It is the one package that knows all others.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/database"
	databases "github.com/clusterload/clusterload/database/all"
	workloads "github.com/clusterload/clusterload/workload/all"
)

// Builtin returns the registries of the aggregators and the databases that come with clusterload. A program of one's
// own adds to them and calls Main.
func Builtin() (*aggregator.Registry, *database.Registry) {
	a, d := aggregator.NewRegistry(), database.NewRegistry()
	workloads.Register(a)
	databases.Register(d)
	d.Add("embedded", newEmbedded)
	return a, d
}

// selfName is the task that measures the agent. It is always there.
const selfName = "self"

// An Agent runs what a configuration asks for.
type Agent struct {
	factories factories
	log       *slog.Logger
	loop      *aggregator.Loop
	lock      *folderLock
	progress  atomic.Int64 // Unix nanoseconds of when the queues last took a tick
	started   time.Time
	socket    *socket   // nil where it could not be made
	last      snapshots // what the socket answers from

	selfFrequency time.Duration // of the task that measures the agent

	mu        sync.RWMutex // guards what follows; the loop's sink reads it, Reload and Stop write it
	config    *config.Config
	tasks     map[string]string // name → fingerprint
	databases map[string]*destination
}

// New makes an agent that has not started.
func New(a *aggregator.Registry, d *database.Registry, log *slog.Logger) *Agent {
	return &Agent{factories: factories{a, d, log}, log: log, tasks: map[string]string{}, databases: map[string]*destination{}}
}

// Start begins to run what c asks for. Where it fails, nothing runs.
func (a *Agent) Start(c *config.Config) error {
	next, err := a.factories.plan(c, nil, nil)
	if err != nil {
		return err
	}
	if a.lock, err = lockFolder(c.Folder); err != nil {
		return err
	}
	a.started = time.Now()
	a.loop = aggregator.NewLoop(c.Cluster, a.take, a.log)
	if err := a.apply(c, next); err != nil {
		a.Stop(context.Background())
		return err
	}
	if a.socket, err = a.serve(c.Folder); err != nil {
		a.log.Warn("status and top cannot ask this agent", "error", err)
	}
	a.log.Info("started", "cluster", c.Cluster, "frequency", c.Frequency, "aggregators", len(c.Aggregators), "databases", len(c.Databases), "folder", c.Folder)
	return nil
}

// Reload changes what runs to what c asks for. Parts whose settings are the same keep running. Where it fails, nothing
// has changed.
func (a *Agent) Reload(c *config.Config) error {
	a.mu.RLock()
	old := a.config
	running := map[string]string{}
	for name, d := range a.databases {
		running[name] = d.fingerprint
	}
	tasks := maps.Clone(a.tasks)
	a.mu.RUnlock()
	if c.Folder != old.Folder {
		return fmt.Errorf("%s: folder: changed from %q to %q, which takes a restart", c.Path, old.Folder, c.Folder)
	}
	next, err := a.factories.plan(c, tasks, running)
	if err != nil {
		return err
	}
	if err := a.apply(c, next); err != nil {
		return err
	}
	a.log.Info("reloaded", "cluster", c.Cluster, "frequency", c.Frequency, "aggregators", len(c.Aggregators), "databases", len(c.Databases))
	return nil
}

// apply makes p, which is the difference from what runs to c, true. New queues are opened first: where one cannot be,
// nothing has changed yet.
func (a *Agent) apply(c *config.Config, p *plan) error {
	opened, err := a.openNew(c, p)
	if err != nil {
		return err
	}
	a.loop.Stop(p.stopTasks...)
	failed := a.swap(c, p, opened)
	a.loop.SetCluster(c.Cluster)
	a.mu.Lock()
	a.config = c
	for _, name := range p.stopTasks {
		delete(a.tasks, name)
	}
	for _, t := range p.startTasks {
		a.tasks[t.task.Name] = t.fingerprint
	}
	a.mu.Unlock()
	for _, t := range p.startTasks {
		a.loop.Start(t.task)
	}
	a.startSelf(c)
	return failed
}

// openNew opens the queues of the databases that did not run before.
func (a *Agent) openNew(c *config.Config, p *plan) (map[string]*destination, error) {
	opened := map[string]*destination{}
	for _, s := range p.startDatabases {
		if slices.Contains(p.stopDatabases, s.table.Name) {
			continue // its queue is still held by its predecessor
		}
		d, err := s.open(c, a.log)
		if err != nil {
			for _, d := range opened {
				d.stop(context.Background())
			}
			return nil, err
		}
		opened[s.table.Name] = d
	}
	return opened, nil
}

// swap ends the databases that go or change and starts those that come or changed.
func (a *Agent) swap(c *config.Config, p *plan, opened map[string]*destination) error {
	var errs []error
	for _, name := range p.stopDatabases {
		a.mu.Lock() // the loop waits this moment: what it produces meanwhile is for the successor
		ctx, cancel := context.WithTimeout(context.Background(), swapPatience)
		a.databases[name].stop(ctx)
		cancel()
		delete(a.databases, name)
		for _, s := range p.startDatabases {
			if s.table.Name != name {
				continue
			}
			d, err := s.open(c, a.log)
			if err != nil {
				errs = append(errs, err)
				a.log.Error("database is gone until the next reload", "database", name, "error", err)
				continue
			}
			d.start()
			a.databases[name] = d
		}
		a.mu.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, d := range opened {
		d.start()
		a.databases[name] = d
	}
	return errors.Join(errs...)
}

// swapPatience is how long a database that changed may finish what it sends before its successor begins.
const swapPatience = 2 * time.Second

// take is the loop's sink: it returns once every database's queue has ms.
func (a *Agent) take(ms []aggregator.Metric) {
	a.last.take(ms)
	a.mu.RLock()
	defer a.mu.RUnlock()
	defer func() { a.progress.Store(time.Now().UnixNano()) }()
	if len(a.databases) == 1 {
		for _, d := range a.databases {
			d.put(ms)
		}
		return
	}
	var all sync.WaitGroup
	for _, d := range a.databases {
		all.Go(func() { d.put(ms) })
	}
	all.Wait()
}

// Stop ends the loop, then the databases, which may finish what they send until ctx is done. What the databases have
// not taken stays in the queues.
func (a *Agent) Stop(ctx context.Context) {
	if a.socket != nil {
		a.socket.close()
		a.socket = nil
	}
	if a.loop != nil {
		a.loop.Close()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var all sync.WaitGroup
	for name, d := range a.databases {
		all.Go(func() { d.stop(ctx) })
		delete(a.databases, name)
	}
	all.Wait()
	if a.lock != nil {
		a.lock.Close()
		a.lock = nil
	}
}
