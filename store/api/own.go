package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-graphite/carbonapi/expr/types"
	"github.com/go-graphite/carbonapi/pkg/parser"
	pb "github.com/go-graphite/protocol/carbonapi_v3_pb"
)

// own are the functions that carbonapi answers otherwise than graphite-web, or has not.
var own = []function{
	mine("derivative", (*call).derivative), mine("delay", (*call).delay), mine("stdev", (*call).stdev), mine("unique", (*call).unique),
	mine("constantLine", (*call).constantLine), mine("aggregateLine", (*call).aggregateLine), mine("verticalLine", (*call).verticalLine),
	mine("nonNegativeDerivative", (*call).nonNegativeDerivative), mine("keepLastValue", (*call).keepLastValue),
	mine("transformNull", (*call).transformNull), mine("holtWintersConfidenceArea", (*call).confidenceArea),
	mine("timeSlice", (*call).timeSlice), mine("linearRegression", (*call).linearRegression),
	mine("percentileOfSeries", (*call).percentileOfSeries), mine("nPercentile", (*call).nPercentile),
	mine("removeAbovePercentile", (*call).removePercentile), mine("removeBelowPercentile", (*call).removePercentile),
	mine("averageOutsidePercentile", (*call).outsidePercentile), mine("removeBetweenPercentile", (*call).outsidePercentile),
	mine("movingAverage", (*call).moving), mine("movingMedian", (*call).moving), mine("movingMin", (*call).moving),
	mine("movingMax", (*call).moving), mine("movingSum", (*call).moving), mine("movingWindow", (*call).moving),
	{do: (*call).eventCounts, description: types.FunctionDescription{Name: "events", Function: "events(*tags)", Group: "Special",
		Description: "Counts the events that have all the tags, second by second.",
		Params:      []types.FunctionParam{{Name: "tags", Required: true, Multiple: true, Type: types.String}}}},
}

func mine(name string, do func(c *call) ([]*types.MetricData, error)) function {
	return function{do: do, description: types.FunctionDescription{Name: name}}
}

type renderKey struct{}

// withRender lets functions see the request.
func withRender(ctx context.Context, q *request, r *renderRequest) context.Context {
	return context.WithValue(ctx, renderKey{}, &rendering{q, r})
}

// A rendering is a request of /render.
type rendering struct {
	*request
	options *renderRequest
}

func (c *call) rendering() *rendering {
	r, _ := c.ctx.Value(renderKey{}).(*rendering)
	return r
}

// like returns a copy of a series with another name and other values.
func like(s *types.MetricData, name string, values []float64) *types.MetricData {
	c := s.CopyLink()
	c.Name, c.Values = name, values
	return c
}

// each makes a series of each one of the first argument.
func (c *call) each(f func(s *types.MetricData) *types.MetricData) ([]*types.MetricData, error) {
	list, err := c.series(0)
	if err != nil {
		return nil, err
	}
	results := make([]*types.MetricData, 0, len(list))
	for _, s := range list {
		if r := f(s); r != nil {
			results = append(results, r)
		}
	}
	return results, nil
}

// number is the argument n or the named one.
func (c *call) number(n int, name string, fallback float64) (float64, error) {
	w, ok := c.word(n, name)
	if !ok || w == "None" {
		if math.IsNaN(fallback) {
			return 0, parser.ErrMissingArgument
		}
		return fallback, nil
	}
	v, err := strconv.ParseFloat(w, 64)
	if err != nil {
		return 0, parser.ErrBadType
	}
	return v, nil
}

// required marks an argument without default.
var required = math.NaN()

// derivative knows no growth over a gap.
func (c *call) derivative() ([]*types.MetricData, error) {
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := make([]float64, len(s.Values))
		before := math.NaN()
		for i, v := range s.Values {
			values[i] = v - before
			before = v
		}
		r := like(s, "derivative("+s.Name+")", values)
		r.Tags["derivative"] = "1"
		return r
	})
}

// delay moves values by slots, forth or back.
func (c *call) delay() ([]*types.MetricData, error) {
	n, err := c.number(1, "steps", required)
	if err != nil {
		return nil, err
	}
	steps := int(n)
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := make([]float64, len(s.Values))
		for i := range values {
			values[i] = math.NaN()
			if from := i - steps; from >= 0 && from < len(s.Values) {
				values[i] = s.Values[from]
			}
		}
		r := like(s, fmt.Sprintf("delay(%s,%d)", s.Name, steps), values)
		r.Tags["delay"] = strconv.Itoa(steps)
		return r
	})
}

