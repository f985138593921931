// Package self measures the agent itself: its memory and CPU time, its ticks, its queues and its databases.
package self

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/aggregator"
)

var (
	series   = &aggregator.Desc{Template: "agent.series", Unit: aggregator.Count, Help: "Series that the last runs of all aggregators produced", Source: "the agent's loop"}
	lag      = &aggregator.Desc{Template: "agent.tick_lag_seconds", Unit: aggregator.Seconds, Help: "The most that the last tick of an aggregator began after its time", Source: "the agent's loop"}
	interval = &aggregator.Desc{Template: "agent.interval_seconds", Unit: aggregator.Seconds, Help: "Time from one tick to the next that is in force", Source: "the agent's loop"}
	rss      = &aggregator.Desc{Template: "agent.rss_bytes", Unit: aggregator.Bytes, Help: "Resident memory of the agent", Source: "/proc/self/statm, resident"}
	cpu      = &aggregator.Desc{Template: "agent.cpu_seconds", Kind: aggregator.Counter, Unit: aggregator.Seconds, Help: "CPU time, user and system, of the agent without its commands", Source: "getrusage"}

	queueBytes  = &aggregator.Desc{Template: "agent.queue.{database}.bytes", Unit: aggregator.Bytes, Help: "What the database's queue holds", Source: "the queue"}
	queueBlocks = &aggregator.Desc{Template: "agent.queue.{database}.blocks", Unit: aggregator.Count, Help: "Blocks that the database's queue holds", Source: "the queue"}
	queueOldest = &aggregator.Desc{Template: "agent.queue.{database}.oldest_seconds", Unit: aggregator.Seconds, Help: "Age of the oldest block that the database has not taken, 0 where there is none", Source: "the queue"}

	sent        = &aggregator.Desc{Template: "agent.database.{database}.sent", Kind: aggregator.Counter, Unit: aggregator.Count, Help: "Points that the database took", Source: "delivery"}
	rejected    = &aggregator.Desc{Template: "agent.database.{database}.rejected", Kind: aggregator.Counter, Unit: aggregator.Count, Help: "Points that the database refused for what they hold; they are in the dead letters", Source: "delivery"}
	dropped     = &aggregator.Desc{Template: "agent.database.{database}.dropped", Unit: aggregator.Count, Help: "Points lost since the start because the queue was full", Source: "the queue"}
	sendSeconds = &aggregator.Desc{Template: "agent.database.{database}.send_seconds", Unit: aggregator.Seconds, Help: "Time that the last send to the database took", Source: "delivery"}
	databaseOK  = &aggregator.Desc{Template: "agent.database.{database}.ok", Unit: aggregator.State, Help: "1 where the last try to send to the database worked, else 0", Source: "delivery"}
)

// Stats is what the agent knows of itself.
type Stats struct {
	Series    int
	Lag       time.Duration
	Interval  time.Duration
	Databases []Database
}

// Database is what the agent knows of one of its databases and of its queue.
type Database struct {
	Name        string
	Bytes       int64
	Blocks      int64
	Oldest      time.Duration
	Sent        uint64 // points, since the start
	Rejected    uint64
	Dropped     uint64
	SendSeconds float64
	OK          bool
}

type self struct{ stats func() Stats }

// New makes the aggregator. Stats is called once a run.
func New(stats func() Stats) aggregator.Aggregator { return self{stats} }

func (self) Describe() []*aggregator.Desc {
	return []*aggregator.Desc{series, lag, interval, rss, cpu, queueBytes, queueBlocks, queueOldest, sent, rejected, dropped, sendSeconds, databaseOK}
}

func (s self) Aggregate(_ context.Context, b *aggregator.Batch) error {
	stats := s.stats()
	b.Add(series, float64(stats.Series))
	b.Add(lag, stats.Lag.Seconds())
	b.Add(interval, stats.Interval.Seconds())
	for _, d := range stats.Databases {
		addDatabase(b, d)
	}
	return addProcess(b)
}

func addDatabase(b *aggregator.Batch, d Database) {
	b.Add(queueBytes, float64(d.Bytes), d.Name)
	b.Add(queueBlocks, float64(d.Blocks), d.Name)
	b.Add(queueOldest, d.Oldest.Seconds(), d.Name)
	b.Add(sent, float64(d.Sent), d.Name)
	b.Add(rejected, float64(d.Rejected), d.Name)
	b.Add(dropped, float64(d.Dropped), d.Name)
	b.Add(sendSeconds, d.SendSeconds, d.Name)
	ok := 0.0
	if d.OK {
		ok = 1
	}
	b.Add(databaseOK, ok, d.Name)
}

func addProcess(b *aggregator.Batch) error {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return fmt.Errorf("getrusage: %w", err)
	}
	b.Add(cpu, seconds(usage.Utime)+seconds(usage.Stime))
	resident, err := residentPages()
	if err != nil {
		return err
	}
	b.Add(rss, float64(resident*int64(os.Getpagesize())))
	return nil
}

func seconds(t unix.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// residentPages reads the second field of /proc/self/statm: "1201 340 120 0 0 89 0".
func residentPages() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm: %q: want 7 fields", text)
	}
	return strconv.ParseInt(fields[1], 10, 64)
}
