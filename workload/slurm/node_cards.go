package slurm

import (
	"fmt"

	"github.com/clusterload/clusterload/aggregator"
)

var (
	cardsTotal   = &aggregator.Desc{Template: "gpu_type.{type}.total", Unit: aggregator.Count, Help: "GPUs of the type", Source: nodesSource + "Gres"}
	cardsAlloc   = &aggregator.Desc{Template: "gpu_type.{type}.alloc", Unit: aggregator.Count, Help: "GPUs of the type that are allocated to jobs", Source: nodesSource + "GresUsed, else AllocTRES"}
	cardsIdle    = &aggregator.Desc{Template: "gpu_type.{type}.idle", Unit: aggregator.Count, Help: "GPUs of the type that are not allocated, on nodes that are neither down, drained nor draining", Source: nodesSource + "Gres, GresUsed, State"}
	cardsUnavail = &aggregator.Desc{Template: "gpu_type.{type}.unavail", Unit: aggregator.Count, Help: "GPUs of the type that are not allocated, on nodes that are down, drained or draining", Source: nodesSource + "Gres, GresUsed, State"}

	cardDescs = []*aggregator.Desc{cardsTotal, cardsAlloc, cardsIdle, cardsUnavail}
)

// untyped is the type of GPUs that are configured without one.
var untyped = []byte("untyped")

// A cardKind is a type of GPU, and how many of it the cluster has.
type cardKind struct {
	split
	presence
	name string
}

func (k *cardKind) emit(b *aggregator.Batch) {
	b.Add(cardsTotal, float64(k.all), k.name)
	b.Add(cardsAlloc, float64(k.alloc), k.name)
	b.Add(cardsIdle, float64(k.idle), k.name)
	b.Add(cardsUnavail, float64(k.out), k.name)
}

// nodeCards are the GPUs of one type in one node.
type nodeCards struct {
	kind       *cardKind
	all, alloc int64
}

// gpus returns how many GPUs the node has and how many of them are allocated, possibly unknown, and adds them to their
// types. GresUsed says what is allocated wherever it is there; AllocTRES does where the cluster accounts for GPUs.
func (r *nodes) gpus(n *Node, st nodeState) (all, alloc int64, err error) {
	r.nodeGPUs = r.nodeGPUs[:0]
	if len(n.Gres) == 0 {
		return 0, 0, nil
	}
	var many error
	err = eachGRES(n.Gres, func(kind []byte, count int64) {
		k, failed := r.card(kind)
		if failed != nil {
			many = failed
			return
		}
		r.cardsOf(k).all += count
		all += count
	})
	if err == nil {
		err = many
	}
	if len(r.nodeGPUs) == 0 {
		return 0, 0, err
	}
	alloc, failed := r.allocated(n)
	if failed != nil {
		err, alloc = failed, unknown
	}
	for i := range r.nodeGPUs {
		c := &r.nodeGPUs[i]
		c.kind.seen = true
		if alloc == unknown {
			c.alloc = unknown
		}
		c.kind.add(c.all, c.alloc, st.out())
	}
	return all, alloc, err
}

// allocated returns how many of the node's GPUs are allocated, possibly unknown, and notes them at their types.
func (r *nodes) allocated(n *Node) (int64, error) {
	var sum, typed int64
	if len(n.GresUsed) > 0 && string(n.GresUsed) != "N/A" {
		err := eachGRES(n.GresUsed, func(kind []byte, count int64) {
			sum += count
			r.place(kind, count)
		})
		return sum, err
	}
	accounted := false
	err := eachTRES(n.CfgTRES, func([]byte, int64) { accounted = true })
	if err != nil || !accounted {
		return unknown, err
	}
	err = eachTRES(n.AllocTRES, func(kind []byte, count int64) {
		if len(kind) == 0 {
			sum += count
			return
		}
		typed += count
		r.place(kind, count)
	})
	if sum > typed { // 20.11 has no type where the job asked for none
		r.place(nil, sum-typed)
	}
	return max(sum, typed), err
}

// cardsOf returns the node's cards of a type.
func (r *nodes) cardsOf(k *cardKind) *nodeCards {
	for i := range r.nodeGPUs {
		if r.nodeGPUs[i].kind == k {
			return &r.nodeGPUs[i]
		}
	}
	r.nodeGPUs = append(r.nodeGPUs, nodeCards{kind: k})
	return &r.nodeGPUs[len(r.nodeGPUs)-1]
}

// place notes so many cards of a type as allocated. Those of a type that the node is not said to have are of those that
// it has, in their order, as far as these are free; what is left over then, of the first.
func (r *nodes) place(kind []byte, count int64) {
	if len(kind) == 0 {
		kind = untyped
	}
	for i := range r.nodeGPUs {
		if c := &r.nodeGPUs[i]; c.kind.name == string(kind) {
			c.alloc += count
			return
		}
	}
	for i := range r.nodeGPUs {
		c := &r.nodeGPUs[i]
		free := min(count, max(0, c.all-c.alloc))
		c.alloc += free
		count -= free
	}
	r.nodeGPUs[0].alloc += count
}

func (r *nodes) card(kind []byte) (*cardKind, error) {
	if len(kind) == 0 {
		kind = untyped
	}
	if k, ok := r.cards[string(kind)]; ok {
		return k, nil
	}
	if len(kind) > maxName {
		return nil, fmt.Errorf("gpu type %q: %w", clip(kind), errName)
	}
	if len(r.cards) >= maxCardKinds {
		return nil, fmt.Errorf("gpu type %q: %w", kind, errManyCardKinds)
	}
	k := &cardKind{name: string(kind)}
	r.cards[k.name] = k
	return k, nil
}
