package slurm

import (
	"github.com/clusterload/clusterload/aggregator"
)

// A tally is what the lines of squeue that are alike add up to.
type tally struct {
	lines, jobs               float64
	nodes, cpus, memory, gpus float64
	reasons                   []reasonTally // of pending jobs
}

type reasonTally struct {
	reason           *reason
	jobs, cpus, gpus float64
}

// at returns the tally of a reason. Those of one set of jobs are few.
func at(list *[]reasonTally, r *reason) *reasonTally {
	for i := range *list {
		if (*list)[i].reason == r {
			return &(*list)[i]
		}
	}
	*list = append(*list, reasonTally{reason: r})
	return &(*list)[len(*list)-1]
}

// A jobGroup is a set of jobs that has series of its own: the cluster's, a partition's, an account's, …
type jobGroup struct {
	presence
	name    string
	kept    bool // has series of its own; of users and accounts the largest do
	values  [figureCount]float64
	shown   [figureCount]presence // of figures that are not said while they are 0
	reasons []groupReason
}

type groupReason struct {
	reasonTally
	presence
	withGPUs presence // most reasons never have any to tell of
}

func (g *jobGroup) begin() {
	g.seen = false
	g.values = [figureCount]float64{}
	for i := range g.reasons {
		r := &g.reasons[i]
		r.jobs, r.cpus, r.gpus, r.seen = 0, 0, 0, false
	}
}

// add adds lines of jobs in a state.
func (g *jobGroup) add(s jobState, shown bool, t *tally) {
	g.seen = true
	if shown {
		g.values[figureLines] += t.lines
	}
	if s.recent() {
		g.values[figureRecent+int(s)-queueStateCount] += t.jobs
		return
	}
	g.values[figureState+int(s)] += t.jobs
	g.values[figureTotal] += t.jobs
	switch {
	case s.holds():
		g.hold(0, t)
	case s == jobPending:
		g.hold(1, t)
		for i := range t.reasons {
			g.wait(&t.reasons[i])
		}
	}
}

func (g *jobGroup) hold(pending int, t *tally) {
	g.values[figureHeld+heldNodes+pending] += t.nodes
	g.values[figureHeld+heldCPUs+pending] += t.cpus
	g.values[figureHeld+heldMemory+pending] += t.memory
	g.values[figureHeld+heldGPUs+pending] += t.gpus
}

func (g *jobGroup) wait(t *reasonTally) {
	g.values[figureClass+int(t.reason.class)] += t.jobs
	r := g.reason(t.reason)
	r.seen, t.reason.seen = true, true
	r.jobs += t.jobs
	r.cpus += t.cpus
	r.gpus += t.gpus
}

func (g *jobGroup) reason(want *reason) *groupReason {
	for i := range g.reasons {
		if g.reasons[i].reason == want {
			return &g.reasons[i]
		}
	}
	g.reasons = append(g.reasons, groupReason{reasonTally: reasonTally{reason: want}})
	return &g.reasons[len(g.reasons)-1]
}

// merge adds all of another group.
func (g *jobGroup) merge(other *jobGroup) {
	g.seen = true
	for i, v := range other.values {
		g.values[i] += v
	}
	for i := range other.reasons {
		if from := &other.reasons[i]; from.seen {
			r := g.reason(from.reason)
			r.seen = true
			r.jobs += from.jobs
			r.cpus += from.cpus
			r.gpus += from.gpus
		}
	}
}

// use is what users and accounts are ranked by: the CPUs that they hold and ask for.
func (g *jobGroup) use() float64 {
	return g.values[figureHeld+heldCPUs] + g.values[figureHeld+heldCPUs+1]
}

// forget makes the group one that has never been said: nothing of it goes on as 0.
func (g *jobGroup) forget() {
	g.presence = presence{seen: g.seen}
	g.shown = [figureCount]presence{}
	g.reasons = g.reasons[:0]
}

// emit adds the group's metrics. A figure that need not be said while it is 0, and a reason, go on as 0 for some ticks.
func (g *jobGroup) emit(b *aggregator.Batch, t *jobTable, names ...string) {
	var labels [2]string
	n := copy(labels[:], names)
	add := func(d *aggregator.Desc, v float64, label string) {
		if label == "" {
			b.Add(d, v, labels[:n]...)
			return
		}
		labels[n] = label
		b.Add(d, v, labels[:n+1]...)
	}
	for i, d := range t.figures[:figureLines] {
		f := &jobFigures[i]
		g.shown[i].seen = g.values[i] != 0
		if g.shown[i].next() || f.core || t.all {
			add(d, g.values[i], f.label)
		}
	}
	kept := g.reasons[:0]
	for _, r := range g.reasons {
		if !r.next() {
			continue
		}
		add(t.reasonJobs, r.jobs, r.reason.name)
		add(t.reasonCPUs, r.cpus, r.reason.name)
		r.withGPUs.seen = r.gpus != 0
		if r.withGPUs.next() {
			add(t.reasonGPUs, r.gpus, r.reason.name)
		}
		kept = append(kept, r)
	}
	clear(g.reasons[len(kept):])
	g.reasons = kept
}
