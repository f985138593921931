package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// The parts of sdiag's output that are read. The main scheduler and the backfill scheduler repeat each other's labels.
type section uint8

const (
	topSection section = iota // the lines that are not indented
	mainSection
	backfillSection
	otherSection // exit reasons, RPCs, users, and what is new
)

// A schedulerFigure is a line of sdiag that is a metric: in its section, its label up to the colon.
type schedulerFigure struct {
	section section
	label   string
	per     float64 // the line's units in one of the metric's
	desc    *aggregator.Desc
}

const micro = 1e6

// schedulerFigures are all lines that are read. slurmctld starts its statistics again at midnight UTC, when it starts,
// and with `sdiag --reset`; "since midnight" is short for that.
var schedulerFigures = []schedulerFigure{
	{topSection, "Server thread count", 1, sdiagDesc("ctld.threads", "Threads of slurmctld that serve RPCs now", "Server thread count")},
	{topSection, "Agent queue size", 1, sdiagDesc("ctld.agent_queue", "Messages of slurmctld that wait to be sent, to nodes above all", "Agent queue size")},
	{topSection, "Agent count", 1, sdiagDesc("ctld.agent_count", "Senders of slurmctld at work, each of which sends one message to one or more nodes", "Agent count")},
	{topSection, "DBD Agent queue size", 1, sdiagDesc("ctld.dbd_queue", "Messages of slurmctld that wait to be sent to slurmdbd: a queue that grows loses accounting once it is full", "DBD Agent queue size")},
	{topSection, "Jobs submitted", 1, sdiagCounter("ctld.jobs.submitted", "Jobs that were submitted since midnight UTC, each task of an array one", "Jobs submitted")},
	{topSection, "Jobs started", 1, sdiagCounter("ctld.jobs.started", "Jobs that were started since midnight UTC", "Jobs started")},
	{topSection, "Jobs completed", 1, sdiagCounter("ctld.jobs.completed", "Jobs that came to their end since midnight UTC", "Jobs completed")},
	{topSection, "Jobs canceled", 1, sdiagCounter("ctld.jobs.canceled", "Jobs that were cancelled since midnight UTC", "Jobs canceled")},

	{mainSection, "Last cycle", micro, sdiagSeconds("sched.main.last_seconds", "Time that the last cycle of the main scheduler took", "Main schedule: Last cycle")},
	{mainSection, "Mean cycle", micro, sdiagSeconds("sched.main.mean_seconds", "Time that a cycle of the main scheduler took, mean since midnight UTC", "Main schedule: Mean cycle")},
	{mainSection, "Max cycle", micro, sdiagSeconds("sched.main.max_seconds", "Time that the longest cycle of the main scheduler took since midnight UTC", "Main schedule: Max cycle")},
	{mainSection, "Cycles per minute", 1, sdiagDesc("sched.main.cycles_per_minute", "Cycles of the main scheduler a minute, mean since midnight UTC, a whole number", "Main schedule: Cycles per minute")},
	{mainSection, "Mean depth cycle", 1, sdiagDesc("sched.main.depth_mean", "Jobs that a cycle of the main scheduler looked at, mean since midnight UTC", "Main schedule: Mean depth cycle")},
	{mainSection, "Last queue length", 1, sdiagDesc("sched.main.queue_len", "Pending jobs, one for each of their partitions, that the last cycle of the main scheduler had before it", "Main schedule: Last queue length")},

	{backfillSection, "Last cycle", micro, sdiagSeconds("sched.backfill.last_seconds", "Time that the last cycle of the backfill scheduler took, its pauses left out", "Backfilling: Last cycle")},
	{backfillSection, "Mean cycle", micro, sdiagSeconds("sched.backfill.mean_seconds", "Time that a cycle of the backfill scheduler took, mean since midnight UTC", "Backfilling: Mean cycle")},
	{backfillSection, "Max cycle", micro, sdiagSeconds("sched.backfill.max_seconds", "Time that the longest cycle of the backfill scheduler took since midnight UTC", "Backfilling: Max cycle")},
	{backfillSection, "Depth Mean", 1, sdiagDesc("sched.backfill.depth_mean", "Jobs that a cycle of the backfill scheduler looked at, mean since midnight UTC", "Backfilling: Depth Mean")},
	{backfillSection, "Depth Mean (try depth)", 1, sdiagDesc("sched.backfill.try_depth_mean", "Jobs that a cycle of the backfill scheduler tried to start, mean since midnight UTC", "Backfilling: Depth Mean (try depth)")},
	{backfillSection, "Last queue length", 1, sdiagDesc("sched.backfill.queue_len", "Pending jobs, one for each of their partitions, that the last cycle of the backfill scheduler had before it", "Backfilling: Last queue length")},
	{backfillSection, "Total cycles", 1, sdiagCounter("sched.backfill.cycles", "Cycles of the backfill scheduler since midnight UTC", "Backfilling: Total cycles")},
	{backfillSection, "Total backfilled jobs (since last slurm start)", 1, sdiagCounter("sched.backfill.jobs", "Jobs that the backfill scheduler has started since slurmctld was started", "Backfilling: Total backfilled jobs (since last slurm start)")},
	{backfillSection, "Total backfilled heterogeneous job components", 1, sdiagCounter("sched.backfill.het_components", "Components of heterogeneous jobs that the backfill scheduler has started", "Backfilling: Total backfilled heterogeneous job components")},
}

