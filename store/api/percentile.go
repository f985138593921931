package api

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-graphite/carbonapi/expr/helper"
	"github.com/go-graphite/carbonapi/expr/types"
	pb "github.com/go-graphite/protocol/carbonapi_v3_pb"
)

// percentile is the one that Graphite means: by the rank n·(count+1)/100, rounded up, or between its neighbours.
func percentile(values []float64, n float64, between bool) float64 {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 {
		return math.NaN()
	}
	slices.Sort(sorted)
	exact := n / 100 * float64(len(sorted)+1)
	rank := int(exact)
	fraction := exact - float64(rank)
	if !between {
		rank += int(math.Ceil(fraction))
	}
	p := sorted[min(max(rank-1, 0), len(sorted)-1)]
	if between && rank > 0 && rank < len(sorted) {
		p += fraction * (sorted[rank] - p)
	}
	return p
}

// percentileOfSeries takes the percentile of all series at each time.
func (c *call) percentileOfSeries() ([]*types.MetricData, error) {
	n, err := c.number(1, "n", required)
	if err != nil {
		return nil, err
	}
	if n <= 0 {
		return nil, bad("percentileOfSeries: want a percentage above 0")
	}
	between := c.isTrue(2, "interpolate")
	list, err := c.series(0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	first := list[0].PathExpression
	list = common(list)
	longest := 0
	for _, s := range list {
		longest = max(longest, len(s.Values))
	}
	values := make([]float64, longest)
	row := make([]float64, 0, len(list))
	for i := range values {
		row = row[:0]
		for _, s := range list {
			if i < len(s.Values) {
				row = append(row, s.Values[i])
			}
		}
		values[i] = percentile(row, n, between)
	}
	name := "percentileOfSeries(" + first + "," + formatGeneral(n) + ")"
	return []*types.MetricData{{FetchResponse: pb.FetchResponse{Name: name, PathExpression: name, StartTime: list[0].StartTime,
		StopTime: list[0].StopTime, StepTime: list[0].StepTime, Values: values}, Tags: map[string]string{"name": name}}}, nil
}

// common brings series to one step. The originals stay as they are.
func common(list []*types.MetricData) []*types.MetricData {
	copies := make([]*types.MetricData, len(list))
	for i, s := range list {
		copies[i] = s.Copy(true)
	}
	if _, differ := helper.GetCommonStep(copies); !differ {
		return copies
	}
	return helper.ScaleToCommonStep(copies, 0)
}

// nPercentile draws each series' percentile over its whole time.
func (c *call) nPercentile() ([]*types.MetricData, error) {
	n, err := c.number(1, "n", required)
	if err != nil {
		return nil, err
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		p := percentile(s.Values, n, false)
		if math.IsNaN(p) {
			return nil
		}
		values := make([]float64, len(s.Values))
		for i := range values {
			values[i] = p
		}
		r := like(s, "nPercentile("+s.Name+", "+formatGeneral(n)+")", values)
		r.Tags["nPercentile"] = formatGeneral(n)
		return r
	})
}

// removePercentile drops the values above or below each series' percentile.
func (c *call) removePercentile() ([]*types.MetricData, error) {
	n, err := c.number(1, "n", required)
	if err != nil {
		return nil, err
	}
	above := c.e.Target() == "removeAbovePercentile"
	return c.each(func(s *types.MetricData) *types.MetricData {
		p := percentile(s.Values, n, false)
		values := slices.Clone(s.Values)
		for i, v := range values {
			if above && v > p || !above && v < p {
				values[i] = math.NaN()
			}
		}
		return like(s, fmt.Sprintf("%s(%s, %s)", c.e.Target(), s.Name, formatGeneral(n)), values)
	})
}

// outsidePercentile chooses the series whose average, or any value, lies outside the middle n percent of all.
func (c *call) outsidePercentile() ([]*types.MetricData, error) {
	n, err := c.number(1, "n", required)
	if err != nil {
		return nil, err
	}
	if n < 50 {
		n = 100 - n
	}
	list, err := c.series(0)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if c.e.Target() == "averageOutsidePercentile" {
		average, _ := aggregation("average")
		averages := make([]float64, len(list))
		for i, s := range list {
			averages[i] = average(s.Values)
		}
		low, high := percentile(averages, 100-n, false), percentile(averages, n, false)
		var results []*types.MetricData
		for i, s := range list {
			if !(low < averages[i] && averages[i] < high) {
				results = append(results, s)
			}
		}
		return results, nil
	}
	var results []*types.MetricData
	for _, i := range outsiders(list, n) {
		results = append(results, list[i])
	}
	return results, nil
}

// outsiders lists the series with a value outside the middle of all at its time.
func outsiders(list []*types.MetricData, n float64) []int {
	outside := make([]bool, len(list))
	row := make([]float64, len(list))
	longest := 0
	for _, s := range list {
		longest = max(longest, len(s.Values))
	}
	for t := range longest {
		for i, s := range list {
			row[i] = math.NaN()
			if t < len(s.Values) {
				row[i] = s.Values[t]
			}
		}
		low, high := percentile(row, 100-n, false), percentile(row, n, false)
		for i, v := range row {
			outside[i] = outside[i] || !math.IsNaN(v) && !(low < v && v < high)
		}
	}
	var chosen []int
	for i, o := range outside {
		if o {
			chosen = append(chosen, i)
		}
	}
	return chosen
}
