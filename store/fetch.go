package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Fetch calls yield with each series that query names, sorted by path, until it returns false. Query is a dotted pattern,
// or seriesByTag's arguments when it holds no pattern. The points are those of Whisper: slots of the series' own step, the
// first one after from and the last one at until or before it, NaN where there is none; of several points in one slot the
// last counts. Start is the time of the first slot. Series without any point in that time are left out.
//
// A range of more than Config.MaxSlots slots is read with a longer step, a slot of which is made of its points as
// consolidate says: "average", "sum", "min", "max", "first", "last".
func (s *Store) Fetch(ctx context.Context, query string, from, until int64, consolidate string, yield func(path string, start, step int64, values []float64) bool) error {
	ps, err := patterns(query)
	if err != nil {
		return err
	}
	var matchers [][]*labels.Matcher
	for _, p := range ps {
		if len(p) == 0 {
			continue
		}
		ms, err := p.leafMatchers()
		if err != nil {
			return err
		}
		matchers = append(matchers, ms)
	}
	return s.fetch(ctx, matchers, from, until, consolidate, yield)
}

// margin is how many seconds after until are read: points that are late in their slot lie there.
const margin = 600

// A fetched is what was read of one series.
type fetched struct {
	path   string
	times  []int64 // milliseconds
	values []float64
	step   int64 // seconds
}

func (s *Store) fetch(ctx context.Context, matchers [][]*labels.Matcher, from, until int64, consolidate string, yield func(string, int64, int64, []float64) bool) error {
	now := s.config.now().Unix()
	from = max(from, now-int64(s.config.Retention.Seconds()))
	until = min(until, now)
	if from > until || len(matchers) == 0 {
		return nil
	}
	quota, done := quotaOf(ctx, s.budget)
	defer done()
	r := reader{store: s, ctx: ctx, quota: quota, from: from, until: until, consolidate: consolidate}
	list, err := r.read(matchers)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	for _, f := range list {
		start, step, values := r.slots(f)
		if values == nil {
			continue
		}
		if !yield(f.path, start, step, values) {
			return nil
		}
	}
	return nil
}

// quotaOf returns the request's share of the budget, or one for this read alone.
func quotaOf(ctx context.Context, b *budget) (*Quota, func()) {
	if q, ok := ctx.Value(quotaKey{}).(*Quota); ok {
		return q, func() {}
	}
	q := &Quota{budget: b}
	return q, q.release
}

// A reader reads series between two times in seconds.
type reader struct {
	store       *Store
	ctx         context.Context
	quota       *Quota
	from, until int64
	consolidate string

	times  []int64 // reused
	values []float64
}

// read reads the series and settles their steps. Short ranges keep their points until all series are known: one that shows
// no step of its own takes that of its neighbours.
func (r *reader) read(matchers [][]*labels.Matcher) ([]fetched, error) {
	lo, hi := r.from*1000, (r.until+margin)*1000+999
	q, err := r.store.querier(lo, hi)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	var list []fetched
	for _, ms := range matchers {
		set := q.Select(r.ctx, false, &storage.SelectHints{Start: lo, End: hi}, ms...)
		var it chunkenc.Iterator
		for set.Next() {
			series := set.At()
			it = series.Iterator(it)
			f, err := r.readSeries(it)
			if err != nil {
				return nil, err
			}
			if f.times != nil {
				f.path = string(appendPath(nil, series.Labels()))
				list = append(list, f)
			}
		}
		if err := set.Err(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b fetched) int { return strings.Compare(a.path, b.path) })
	list = slices.CompactFunc(list, func(a, b fetched) bool { return a.path == b.path })
	settleSteps(list, int64(r.store.config.Step.Seconds()))
	return list, nil
}

// readSeries copies the points of one series; for a long range, of its slots already made.
func (r *reader) readSeries(it chunkenc.Iterator) (fetched, error) {
	r.times, r.values = r.times[:0], r.values[:0]
	for it.Next() == chunkenc.ValFloat {
		t, v := it.At()
		r.times, r.values = append(r.times, t), append(r.values, v)
		if len(r.times)&0xffff == 0 {
			if err := r.ctx.Err(); err != nil {
				return fetched{}, err
			}
		}
	}
	if err := it.Err(); err != nil {
		return fetched{}, err
	}
	if len(r.times) == 0 {
		return fetched{}, nil
	}
	step := stepOf(r.times)
	if step > 0 && coarser(step, r.until-r.from, r.store.config.MaxSlots) != step {
		return r.coarse(step)
	}
	if err := r.quota.take(r.ctx, int64(len(r.times))); err != nil {
		return fetched{}, err
	}
	return fetched{times: slices.Clone(r.times), values: slices.Clone(r.values), step: step}, nil
}

// coarse makes one point a slot of the points that were read, at the longer step.
func (r *reader) coarse(step int64) (fetched, error) {
	step = coarser(step, r.until-r.from, r.store.config.MaxSlots)
	f := fetched{step: step}
	c := consolidator(r.consolidate)
	for i := 0; i < len(r.times); {
		slot := r.times[i] / 1000 / step
		begin := i
		for i < len(r.times) && r.times[i]/1000/step == slot {
			i++
		}
		f.times = append(f.times, slot*step*1000)
		f.values = append(f.values, c(r.values[begin:i]))
	}
	return f, r.quota.take(r.ctx, int64(len(f.times)))
}

// settleSteps gives a step to the series that show none: the shortest of the others, or the store's.
func settleSteps(list []fetched, fallback int64) {
	var shortest int64
	for _, f := range list {
		if f.step > 0 && (shortest == 0 || f.step < shortest) {
			shortest = f.step
		}
	}
	if shortest == 0 {
		shortest = fallback
	}
	for i := range list {
		if list[i].step == 0 {
			list[i].step = shortest
		}
	}
}

// slots spreads the points of a series over its slots; nil where none lies in the range.
func (r *reader) slots(f fetched) (start, step int64, values []float64) {
	step = coarser(f.step, r.until-r.from, r.store.config.MaxSlots)
	start = r.from - r.from%step + step
	end := r.until - r.until%step + step
	if start >= end {
		end = start + step
	}
	values = make([]float64, (end-start)/step)
	nan := math.NaN()
	for i := range values {
		values[i] = nan
	}
	met := false
	for i, t := range f.times {
		t /= 1000
		if t < start {
			continue
		}
		if slot := (t - start) / step; slot < int64(len(values)) {
			values[slot] = f.values[i]
			met = true
		}
	}
	if !met {
		return 0, 0, nil
	}
	return start, step, values
}

// consolidator returns the function that makes one value of several, average for what is not known.
func consolidator(name string) func([]float64) float64 {
	switch name {
	case "sum", "total":
		return sum
	case "min":
		return slices.Min[[]float64]
	case "max":
		return slices.Max[[]float64]
	case "first":
		return func(vs []float64) float64 { return vs[0] }
	case "last", "current":
		return func(vs []float64) float64 { return vs[len(vs)-1] }
	default:
		return func(vs []float64) float64 { return sum(vs) / float64(len(vs)) }
	}
}

func sum(vs []float64) float64 {
	total := 0.0
	for _, v := range vs {
		total += v
	}
	return total
}