// stdev is the deviation within a moving window, where enough of it is known.
func (c *call) stdev() ([]*types.MetricData, error) {
	points, err1 := c.number(1, "points", required)
	tolerance, err2 := c.number(2, "windowTolerance", 0.1)
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	n := int(points)
	if n < 1 {
		return nil, bad("stdev: want one point or more")
	}
	return c.each(func(s *types.MetricData) *types.MetricData {
		values := make([]float64, len(s.Values))
		known, sum, squares := 0.0, 0.0, 0.0
		for i, v := range s.Values {
			if i >= n && !math.IsNaN(s.Values[i-n]) {
				old := s.Values[i-n]
				known, sum, squares = known-1, sum-old, squares-old*old
			}
			if !math.IsNaN(v) {
				known, sum, squares = known+1, sum+v, squares+v*v
			}
			values[i] = math.NaN()
			if known > 0 && known/points >= tolerance {
				values[i] = math.Sqrt(known*squares-sum*sum) / known
			}
		}
		r := like(s, fmt.Sprintf("stdev(%s,%d)", s.Name, n), values)
		r.Tags["stdev"] = strconv.Itoa(n)
		return r
	})
}

// unique leaves out series whose names have been before.
func (c *call) unique() ([]*types.MetricData, error) {
	var results []*types.MetricData
	seen := map[string]bool{}
	for n := range c.e.ArgsLen() {
		list, err := c.series(n)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if !seen[s.Name] {
				seen[s.Name] = true
				results = append(results, s)
			}
		}
	}
	return results, nil
}

// line makes a series of three equal points at the beginning, the middle and the end.
func (c *call) line(name string, value float64) *types.MetricData {
	step := max(1, (c.until-c.from)/2)
	return &types.MetricData{FetchResponse: pb.FetchResponse{Name: name, PathExpression: name, StartTime: c.from, StopTime: c.until,
		StepTime: step, Values: []float64{value, value, value}}, Tags: map[string]string{"name": name}}
}

func (c *call) constantLine() ([]*types.MetricData, error) {
	value, err := c.number(0, "value", required)
	if err != nil {
		return nil, err
	}
	return []*types.MetricData{c.line(c.e.Arg(0).ToString(), value)}, nil
}

// aggregateLine draws what a series comes to, over its whole time.
func (c *call) aggregateLine() ([]*types.MetricData, error) {
	name := c.or(1, "func", "average")
	f, ok := aggregation(name)
	if !ok {
		return nil, bad("aggregateLine: unknown function " + strconv.Quote(name))
	}
	keep := c.isTrue(2, "keepStep")
	return c.each(func(s *types.MetricData) *types.MetricData {
		value := f(s.Values)
		text := "None"
		if !math.IsNaN(value) {
			text = formatGeneral(value)
		}
		name := "aggregateLine(" + s.Name + ", " + text + ")"
		if !keep {
			r := c.line(strconv.FormatFloat(value, 'g', -1, 64), value)
			r.Name, r.PathExpression = name, name
			return r
		}
		values := make([]float64, len(s.Values))
		for i := range values {
			values[i] = value
		}
		return like(s, name, values)
	})
}

// verticalLine marks one time.
func (c *call) verticalLine() ([]*types.MetricData, error) {
	at, ok := c.word(0, "ts")
	r := c.rendering()
	if !ok || r == nil {
		return nil, parser.ErrMissingArgument
	}
	t, err := parseTime(at, r.options.zone, r.api.config.Now())
	if err != nil {
		return nil, bad("verticalLine: " + err.Error())
	}
	if t.Unix() < c.from || t.Unix() > c.until {
		return nil, bad(fmt.Sprintf("verticalLine: %d lies outside the range", t.Unix()))
	}
	name := c.or(1, "label", "None")
	s := &types.MetricData{FetchResponse: pb.FetchResponse{Name: name, PathExpression: name, StartTime: t.Unix(), StopTime: t.Unix(),
		StepTime: 1, Values: []float64{1}}, Tags: map[string]string{"name": name, drawInfinite: "1"}}
	if color, ok := c.word(2, "color"); ok && color != "None" {
		s.Tags[drawColor] = color
	}
	return []*types.MetricData{s}, nil
}

// eventCounts counts events, second by second.
func (c *call) eventCounts() ([]*types.MetricData, error) {
	r := c.rendering()
	if c.until-c.from > maxMade {
		return nil, bad(fmt.Sprintf("events: want a range of at most %d seconds", maxMade))
	}
	var tags []string
	for n := range c.e.ArgsLen() {
		tag, _ := c.word(n, "")
		tags = append(tags, tag)
	}
	name := `events("` + strings.Join(tags, `", "`) + `")`
	if slices.Equal(tags, []string{"*"}) {
		tags = nil
	}
	values := make([]float64, c.until-c.from)
	for i := range values {
		values[i] = math.NaN()
	}
	if r != nil && r.api.config.Events != nil {
		for _, e := range r.api.config.Events.find(c.from, c.until-1, tags, false) {
			i := e.When - c.from
			if math.IsNaN(values[i]) {
				values[i] = 0
			}
			values[i]++
		}
	}
	return []*types.MetricData{{FetchResponse: pb.FetchResponse{Name: name, PathExpression: name, StartTime: c.from, StopTime: c.until,
		StepTime: 1, Values: values, ConsolidationFunc: "sum"}, Tags: map[string]string{"name": name}}}, nil
}
