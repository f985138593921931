package slurm

import (
	"fmt"
	"math"

	"github.com/clusterload/clusterload/aggregator"
)

const maxRows = 1 << 17 // nodes with series of their own

var errManyNodes = fmt.Errorf("want at most %d nodes", maxRows)

// eachNode holds the figures of each node by itself.
type eachNode struct {
	rows map[string]*nodeRow
}

type nodeRow struct {
	name        string
	alloc, gpus int64 // or unknown
	memAlloc    int64 // MiB, or unknown
	load        float64
	code        int
	presence
}

var nodeDescs = []*aggregator.Desc{nodeCPUs, nodeLoad, nodeMem, nodeGPUs, nodeCode}

var (
	nodeCPUs = &aggregator.Desc{Template: "node.{node}.cpus_alloc", Unit: aggregator.Count, Help: "CPUs of the node that are allocated to jobs", Source: nodesSource + "CPUAlloc"}
	nodeLoad = &aggregator.Desc{Template: "node.{node}.load", Unit: aggregator.Count, Help: "Load average of the node, where it reports it now", Source: nodesSource + "CPULoad"}
	nodeMem  = &aggregator.Desc{Template: "node.{node}.mem_alloc_bytes", Unit: aggregator.Bytes, Help: "Memory of the node that is allocated to jobs", Source: nodesSource + "AllocMem"}
	nodeGPUs = &aggregator.Desc{Template: "node.{node}.gpus_alloc", Unit: aggregator.Count, Help: "GPUs of the node that are allocated to jobs", Source: nodesSource + "GresUsed, else AllocTRES"}
	nodeCode = &aggregator.Desc{Template: "node.{node}.state_code", Unit: aggregator.State, Help: "State of the node: " + codesHelp, Source: nodesSource + "State"}
)

func (e *eachNode) begin() {
	for _, row := range e.rows {
		row.seen = false
	}
}

func (e *eachNode) add(n *Node, st nodeState, gpus int64) error {
	row := e.rows[string(n.Name)]
	if row == nil {
		if len(n.Name) > maxName {
			return fmt.Errorf("node %q: %w", clip(n.Name), errName)
		}
		if len(e.rows) >= maxRows {
			return fmt.Errorf("node %q: %w", n.Name, errManyNodes)
		}
		row = &nodeRow{name: string(n.Name)}
		e.rows[row.name] = row
	}
	load := n.Load
	if st.silent() {
		load = math.NaN()
	}
	row.seen = true
	*row = nodeRow{name: row.name, presence: row.presence, alloc: n.CPUsAlloc, gpus: gpus, memAlloc: n.MemAlloc, load: load, code: st.code()}
	return nil
}

// emit adds what is known of each node. A node that has gone is 0 for some ticks.
func (e *eachNode) emit(b *aggregator.Batch) {
	for name, row := range e.rows {
		if !row.next() {
			delete(e.rows, name)
			continue
		}
		if !row.seen {
			*row = nodeRow{name: name, presence: row.presence, load: math.NaN(), code: codeUnknown}
		}
		addKnown(b, nodeCPUs, row.alloc, 1, name)
		addKnown(b, nodeMem, row.memAlloc, 1<<20, name)
		addKnown(b, nodeGPUs, row.gpus, 1, name)
		if !math.IsNaN(row.load) {
			b.Add(nodeLoad, row.load, name)
		}
		b.Add(nodeCode, float64(row.code), name)
	}
}

func addKnown(b *aggregator.Batch, d *aggregator.Desc, n int64, unit float64, label string) {
	if n != unknown {
		b.Add(d, float64(n)*unit, label)
	}
}
