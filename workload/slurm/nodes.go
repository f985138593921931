package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// Limits that keep the memory bounded, whatever the nodes' lines hold.
const (
	maxName       = 256  // bytes of a name that becomes a label
	maxPartitions = 4096 // at a time
	maxCardKinds  = 256
	maxCached     = 2048 // lists of partitions, and states, before all are learnt anew
	maxCachedText = 4096 // bytes of one of them
)

var (
	errName          = fmt.Errorf("want a name of 1 to %d bytes", maxName)
	errManyParts     = fmt.Errorf("want at most %d partitions", maxPartitions)
	errManyCardKinds = fmt.Errorf("want at most %d types of GPU", maxCardKinds)
)

// nodes folds the lines of `scontrol show nodes -o` into the load of the cluster, of each partition and of each type
// of GPU. A node counts once in the cluster and once in each of its partitions.
type nodes struct {
	perNode bool
	tok     *tokens

	cluster    series
	partitions map[string]*nodePartition
	lists      map[string][]*nodePartition // by the text of Partitions: a cluster has few different ones
	states     map[string]nodeState        // by the text of State, of those without a strange word
	cards      map[string]*cardKind
	each       eachNode

	node     Node // the line in work
	nodeGPUs []nodeCards
}

type nodePartition struct {
	series
	presence
	name string
}

func newNodes(c *Config, tok *tokens) reader {
	return &nodes{
		perNode:    c.Nodes,
		tok:        tok,
		partitions: map[string]*nodePartition{},
		lists:      map[string][]*nodePartition{},
		states:     map[string]nodeState{},
		cards:      map[string]*cardKind{},
		each:       eachNode{rows: map[string]*nodeRow{}},
	}
}

func (r *nodes) describe() []*aggregator.Desc {
	descs := append(clusterTable.descs(), partitionTable.descs()...)
	descs = append(descs, cardDescs...)
	if r.perNode {
		descs = append(descs, nodeDescs...)
	}
	return descs
}

func (r *nodes) begin(time.Time) {
	r.cluster.load = load{}
	for _, p := range r.partitions {
		p.load, p.seen = load{}, false
	}
	for _, k := range r.cards {
		k.split, k.seen = split{}, false
	}
	r.each.begin()
}

// line folds one node. What of it can be read counts even where the rest cannot.
func (r *nodes) line(l []byte) error {
	if len(l) == 0 {
		return nil
	}
	n := &r.node
	failed := n.parse(l)
	if len(n.Name) == 0 || len(n.State) == 0 {
		return failed
	}
	st := r.state(n.State).settle(n.CPUsAlloc, n.CPUs)
	gpus, gpusAlloc, err := r.gpus(n, st)
	failed = errors.Join(failed, err)
	r.cluster.add(n, st, gpus, gpusAlloc)
	list, err := r.list(n.Partitions)
	failed = errors.Join(failed, err)
	for _, p := range list {
		p.seen = true
		p.add(n, st, gpus, gpusAlloc)
	}
	if r.perNode {
		failed = errors.Join(failed, r.each.add(n, st, gpusAlloc))
	}
	return failed
}

func (r *nodes) end(b *aggregator.Batch) {
	r.cluster.emit(b, &clusterTable)
	for name, p := range r.partitions {
		if !p.next() {
			delete(r.partitions, name)
			clear(r.lists) // they may hold it
			continue
		}
		p.emit(b, &partitionTable, p.name)
	}
	for name, k := range r.cards {
		if !k.next() {
			delete(r.cards, name)
			continue
		}
		k.emit(b)
	}
	if r.perNode {
		r.each.emit(b)
	}
}

// state returns what a node's state says. A strange word is counted each time, so such a state is read each time.
func (r *nodes) state(s []byte) nodeState {
	if st, ok := r.states[string(s)]; ok {
		return st
	}
	known := true
	st := parseState(s, func(word []byte) {
		known = false
		r.tok.unknown("node state", word)
	})
	if known && len(s) <= maxCachedText {
		if len(r.states) >= maxCached {
			clear(r.states)
		}
		r.states[string(s)] = st
	}
	return st
}

// list returns the partitions of a list joined by commas. One whose name is no label is left out.
func (r *nodes) list(names []byte) ([]*nodePartition, error) {
	if list, ok := r.lists[string(names)]; ok {
		return list, nil
	}
	var list []*nodePartition
	var failed error
	for rest := names; len(rest) > 0; {
		var name []byte
		name, rest, _ = bytes.Cut(rest, comma)
		p, err := r.partition(name)
		if err != nil {
			failed = err
			continue
		}
		if !contains(list, p) {
			list = append(list, p)
		}
	}
	if failed == nil && len(names) <= maxCachedText {
		if len(r.lists) >= maxCached {
			clear(r.lists)
		}
		r.lists[string(names)] = list
	}
	return list, failed
}

func contains(list []*nodePartition, p *nodePartition) bool {
	for _, q := range list {
		if q == p {
			return true
		}
	}
	return false
}

func (r *nodes) partition(name []byte) (*nodePartition, error) {
	if p, ok := r.partitions[string(name)]; ok {
		return p, nil
	}
	if len(name) == 0 || len(name) > maxName {
		return nil, fmt.Errorf("partition %q: %w", clip(name), errName)
	}
	if len(r.partitions) >= maxPartitions {
		return nil, fmt.Errorf("partition %q: %w", clip(name), errManyParts)
	}
	p := &nodePartition{name: string(name)}
	r.partitions[p.name] = p
	return p, nil
}
