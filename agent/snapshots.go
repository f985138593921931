package agent

import (
	"strings"
	"sync"

	"github.com/clusterload/clusterload/aggregator"
)

// snapshots holds the last batch of each aggregator.
type snapshots struct {
	mu       sync.Mutex
	packer   packer
	held     map[string]*held
	sequence uint64 // of batches; the agent's start is 0
}

// held is an aggregator's last batch, and the memory of the one before for the next.
type held struct {
	now, spare *snapshot
	sequence   uint64
}

// runTemplates is what the templates begin with that the loop ends every batch with; their label is the aggregator.
const runTemplates = "agent.aggregator."

// take keeps a batch. The loop calls it, from several goroutines.
func (s *snapshots) take(ms []aggregator.Metric) {
	if len(ms) == 0 {
		return
	}
	last := &ms[len(ms)-1]
	if !strings.HasPrefix(last.Desc.Template, runTemplates) || len(last.Labels) != 1 {
		return
	}
	name := last.Labels[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held = map[string]*held{}
	}
	h := s.held[name]
	if h == nil {
		h = &held{}
		s.held[strings.Clone(name)] = h
	}
	next := h.spare
	if next == nil || next.readers > 0 {
		next = &snapshot{} // the reader's goes once it has been read
	}
	s.packer.pack(next, ms)
	h.now, h.spare = next, h.now
	s.sequence++
	h.sequence = s.sequence
}

// read calls yield with the last batch of each of these aggregators that has run, and the number of the newest batch
// that any has. Of aggregators that are not among names it forgets the batches.
func (s *snapshots) read(names []string, yield func(name string, b *snapshot)) (newest uint64) {
	s.mu.Lock()
	keep := map[string]bool{}
	found := make([]*snapshot, len(names))
	for i, name := range names {
		keep[name] = true
		if h := s.held[name]; h != nil {
			h.now.readers++
			found[i] = h.now
		}
	}
	for name := range s.held {
		if !keep[name] {
			delete(s.held, name)
		}
	}
	newest = s.sequence
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, b := range found {
			if b != nil {
				b.readers--
			}
		}
	}()
	for i, b := range found {
		if b != nil {
			yield(names[i], b)
		}
	}
	return newest
}

// newest returns the number of the newest batch, 0 before the first.
func (s *snapshots) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sequence
}
