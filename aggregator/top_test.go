package aggregator_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clusterload/clusterload/aggregator"
)

func kept(ranks []aggregator.Rank) []string {
	var names []string
	for _, r := range ranks {
		if r.Kept {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTop(t *testing.T) {
	tests := []struct {
		name  string
		n     int
		ranks []aggregator.Rank
		want  []string
	}{
		{"fewer than places", 5, []aggregator.Rank{{"ann", 1, false}, {"bob", 0, false}}, []string{"ann", "bob"}},
		{"the heaviest", 2, []aggregator.Rank{{"ann", 1, false}, {"bob", 7, false}, {"eve", 4, false}}, []string{"bob", "eve"}},
		{"a holder stays against a little more", 1, []aggregator.Rank{{"ann", 12, false}, {"bob", 10, true}}, []string{"bob"}},
		{"a holder goes for much more", 1, []aggregator.Rank{{"ann", 13, false}, {"bob", 10, true}}, []string{"ann"}},
		{"equal ones go by name", 1, []aggregator.Rank{{"eve", 3, false}, {"ann", 3, false}}, []string{"ann"}},
		{"no places", 0, []aggregator.Rank{{"ann", 3, true}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			aggregator.Top(test.n, test.ranks)
			assert.Equal(t, test.want, kept(test.ranks))
		})
	}
}