func sdiagDesc(template, help, lines string) *aggregator.Desc {
	return &aggregator.Desc{Template: template, Unit: aggregator.Count, Help: help, Source: "sdiag: " + lines}
}

func sdiagSeconds(template, help, lines string) *aggregator.Desc {
	d := sdiagDesc(template, help, lines)
	d.Unit = aggregator.Seconds
	return d
}

func sdiagCounter(template, help, lines string) *aggregator.Desc {
	d := sdiagDesc(template, help, lines)
	d.Kind = aggregator.Counter
	return d
}

// schedulerLabels finds a figure by its section and label.
var schedulerLabels = func() (labels [otherSection]map[string]int) {
	for i := range labels {
		labels[i] = map[string]int{}
	}
	for i, f := range schedulerFigures {
		labels[f.section][f.label] = i
	}
	return labels
}()

var errFigure = errors.New("want a whole number")

// scheduler reads sdiag's lines. A figure that slurmctld does not say, because its version does not know it or has
// nothing to take the mean of, is not added.
//
//	Server thread count:  3
//	Main schedule statistics (microseconds):
//		Mean cycle:   784
//	Backfilling stats
//		Mean cycle: 682
type scheduler struct {
	section section
	values  []float64 // of schedulerFigures, in the metrics' units
	said    []bool
}

func newScheduler(*Config, *tokens) reader {
	return &scheduler{values: make([]float64, len(schedulerFigures)), said: make([]bool, len(schedulerFigures))}
}

func (r *scheduler) describe() []*aggregator.Desc {
	descs := make([]*aggregator.Desc, len(schedulerFigures))
	for i, f := range schedulerFigures {
		descs[i] = f.desc
	}
	return descs
}

func (r *scheduler) begin(time.Time) {
	r.section = otherSection
	clear(r.said)
}

func (r *scheduler) line(l []byte) error {
	if len(l) == 0 {
		return nil
	}
	at := r.section
	if l[0] != '\t' && l[0] != ' ' {
		r.section = sectionOf(l)
		at = topSection
	}
	if at == otherSection {
		return nil
	}
	label, text, _ := bytes.Cut(l, []byte{':'})
	i, known := schedulerLabels[at][string(bytes.TrimSpace(label))]
	if !known {
		return nil
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 64)
	if err != nil {
		r.said[i] = false
		return fmt.Errorf("sdiag %q: %w", clip(l), errFigure)
	}
	r.values[i], r.said[i] = float64(n)/schedulerFigures[i].per, true
	return nil
}

// sectionOf returns what the indented lines below a line that is not belong to. While a cycle of backfill is under way,
// its headline has a warning at its end.
func sectionOf(l []byte) section {
	switch {
	case bytes.HasPrefix(l, []byte("Main schedule statistics")):
		return mainSection
	case bytes.HasPrefix(l, []byte("Backfilling stats")):
		return backfillSection
	}
	return otherSection
}

func (r *scheduler) end(b *aggregator.Batch) {
	for i, f := range schedulerFigures {
		if r.said[i] {
			b.Add(f.desc, r.values[i])
		}
	}
}
