package chart

import "math"

// Figures are those of a series' values.
type Figures struct {
	Values               int // that are numbers
	Last, Min, Mean, Max float64
}

// Sum returns the figures; they are NaN where there are no values.
func Sum(points []Point) Figures {
	f := Figures{Last: math.NaN(), Min: math.NaN(), Mean: math.NaN(), Max: math.NaN()}
	for _, p := range points {
		if !isFinite(p.Value) {
			continue
		}
		f.Values++
		f.Last = p.Value
		if f.Values == 1 {
			f.Min, f.Mean, f.Max = p.Value, p.Value, p.Value
			continue
		}
		f.Min, f.Max = min(f.Min, p.Value), max(f.Max, p.Value)
		f.Mean += p.Value/float64(f.Values) - f.Mean/float64(f.Values)
	}
	return f
}

// sparks are the heights of a sparkline.
var sparks = []rune("▁▂▃▄▅▆▇█")

// Spark draws points in so many characters, each as high as the mean of its share of the points; a space where there is
// no value.
func Spark(points []Point, columns int) string {
	if columns <= 0 || len(points) == 0 {
		return ""
	}
	columns = min(columns, len(points))
	means := make([]float64, columns)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range means {
		means[i] = Sum(points[i*len(points)/columns : (i+1)*len(points)/columns]).Mean
		if isFinite(means[i]) {
			low, high = min(low, means[i]), max(high, means[i])
		}
	}
	line := make([]rune, columns)
	for i, v := range means {
		switch share := (v - low) / (high - low); {
		case !isFinite(v):
			line[i] = ' '
		case !isFinite(share):
			line[i] = sparks[0]
		default:
			line[i] = sparks[int(math.Round(share*float64(len(sparks)-1)))]
		}
	}
	return string(line)
}
