package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
)

// An axis is that of the values: its ends, and its labels by row.
type axis struct {
	low, high float64
	labels    []string
	width     int
}

// newAxis makes an axis of so many rows that holds low to high. Zero is on it where the values are not far from it.
func newAxis(low, high float64, rows int) *axis {
	if low > 0 && low < high*2/3 || low == high && low > 0 {
		low = 0
	}
	if high < 0 && high > low*2/3 || low == high && high < 0 {
		high = 0
	}
	if low == high {
		high = low + 1
	}
	const rowsApart = 3
	step := roundStep(high/float64(max(1, (rows-1)/rowsApart)) - low/float64(max(1, (rows-1)/rowsApart)))
	a := &axis{low: math.Floor(low/step) * step, high: math.Ceil(high/step) * step, labels: make([]string, rows)}
	if !(a.high > a.low) || !isFinite(a.low) || !isFinite(a.high) { // numbers at the end of what a float64 holds
		a.low, a.high = low, high
		step = high/2 - low/2
	}
	for n := 0; n <= rows; n++ {
		v := a.low + float64(n)*step
		if !isFinite(v) || v > a.high+step/2 {
			break
		}
		row := a.place(v, rows)
		if a.labels[row] != "" {
			continue
		}
		if math.Abs(v) < step/1e6 {
			v = 0
		}
		a.labels[row] = tick(v, step, max(math.Abs(a.low), math.Abs(a.high)))
		a.width = max(a.width, terminal.Width(a.labels[row]))
	}
	return a
}

// place returns in which of n rows, from above, a value stands.
func (a *axis) place(v float64, n int) int {
	share := (a.high/2 - v/2) / (a.high/2 - a.low/2) // halves: the whole may be beyond all numbers
	return max(0, min(int(math.Round(share*float64(n-1))), n-1))
}

// roundStep returns the least of 1, 2, 2.5 and 5 times a power of ten that is not below s.
func roundStep(s float64) float64 {
	if !(s > 0) || !isFinite(s) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(s)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= s*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

var prefixes = []struct {
	size float64
	text string
}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}

// tick spells a label so that its neighbours, a step away, are spelled differently; most is the greatest on the axis.
func tick(v, step, most float64) string {
	size, text := 1.0, ""
	for _, p := range prefixes {
		if most >= 10*p.size {
			size, text = p.size, p.text
			break
		}
	}
	if most >= 1e19 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	if v == 0 {
		return "0"
	}
	decimals := 0
	for s := step / size; decimals < 9 && math.Abs(s-math.Round(s)) > 1e-6*s; decimals++ {
		s *= 10
	}
	if step/size < 1e-6 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v/size, 'f', decimals, 64) + text
}

// Number spells a value in few characters: "0.0042", "17", "12.5k".
func Number(v float64) string {
	if !isFinite(v) {
		return "-"
	}
	if v == 0 {
		return "0" // and no -0
	}
	for _, p := range prefixes {
		if a := math.Abs(v); a >= max(1e4, p.size) && a < 1e18 { // thousands are read as they are
			return strconv.FormatFloat(v/p.size, 'g', 4, 64) + p.text
		}
	}
	if a := math.Abs(v); a >= 100 && a < 1e4 {
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// timeSteps are how far labels of times are apart: as people divide hours and days.
var timeSteps = []int64{1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400, 91 * 86400, 364 * 86400}

// labelRoom is how many columns a label of a time takes with the space around it.
const labelRoom = 12

// times draws the axis of the times: its line with ticks, and the labels below.
func times(o Options, columns int) (ticks, labels string) {
	length := o.Until - o.From
	step := max(timeSteps[len(timeSteps)-1], length/int64(max(1, columns/labelRoom))+1)
	for _, s := range timeSteps {
		if length/s <= int64(columns/labelRoom) {
			step = s
			break
		}
	}
	layout := "15:04"
	switch {
	case step < 60:
		layout = "15:04:05"
	case step >= 300*86400:
		layout = "Jan 2006"
	case step >= 86400:
		layout = "Jan 2"
	}
	line := []rune(strings.Repeat("─", columns))
	text := []rune(strings.Repeat(" ", columns))
	_, offset := time.Unix(o.From, 0).In(o.Zone).Zone()
	first := (o.From+int64(offset)+step-1)/step*step - int64(offset)
	free, day := 0, -1
	for t := first; t <= o.Until && t >= o.From; t += step {
		column := int(math.Round(float64(t-o.From) / float64(length) * float64(columns-1)))
		at := time.Unix(t, 0).In(o.Zone)
		label := at.Format(layout)
		if step < 86400 && day >= 0 && at.YearDay() != day {
			label = at.Format("Jan 2")
		}
		begin := min(max(0, column-len(label)/2), columns-len(label))
		if begin < free {
			continue
		}
		day = at.YearDay()
		line[column] = '┬'
		copy(text[begin:], []rune(label))
		free = begin + len(label) + 2
	}
	return string(line), string(text)
}
