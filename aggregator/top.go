package aggregator

import (
	"cmp"
	"slices"
)

// A Rank is a candidate for a place among the largest: a user, an account.
type Rank struct {
	Name   string
	Weight float64 // its use, never negative
	Kept   bool    // whether it has a place: before Top from the last tick, after Top from this one
}

// keepFactor is how much heavier a candidate weighs that has its place already: a newcomer takes it only with a quarter
// more use, so that two of nearly equal use do not take turns, each leaving holes in its series.
const keepFactor = 1.25

// Top gives the n heaviest of ranks a place, those that had one before preferred, and sets Kept in all of them. Equal
// weights go by name, so that the choice does not depend on order. It reorders ranks.
func Top(n int, ranks []Rank) {
	weight := func(r Rank) float64 {
		if r.Kept {
			return r.Weight * keepFactor
		}
		return r.Weight
	}
	if len(ranks) > n {
		slices.SortFunc(ranks, func(a, b Rank) int {
			return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(a.Name, b.Name))
		})
	}
	for i := range ranks {
		ranks[i].Kept = i < n
	}
}
