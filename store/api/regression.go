package api

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-graphite/carbonapi/expr/types"
)

// timeSlice shows the part of each series that lies between two times.
func (c *call) timeSlice() ([]*types.MetricData, error) {
	r := c.rendering()
	if r == nil || c.e.ArgsLen() < 2 {
		return nil, bad("timeSlice: want a time to begin at")
	}
	begin, err := c.moment(1, "startSliceAt", c.from)
	if err != nil {
		return nil, err
	}
	end, err := c.moment(2, "endSliceAt", r.api.config.Now().Unix())
	if err != nil {
		return nil, err
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := slices.Clone(s.Values)
		at := c.from
		for i := range values {
			if at < begin || at > end {
				values[i] = math.NaN()
			}
			at += s.StepTime
		}
		return like(s, fmt.Sprintf("timeSlice(%s, %d, %d)", s.Name, begin, end), values)
	})
}

// linearRegression draws the line through the points of each series, or through those of another time.
func (c *call) linearRegression() ([]*types.MetricData, error) {
	begin, err := c.moment(1, "startSourceAt", c.from)
	if err != nil {
		return nil, err
	}
	end, err := c.moment(2, "endSourceAt", c.until)
	if err != nil {
		return nil, err
	}
	list, err := c.at(c.from, c.until)
	if err != nil {
		return nil, err
	}
	sources, err := c.at(begin, end)
	if err != nil {
		return nil, err
	}
	var results []*types.MetricData
	for i := range min(len(list), len(sources)) {
		s := list[i]
		slope, zero, ok := leastSquares(sources[i])
		if !ok {
			continue
		}
		values := make([]float64, len(s.Values))
		for j := range values {
			values[j] = zero + slope*float64(s.StartTime+int64(j)*s.StepTime)
		}
		results = append(results, like(s, fmt.Sprintf("linearRegression(%s, %d, %d)", s.Name, begin, end), values))
	}
	return results, nil
}

// leastSquares fits a line to the points of a series: value = zero + slope·time. The sums are taken from the first time on,
// where they lose fewer digits than from 1970.
func leastSquares(s *types.MetricData) (slope, zero float64, ok bool) {
	var n, sumX, sumY, sumXX, sumXY float64
	for i, y := range s.Values {
		if !known(y) {
			continue
		}
		x := float64(int64(i) * s.StepTime)
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	denominator := n*sumXX - sumX*sumX
	if denominator == 0 {
		return 0, 0, false
	}
	slope = (n*sumXY - sumX*sumY) / denominator
	return slope, (sumY-slope*sumX)/n - slope*float64(s.StartTime), true
}
