package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// maxFound bounds what one pattern may find.
const maxFound = 1_000_000

// Find calls yield for each node that a dotted pattern names, sorted, until it returns false: its path and whether it is a
// series, a branch that has more below, or both. From and until, in Unix seconds, leave out what has no points near that
// time; 0 is open.
func (s *Store) Find(ctx context.Context, query string, from, until int64, yield func(path string, leaf, branch bool) bool) error {
	ps, err := patterns(query)
	if err != nil {
		return err
	}
	lo, hi := timeRange(from, until)
	q, err := s.querier(lo, hi)
	if err != nil {
		return err
	}
	defer q.Close()
	found := map[string]node{}
	for _, p := range ps {
		if len(p) == 0 {
			continue
		}
		f := finder{ctx: ctx, q: q, pattern: p, found: found}
		if err := f.descend(0, make([]string, 0, len(p)), nil); err != nil {
			return fmt.Errorf("find %.200q: %w", query, err)
		}
	}
	paths := make([]string, 0, len(found))
	for path := range found {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if n := found[path]; !yield(path, n.leaf, n.branch) {
			return nil
		}
	}
	return nil
}

type node struct{ leaf, branch bool }

// A finder walks down the levels of one pattern. Plain levels and the last one cost one look into the index each.
type finder struct {
	ctx     context.Context
	q       storage.Querier
	pattern pattern
	found   map[string]node
}

// descend extends the nodes above by those of the next level that the pattern names. Above holds their matchers.
func (f *finder) descend(level int, nodes []string, above []*labels.Matcher) error {
	if err := f.ctx.Err(); err != nil {
		return err
	}
	glob := f.pattern[level]
	last := level == len(f.pattern)-1
	if !last && plain(glob) {
		m := labels.MustNewMatcher(labels.MatchEqual, nodeLabels[level], glob)
		return f.descend(level+1, append(nodes, glob), append(above[:level:level], m))
	}
	ms := above[:level:level]
	if glob != "*" {
		m, err := matcher(nodeLabels[level], glob)
		if err != nil {
			return err
		}
		ms = append(ms, m)
	}
	if last {
		return f.lastLevel(level, nodes, ms)
	}
	names, err := f.values(level, ms)
	if err != nil {
		return err
	}
	for _, name := range names {
		m := labels.MustNewMatcher(labels.MatchEqual, nodeLabels[level], name)
		if err := f.descend(level+1, append(nodes[:level:level], name), append(above[:level:level], m)); err != nil {
			return err
		}
	}
	return nil
}

// lastLevel finds the names at the pattern's end: the series first, then whatever has more below.
func (f *finder) lastLevel(level int, nodes []string, ms []*labels.Matcher) error {
	depth := strconv.Itoa(level + 1)
	leaves, err := f.values(level, append(slices.Clone(ms), labels.MustNewMatcher(labels.MatchEqual, depthLabel, depth)))
	if err != nil {
		return err
	}
	branches, err := f.values(level, append(slices.Clone(ms), labels.MustNewMatcher(labels.MatchNotEqual, depthLabel, depth)))
	if err != nil {
		return err
	}
	if len(f.found)+len(leaves)+len(branches) > maxFound {
		return &QueryError{fmt.Sprintf("more than %d nodes are found: want a narrower pattern", maxFound)}
	}
	prefix := strings.Join(nodes, ".")
	if prefix != "" {
		prefix += "."
	}
	for _, name := range leaves {
		n := f.found[prefix+name]
		n.leaf = true
		f.found[prefix+name] = n
	}
	for _, name := range branches {
		n := f.found[prefix+name]
		n.branch = true
		f.found[prefix+name] = n
	}
	return nil
}

// values lists the names of one level.
func (f *finder) values(level int, ms []*labels.Matcher) ([]string, error) {
	names, _, err := f.q.LabelValues(f.ctx, nodeLabels[level], nil, ms...)
	if err != nil {
		return nil, err
	}
	for i, n := range names { // they do not outlive the querier
		names[i] = strings.Clone(n)
	}
	return names, nil
}

// Paths calls yield for each series' path, dotted ones first, until it returns false.
func (s *Store) Paths(ctx context.Context, yield func(path string) bool) error {
	lo, hi := timeRange(0, 0)
	q, err := s.querier(lo, hi)
	if err != nil {
		return err
	}
	defer q.Close()
	all := labels.MustNewMatcher(labels.MatchRegexp, depthLabel, ".+")
	set := q.Select(ctx, true, seriesOnly(lo, hi), all)
	var paths []string
	for set.Next() {
		paths = append(paths, string(appendPath(nil, set.At().Labels())))
	}
	if err := set.Err(); err != nil {
		return fmt.Errorf("list series: %w", err)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if !yield(path) {
			return nil
		}
	}
	return nil
}

// seriesOnly asks tsdb for labels and no points.
func seriesOnly(lo, hi int64) *storage.SelectHints {
	return &storage.SelectHints{Start: lo, End: hi, Func: "series"}
}
