package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// tagMatchers makes matchers of Graphite's tag expressions: "tag=value", "tag!=value", "tag=~regexp", "tag!=~regexp". A
// regular expression matches from the beginning of the value; an empty value is that of a series without the tag. One
// expression at least has to ask for something that is there.
func tagMatchers(expressions []string) ([]*labels.Matcher, error) {
	ms := make([]*labels.Matcher, 0, len(expressions)+1)
	positive := false
	for _, e := range expressions {
		m, err := tagMatcher(e)
		if err != nil {
			return nil, err
		}
		positive = positive || !m.Matches("")
		ms = append(ms, m)
	}
	if !positive {
		return nil, &QueryError{fmt.Sprintf("tag expressions %q: want one that asks for a value that is not empty", expressions)}
	}
	return append(ms, labels.MustNewMatcher(labels.MatchNotEqual, nameTag, "")), nil
}

func tagMatcher(e string) (*labels.Matcher, error) {
	i := strings.IndexAny(e, "=!")
	if i <= 0 || strings.HasPrefix(e, "__") {
		return nil, &QueryError{fmt.Sprintf("tag expression %q: want tag=value, tag!=value, tag=~regexp or tag!=~regexp", e)}
	}
	tag, rest := e[:i], e[i:]
	for _, o := range []struct {
		sign string
		kind labels.MatchType
	}{{"!=~", labels.MatchNotRegexp}, {"=~", labels.MatchRegexp}, {"!=", labels.MatchNotEqual}, {"=", labels.MatchEqual}} {
		value, ok := strings.CutPrefix(rest, o.sign)
		if !ok {
			continue
		}
		if o.kind == labels.MatchRegexp || o.kind == labels.MatchNotRegexp {
			value = "(?:" + value + ").*"
		}
		m, err := labels.NewMatcher(o.kind, tag, value)
		if err != nil {
			return nil, &QueryError{fmt.Sprintf("tag expression %q: %v", e, err)}
		}
		return m, nil
	}
	return nil, &QueryError{fmt.Sprintf("tag expression %q: want tag=value, tag!=value, tag=~regexp or tag!=~regexp", e)}
}

// FetchTagged is Fetch for the series that tag expressions name.
func (s *Store) FetchTagged(ctx context.Context, expressions []string, from, until int64, consolidate string, yield func(path string, start, step int64, values []float64) bool) error {
	ms, err := tagMatchers(expressions)
	if err != nil {
		return err
	}
	return s.fetch(ctx, [][]*labels.Matcher{ms}, from, until, consolidate, yield)
}

// FindTagged calls yield with the path of each series that tag expressions name, sorted, until it returns false.
func (s *Store) FindTagged(ctx context.Context, expressions []string, yield func(path string) bool) error {
	ms, err := tagMatchers(expressions)
	if err != nil {
		return err
	}
	lo, hi := timeRange(0, 0)
	q, err := s.querier(lo, hi)
	if err != nil {
		return err
	}
	defer q.Close()
	var paths []string
	set := q.Select(ctx, false, seriesOnly(lo, hi), ms...)
	for set.Next() {
		paths = append(paths, string(appendPath(nil, set.At().Labels())))
	}
	if err := set.Err(); err != nil {
		return fmt.Errorf("find series by tags: %w", err)
	}
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if !yield(path) {
			return nil
		}
	}
	return nil
}

// TagNames lists the names of tags, sorted, that begin with prefix, of the series that expressions name; of all without one.
func (s *Store) TagNames(ctx context.Context, expressions []string, prefix string, limit int) ([]string, error) {
	q, ms, err := s.tagQuerier(expressions)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	names, _, err := q.LabelNames(ctx, nil, ms...)
	if err != nil {
		return nil, fmt.Errorf("list tags: %w", err)
	}
	return begun(names, prefix, limit), nil
}

// TagValues lists the values of a tag likewise.
func (s *Store) TagValues(ctx context.Context, tag string, expressions []string, prefix string, limit int) ([]string, error) {
	if strings.HasPrefix(tag, "__") {
		return nil, nil
	}
	q, ms, err := s.tagQuerier(expressions)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	values, _, err := q.LabelValues(ctx, tag, nil, ms...)
	if err != nil {
		return nil, fmt.Errorf("list values of tag %q: %w", tag, err)
	}
	return begun(values, prefix, limit), nil
}

// tagQuerier opens a querier over all times, and makes the matchers of expressions, of which there may be none. The
// caller closes it.
func (s *Store) tagQuerier(expressions []string) (storage.Querier, []*labels.Matcher, error) {
	ms, err := someMatchers(expressions)
	if err != nil {
		return nil, nil, err
	}
	q, err := s.querier(timeRange(0, 0))
	return q, ms, err
}

// someMatchers makes matchers of expressions, of which there may be none.
func someMatchers(expressions []string) ([]*labels.Matcher, error) {
	if len(expressions) == 0 {
		return []*labels.Matcher{labels.MustNewMatcher(labels.MatchNotEqual, nameTag, "")}, nil
	}
	return tagMatchers(expressions)
}

// begun copies the first names that begin with prefix and are no label of dotted paths.
func begun(names []string, prefix string, limit int) []string {
	var list []string
	for _, n := range names {
		if strings.HasPrefix(n, prefix) && !strings.HasPrefix(n, "__") {
			if limit > 0 && len(list) == limit {
				break
			}
			list = append(list, strings.Clone(n))
		}
	}
	return list
}
