package api

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/go-graphite/carbonapi/expr/metadata"
	"github.com/go-graphite/carbonapi/expr/types"
)

// nonNegativeDerivative is how much a counter has grown. A counter that wraps at maxValue goes on; one that is reset is not
// known for a moment, nor is one beyond the bounds.
func (c *call) nonNegativeDerivative() ([]*types.MetricData, error) {
	most, err1 := c.number(1, "maxValue", math.Inf(1))
	least, err2 := c.number(2, "minValue", math.Inf(-1))
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := make([]float64, len(s.Values))
		before := math.NaN()
		for i, v := range s.Values {
			values[i] = math.NaN()
			switch {
			case v > most || v < least:
				before = math.NaN()
				continue
			case v >= before:
				values[i] = v - before
			case v < before && !math.IsInf(most, 1):
				values[i] = most + 1 + v - before
				if !math.IsInf(least, -1) {
					values[i] -= least
				}
			case v < before && !math.IsInf(least, -1):
				values[i] = v - least
			}
			before = v
		}
		r := like(s, "nonNegativeDerivative("+s.Name+")", values)
		r.Tags["nonNegativeDerivative"] = "1"
		return r
	})
}

// keepLastValue fills gaps of at most limit slots with the value before them.
func (c *call) keepLastValue() ([]*types.MetricData, error) {
	limit, err := c.number(1, "limit", math.Inf(1))
	if err != nil {
		return nil, err
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := slices.Clone(s.Values)
		last := -1
		fill := func(end int) {
			if gap := end - last - 1; last >= 0 && float64(gap) <= limit {
				for j := last + 1; j < end; j++ {
					values[j] = values[last]
				}
			}
		}
		for i, v := range s.Values {
			if known(v) {
				fill(i)
				last = i
			}
		}
		fill(len(values))
		return like(s, "keepLastValue("+s.Name+")", values)
	})
}

// transformNull puts a value where there is none, with reference series only where one of these has one.
func (c *call) transformNull() ([]*types.MetricData, error) {
	value, err := c.number(1, "default", 0)
	if err != nil {
		return nil, err
	}
	name := "," + formatGeneral(value)
	var references []*types.MetricData
	if c.e.ArgsLen() > 2 {
		if references, err = c.series(2); err != nil {
			return nil, err
		}
	} else if arg, ok := c.e.NamedArg("referenceSeries"); ok {
		if references, err = c.eval.Eval(c.ctx, arg, c.from, c.until, c.values); err != nil {
			return nil, err
		}
	}
	if len(references) > 0 {
		name += ",referenceSeries"
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := slices.Clone(s.Values)
		for i, v := range values {
			if !known(v) && (len(references) == 0 || slices.ContainsFunc(references, func(r *types.MetricData) bool { return i < len(r.Values) && known(r.Values[i]) })) {
				values[i] = value
			}
		}
		return like(s, "transformNull("+s.Name+name+")", values)
	})
}

// confidenceArea is the area between the bands of Holt and Winters.
func (c *call) confidenceArea() ([]*types.MetricData, error) {
	metadata.FunctionMD.RLock()
	bands := metadata.FunctionMD.Functions["holtWintersConfidenceBands"]
	metadata.FunctionMD.RUnlock()
	list, err := bands.Do(c.ctx, c.eval, c.e, c.from, c.until, c.values)
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		s = s.CopyLink()
		s.Name = strings.NewReplacer("ConfidenceLower", "ConfidenceArea", "ConfidenceUpper", "ConfidenceArea").Replace(s.Name)
		if i%2 == 0 {
			s.Tags[drawHidden] = "1"
		} else {
			s.Tags[drawStacked] = "areaBetween"
		}
		list[i] = s
	}
	return list, nil
}
