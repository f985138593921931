package slurm

import (
	"github.com/clusterload/clusterload/aggregator"
)

// Limits that keep the memory bounded, whatever the names in the queue.
const (
	maxGroups   = 8192    // of users and of accounts; the others are added to "_other"
	maxNamed    = 1024    // of partitions and of QOS, which all have series of their own
	maxCells    = 32768   // of lines that are alike, before their sums are moved on
	maxKeyBytes = 4 << 20 // of what they have alike
)

// jobGroups are the sets of jobs of one kind: the users, say.
type jobGroups struct {
	table *jobTable
	most  int // how many there may be
	top   int // how many have series of their own
	named map[string]*jobGroup
	rest  jobGroup // the others
	ranks []aggregator.Rank
}

func newJobGroups(table *jobTable, most, top int) *jobGroups {
	return &jobGroups{table: table, most: most, top: top, named: map[string]*jobGroup{}, rest: jobGroup{name: restName}}
}

func (s *jobGroups) begin() {
	for _, g := range s.named {
		g.begin()
	}
	s.rest.begin()
}

// group returns the group of a name: the others' where there are too many, or where the name is no label.
func (s *jobGroups) group(name []byte) *jobGroup {
	name = label(name)
	if g, ok := s.named[string(name)]; ok {
		return g
	}
	if len(s.named) >= s.most || len(name) > maxName {
		return &s.rest
	}
	g := &jobGroup{name: string(name)}
	s.named[g.name] = g
	return g
}

// settle decides who has series of their own, adds the others to the rest, and drops who has been gone long enough.
// Then it calls emit with each that has.
func (s *jobGroups) settle(emit func(*jobGroup)) {
	s.rank()
	for name, g := range s.named {
		if g.seen && !g.kept {
			s.rest.merge(g)
			g.forget()
			continue
		}
		if !g.kept || !g.next() {
			delete(s.named, name)
			continue
		}
		emit(g)
	}
	if s.rest.next() {
		emit(&s.rest)
	}
}

// rank sets kept in the groups that the last call had.
func (s *jobGroups) rank() {
	s.ranks = s.ranks[:0]
	for name, g := range s.named {
		if g.seen {
			s.ranks = append(s.ranks, aggregator.Rank{Name: name, Weight: g.use(), Kept: g.kept})
		}
	}
	aggregator.Top(s.top, s.ranks)
	for _, r := range s.ranks {
		s.named[r.Name].kept = r.Kept
	}
}
