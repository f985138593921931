package slurm

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/clusterload/clusterload/aggregator"
)

// nodesSource is where the metrics of this file are from.
const nodesSource = "scontrol show nodes: "

// A figure is a metric of a set of nodes: the cluster's, or a partition's with "partition.{partition}." before it.
type figure struct {
	template string
	unit     aggregator.Unit
	help     string // %s is " of the cluster" or " of the partition"
	fields   string
	value    func(*load) float64 // NaN where none of the nodes said
}

// figures are the metrics that a set of nodes has one of each. What is idle on a node that is down or drained or
// draining counts as "other" or "unavail": that is how sinfo counts CPUs.
var figures = []figure{
	{"nodes.total", aggregator.Count, "Nodes%s that Slurm lists, future ones not among them", "NodeName",
		func(l *load) float64 { return float64(l.nodes) }},
	{"nodes.available", aggregator.Count, "Nodes%s that are idle, mixed or allocated, respond or are powering up, and are not drained, failing, blocked or of invalid registration", "State",
		func(l *load) float64 { return float64(l.available) }},
	{"nodes.drained", aggregator.Count, "Nodes%s with the drain flag and no jobs, those that are down included", "State",
		func(l *load) float64 { return float64(l.drained) }},
	{"nodes.draining", aggregator.Count, "Nodes%s with the drain flag that still have jobs", "State",
		func(l *load) float64 { return float64(l.draining) }},
	{"cpus.total", aggregator.Count, "CPUs%s, those set aside for the system included", "CPUTot",
		func(l *load) float64 { return float64(l.cpus.all) }},
	{"cpus.alloc", aggregator.Count, "CPUs%s that are allocated to jobs", "CPUAlloc",
		func(l *load) float64 { return float64(l.cpus.alloc) }},
	{"cpus.idle", aggregator.Count, "CPUs%s that are not allocated, on nodes that are neither down, drained nor draining", "CPUTot, CPUAlloc, State",
		func(l *load) float64 { return float64(l.cpus.idle) }},
	{"cpus.other", aggregator.Count, "CPUs%s that are not allocated, on nodes that are down, drained or draining", "CPUTot, CPUAlloc, State",
		func(l *load) float64 { return float64(l.cpus.out) }},
	{"cpus.load", aggregator.Count, "Sum of the load averages of those nodes%s that report it now", "CPULoad",
		func(l *load) float64 { return l.reported(l.cpuLoad, l.loaded) }},
	{"mem.total_bytes", aggregator.Bytes, "Memory%s that is configured", "RealMemory",
		func(l *load) float64 { return mebibytes(l.mem) }},
	{"mem.alloc_bytes", aggregator.Bytes, "Memory%s that is allocated to jobs", "AllocMem",
		func(l *load) float64 { return mebibytes(l.memAlloc) }},
	{"mem.free_bytes", aggregator.Bytes, "Memory that the kernels of those nodes%s that report it now do not use", "FreeMem",
		func(l *load) float64 { return l.reported(mebibytes(l.memFree), l.freed) }},
	{"gpus.total", aggregator.Count, "GPUs%s", "Gres",
		func(l *load) float64 { return float64(l.gpus.all) }},
	{"gpus.alloc", aggregator.Count, "GPUs%s that are allocated to jobs", "GresUsed, else AllocTRES",
		func(l *load) float64 { return float64(l.gpus.alloc) }},
	{"gpus.idle", aggregator.Count, "GPUs%s that are not allocated, on nodes that are neither down, drained nor draining", "Gres, GresUsed, State",
		func(l *load) float64 { return float64(l.gpus.idle) }},
	{"gpus.unavail", aggregator.Count, "GPUs%s that are not allocated, on nodes that are down, drained or draining", "Gres, GresUsed, State",
		func(l *load) float64 { return float64(l.gpus.out) }},
}

// A loadTable holds the metrics of one kind of set of nodes.
type loadTable struct {
	state, flag *aggregator.Desc
	figures     []*aggregator.Desc // in the order of figures
}

var (
	clusterTable   = newLoadTable("", " of the cluster")
	partitionTable = newLoadTable("partition.{partition}.", " of the partition")
)

