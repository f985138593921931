package api

import (
	"math"
	"slices"

	"github.com/go-graphite/carbonapi/expr/consolidations"
	"github.com/go-graphite/carbonapi/expr/types"
)

// consolidate thins out each series to at most so many points, as graphite-web does for json: points are taken together in
// bands that lie at the same times in each request, so that a graph does not flicker as its window moves.
func consolidate(list []*types.MetricData, most int64) {
	if most <= 0 || len(list) == 0 {
		return
	}
	start, end := list[0].StartTime, list[0].StopTime
	for _, s := range list {
		start, end = min(start, s.StartTime), max(end, s.StopTime)
	}
	for _, s := range list {
		if s.StepTime <= 0 {
			continue
		}
		points := float64(end-start) / float64(s.StepTime)
		switch {
		case most == 1:
			together(s, len(s.Values))
		case float64(most) < points:
			band := int64(math.Ceil(points / float64(most)))
			seconds := band * s.StepTime
			nudge := seconds + s.StartTime%s.StepTime - s.StartTime%seconds
			s.StartTime += nudge
			s.Values = s.Values[min(len(s.Values), max(0, int(nudge/s.StepTime)-1)):]
			together(s, int(band))
		}
	}
}

// together makes one point of n.
func together(s *types.MetricData, n int) {
	if n <= 1 {
		return
	}
	f := consolidation(s)
	out := make([]float64, 0, len(s.Values)/n+1)
	for band := range slices.Chunk(s.Values, n) {
		out = append(out, f(band, s.XFilesFactor, n))
	}
	s.Values = out
	s.StepTime *= int64(n)
}

// consolidation returns what makes one value of several. Bands with a smaller part of known values than xFilesFactor are
// unknown.
func consolidation(s *types.MetricData) func(vs []float64, factor float32, whole int) float64 {
	f, ok := consolidations.ConsolidationToFunc[s.ConsolidationFunc]
	if !ok {
		f = consolidations.AvgValue
	}
	return func(vs []float64, factor float32, whole int) float64 {
		known := 0
		for _, v := range vs {
			if !math.IsNaN(v) {
				known++
			}
		}
		if known == 0 || float32(known)/float32(whole) < factor {
			return math.NaN()
		}
		return f(vs)
	}
}
