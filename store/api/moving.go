package api

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-graphite/carbonapi/expr/consolidations"
	"github.com/go-graphite/carbonapi/expr/types"
	"github.com/go-graphite/carbonapi/pkg/parser"
)

// aggregation returns the function that makes one value of the known ones among several: "average", "sum", "max", …
func aggregation(name string) (func([]float64) float64, bool) {
	f, ok := consolidations.ConsolidationToFunc[strings.ToLower(name)]
	return f, ok
}

// at evaluates the first argument for another time. What it reads comes from the storage, not from what was read already.
func (c *call) at(from, until int64) ([]*types.MetricData, error) {
	values, err := c.eval.Fetch(c.ctx, []parser.Expr{c.e.Arg(0)}, from, until, map[parser.MetricRequest][]*types.MetricData{})
	if err != nil {
		return nil, err
	}
	return c.eval.Eval(c.ctx, c.e.Arg(0), from, until, values)
}

// moving makes each point of the window before it: a number of points, or a time. Earlier points are read for the first
// windows.
func (c *call) moving() ([]*types.MetricData, error) {
	if c.e.ArgsLen() < 2 {
		return nil, parser.ErrMissingArgument
	}
	name, factorAt := "average", 2
	if c.e.Target() == "movingWindow" {
		name, factorAt = c.or(2, "func", "average"), 3
	} else {
		name = strings.ToLower(strings.TrimPrefix(c.e.Target(), "moving"))
	}
	f, ok := aggregation(name)
	if !ok {
		return nil, bad("movingWindow: unknown function " + strconv.Quote(name))
	}
	factor, err := c.number(factorAt, "xFilesFactor", -1)
	if err != nil {
		return nil, err
	}
	w := &window{f: f, factor: factor, name: "moving" + strings.ToUpper(name[:1]) + name[1:]}
	if err := w.size(c); err != nil {
		return nil, err
	}
	list, err := c.at(c.from-w.seconds, c.until)
	if err != nil {
		return nil, err
	}
	results := make([]*types.MetricData, 0, len(list))
	for _, s := range list {
		results = append(results, w.over(s))
	}
	return results, nil
}

// A window is what a moving function moves.
type window struct {
	name    string
	f       func([]float64) float64
	factor  float64 // of the window that must be known; below 0: the series' own
	text    string  // as it is named
	points  int     // 0: as many as the seconds hold
	seconds int64   // that are read before
}

// size reads the second argument.
func (w *window) size(c *call) error {
	arg := c.e.Arg(1)
	if !arg.IsConst() {
		text, _ := c.word(1, "windowSize")
		d, err := parseOffset(text)
		if err != nil || d == 0 {
			return bad(c.e.Target() + ": window " + strconv.Quote(text) + ": want a number of points or a time")
		}
		w.text, w.seconds = `"`+text+`"`, int64(d.Abs()/time.Second)
		return nil
	}
	w.text, w.points = arg.ToString(), int(arg.FloatValue())
	if w.points < 1 || w.points > maxMade {
		return bad(c.e.Target() + ": window " + w.text + ": want one point or more")
	}
	list, err := c.at(c.from, c.until)
	if err != nil {
		return err
	}
	for _, s := range list {
		w.seconds = max(w.seconds, s.StepTime*int64(w.points))
	}
	return nil
}

// over moves the window over one series that begins the window's time early.
func (w *window) over(s *types.MetricData) *types.MetricData {
	points := w.points
	if points == 0 {
		points = int(w.seconds / s.StepTime)
	}
	factor := w.factor
	if factor < 0 {
		factor = float64(s.XFilesFactor)
	}
	values := make([]float64, 0, max(0, len(s.Values)-points))
	known := make([]float64, 0, points)
	for i := points; i < len(s.Values); i++ {
		known = known[:0]
		for _, v := range s.Values[i-points : i] {
			if !math.IsNaN(v) {
				known = append(known, v)
			}
		}
		v := math.NaN()
		if len(known) > 0 && float64(len(known))/float64(points) >= factor {
			v = w.f(known)
		}
		values = append(values, v)
	}
	r := like(s, w.name+"("+s.Name+","+w.text+")", values)
	r.StartTime += w.seconds
	r.Tags[w.name] = strings.Trim(w.text, `"`)
	return r
}