func newLoadTable(prefix, of string) loadTable {
	t := loadTable{
		state: &aggregator.Desc{Template: prefix + "nodes.{state}", Unit: aggregator.Count,
			Help:   "Nodes" + of + " by base state: idle, mixed, allocated, down, error, future, unknown",
			Source: nodesSource + "State"},
		flag: &aggregator.Desc{Template: prefix + "nodes.flag.{flag}", Unit: aggregator.Count,
			Help:   "Nodes" + of + " with the flag, whatever their base state; a node may have several, \"other\" is one that is not known here",
			Source: nodesSource + "State"},
	}
	for _, f := range figures {
		t.figures = append(t.figures, &aggregator.Desc{Template: prefix + f.template, Unit: f.unit, Help: fmt.Sprintf(f.help, of), Source: nodesSource + f.fields})
	}
	return t
}

func (t *loadTable) descs() []*aggregator.Desc {
	return append([]*aggregator.Desc{t.state, t.flag}, t.figures...)
}

// A split is how many of something there are, by what becomes of them. What is neither allocated, idle nor out is not known.
type split struct{ all, alloc, idle, out int64 }

// add counts all of something on a node that is out of use or not, of which alloc are allocated, possibly unknown.
func (s *split) add(all, alloc int64, out bool) {
	s.all += all
	if alloc == unknown {
		return
	}
	s.alloc += alloc
	rest := max(0, all-alloc)
	if out {
		s.out += rest
	} else {
		s.idle += rest
	}
}

// A load is the sum of a set of nodes.
type load struct {
	nodes, available, drained, draining int64
	bases                               [baseCount]int64
	flags                               [flagCount]int64
	cpus, gpus                          split
	mem, memAlloc, memFree              int64 // MiB
	cpuLoad                             float64
	loaded, freed                       int64 // nodes that said cpuLoad, memFree
}

// reported returns the sum of what so many nodes reported. A set without nodes has none of it, one whose nodes are all
// silent does not say.
func (l *load) reported(sum float64, by int64) float64 {
	if by == 0 && l.nodes > 0 {
		return math.NaN()
	}
	return sum
}

func mebibytes(n int64) float64 { return float64(n) * (1 << 20) }

// add counts a node in that state, with these GPUs.
func (l *load) add(n *Node, st nodeState, gpus, gpusAlloc int64) {
	l.nodes++
	l.bases[st.base]++
	for rest := uint32(st.flags); rest != 0; rest &= rest - 1 {
		l.flags[bits.TrailingZeros32(rest)]++
	}
	if st.available() {
		l.available++
	}
	if st.drained() {
		l.drained++
	}
	if st.draining() {
		l.draining++
	}
	if n.CPUs != unknown {
		l.cpus.add(n.CPUs, n.CPUsAlloc, st.out())
	}
	if gpus > 0 || gpusAlloc > 0 {
		l.gpus.add(gpus, gpusAlloc, st.out())
	}
	l.addMemory(n, st)
	if !math.IsNaN(n.Load) && !st.silent() {
		l.cpuLoad += n.Load
		l.loaded++
	}
}

func (l *load) addMemory(n *Node, st nodeState) {
	if n.Memory != unknown {
		l.mem += n.Memory
	}
	if n.MemAlloc != unknown {
		l.memAlloc += n.MemAlloc
	}
	if n.MemFree != unknown && !st.silent() {
		l.memFree += n.MemFree
		l.freed++
	}
}

// A series is a load with what it was of late.
type series struct {
	load
	flagged [flagCount]presence
}

// emit adds the load's metrics: every base state, the flags that a node has or had a few ticks ago, the figures.
func (s *series) emit(b *aggregator.Batch, t *loadTable, labels ...string) {
	withName := func(name string) []string { return append(labels[:len(labels):len(labels)], name) }
	for i, n := range s.bases {
		b.Add(t.state, float64(n), withName(baseNames[i])...)
	}
	for i, n := range s.flags {
		s.flagged[i].seen = n > 0
		if s.flagged[i].next() {
			b.Add(t.flag, float64(n), withName(flagNames[i])...)
		}
	}
	for i := range figures {
		if v := figures[i].value(&s.load); !math.IsNaN(v) {
			b.Add(t.figures[i], v, labels...)
		}
	}
}
