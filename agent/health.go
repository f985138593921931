package agent

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/internal/daemon"
	"github.com/clusterload/clusterload/workload/self"
)

// startSelf starts the task that measures the agent, or starts it anew where the frequency changed.
func (a *Agent) startSelf(c *config.Config) {
	if a.selfFrequency == c.Frequency {
		return
	}
	a.loop.Stop(selfName)
	a.selfFrequency = c.Frequency
	a.loop.Start(aggregator.Task{Name: selfName, Aggregator: self.New(a.stats), Frequency: c.Frequency, Deadline: config.DefaultDeadline(c.Frequency)})
}

// stats is what the agent knows of itself.
func (a *Agent) stats() self.Stats {
	loop := a.loop.Stats()
	a.mu.RLock()
	defer a.mu.RUnlock()
	s := self.Stats{Series: loop.Series, Lag: loop.Lag}
	if a.config != nil {
		s.Interval = a.config.Frequency
	}
	for _, d := range a.databases {
		s.Databases = append(s.Databases, d.stats())
	}
	return s
}

// feedWatchdog tells systemd that the agent lives, as long as it makes progress: a tick was begun and taken by the
// queues within the last intervals. It returns what ends it.
func (a *Agent) feedWatchdog(interval time.Duration) (stop func()) {
	if interval == 0 {
		return func() {}
	}
	done := make(chan struct{})
	a.progress.Store(time.Now().UnixNano())
	go func() {
		ticker := time.NewTicker(interval / 3)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			if a.alive(interval) {
				_ = daemon.Notify("WATCHDOG=1")
			}
		}
	}()
	return func() { close(done) }
}

// alive says whether the queues took a tick lately: within two intervals of the agent and one of the watchdog.
func (a *Agent) alive(watchdog time.Duration) bool {
	last := time.Unix(0, a.progress.Load())
	return time.Since(last) < 2*a.configuration().Frequency+watchdog
}

func (a *Agent) configuration() *config.Config {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.config
}

// monotonic returns CLOCK_MONOTONIC in microseconds, which systemd wants with RELOADING=1.
func monotonic() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano() / 1000
}
