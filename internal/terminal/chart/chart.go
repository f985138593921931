// Package chart draws series over time with characters: in a terminal with colours as lines of braille dots, without
// colours as a letter for each series.
package chart

import (
	"math"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
)

// A Point is a value at a time; NaN is none.
type Point struct {
	Time  int64 // Unix seconds
	Value float64
}

// A Series is a line in a chart. Its points are in the order of their times.
type Series struct {
	Name   string
	Points []Point
}

// Options is how a chart is drawn.
type Options struct {
	Columns, Rows int // of the whole chart but for its legend
	From, Until   int64
	Paint         terminal.Painter
	Zone          *time.Location // of the times; nil: the machine's
}

// The smallest chart that says something.
const (
	minColumns = 24
	minRows    = 5
)

// colours are those of the series, in turn.
var colours = []terminal.Colour{terminal.Cyan, terminal.Yellow, terminal.Green, terminal.Magenta, terminal.Blue, terminal.Red,
	terminal.BrightCyan, terminal.BrightYellow, terminal.BrightGreen, terminal.BrightMagenta, terminal.BrightBlue, terminal.BrightRed}

// letters are those of the series where there are no colours.
const letters = "*+xo#@%&=$"

// Draw draws the series with axes and a legend. From and Until of 0 are the first and the last time of the points.
func Draw(series []Series, o Options) string {
	o.Columns, o.Rows = max(o.Columns, minColumns), max(o.Rows, minRows)
	if o.Zone == nil {
		o.Zone = time.Local
	}
	if o.From == 0 || o.Until <= o.From {
		o.From, o.Until = span(series)
	}
	low, high := extent(series)
	axis := newAxis(low, high, o.Rows-2)
	plot := newPlot(o.Columns-axis.width-2, o.Rows-2, len(series) > 1 && !bool(o.Paint))
	for i, s := range series {
		plot.series(i, s, o, axis)
	}
	var b strings.Builder
	for row := range plot.rows {
		label, mark := axis.labels[row], "│"
		if label != "" {
			mark = "┤"
		}
		b.WriteString(strings.TrimRight(terminal.Right(label, axis.width)+" "+mark+plot.line(row, o.Paint), " ") + "\n")
	}
	ticks, labels := times(o, plot.columns)
	b.WriteString(strings.Repeat(" ", axis.width+1) + "└" + ticks + "\n")
	b.WriteString(strings.TrimRight(strings.Repeat(" ", axis.width+2)+labels, " ") + "\n")
	for i, s := range series {
		b.WriteString(legend(i, s, len(series), o))
	}
	return b.String()
}

// span returns the first and the last time.
func span(series []Series) (from, until int64) {
	from, until = math.MaxInt64, math.MinInt64
	for _, s := range series {
		for _, p := range s.Points {
			from, until = min(from, p.Time), max(until, p.Time)
		}
	}
	if until < from {
		return 0, 1
	}
	if until == from {
		return from - 30, until + 30
	}
	return from, until
}

func isFinite(v float64) bool { return v-v == 0 }

// extent returns the least and the greatest value, 0 and 1 where there is none.
func extent(series []Series) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, s := range series {
		for _, p := range s.Points {
			if isFinite(p.Value) {
				low, high = min(low, p.Value), max(high, p.Value)
			}
		}
	}
	if low > high {
		return 0, 1
	}
	return low, high
}

// legend is a series' line below the chart: its mark, its name, and its figures.
func legend(i int, s Series, of int, o Options) string {
	mark := "⣀"
	if of > 1 && !bool(o.Paint) {
		mark = letter(i)
	}
	f := Sum(s.Points)
	figures := "  no values"
	if f.Values > 0 {
		figures = "  last " + Number(f.Last) + "  min " + Number(f.Min) + "  mean " + Number(f.Mean) + "  max " + Number(f.Max)
	}
	name := terminal.Cut(terminal.Plain(s.Name), max(8, o.Columns-len(figures)-3))
	return o.Paint.Paint(colours[i%len(colours)], mark) + " " + name + figures + "\n"
}

func letter(i int) string { return string(letters[i%len(letters)]) }
